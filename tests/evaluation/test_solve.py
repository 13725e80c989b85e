import pytest

from motif.evaluation.solve import Solver
from motif.policies.tiny import Tiny
from motif.rounds.episode import Episode
from motif.rounds.prompts import Prompts
from motif.system.errors import UserError


def solver(question, **changes):
    episode = Episode(rounds=3, tokens=44, prompts=Prompts(wording="countdown"))
    return Solver(**{"policy": str(Tiny().folder()), "question": question, "episode": episode, "rounds": 2, **changes})


def test_a_question_is_shown_round_by_round_with_what_is_handed_on(capsys):
    answer = solver("8a-3b+2", rounds=2, gold="7").run()[-1].prediction
    said = capsys.readouterr().out
    assert answer == "7" and "(right)" in said
    places = [said.index(words) for words in ("round 1 of 2", "a8-3=5;", "handed on", "round 2 of 2", "answer  7")]
    assert places == sorted(places)


def test_a_right_answer_of_zero_is_right(capsys):
    assert solver("6a-2b-4", rounds=1, gold=0).run()[-1].prediction == "0"
    assert "(right)" in capsys.readouterr().out


def test_an_answer_that_cannot_be_read_is_said_to_be_missing(capsys):
    episode = Episode(rounds=1, tokens=3, prompts=Prompts(wording="countdown"))
    assert solver("9a-5b+3", rounds=1, episode=episode).run()[-1].prediction is None
    said = capsys.readouterr().out
    assert "cut off at the window" in said and "answer  none" in said


@pytest.mark.parametrize(("question", "warned"), [("What is 2+2?", True), ("8a-3b+2", False)])
def test_a_question_that_the_tiny_policy_has_never_read_the_like_of_is_a_warning(capsys, question, warned):
    solver(question, rounds=1, model=Tiny()).run()
    assert ("warning: model=tiny " in capsys.readouterr().out) is warned


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"question": " "}, "question is empty"), ({"rounds": 0}, "rounds"), ({"policy": ""}, "policy")],
)
def test_a_bad_value_is_refused(changes, words):
    with pytest.raises(UserError, match=words):
        solver(**{"question": "1a+1", **changes})
