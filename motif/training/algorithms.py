"""Algorithms: how a tree is grown, which of its replies are trained, and how each is credited. No torch, no TRL.

An algorithm chooses four things: the rounds that are trained, the continuations whose outcome credits a trained reply,
the baseline, and whether the spread of a group is divided out. A trajectory of a tree is its main line: a first-round
reply and first continuations. Other branches credit a reply and are not trained. Nothing else in the suite branches on
an algorithm's name.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from motif.rounds.episode import Episode, Path, Tree, continuations, main_line
from motif.system.errors import number, of_kind, one_of, whole
from motif.training.advantages import Return, against_the_group, against_the_others, by_change
from motif.training.allocation import allocation


@dataclass(frozen=True)
class Row:
    """A trained reply, the last of `path`; the `continuations` whose outcomes credit it, as whole trajectories; the
    `trajectory` that it is of; and the `weights` of the continuations in their mean, None where they are equal."""

    path: Path
    continuations: list[Path]
    trajectory: Path = ()
    weights: list[int] | None = None


@dataclass(frozen=True)
class Algorithm(ABC):
    """What every algorithm has.

    Args:
        steps: of optimisation.
        questions: a step.
        m: first-round replies a question, at least 2.
        micro_batch: trained replies in one forward pass of a process; None for all of a step.
        weighting: of a row in the loss. `trajectory` gives a row 1/T of its trajectory's T rows: the loss is the mean
            over trajectories of the mean over their rounds, so an answer in one round pulls as much as one in three.
            `round` gives every row 1: its gradient estimates that of the expected outcome, which sums over rounds,
            but long episodes pull more.
        sampling: `fixed` trains on the questions of a step as they come. `dynamic` replaces a question whose first
            replies all earn the same, and so teach nothing, by another one within the step (DAPO, arXiv 2503.14476).
        redraws: how often a question is replaced at most, where sampling is dynamic.
        trainer: keywords of TRL's GRPOConfig.
        name: as `algo=` has it.
    """

    steps: int = 120
    questions: int = 8
    m: int = 8
    micro_batch: int | None = None
    weighting: str = "trajectory"
    sampling: str = "fixed"
    redraws: int = 2
    trainer: Mapping[str, Any] = field(default_factory=dict)
    name: str = "algorithm"

    divided: ClassVar[bool] = True  # whether the spread is divided out, where algo.trainer.scale_rewards says so

    @abstractmethod
    def rounds(self, rounds: int) -> int:
        """Rounds of a training episode, where those of the experiment are `rounds`."""

    @abstractmethod
    def branching(self, rounds: int) -> list[int]:
        """How many replies each round draws from one prompt of a main line, from round 1 to round `rounds`. Where
        that depends on outcomes it is the mean."""

    def beginning(self, rounds: int) -> list[int]:
        """`branching` before any outcome is known."""
        return self.branching(rounds)

    def widest(self, rounds: int) -> list[int]:
        """The most that `branching` can be."""
        return self.branching(rounds)

    def allotted(self, tree: Tree, outcome: Callable[[Path], float]) -> list[int] | None:
        """How many continuations each first-round reply has in the end, by the `outcome` of trajectories of its graded
        `tree`. None where outcomes decide nothing."""
        return None

    @abstractmethod
    def rows(self, tree: Tree) -> list[Row]:
        """What is trained: for each of `m` trajectories its rows, in the order of rounds."""

    def trained_rounds(self, rounds: int) -> int:
        """Rows that a trajectory can have, in an experiment of `rounds` rounds."""
        return 1

    def worst(self, episode: Episode) -> dict[str, float]:
        """The most that a question can cost: tokens and responses. Under dynamic sampling it may be drawn anew."""
        replies, tokens, responses = 0, 0, 0
        for round, width in enumerate(self.branching(episode.rounds), 1):
            replies += width if round == 1 else self.m * (width - 1)
            responses += replies
            tokens += replies * episode.sampling(round).tokens
        times = 1 + (self.redraws if self.sampling == "dynamic" else 0)
        return {"tokens": float(tokens * times), "responses": float(responses * times), "questions": float(times)}

    def centred(self, returns: Sequence[Return]) -> list[float]:
        """The advantages of a group's rows before their spread is divided out: r less its baseline."""
        return against_the_group(returns)

    def factor(self, row: Row) -> float:
        """What a row's advantage is multiplied by, after its spread is divided out."""
        return 1.0

    def __post_init__(self) -> None:
        of_kind("algo.trainer", self.trainer, Mapping)
        whole("algo.steps", self.steps)
        whole("algo.questions", self.questions)
        whole("algo.m", self.m, at_least=2)
        if self.micro_batch is not None:
            whole("algo.micro_batch", self.micro_batch)
        one_of("algo.weighting", self.weighting, ("trajectory", "round"))
        one_of("algo.sampling", self.sampling, ("fixed", "dynamic"))
        whole("algo.redraws", self.redraws)


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
        return [Row((root,), [(root,)], (root,)) for root in tree.roots]


@dataclass(frozen=True)
class MOTIF(Algorithm):
    """MOTIF (arXiv 2507.02851): a first-round reply is worth the mean outcome of k continuations by the current policy.

    r_i = (1/k) Σ_j outcome(o_i, j) + reply terms(o_i);  A_i = (r_i − mean_j r_j) / (std_j r_j + ε) over the m
    first-round replies of a question; the objective runs over first-round tokens only. With one round it is GRPO.

    With k=adaptive each reply first has p = `pilot` continuations of mean outcome X_i. They allot the second half:
    reply i has n_i more, of mean outcome Y_i. The mean of n_i over the question's replies that go on is p, so the mean
    number of continuations is 2p, and

        outcome part of r_i = ½ X_i + ½ Y_i.

    It is unbiased. Given the reply, X_i is the mean of p independent draws of mean V_i, so E[X_i] = V_i. n_i is a
    function of the pilots and is at least 1. The draws of the second half are independent of the pilots, so
    E[Y_i | pilots] = V_i whatever n_i is. The weights are constants, so E[½ X_i + ½ Y_i] = V_i. The plain mean of all
    p + n_i draws weighs X_i by p / (p + n_i), which depends on X_i, and is biased.
    """

    k: int | str = 2
    pilot: int = 4
    name: str = "motif"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.k, str):
            one_of("algo.k, where it is no number,", self.k, ["adaptive"])
        else:
            whole("algo.k", self.k)
        whole("algo.pilot", self.pilot, at_least=2)

    @property
    def adaptive(self) -> bool:
        return self.k == "adaptive"

    def rounds(self, rounds: int) -> int:
        return rounds

    def branching(self, rounds: int, adaptive: int = 2) -> list[int]:
        """`adaptive` is the width of k=adaptive, in pilots."""
        return [self.m, adaptive * self.pilot if isinstance(self.k, str) else self.k, *[1] * rounds][:rounds]

    def beginning(self, rounds: int) -> list[int]:
        return self.branching(rounds, adaptive=1)

    def widest(self, rounds: int) -> list[int]:
        return self.branching(rounds, adaptive=3)

    def allotted(self, tree: Tree, outcome: Callable[[Path], float]) -> list[int] | None:
        """See `allocation`. A reply that has ended its episode has no continuation, and takes no part."""
        if not self.adaptive or tree.roots[0].rounds == 1:
            return None
        begun = [continuations((root,))[: self.pilot] for root in tree.roots if root.children]
        further = iter(allocation([[outcome(path) for path in paths] for paths in begun]))
        return [self.pilot + next(further) if root.children else 0 for root in tree.roots]

    def rows(self, tree: Tree) -> list[Row]:
        found = []
        for root in tree.roots:
            paths = continuations((root,))
            p, n = self.pilot, len(paths) - self.pilot
            halves = [n] * p + [p] * n if self.adaptive and n > 0 else None  # each weighs p·n
            found.append(Row((root,), paths, (root,), halves))
        return found


@dataclass(frozen=True)
class LeaveOneOut(MOTIF):
    """MOTIF's value of a first-round reply against the mean of the other replies (RLOO, arXiv 2402.14740).

    A_i = r_i − (1/(m−1)) Σ_{j≠i} r_j, with MOTIF's r_i. Nothing is divided by a spread, so a question of which one
    reply in eight succeeds does not weigh more than one of which four do. With one round it is RLOO.
    """

    name: str = "leave_one_out"
    divided: ClassVar[bool] = False

    def centred(self, returns: Sequence[Return]) -> list[float]:
        return against_the_others(returns)


@dataclass(frozen=True)
class Broadcast(Algorithm):
    """Every round of a trajectory is trained with the trajectory's outcome (INFTYTHINK+, arXiv 2602.06960; Delethink,
    2510.06557; MemAgent, 2507.02259).

    A_it = (outcome_i − b + reply terms(o_it) − b_t) / (s + ε). b is the mean outcome of the m trajectories of a
    question, b_t the mean of the reply terms in round t, s² is m/(m−1) times the mean over trajectories of the mean
    square of the numerator over their T_i rounds. Under weighting=trajectory a row weighs 1/T_i in the loss, the KL
    term included; losses that count tokens divide by the sum of weight × tokens. With one round it is GRPO. m
    trajectories of n rounds are m·n replies a question.
    """

    name: str = "broadcast"

    def rounds(self, rounds: int) -> int:
        return rounds

    def branching(self, rounds: int) -> list[int]:
        return [self.m, *[1] * rounds][:rounds]

    def trained_rounds(self, rounds: int) -> int:
        return rounds

    def rows(self, tree: Tree) -> list[Row]:
        lines = [main_line(root) for root in tree.roots]
        return [Row(line[: t + 1], [line], line) for line in lines for t in range(len(line))]


@dataclass(frozen=True)
class Discounted(Broadcast):
    """`Broadcast`, less for rounds further from the end.

    A_it is `Broadcast`'s times γ^(T_i − t), T_i − t being the rounds that follow. γ = 1 is
    `Broadcast`, γ = 0 trains the last round alone.
    """

    gamma: float = 0.5
    name: str = "discounted"

    def __post_init__(self) -> None:
        super().__post_init__()
        number("algo.gamma", self.gamma, at_least=0, at_most=1)

    def factor(self, row: Row) -> float:
        return self.gamma ** (len(row.trajectory) - len(row.path))


@dataclass(frozen=True)
class Value(Broadcast):
    """Every round is worth what it changed (VinePPO, arXiv 2410.01679, its steps being rounds).

    A_it = (V_t − V_{t−1} + reply terms(o_it) − b_t) / (s + ε). V_t is the mean outcome of k continuations from what
    round t hands over, drawn for that and not trained; V_T is the trajectory's own outcome; V_0, the question's, is the
    mean of V_1 over the other m − 1 trajectories, and b_t that of their reply terms in round t. s is the root of
    m/(m−1) times the mean square over trajectories, of each the mean over its rounds; a trajectory weighs as in
    `Broadcast`. With one round it is GRPO. A trajectory of n rounds takes n + k·n(n−1)/2 replies.
    """

    k: int = 2
    name: str = "value"

    def __post_init__(self) -> None:
        super().__post_init__()
        whole("algo.k", self.k)

    def branching(self, rounds: int) -> list[int]:
        return [self.m, *[1 + self.k] * rounds][:rounds]

    def rows(self, tree: Tree) -> list[Row]:
        found = []
        for line in map(main_line, tree.roots):
            for t in range(1, len(line) + 1):
                others = [path for child in line[t - 1].children[1:] for path in continuations((*line[:t], child))]
                found.append(Row(line[:t], others or [line], line))
        return found

    def centred(self, returns: Sequence[Return]) -> list[float]:
        return by_change(returns)
