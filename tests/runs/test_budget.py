"""Budgets on ledgers made by hand, and whole runs that are matched. That training stops by them: tests of training."""

import io
import json
import subprocess
import sys
from contextlib import redirect_stdout
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir

from motif.runs.budget import Budget, Pace, account_lines, reached
from motif.runs.ledger import Ledger
from motif.system import config as settings
from motif.system.errors import UserError
from tests.support import FEW, ROOT

SMALL = ["experiment=smoke", "tracking=none", "evaluation.questions=2", "evaluation.before=false", "algo.m=2", *FEW]


def ledger(**counts):
    made = Ledger()
    made.counts.update({"generated_tokens": 100, "responses": 10, "questions": 4, "flops": 5e9, **counts})
    made.seconds.update({"load": 50.0, "evaluation": 70.0, "rollout": 2.0, "update": 1.5})
    return made


@pytest.fixture
def finished(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    spent = {"generated_tokens": 90, "responses": 8, "questions": 2, "flops": 4e9, "seconds": 3.25}
    (tmp_path / "summary.json").write_text(json.dumps({"compute": {"training": spent}}))
    return tmp_path


@pytest.mark.parametrize(
    ("axis", "spent"), [("tokens", 100), ("responses", 10), ("questions", 4), ("flops", 5e9), ("seconds", 3.5)]
)
def test_a_limit_is_reached_when_that_much_is_spent_and_not_before(axis, spent):
    assert reached(Budget(**{axis: spent}).limits(), ledger()) == f"budget.{axis}"
    more = spent + 0.25 if axis == "seconds" else spent + 1
    assert reached(Budget(**{axis: more}).limits(), ledger()) is None
    assert reached(Budget(**{axis: more, "questions": 1}).limits(), ledger()) == "budget.questions"


def test_a_step_has_as_many_questions_as_what_is_left_pays_for():
    spent = ledger(generated_tokens=880, trained_questions=8)  # 110 a question
    assert Pace({"tokens": 1000}, spent, {})(8, 8) == 1
    assert Pace({"tokens": 1320}, spent, {})(8, 8) == 4
    assert Pace({"tokens": 10_000}, spent, {})(8, 8) == 8
    assert Pace({"tokens": 10_000, "questions": 6}, spent, {})(8, 8) == 4  # 4 of 6 are spent, at half a one each
    assert Pace({"tokens": 881}, spent, {})(8, 8) == 1  # a step has a question, or none begins
    assert Pace({"seconds": 3.6}, spent, {})(8, 8) == 8  # seconds cannot be told beforehand


def test_the_first_step_reckons_with_the_most_that_a_question_can_cost():
    nothing = Ledger()
    assert Pace({"tokens": 1000}, nothing, {"tokens": 300.0})(0, 8) == 3
    assert Pace({"flops": 1e9}, nothing, {"tokens": 300.0})(0, 8) == 8


@pytest.mark.parametrize(("limit", "steps"), [(50_000, None), (50_000, 40), (7_777, 20), (7_777, None)])
@pytest.mark.parametrize("cost", [105, 528, 1056])
def test_a_budget_is_passed_by_less_than_a_question_and_spent_in_the_steps_that_are_asked_for(limit, steps, cost):
    spent = Ledger()
    pace = Pace({"tokens": limit}, spent, {"tokens": 1.2 * cost}, steps)
    taken = 0
    while not reached({"tokens": limit}, spent) and taken < 1000:
        asked = pace(taken, 8)
        assert 1 <= asked <= 8
        spent.counts.update(generated_tokens=asked * cost, trained_questions=asked)
        taken += 1
    assert spent.counts["generated_tokens"] < limit + cost
    if steps and cost <= limit / steps <= 8 * cost:
        assert abs(taken - steps) <= 1


def test_a_share_of_the_nearest_limit_is_spent():
    assert Pace({"tokens": 400, "questions": 5}, ledger(), {}).fraction() == 0.8
    assert Pace({}, ledger(), {}).fraction() == 0


def test_no_budget_is_never_reached_and_says_nothing():
    budget = Budget()
    assert reached(budget.limits(), ledger()) is None
    assert budget.account({}, ledger()) == {} and account_lines({}, "algo.steps") == []


@pytest.mark.parametrize(
    ("axis", "limit"), [("tokens", 90), ("responses", 8), ("questions", 2), ("flops", 4e9), ("seconds", 3.25)]
)
def test_a_match_is_what_the_other_run_spent_of_that(finished, axis, limit):
    assert Budget(match=str(finished), on=axis).limits() == {axis: limit}


def test_a_match_and_another_limit_hold_both(finished):
    assert Budget(questions=3, match=str(finished)).limits() == {"questions": 3, "tokens": 90}


def test_the_account_states_limit_spent_ratio_and_the_run_matched(finished):
    budget = Budget(match=str(finished))
    account = budget.account(budget.limits(), ledger())
    assert account["tokens"] == {"limit": 90, "spent": 100, "ratio": 100 / 90}
    assert (account["match"], account["on"]) == (str(finished), "tokens")
    (line,) = account_lines(account, "budget.tokens")
    assert line == f"budget.tokens: 100 of 90 (what {finished} spent), 111.1%"
    budget = Budget(tokens=400)
    (line,) = account_lines(budget.account(budget.limits(), ledger()), "algo.steps")
    assert line == "budget.tokens: 100 of 400, 25.0%; algo.steps ended training before that"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tokens": 0}, "budget.tokens must be a whole number of at least 1, got 0"),
        ({"responses": 1.5}, "budget.responses must be"),
        ({"questions": "many"}, "budget.questions must be .*got 'many'"),
        ({"seconds": 0}, "budget.seconds must be a number above 0"),
        ({"on": "token", "match": "x"}, "budget.on must be one of tokens, .*did you mean tokens"),
        ({"on": "seconds"}, "budget.match=outputs/RUN"),
        ({"match": 3}, "budget.match must be the folder of a finished run, got 3"),
        ({"match": "x", "tokens": 5}, "both set the same limit"),
        ({"flops": -1}, "budget.flops must be a number above 0"),
        ({"steps": 0, "tokens": 5}, "budget.steps must be a whole number of at least 1"),
        ({"steps": 5}, "budget.steps=5 is the steps of a budget: set another limit"),
        ({"steps": 5, "seconds": 9.0}, "budget.steps=5 is the steps of a budget: set another limit"),
    ],
)
def test_bad_values_are_refused_in_a_line(settings, words):
    with pytest.raises(UserError, match=words) as error:
        Budget(**settings)
    assert "\n" not in str(error.value)


def test_a_match_that_cannot_be_read_is_refused_in_a_line(finished, tmp_path):
    with pytest.raises(UserError, match="nowhere is not a run"):
        Budget(match="nowhere").limits()
    (finished / "summary.json").write_text(json.dumps({"compute": {"training": {"questions": 3}}}))
    with pytest.raises(UserError, match="does not say how many tokens"):
        Budget(match=str(finished)).limits()
    (finished / "summary.json").unlink()
    with pytest.raises(UserError, match="is not finished"):
        Budget(match=str(finished)).limits()


def run(folder, name, *overrides):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        config = compose("config", overrides=[*SMALL, *overrides, f"outputs={folder}", f"name={name}"])
        return settings.build(config).run(settings.resolved(config))


@pytest.fixture(scope="module")
def matched(tmp_path_factory):
    """A run, and one that gets what it spent: the folder of both, their summaries, and what the second said."""
    folder, said = tmp_path_factory.mktemp("matched"), io.StringIO()
    other = run(folder, "other", "algo=motif", "algo.steps=1")
    with redirect_stdout(said):
        same = run(folder, "same", *same_as_other(folder))
    return SimpleNamespace(folder=folder, other=other, same=same, said=" ".join(said.getvalue().split()))


def same_as_other(folder):
    return "algo=grpo", "algo.steps=30", f"budget.match={folder}/other"


def test_a_baseline_gets_what_another_run_spent_within_a_step(matched):
    summary, limit = matched.same, matched.other["compute"]["training"]["generated_tokens"]
    steps = [json.loads(line) for line in (matched.folder / "same/metrics.jsonl").read_text().splitlines()]
    assert summary["stopped_by"] == "budget.tokens" and len(steps) < 30
    last, spent = steps[-1], summary["compute"]["training"]["generated_tokens"]
    question = spent / summary["compute"]["training"]["trained_questions"]
    assert spent - last["step/generated_tokens"] < limit <= spent < limit + question
    assert steps[-1]["train/learning_rate"] < 0.5 * steps[0]["train/learning_rate"]  # the schedule ends with the budget
    assert summary["budget"]["tokens"]["limit"] == limit
    assert summary["budget"]["tokens"]["spent"] == summary["compute"]["training"]["generated_tokens"]
    assert f"(what {matched.folder}/other spent)" in matched.said


def test_a_run_whose_steps_end_before_its_budget_says_so(tmp_path, capsys):
    summary = run(tmp_path, "short", "algo=grpo", "algo.steps=1", "budget.questions=50")
    assert summary["stopped_by"] == "algo.steps" and summary["budget"]["questions"]["spent"] == 2
    assert "budget.questions: 2 of 50, 4.0%; algo.steps ended training before that" in capsys.readouterr().out


@pytest.mark.slow
def test_two_processes_count_the_whole_job_and_stop_at_the_same_step(tmp_path):
    call = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", str(ROOT / "train.py"), *SMALL]
    call += ["algo.questions=2", "budget.questions=3", f"outputs={tmp_path}", "name=two"]
    subprocess.run(call, check=True, capture_output=True, timeout=250)
    lines = [json.loads(line) for line in (tmp_path / "two/metrics.jsonl").read_text().splitlines()]
    assert [line["total/questions"] for line in lines] == [2, 3]
    assert [line["total/optimiser_steps"] for line in lines] == [1, 2]
    assert lines[-1]["total/first_round_replies"] == 6
    records = [file.read_text().splitlines() for file in (tmp_path / "two/evaluation").glob("*.jsonl")]
    assert records and all(len(kept) == 2 for kept in records)  # the first writes


def test_a_run_goes_on_with_the_limit_it_began_with_whatever_became_of_the_one_it_matches(matched):
    (matched.folder / "same/summary.json").unlink()  # as if it had been killed after its last step
    (matched.folder / "other/summary.json").unlink()
    again = run(matched.folder, "same", *same_as_other(matched.folder))
    assert again["budget"] == matched.same["budget"] and again["stopped_by"] == "budget.tokens"
