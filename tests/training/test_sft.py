"""Imitation by TRL on a model of two layers, in seconds."""

from types import SimpleNamespace

import pytest

from motif.policies.policy import Policy
from motif.runs.checkpoints import Checkpoints
from motif.runs.folder import Run
from motif.runs.tracking.base import Nowhere
from motif.training.demonstrations import Demonstration
from motif.training.sft import imitate, table
from tests.support.toys import random_qwen
from tests.support.training import Killed, dies_at, untimed, weights

ROWS = [Demonstration([7, 8, 9 + n % 3], [20 + n % 3, 30, 31, 2]) for n in range(48)]


def trained(folder, report=lambda *_: None, rows=ROWS, policy=None, micro_batch=2):
    policy, run = policy or random_qwen(), Run(folder)
    config = {"folder": "x"}
    Run.open(folder, config).begin(config)
    model = SimpleNamespace(bf16=False, gradient_checkpointing=False)
    settings = {"steps": len(rows) // 4, "batch": 4, "micro_batch": micro_batch, "learning_rate": 3e-3}
    settings |= {"max_grad_norm": 1.0, "seed": 0, "checkpoint": Checkpoints(4, 1), "model": model}
    imitate(SimpleNamespace(**settings), policy, rows, rows[:4], run, Nowhere(), report)
    return policy, run


def test_the_loss_falls_on_replies_and_prompts_have_none(tmp_path):
    labels = table(ROWS[:1])["labels"][0]
    assert labels == [-100, -100, -100, 20, 30, 31, 2]
    _, run = trained(tmp_path / "run")
    losses = [line["train/loss"] for line in run.metrics() if "train/loss" in line]
    measured = [line["eval/loss"] for line in run.metrics() if "eval/loss" in line]
    assert len(losses) == 12 and losses[-1] < 0.7 * losses[0]
    assert len(measured) == 3 and measured[-1] < measured[0]
    assert run.metrics()[0]["train/num_tokens"] == 4 * 7


def test_a_training_that_was_killed_and_goes_on_ends_with_the_same_weights_and_metrics(tmp_path):
    calm, run = trained(tmp_path / "calm")
    with pytest.raises(Killed):
        trained(tmp_path / "killed", report=dies_at(7))
    steps = []
    again, other = trained(tmp_path / "killed", report=lambda step, *_: steps.append(step))
    assert steps == list(range(5, 13))  # from the checkpoint of step 4
    assert weights(again) == weights(calm) and untimed(other.metrics()) == untimed(run.metrics())
    at_the_end, _ = trained(tmp_path / "killed", report=dies_at(1))
    assert weights(at_the_end) == weights(calm)


def test_a_micro_batch_changes_rounding_alone(tmp_path):
    one, two = (trained(tmp_path / f"{size}", micro_batch=size)[1].metrics()[0]["train/loss"] for size in (4, 1))
    assert one == pytest.approx(two, rel=1e-4)


def test_adapters_alone_are_trained_where_there_are_some(tmp_path):
    from peft import LoraConfig, get_peft_model

    plain = random_qwen()
    model = get_peft_model(plain.model, LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
    policy, before = Policy(model, plain.tokenizer), weights(random_qwen())
    trained(tmp_path / "run", policy=policy, rows=ROWS[:16])
    assert any(weight.abs().sum() > 0 for name, weight in model.named_parameters() if "lora_B" in name)
    assert weights(Policy(model.unload(), plain.tokenizer)) == before
