"""What a step's gradient is, held against one computed by hand: for every loss type, with and without a KL term, where
episodes end early and trajectories have different numbers of rows."""

import pytest
import torch
from transformers import TrainerCallback
from trl.trainer.utils import add_fused_lm_head

from motif.rounds.episode import Episode
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Reply
from motif.runs.checkpoints import Checkpoints
from motif.runs.ledger import Ledger
from motif.tasks.questions import Question
from motif.training.algorithms import Broadcast
from motif.training.rewards import Reward
from motif.training.rollout import Rollout
from motif.training.trainer import make_trainer
from motif.training.trl_config import trainer_arguments
from tests.support import thinned
from tests.support.toys import random_qwen

LOSSES = ("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo")
QUESTIONS = [Question(f"q{n}", f"{n}a+1", "1") for n in range(2)]
WINDOW, BETA = 12, 0.3


def length(path):
    return float(len(path[-1].reply.token_ids))


REWARD = Reward({"length": length}, {}, {"length": 0.1})


def scripted(policy):
    """Replies of 3 to 9 tokens; every second episode ends in round 1, the others in round 2."""
    ids = policy.tokenizer("1a2b3c4d5+6-7*8", add_special_tokens=False)["input_ids"]
    count = iter(range(10**6))

    def generate(talks, sampling):
        replies = []
        for prompt in policy.render(talks):
            n = next(count)
            text = "<reasoning>1</reasoning><answer>\\boxed{1}</answer>" if n % 2 else "1"
            replies.append(Reply(text, ids[n % 3 : n % 3 + 3 + n % 7] + policy.end_ids[:1], prompt, True))
        return replies

    return generate


def shifted():
    """Another model of the same shape."""
    other = random_qwen().model
    with torch.no_grad():
        for weights in other.parameters():
            weights.add_(0.05 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(len(weights))))
    return other


def trained_gradient(loss, weighting, beta, micro_batch, folder):
    """The gradient of one step of TRL's trainer, and the rows that it was made of."""
    policy = random_qwen()
    options = {"loss_type": loss, "beta": 0.0, "bf16": False, "gradient_checkpointing": False, "max_grad_norm": 1e9}
    options |= {"importance_sampling_level": "sequence"} if loss == "luspo" else {}
    options |= {"epsilon_high": 5.0} if loss == "cispo" else {}  # above the ratio of 1
    algorithm = Broadcast(steps=1, questions=2, m=4, micro_batch=micro_batch, weighting=weighting, trainer=options)
    episode = Episode(2, WINDOW, stop="answered", prompts=Prompts(wording="countdown"))
    generate = scripted(policy)
    rollout = Rollout(algorithm, episode, REWARD, QUESTIONS, lambda trainer: generate, policy.tokenizer, Ledger(), 0)
    arguments = trainer_arguments(algorithm, episode, REWARD, 0, folder, Checkpoints())
    trainer = make_trainer(policy, arguments, rollout)
    if beta:  # a reference that differs, or the KL term and its gradient would be 0
        trainer.beta, trainer.ref_model = beta, shifted()
        add_fused_lm_head(trainer.ref_model, temperature=1.0)
    seen = {}

    class Spy(TrainerCallback):
        def on_pre_optimizer_step(self, *_, model, **__):
            seen.update({name: weights.grad.clone() for name, weights in model.named_parameters()})

    trainer.add_callback(Spy())
    trainer.train()
    return seen, rollout


def by_hand(loss, weighting, beta, rollout):
    """The same gradient, of a fresh copy of the policy: row by row, nothing of TRL."""
    policy, losses, counted = random_qwen(), [], []
    trajectories = sum(len(tree.roots) for tree in rollout.trees)
    rows = [
        (row, rollout.notes[id(row.path[-1])]["advantage"])
        for tree in rollout.trees
        for row in Broadcast(m=4).rows(tree)
    ]
    for row, advantage in rows:
        reply = row.path[-1].reply
        ids = torch.tensor([reply.prompt_ids + reply.token_ids])
        n = len(reply.token_ids)

        def scores(model, ids=ids, n=n, reply=reply):
            logits = model(input_ids=ids).logits[0, -n - 1 : -1]
            return torch.log_softmax(logits, -1).gather(-1, torch.tensor(reply.token_ids)[:, None]).squeeze(1)

        own = scores(policy.model)
        pull = -advantage * own  # whose gradient is that of a clipped ratio at ratio 1, and of cispo
        if loss == "luspo":  # a ratio of sequences: n tokens, each pulled by the mean of all
            pull = -advantage * own.mean().expand(n)
        if beta:
            with torch.no_grad():
                other = scores(shifted())
            kl = torch.exp(other - own) - (other - own) - 1
            ratio = torch.exp(own - own.detach())  # of the KL's importance weights, a mean over a sequence in luspo
            pull = pull + beta * kl * (ratio.log().mean().exp() if loss == "luspo" else ratio)
        weight = 1.0 if weighting == "round" else 1 / len(row.trajectory)
        per = {"grpo": pull.mean(), "sapo": pull.mean(), "dr_grpo": pull.sum() / WINDOW, "luspo": pull.sum()}
        losses.append(weight * per.get(loss, pull.sum()))
        counted.append(weight * n)
    total = sum(losses) / (sum(counted) if loss in ("bnpo", "dapo", "cispo") else trajectories)
    total.backward()
    return {name: weights.grad for name, weights in policy.model.named_parameters()}


@pytest.mark.parametrize("beta", [0.0, BETA], ids=["no_kl", "kl"])
@pytest.mark.parametrize("weighting", ["trajectory", "round"])
@pytest.mark.parametrize("loss", thinned(LOSSES, 3))
def test_the_gradient_is_that_of_the_objective(loss, weighting, beta, tmp_path):
    seen, rollout = trained_gradient(loss, weighting, beta, None, tmp_path)
    lengths = {len(row.trajectory) for tree in rollout.trees for row in Broadcast(m=4).rows(tree)}
    assert lengths == {1, 2}  # or nothing would depend on the weights
    right = by_hand(loss, weighting, beta, rollout)
    for name, gradient in right.items():
        scale = gradient.norm()
        assert scale > 0 and (seen[name] - gradient).norm() < 1e-3 * scale, name


@pytest.mark.parametrize("micro_batch", [2, 4, pytest.param(8, marks=pytest.mark.slow)])  # of 16 rows
@pytest.mark.parametrize("loss", ["grpo", "dapo", "dr_grpo"])
def test_a_step_cut_into_parts_has_the_same_gradient(loss, micro_batch, tmp_path):
    whole, _ = trained_gradient(loss, "trajectory", 0.0, None, tmp_path / "whole")
    parts, _ = trained_gradient(loss, "trajectory", 0.0, micro_batch, tmp_path / "parts")
    assert all(torch.allclose(whole[name], parts[name], rtol=1e-3, atol=1e-6) for name in whole)
