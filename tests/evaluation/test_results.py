import pytest

from motif.evaluation.results import disagreements, majority, result_of
from motif.evaluation.statistics import clustered, wilson


def sample(prediction, gold="2", rounds=(None,), tokens=(5, 7), finished=True):
    correct = prediction == gold
    return {
        "prediction": prediction,
        "correct": correct,
        "strict": correct and prediction != "2.0",
        "truncated": not finished,
        "unparsable": prediction is None,
        "copied": False,
        "tokens_by_round": list(tokens),
        "correct_by_round": [False, correct],
    }


def item(id, *predictions, **facts):
    return {"id": id, "gold": "2", "facts": facts, "samples": [sample(prediction) for prediction in predictions]}


GREEDY = [item(str(n), "2" if n < 7 else None if n == 9 else "3", length=n % 2, row=n) for n in range(10)]


def test_accuracy_comes_with_its_interval_its_n_and_what_could_not_be_read():
    found = result_of(GREEDY)
    assert (found["n"], found["correct"], found["accuracy"]) == (10, 7, 0.7)
    assert found["interval"] == wilson(7, 10) and found["unparsable"] == 0.1 and found["tokens"] == 12
    assert found["tokens_by_round"] == [5, 7]
    assert "pass_at" not in found


def test_accuracy_is_given_for_an_episode_stopped_after_each_round():
    first, second = result_of(GREEDY)["accuracy_by_round"]
    assert first == {"value": 0, "interval": wilson(0, 10)} and second["value"] == 0.7


def test_results_are_split_by_facts_of_few_values_only():
    found = result_of(GREEDY)
    assert found["by_length"]["0"] == {"n": 5, "correct": 4, "accuracy": 0.8, "interval": wilson(4, 5)}
    assert "by_row" not in found


def test_several_samples_give_avg_pass_and_majority():
    records = [item("a", "2", "2", "3", "3"), item("b", "2", "4", "4", "4"), item("c", None, None, None, None)]
    found = result_of(records)
    assert (found["samples"], found["correct"]) == (4, 3)
    assert found["accuracy"] == pytest.approx(0.25) and found["interval"] == clustered([0.5, 0.25, 0], 4)
    assert found["pass_at"]["1"] == {"value": pytest.approx(0.25), "interval": pytest.approx(found["interval"])}
    assert found["pass_at"]["2"]["value"] == pytest.approx((5 / 6 + 3 / 6 + 0) / 3)
    assert found["pass_at"]["4"]["value"] == pytest.approx(2 / 3)
    assert found["maj_at"]["4"]["value"] == pytest.approx((0.5 + 0 + 0) / 3)


def test_votes_for_one_answer_written_in_two_ways_are_counted_together():
    votes = [{"prediction": text, "correct": False} for text in ("1,000", "1000", "7")]
    assert majority([*votes, {"prediction": "8", "correct": True}]) == 0.0
    assert majority([{"prediction": "8", "correct": True}, *votes[2:], {"prediction": "8.0", "correct": True}]) == 1.0


def test_what_the_two_graders_judge_differently_is_counted_and_listed():
    records = [item("a", "2"), item("b", "2")]
    records[1]["samples"][0]["strict"] = False
    assert result_of(records)["disagreements"] == 1 and result_of(records)["strict"] == 0.5
    (found,) = disagreements(records)
    assert found == {"id": "b", "sample": 0, "gold": "2", "prediction": "2", "correct": True, "strict": False}


def test_an_episode_that_ended_early_stays_as_it_ended_and_takes_no_more_tokens():
    early, late = item("a", "2"), item("b", "3")
    early["samples"][0] |= {"tokens_by_round": [5], "correct_by_round": [True]}
    late["samples"][0] |= {"tokens_by_round": [5, 7, 8], "correct_by_round": [False, True, False]}
    found = result_of([early, late])
    assert found["rounds_used"] == 2 and found["tokens_by_round"] == [5, 3.5, 4]
    assert [share["value"] for share in found["accuracy_by_round"]] == [0.5, 1.0, 0.5]
