"""Gradients of the lab against the trainer's, on the shipped policy."""

from dataclasses import replace

import numpy as np
import pytest

from motif.evaluation.credit.gradients import Lab, Sketch
from motif.evaluation.credit.schemes import name
from motif.rounds.episode import Episode, grade
from motif.training.algorithms import MOTIF, Value
from motif.training.rewards import Reward, accuracy, format

BOTH = Reward({"accuracy": accuracy}, {"format": format}, {"accuracy": 1.0, "format": 0.1})


def test_a_sketch_keeps_inner_products_on_average_and_is_linear():
    import torch

    generator = torch.Generator().manual_seed(1)
    one, other = (torch.randn(30, 20, generator=generator) for _ in range(2))
    other = other + 0.5 * one
    exact, found = float((one * other).sum()), []
    for seed in range(100):
        sketch = Sketch([one], size=64, seed=seed)
        found.append(float(sketch([one]) @ sketch([other])))
        assert np.allclose(sketch([one + 2 * other]), sketch([one]) + 2 * sketch([other]), atol=1e-4)
    error = float(one.norm() * other.norm()) / 64**0.5
    assert abs(np.mean(found) - exact) < 4 * error / 10 and np.std(found) < 1.5 * error


@pytest.mark.parametrize("algorithm", [MOTIF(m=8, k=2), Value(m=4, k=1)], ids=name)
def test_the_gradient_is_the_one_that_the_trainer_takes(tmp_path, algorithm):
    from transformers import TrainerCallback

    from motif.policies.tiny import Tiny
    from motif.rounds.prompts import Prompts
    from motif.runs.checkpoints import Checkpoints
    from motif.runs.ledger import Ledger
    from motif.tasks.chain import Chain
    from motif.training.rollout import Rollout
    from motif.training.trainer import make_trainer
    from motif.training.trl_config import trainer_arguments

    options = {"loss_type": "grpo", "beta": 0.0, "bf16": False, "max_grad_norm": 0.0, "gradient_checkpointing": False}
    algorithm = replace(algorithm, steps=1, questions=2, trainer=options)
    policy, episode = Tiny().load(), Episode(3, 44, temperature=1.5, prompts=Prompts(wording="countdown"))
    questions = Chain(train_size=16, longest=4).train()
    lab = Lab(policy, episode, BOTH, algorithm, grade)
    rollout = Rollout(algorithm, episode, BOTH, questions, lambda trainer: lab.generate, policy.tokenizer, Ledger(), 0)
    arguments = trainer_arguments(algorithm, episode, BOTH, 0, tmp_path, Checkpoints())
    trainer, seen = make_trainer(policy, arguments, rollout), []

    class Watch(TrainerCallback):
        def on_pre_optimizer_step(self, *_, **__):
            taken = lab.sketch([each.grad for each in lab.parameters])
            seen.append((taken, lab.draw(rollout.trees, {"own": algorithm}, "group")["own"]))

    trainer.add_callback(Watch())
    trainer.train()
    ((taken, drawn),) = seen
    assert np.linalg.norm(taken) > 1e-3 and np.allclose(
        drawn.gradients.mean(0), -taken, atol=1e-3 * np.linalg.norm(taken)
    )
    assert drawn.rounds == ({1} if isinstance(algorithm, MOTIF) else {1, 2, 3})
    assert drawn.tokens == sum(len(each.reply.token_ids) for tree in rollout.trees for each in tree.nodes())
