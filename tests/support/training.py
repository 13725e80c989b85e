"""Trainings of the tiny policy on chains, a few steps long, and what of them has to be the same in every bit."""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from motif.generation.engines import Transformers
from motif.policies.policy import Policy
from motif.policies.tiny import Tiny
from motif.rounds.episode import Episode
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Generate
from motif.runs.checkpoints import Checkpoints
from motif.runs.folder import Run
from motif.runs.ledger import Ledger
from motif.runs.tracking.base import Nowhere
from motif.tasks.chain import Chain
from motif.tasks.questions import Question
from motif.training.algorithms import MOTIF, Algorithm
from motif.training.guard import Guard
from motif.training.rewards import Reward, accuracy, format
from motif.training.rollout import Rollout
from motif.training.trainer import make_trainer, train
from motif.training.trl_config import trainer_arguments

TRAINER = {"learning_rate": 1e-4, "loss_type": "grpo", "beta": 0.0, "bf16": False, "gradient_checkpointing": False}
REWARD = Reward(outcome={"accuracy": accuracy}, reply={"format": format}, weights={"accuracy": 1.0, "format": 0.1})
MEASURED = ("seconds/", "total/seconds", "train/step_time", "compute/")  # what differs from run to run
EPISODE = Episode(rounds=3, tokens=44, temperature=1.5, prompts=Prompts(wording="countdown"))


def small(kind: type[Algorithm], **settings: Any) -> Algorithm:
    """An algorithm of two questions a step, with four trained replies each."""
    return kind(**{"steps": 2, "questions": 2, "m": 4, "trainer": TRAINER, **settings})


def questions() -> list[Question]:
    return Chain(train_size=16, longest=4).train()


def run_training(
    policy: Policy,
    algorithm: Algorithm,
    folder: Path,
    generate: Generate | None = None,
    seed: int = 0,
    every: int = 100,
    guard: Guard | None = None,
    asked: Sequence[Question] = (),
    episode: Episode = EPISODE,
    reward: Reward = REWARD,
    only_finished: bool = False,
    **told: Any,
) -> Run:
    """Train `policy` in place and in `folder`, from the newest checkpoint there.

    Args:
        policy: that is trained.
        algorithm: with its number of steps.
        folder: of the run.
        generate: writes all replies; None: the policy itself.
        seed: of the training.
        every: steps between checkpoints.
        guard: compares replies with the policy.
        asked: the questions; chains if there are none.
        episode: as it is trained, of three rounds.
        reward: of the replies.
        only_finished: replies that were cut off stay out of the loss.
        told: what else `train` is told, such as `report`, `tracker`, `limits`, `watch`.
    """
    config = {"folder": folder.name}
    run = Run.open(folder, config)
    run.begin(config)
    own = episode.with_rounds(algorithm.rounds(3))
    write = generate or Transformers().generator(policy)
    check = guard.watch(own.sampling, cut=False) if guard else None
    asked = asked or questions()
    rollout = Rollout(
        algorithm,
        own,
        reward,
        asked,
        lambda _: write,
        policy.tokenizer,
        Ledger(),
        seed,
        check=check,
        only_finished=only_finished,
    )
    arguments = trainer_arguments(algorithm, own, reward, seed, run.checkpoints, Checkpoints(every, 2))
    train(
        make_trainer(policy, arguments, rollout),
        rollout,
        run,
        **{"tracker": Nowhere(), "report": lambda *_: None, **told},
    )
    return run


class Killed(RuntimeError):
    """What ends a training at once, as a kill does: without a checkpoint."""


def dies_at(step: int) -> Callable[..., None]:
    """A `report` that kills the training once that step is recorded."""

    def report(now: int, steps: int, metrics: Mapping[str, float]) -> None:
        if now == step:
            raise Killed

    return report


def weights(policy: Policy) -> str:
    """A digest of all weights."""
    digest = hashlib.sha256()
    for parameter in policy.model.parameters():
        digest.update(parameter.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def without_times(run: Run) -> list[dict[str, Any]]:
    return untimed(run.metrics())


def untimed(lines: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Lines of metrics without what differs from run to run: times and memory."""
    return [{key: value for key, value in line.items() if not key.startswith(MEASURED)} for line in lines]


def episodes(run: Run) -> list[dict[str, Any]]:
    with gzip.open(run.episodes_file, "rt") as file:
        return [json.loads(line) for line in file]


def result(policy: Policy, run: Run) -> dict[str, Any]:
    """What a training came to: the same in every bit where another is the same training."""
    return {"weights": weights(policy), "metrics": without_times(run), "episodes": episodes(run)}


def motif(**settings: Any) -> Algorithm:
    """The algorithm of the `reference` training."""
    return small(MOTIF, **{"steps": 3, "k": 2, **settings})


def reference(folder: Path) -> dict[str, Any]:
    """What a training that nothing disturbs comes to: three steps of MOTIF."""
    policy = Tiny().load()
    return result(policy, run_training(policy, motif(), folder))
