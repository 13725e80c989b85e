"""Where nothing is to be learnt, nothing moves: neither weights nor the optimiser's moments."""

import json
from dataclasses import replace

import pytest
import torch
from transformers import TrainerCallback

from motif.policies.tiny import Tiny
from motif.runs.folder import Run
from motif.training import trainer as training
from motif.training.algorithms import GRPO, MOTIF, Broadcast, LeaveOneOut, Value
from motif.training.rewards import Reward
from tests.support.toys import random_qwen
from tests.support.training import EPISODE, TRAINER, run_training, small, weights

pytestmark = pytest.mark.program


class Moving(TrainerCallback):
    """Weights and moments after each step."""

    def __init__(self):
        self.seen = []

    def on_step_end(self, args, state, control, model, optimizer, **_):
        moments = [value for kept in optimizer.state.values() for value in kept.values()]
        self.seen.append([each.detach().clone() for each in (*model.parameters(), *moments)])

    def moved(self):
        """Whether anything moved from each step to the next."""
        pairs = zip(self.seen, self.seen[1:], strict=False)
        return [len(one) != len(two) or not all(map(torch.equal, one, two)) for one, two in pairs]


@pytest.fixture
def moving(monkeypatch):
    made, watching = training.make_trainer, Moving()

    def make(*given):
        trainer = made(*given)
        trainer.add_callback(watching)
        return trainer

    monkeypatch.setattr("tests.support.training.make_trainer", make)
    return watching


def paid(*values):
    """A reward that pays each reply of a step the same, but in the first step: there one in four earns something."""
    count = iter(range(10**6))

    def outcome(path):
        place = next(count)
        return float(place % 4 == 0) if place < 8 else 1.0

    terms = {f"term{number}": outcome for number in range(len(values))}
    return Reward(terms, {}, {f"term{number}": value for number, value in enumerate(values)})


@pytest.mark.parametrize("values", [(0.1,), (0.6, 0.5), (0.1, 0.7, 0.3)], ids=str)
@pytest.mark.parametrize(
    "kind", [GRPO, *(pytest.param(kind, marks=pytest.mark.slow) for kind in (MOTIF, LeaveOneOut, Broadcast, Value))]
)
def test_equal_rewards_move_no_weight_and_no_moment(tmp_path, moving, kind, values):
    algorithm = small(kind, steps=4, trainer={**TRAINER, "learning_rate": 1e-2, "weight_decay": 0.1})
    run = run_training(Tiny().load(), algorithm, tmp_path, reward=paid(*values))
    assert moving.moved()[-2:] == [False, False]
    metrics = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [line["groups/zero_advantage"] for line in metrics][-2:] == [1.0, 1.0]


def test_a_first_step_that_teaches_nothing_leaves_the_policy_as_it_was(tmp_path):
    policy = Tiny().load()
    before = weights(policy)
    run = run_training(
        policy, small(GRPO, steps=3), tmp_path, reward=Reward({"flat": lambda path: 1.0}, {}, {"flat": 0.1})
    )
    assert weights(policy) == before and Run(run.folder).checkpoint().note["ledger"]["counts"]["idle_steps"] == 3


def test_with_a_kl_term_that_term_alone_acts(tmp_path, moving):
    algorithm = small(GRPO, steps=4, trainer={**TRAINER, "beta": 0.5})
    run_training(Tiny().load(), algorithm, tmp_path, reward=paid(0.1))
    assert moving.moved() == [True] * 3


def test_replies_that_were_cut_off_stay_out_of_the_loss_by_the_ends_of_decoding(tmp_path, moving):
    """The policy's turns end with a token that is not its tokenizer's end of text."""
    policy = random_qwen()
    assert policy.end_ids == [policy.tokenizer.eos_token_id]
    policy.__dict__["end_ids"] = [*policy.end_ids, *range(8, 12)]  # what decoding ends at
    episode = replace(EPISODE, tokens=12)
    count = iter(range(10**6))
    reward = Reward({"alternating": lambda path: float(next(count) % 2)}, {}, {"alternating": 1.0})
    run = run_training(policy, small(GRPO, steps=2), tmp_path, episode=episode, reward=reward, only_finished=True)
    cut = [line["episode/truncated"] for line in run.metrics()]
    assert 0 < sum(cut) < 2 and moving.moved() == [True]
