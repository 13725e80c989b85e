"""What is not finite ends a training with a line, and leaves nothing of itself behind."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from motif.runs.folder import Run
from motif.training.nonfinite import NotFinite, check_finite
from tests.support import FEW

ARGUMENTS = SimpleNamespace(learning_rate=0.1, max_grad_norm=0.5)
SMALL = ["experiment=smoke", *FEW, "name=run", "algo.m=4", "evaluation.questions=4", "evaluation.before=false"]


def check(*tensors):
    check_finite("the weights are", tensors, Run(Path("nowhere")), ARGUMENTS, 7)


def test_numbers_pass_whatever_their_type_and_where_there_is_no_gradient():
    check(torch.ones(3), torch.zeros(2, dtype=torch.bfloat16), None, torch.full((2,), 1e9))
    check()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_one_that_is_none_among_many_is_found(value, kind):
    tensor = torch.zeros(1000, dtype=kind)
    tensor[567] = value
    words = "step 7: the weights are not finite, .*there is no checkpoint.*learning_rate .0.1. or"
    with pytest.raises(NotFinite, match=words):
        check(torch.ones(3), tensor)


@pytest.mark.parametrize(
    ("rate", "what"),
    [
        ("1e38", "the weights are"),  # of which torch cannot even write down the step
        # the weights are numbers still; what follows of them, soon, is not
        pytest.param("1e6", "the gradient is", marks=pytest.mark.slow),
    ],
)
def test_a_training_that_runs_away_is_a_line_without_a_checkpoint_of_that_step(tmp_path, forks, rate, what):
    words = [f"algo.trainer.learning_rate={rate}", "checkpoint.every=1", "tracking=none"]
    status, said = forks.train(tmp_path, *SMALL, *words).wait()
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    run = tmp_path / "outputs/run"
    step = int(re.match(rf"error: step (\d+): {what} not finite", line)[1])
    assert status == 1 and "Traceback" not in said
    assert "algo.trainer.learning_rate" in line and line.endswith("see docs/troubleshooting.md#not-finite")
    kept = sorted(path.name for path in (run / "checkpoints").glob("*")) if (run / "checkpoints").is_dir() else []
    assert kept == [f"checkpoint-{each}" for each in range(1, step)][-2:]
    assert (f"checkpoints/checkpoint-{step - 1})" if kept else "there is no checkpoint") in line
    assert not (run / "policy").exists() and not (run / "summary.json").exists()


@pytest.mark.slow
def test_the_last_good_checkpoint_stays_and_the_same_command_says_the_same(tmp_path, forks):
    """A learning rate that is warmed up from nothing: the first step is harmless, the second is not."""
    warm = ["algo.trainer.lr_scheduler_type=constant_with_warmup", "algo.trainer.warmup_steps=1000000"]
    words = [*SMALL, *warm, "algo.trainer.learning_rate=1e32", "checkpoint.every=1", "tracking=none", "algo.m=8"]
    first, again = (forks.train(tmp_path, *words).wait() for _ in range(2))
    assert first[0] == again[0] == 1 and "Traceback" not in first[1] + again[1]
    line, same = ([line for line in said.splitlines() if "not finite" in line] for _, said in (first, again))
    checkpoint = tmp_path / "outputs/run/checkpoints/checkpoint-1"
    assert line == same and "step 2: the weights are not finite" in line[0] and "checkpoints/checkpoint-1)" in line[0]
    assert json.loads((checkpoint / "motif.json").read_text())["step"] == 1
    lines = (tmp_path / "outputs/run/metrics.jsonl").read_text().splitlines()
    assert [json.loads(each)["step"] for each in lines] == [1]


def test_a_loss_that_is_none_is_found_before_anything_is_written():
    """With a loss scale, whose gradients are not looked at."""
    from motif.training.recorder import Recorder

    recorder, state = SimpleNamespace(run=Run(Path("nowhere"))), SimpleNamespace(global_step=3)
    with pytest.raises(NotFinite, match="step 3: the loss is not finite"):
        Recorder.on_log(recorder, ARGUMENTS, state, None, {"loss": float("nan")})
