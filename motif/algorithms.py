"""Algorithms: how a tree is grown, and which of its replies are trained with which futures. No torch, no TRL.

Rewards turn a row into numbers, and TRL's GRPOTrainer turns the numbers of a group into advantages and the clipped
objective (`motif.training`). Nothing else in the suite branches on an algorithm's name.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from motif.checks import of_kind, whole
from motif.episode import Path, Tree, futures


@dataclass(frozen=True)
class Row:
    """A trained reply (the last of `path`) and the trajectories that its worth is read from."""

    path: Path
    futures: list[Path]


@dataclass(frozen=True)
class Algorithm(ABC):
    """What every algorithm is told: `steps` of optimisation, `questions` a step, `m` first-round replies a question.

    `micro_batch` is the number of trained replies in one forward pass of a process (null: all of a step), `trainer`
    holds keywords of TRL's GRPOConfig.
    """

    steps: int = 120
    questions: int = 8
    m: int = 8
    micro_batch: int | None = None
    trainer: Mapping[str, Any] = field(default_factory=dict)
    name: str = "algorithm"

    @abstractmethod
    def rounds(self, rounds: int) -> int:
        """Rounds of a training episode, where those of the experiment are `rounds`."""

    @abstractmethod
    def branching(self, rounds: int) -> list[int]:
        """How many replies each round draws from one prompt, from round 1 to round `rounds`."""

    @abstractmethod
    def rows(self, tree: Tree) -> list[Row]:
        """What is trained: `m` rows for a tree."""

    def __post_init__(self) -> None:
        of_kind("algo.trainer", self.trainer, Mapping)
        whole("algo.steps", self.steps)
        whole("algo.questions", self.questions)
        whole("algo.m", self.m, at_least=2)
        if self.micro_batch is not None:
            whole("algo.micro_batch", self.micro_batch)


@dataclass(frozen=True)
class GRPO(Algorithm):
    """Vanilla GRPO (DeepSeekMath, arXiv 2402.03300): one-round replies, each worth its own reward.

    r_i = reward(o_i);  A_i = (r_i − mean_j r_j) / (std_j r_j + ε) over the m replies of a question.
    """

    name: str = "grpo"

    def rounds(self, rounds: int) -> int:
        return 1

    def branching(self, rounds: int) -> list[int]:
        return [self.m]

    def rows(self, tree: Tree) -> list[Row]:
        return [Row((root,), [(root,)]) for root in tree.roots]


@dataclass(frozen=True)
class MOTIF(Algorithm):
    """MOTIF (arXiv 2507.02851): a first-round reply is worth the mean outcome of k continuations by the current policy.

    r_i = (1/k) Σ_j outcome(o_i, j) + reply terms(o_i);  A_i = (r_i − mean_j r_j) / (std_j r_j + ε) over the m
    first-round replies of a question; the objective runs over first-round tokens only. With one round it is GRPO.
    """

    k: int = 2
    name: str = "motif"

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("algo.k", self.k)

    def rounds(self, rounds: int) -> int:
        return rounds

    def branching(self, rounds: int) -> list[int]:
        return [self.m, self.k, *[1] * rounds][:rounds]

    def rows(self, tree: Tree) -> list[Row]:
        return [Row((root,), futures((root,))) for root in tree.roots]
