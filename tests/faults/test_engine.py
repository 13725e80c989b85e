"""A training whose vLLM server fails or dies: an exact checkpoint, one line, and the same command continues."""

from functools import partial

import pytest

from motif.generation.engines import VLLM
from motif.policies.tiny import Tiny
from motif.rounds.replies import EngineLost
from motif.runs.checkpoints import Checkpoints
from motif.runs.folder import Run
from motif.runs.ledger import Ledger
from motif.runs.tracking.base import Nowhere
from motif.training.algorithms import GRPO
from motif.training.rewards import Reward, accuracy
from motif.training.rollout import Rollout
from motif.training.trainer import make_trainer, train
from motif.training.trl_config import trainer_arguments
from tests.support.training import EPISODE, motif, questions, result, small, weights

pytestmark = pytest.mark.program

VARIETY = Reward(
    outcome={"accuracy": accuracy},
    reply={"variety": lambda path: float(len(set(path[-1].reply.token_ids)))},
    weights={"accuracy": 1.0, "variety": 1.0},
)


def trained(server, folder, algorithm, every=100, at_step=lambda step: None, wait=0.3):
    """Train the tiny policy with what the server writes; `at_step` is called when a step is done."""
    policy, run = Tiny().load(), Run.open(folder, {})
    run.begin({})
    episode = EPISODE.with_rounds(algorithm.rounds(3))
    engine = partial(VLLM(mode="server", base_url=server.url, wait=wait).generator, policy)
    rollout = Rollout(algorithm, episode, VARIETY, questions(), engine, policy.tokenizer, Ledger(), 0)
    arguments = trainer_arguments(algorithm, episode, VARIETY, 0, run.checkpoints, Checkpoints(every, 2))
    trainer = make_trainer(policy, arguments, rollout)
    rollout.generator(trainer)
    train(trainer, rollout, run, Nowhere(), lambda step, *_: at_step(step), checkpoints=Checkpoints(every, 2))
    return policy, run


@pytest.mark.parametrize(
    "algorithm", [pytest.param(small(GRPO, steps=3), marks=pytest.mark.slow), motif()], ids=lambda found: found.name
)
def test_a_server_that_dies_in_training_leaves_an_exact_checkpoint_and_the_same_command_continues(
    server, tmp_path, algorithm
):
    whole = result(*trained(server, tmp_path / "whole", algorithm))
    with pytest.raises(EngineLost, match="no vLLM server answers .*; what is done is kept, .* from step 2$") as error:
        trained(server, tmp_path / "run", algorithm, at_step=lambda step: server.stop() if step == 2 else None)
    assert "\n" not in str(error.value)
    assert Run(tmp_path / "run").checkpoint().step == 2
    server.start()
    assert result(*trained(server, tmp_path / "run", algorithm)) == whole
    assert whole["weights"] != weights(Tiny().load())


@pytest.mark.slow
def test_a_server_that_dies_in_a_later_round_or_fails_for_a_moment_changes_nothing(server, tmp_path):
    whole = result(*trained(server, tmp_path / "whole", motif()))

    def fail(step):
        server.faults = [""] * 2 + ["hang"] + ["503"] * 10_000 if step == 1 else ["reset", "500", "half"]

    with pytest.raises(EngineLost):
        trained(server, tmp_path / "run", motif(), at_step=fail)
    server.faults = []
    assert result(*trained(server, tmp_path / "run", motif(), at_step=lambda step: fail(2), wait=5)) == whole


@pytest.mark.slow
def test_a_server_that_dies_before_the_first_step_is_finished_or_after_a_checkpoint_writes_no_second(server, tmp_path):
    algorithm = small(GRPO, steps=3)
    whole = result(*trained(server, tmp_path / "whole", algorithm))
    server.faults = ["503"] * 10_000
    with pytest.raises(EngineLost, match="from step 0"):
        trained(server, tmp_path / "run", algorithm)
    server.faults = []

    def die(step):
        server.faults = ["503"] * 10_000 * (step == 2)

    with pytest.raises(EngineLost, match="from step 2"):
        trained(server, tmp_path / "run", algorithm, every=1, at_step=die)
    server.faults = []
    assert result(*trained(server, tmp_path / "run", algorithm)) == whole
