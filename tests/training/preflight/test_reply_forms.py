import pytest

from motif.rounds.episode import Episode, grade
from motif.rounds.prompts import Prompts
from motif.tasks.grading.answers import final_answer
from motif.tasks.questions import Question
from motif.training.algorithms import GRPO, MOTIF
from motif.training.preflight.reply_forms import (
    EMPTY,
    HALF,
    ROWS,
    Check,
    cut_off,
    golds_check,
    one_line,
    pay,
    plain,
    probes,
    right,
    sample,
)
from motif.training.published import Flaws
from motif.training.rewards import Reward, accuracy, format
from tests.support.toys import Words, question

EPISODE = Episode(rounds=3, tokens=44)
REWARD = Reward({"accuracy": accuracy}, {"format": format}, {"accuracy": 1.0, "format": 0.1})
CURRENT = MOTIF()
QUESTIONS = [question(f"{n}+{n}", str(2 * n)) for n in range(30)]


def paid(reward=REWARD, questions=QUESTIONS, algorithm=CURRENT, episode=EPISODE, marks=grade):
    found = pay(questions, reward, algorithm, episode, marks, Words())
    return found if isinstance(found, Check) else {each.probe.name: each for each in found}


def test_replies_of_a_length_have_that_length_whatever_their_form():
    made = {probe.name: probe for probe in probes(Prompts(), "7", ["8"])}
    for length, least in (("long", 1000), ("short", 50)):
        sizes = [len(made[name(length)].last) for name in (plain, cut_off)] + [
            len(probe.last) for name, probe in made.items() if name.startswith("right") and f"form, {length}" in name
        ]
        assert min(sizes) >= least and max(sizes) - min(sizes) < 80
    assert len(made[one_line("tags inline")].last) == len(made[right("long", "tags inline")].last)
    assert "\n" not in made[one_line("tags inline")].last and "\n" in made[right("long", "tags inline")].last


@pytest.mark.parametrize("tags", [{}, {"reasoning": "think", "answer": "result"}])
def test_a_perfect_reply_is_well_formed_in_the_runs_own_tags_and_the_others_are_not(tags):
    prompts = Prompts(**tags)
    for probe in probes(prompts, "7", ["8", "9"]):
        formed = "form" in probe.name or "box" in probe.name or probe.name == HALF
        assert prompts.well_formed(probe.last) == prompts.well_formed(probe.before) == formed, probe.name
        if probe.name.startswith("right"):
            assert final_answer(probe.last) == "7"
        assert not final_answer(probe.before, tag=None), "only the last round answers"


def test_probes_are_paid_by_grader_algorithm_and_reward_as_replies_of_a_run_are():
    found = paid()
    assert found[right("long", "tags inline")].total == 1.1 and found[plain("short")].total == 1.0
    assert found[EMPTY].total == found[cut_off("long")].total == 0.0
    assert found[HALF].terms == {"accuracy": 0.5, "format": 1.0}
    assert paid(algorithm=GRPO(), episode=EPISODE.with_rounds(1))[HALF].total == 1.1, "a reply that is its own future"


def test_every_round_of_an_episode_has_the_probes_form():
    seen = {}

    def rounds(path):
        seen.setdefault(len(path), path)
        return 1.0

    paid(Reward({"rounds": rounds}, {}, {"rounds": 1.0}))
    assert list(seen) == [3]


def test_wrong_answers_are_the_other_golds_and_what_a_grader_takes_for_right_is_never_one():
    calls = []

    def everything(trees):
        calls.append(len(trees))
        for tree in trees:
            for node in tree.nodes():
                node.correct = True

    found = paid(marks=everything)
    assert isinstance(found, Check) and "every answer to toy-0+0 is graded right" in found.wrong
    assert paid(questions=[question("a", "7")])[right("short", "tags inline")].total == 1.1  # no other gold at hand


def test_a_term_that_raises_or_gives_no_number_is_named_with_its_place():
    def first(path):
        return float(path[-1].reply.text[0] == "<")

    found = paid(Reward({"accuracy": accuracy}, {"first": first}, {"accuracy": 1.0, "first": 1.0}))
    assert "an empty reply" in found.wrong and "IndexError" in found.wrong and "test_reply_forms.py:" in found.wrong
    found = paid(Reward({"accuracy": accuracy}, {"x": lambda path: float("nan")}, {"accuracy": 1.0, "x": 1.0}))
    assert "reward term x gives nan" in found.wrong


def test_golds_that_a_reply_cannot_get_right_are_counted_and_shown():
    good = [question(f"q{n}", str(n)) for n in range(99)]
    check, kept = golds_check("toy", [*good, question("bad", "{5")], EPISODE, grade, Words())
    assert not check.wrong and len(kept) == 99
    check, _ = golds_check("toy", [*good[:98], question("bad", "{5"), question("worse", "}6")], EPISODE, grade, Words())
    assert "2 of 100 golds of toy are not graded right" in check.wrong and "'{5' of toy-bad" in check.wrong
    assert golds_check("toy", [], EPISODE, grade, Words())[0].wrong


def test_where_a_bare_answer_counts_the_golds_are_tried_bare_too():
    asked = Question("toy-1", "capital?", "Paris", unboxed=True)
    assert not golds_check("toy", [asked], EPISODE, grade, Words())[0].wrong
    assert golds_check("toy", [asked], EPISODE, Flaws(grading="substring").marks(), Words())[0].wrong


def test_a_sample_is_spread_evenly_and_draws_no_random_number():
    taken = sample([question(str(n), "1") for n in range(1000)])
    assert len(taken) == ROWS and [each.text for each in taken[:3]] == ["0", "5", "10"]
    assert len(sample(QUESTIONS)) == len(QUESTIONS)
