"""What the functions return says in a line what it is, and in a notebook in a table."""

from pathlib import Path

import pytest

from motif.api_results import EvaluateResult, ReportResult, SolvedRound, SolveResult, TrainResult

RESULT = {"dataset": "chain", "rounds": 1, "accuracy": 0.25, "interval": [0.2, 0.3], "n": 400}
TRAINED = {**RESULT, "policy": "trained"}
BETTER = {**TRAINED, "rounds": 3, "accuracy": 0.75}
SUMMARY = {"rounds": 3, "evaluation": [{**RESULT, "policy": "base"}, TRAINED, BETTER]}


def test_a_run_is_known_by_what_the_trained_policy_reaches_in_its_rounds():
    run = TrainResult(Path("outputs/mine"), SUMMARY)
    assert run.accuracy == run.result["accuracy"] == 0.75 and run.policy == Path("outputs/mine/policy")
    assert repr(run) == "TrainResult(outputs/mine: 75.0% (20.0% – 30.0%, n = 400) on chain in 3 rounds)"
    lines = run._repr_markdown_().splitlines()
    assert lines[0] == "outputs/mine" and lines[-1] == "| chain | 3 | trained | 75.0% | 20.0% – 30.0% | 400 |"


def test_a_run_that_was_not_measured_says_so():
    run = TrainResult(Path("outputs/mine"), {"rounds": 3, "evaluation": []})
    assert run.result is None and run.accuracy is None and repr(run) == "TrainResult(outputs/mine: not measured)"


def test_a_measurement_says_what_it_is_of():
    found = EvaluateResult(Path("records.jsonl"), RESULT)
    assert found.accuracy == 0.25 and found.interval == (0.2, 0.3)
    assert repr(found) == "EvaluateResult(25.0% (20.0% – 30.0%, n = 400) on chain in 1 round; records.jsonl)"
    assert found._repr_markdown_().splitlines()[-1] == "| chain | 1 |  | 25.0% | 20.0% – 30.0% | 400 |"


@pytest.mark.parametrize(("correct", "words"), [(True, "'4', right"), (False, "'4', wrong"), (None, "'4'")])
def test_an_answer_says_whether_it_is_right_where_that_is_known(correct, words):
    found = SolveResult("9a-5", "4", correct, (SolvedRound("so 4", 3, True, None),))
    assert repr(found) == f"SolveResult('9a-5': {words}, in 1 round)"


def test_a_report_says_its_verdicts_and_its_page():
    found = ReportResult(Path("report/index.html"), ("motif is better than grpo.", "a*b"))
    assert repr(found).splitlines() == ["motif is better than grpo.", "a*b", "ReportResult(report/index.html)"]
    assert found._repr_markdown_().splitlines() == ["- motif is better than grpo.", r"- a\*b", "", "report/index.html"]
