import json

import pytest

from motif.checks import UserError
from motif.episode import Episode
from motif.evaluation import Evaluation, evaluate, summarise
from tests.toys import Words, good, question, says

QUESTIONS = [question(f"q{place}", gold=str(place), length=place % 2) for place in range(10)]


def answer(prompt):
    """Right for the first seven questions, wrong for the next two, nothing for the last."""
    place = int(prompt.split("Problem:\nq")[1].split("\n")[0])
    return good(f"\\boxed{{{place if place < 7 else 'x'}}}") if place < 9 else "no end"


def measured(tmp_path, generate=None, **settings):
    words = Words()
    return evaluate(
        QUESTIONS,
        Episode(rounds=2, tokens=9),
        generate or says(words, answer),
        words,
        Evaluation(**settings),
        tmp_path / "evaluation" / "items.jsonl",
    )


def test_accuracy_comes_with_its_interval_its_n_and_what_could_not_be_read(tmp_path):
    records = measured(tmp_path)
    found = summarise(records)
    assert (found["n"], found["correct"], found["accuracy"]) == (10, 7, 0.7)
    assert found["interval"] == (pytest.approx(0.397, abs=1e-3), pytest.approx(0.892, abs=1e-3))
    assert found["unparsable"] == pytest.approx(0.1) and found["copied"] == pytest.approx(0.9)
    assert found["by_length"]["0"]["n"] == 5 and found["by_length"]["0"]["correct"] == 4
    assert found["tokens"] == sum(sum(item["tokens_by_round"]) for item in records) / 10 > 0


def test_items_are_kept_and_read_instead_of_measured_again(tmp_path):
    records = measured(tmp_path, batch=3)
    lines = (tmp_path / "evaluation/items.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == records and len({item["id"] for item in records}) == 10
    again = measured(tmp_path, generate=lambda *_: pytest.fail("measured again"))
    assert again == records


def test_evaluation_is_greedy_and_keeps_the_windows_of_the_episode():
    sampling = Evaluation().sampling(Episode(rounds=2, tokens=9, top_p=0.5, later={"tokens": 20}), seed=3)
    assert (sampling(1).tokens, sampling(2).tokens) == (9, 20)
    assert sampling(1).temperature == 0 and sampling(1).top_p == 1.0 and sampling(1).seed != sampling(2).seed


@pytest.mark.parametrize("bad", [{"questions": 0}, {"batch": 0}, {"temperature": -1}])
def test_impossible_settings_are_refused(bad):
    with pytest.raises(UserError, match="evaluation."):
        Evaluation(**bad)
