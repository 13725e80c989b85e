"""A training that is stopped, killed or finished goes on where it was, and ends as one that nothing disturbed."""

import json
import shutil
import signal
from functools import cache

import pytest

from motif.policies.tiny import Tiny
from motif.runs.folder import Run
from motif.system.errors import UserError
from motif.system.signals import Stopped
from motif.training.algorithms import GRPO
from tests.support.training import TRAINER, Killed, dies_at, motif, result, run_training, small, untimed, weights
from tests.support.training import questions as chains

pytestmark = pytest.mark.program


def stops_at(step):
    """A `report` that has the process asked to stop once that step is recorded."""

    def report(now, steps, metrics):
        if now == step:
            signal.raise_signal(signal.SIGTERM)

    return report


def trained(folder, algorithm=None, **told):
    """What a training of the shipped policy comes to, from where `folder` is."""
    policy = Tiny().load()
    return result(policy, run_training(policy, algorithm or motif(), folder, **told))


def test_a_stopped_run_continues_where_it_was_and_ends_as_if_it_had_not_stopped(tmp_path, reference):
    with pytest.raises(Stopped, match="after step 2 of 3; a checkpoint is written"):
        trained(tmp_path / "run", report=stops_at(1))
    assert Run(tmp_path / "run").checkpoint().step == 2
    assert trained(tmp_path / "run") == reference.result


@pytest.mark.parametrize(
    ("questions", "stop"), [(6, 5), (6, 6), (5, 3), (5, 4), pytest.param(5, 7, marks=pytest.mark.slow)]
)
def test_a_run_continues_exactly_in_any_pass_over_the_questions(tmp_path, passes, questions, stop):
    """Six questions fill three steps and five fill two: the stop is within the second or the fourth pass, or at the end
    of one."""
    settings = {"algorithm": small(GRPO, steps=9), "asked": chains()[:questions]}
    with pytest.raises(Stopped, match=f"after step {stop} of 9"):
        trained(tmp_path / "run", report=stops_at(stop - 1), **settings)
    assert trained(tmp_path / "run", **settings) == passes(questions)


@pytest.fixture(scope="module")
def passes(tmp_path_factory):
    """What nine steps over so many questions come to, undisturbed."""

    @cache
    def made(questions):
        settings = {"algorithm": small(GRPO, steps=9), "asked": chains()[:questions]}
        return trained(tmp_path_factory.mktemp("passes") / "run", **settings)

    return made


def test_each_pass_asks_all_questions_that_fill_steps_in_an_order_of_its_own(passes):
    asked = [tree["id"] for tree in passes(6)["episodes"]]
    first, second, third = asked[:6], asked[6:12], asked[12:]
    assert set(first) == set(second) == set(third) and len(set(first)) == 6 and first != second != third
    asked = [tree["id"] for tree in passes(5)["episodes"]]
    assert all(len(set(asked[start : start + 4])) == 4 for start in range(0, 16, 4)) and len(set(asked)) == 5


def test_a_stop_asked_for_during_the_last_step_is_not_forgotten(tmp_path, reference):
    with pytest.raises(Stopped, match="after step 3 of 3; a checkpoint is written"):
        trained(tmp_path / "run", report=stops_at(3))
    assert trained(tmp_path / "run") == reference.result


def test_several_updates_on_the_same_replies_stop_between_generations_and_continue_exactly(tmp_path):
    algorithm = small(GRPO, steps=4, trainer={**TRAINER, "num_iterations": 2})
    whole = trained(tmp_path / "whole", algorithm)
    assert [tree["step"] for tree in whole["episodes"]] == [1, 1, 3, 3]  # each once
    with pytest.raises(Stopped, match="after step 2 of 4"):
        trained(tmp_path / "part", algorithm, report=stops_at(1))
    assert trained(tmp_path / "part", algorithm) == whole
    with pytest.raises(UserError, match=r"checkpoint.every=5 must be a multiple of algo.trainer.num_iterations=2"):
        trained(tmp_path / "odd", algorithm, every=5)


def test_a_run_killed_after_its_last_step_trains_no_more(tmp_path, reference):
    folder = shutil.copytree(reference.folder, tmp_path / "run")
    before = (folder / "metrics.jsonl").read_bytes()
    assert trained(folder) == reference.result and (folder / "metrics.jsonl").read_bytes() == before


def test_lines_written_after_the_last_checkpoint_are_written_once(tmp_path, reference):
    with pytest.raises(Killed):
        trained(tmp_path / "run", every=2, report=dies_at(3))
    run = Run(tmp_path / "run")
    assert [line["step"] for line in run.metrics()] == [1, 2, 3] and run.checkpoint().step == 2
    assert trained(run.folder, every=2) == reference.result
    assert [tree["step"] for tree in reference.result["episodes"]] == [1, 1, 2, 2, 3, 3]
    redone = json.loads((run.checkpoints / "redone.json").read_text())
    assert redone["optimiser_steps"] == 1 and redone["generated_tokens"] == run.metrics()[-1]["step/generated_tokens"]


def test_a_run_killed_after_the_step_that_reached_its_limit_trains_no_more(tmp_path, reference):
    limits = {"tokens": reference.result["metrics"][0]["total/generated_tokens"]}
    policy, again = Tiny().load(), Tiny().load()
    before = run_training(policy, motif(), tmp_path / "run", limits=limits).metrics()
    run = run_training(again, motif(), tmp_path / "run", limits=limits)
    assert run.metrics() == before and len(before) == 1 and weights(again) == weights(policy)


def test_a_run_that_continues_before_its_limit_stops_where_it_would_have_stopped(tmp_path, reference):
    limits = {"responses": reference.result["metrics"][1]["total/responses"]}
    with pytest.raises(Killed):
        trained(tmp_path / "run", every=1, report=dies_at(2), limits=limits)
    trained(tmp_path / "run", every=1, limits=limits)
    assert untimed(Run(tmp_path / "run").metrics()) == reference.result["metrics"][:2]
