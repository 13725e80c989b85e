"""What a reply is worth. Whether an answer is right stands on the tree already (`episode.grade`).

A term is a function of a trajectory, `term(path) -> float`. `outcome` terms are of an episode's end and are averaged
over the continuations of the trained reply; `reply` terms are of the trained reply itself. Every algorithm uses the
same terms. An exception in a term stops the run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from motif.rounds.episode import Path
from motif.system.errors import UserError, number, of_kind, whole

Term = Callable[[Path], float]


def accuracy(path: Path) -> float:
    """1 where the final answer is right, 0 where it is wrong or cannot be read."""
    return float(path[-1].correct)


def format(path: Path) -> float:
    """1 where the reply is one reasoning block and then one answer block that is not empty; line breaks and length do
    not matter."""
    return float(path[-1].well_formed)


def efficiency(path: Path, phi: float) -> float:
    """correct · (1 − ((r − 1)/φ)²), r being the rounds used (INFTYTHINK+, arXiv 2602.06960); 0 from r = φ + 1 on."""
    number("reward.outcome.efficiency.phi", phi, above=0)
    return float(path[-1].correct) * max(0.0, 1 - ((len(path) - 1) / phi) ** 2)


def length(path: Path, tokens: int, later: int | None = None) -> float:
    """correct · (1 − the share that an episode took of its rounds' windows): of right answers the shorter is worth
    more, and no wrong one is worth anything for being short. A window is `tokens` in the first round and `later` in
    each other one, null for the same."""
    whole("reward.outcome.length.tokens", tokens)
    windows = tokens + (path[-1].rounds - 1) * (tokens if later is None else later)
    taken = sum(len(node.reply.token_ids) for node in path) / windows
    return float(path[-1].correct) * max(0.0, 1 - taken)


def overlong(path: Path, tokens: int, later: int | None = None, cache: float = 0.2) -> float:
    """0 for a reply that leaves the last `cache` of its window alone, from there falling to −1 at the window's end
    (soft overlong punishment of DAPO, arXiv 2503.14476, eq. 13, whose cache is 4,096 of 20,480 tokens). The window is
    `tokens` in the first round and `later` in each other one, null for the same."""
    number("reward.reply.overlong.cache", cache, above=0, at_most=1)
    window = tokens if later is None or len(path) == 1 else later
    return -min(1.0, max(0.0, (len(path[-1].reply.token_ids) - (1 - cache) * window) / (cache * window)))


@dataclass(frozen=True)
class Reward:
    """Named terms and their weights; the reward of a reply is their weighted sum."""

    outcome: Mapping[str, Term] = field(default_factory=dict)
    reply: Mapping[str, Term] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    name: str = "reward"

    def __post_init__(self) -> None:
        for name in ("outcome", "reply", "weights"):
            of_kind(f"reward.{name}", getattr(self, name), Mapping)
        names = [*self.outcome, *self.reply]
        if len(set(names)) < len(names):
            raise UserError(f"reward: a name stands for an outcome term and a reply term: {', '.join(names)}")
        if not self.outcome:
            raise UserError("reward.outcome needs at least one term, such as accuracy")
        if set(names) != set(self.weights):
            raise UserError(
                f"reward.weights must name each of {', '.join(names)}, got {', '.join(self.weights) or 'none'}"
            )
        for name, weight in self.weights.items():
            number(f"reward.weights.{name}", weight)

    def of(self, path: Path, continuations: Sequence[Path], weights: Sequence[float] | None = None) -> dict[str, float]:
        """Every term's value, unweighted, for the last reply of `path` whose full trajectories are `continuations`.
        They count alike, or by `weights`."""
        values = {name: fmean([term(each) for each in continuations], weights) for name, term in self.outcome.items()}
        return values | {name: term(path) for name, term in self.reply.items()}

    def outcome_of(self, path: Path) -> float:
        """The weighted sum of the outcome terms of one whole trajectory."""
        return self.total({name: term(path) for name, term in self.outcome.items()})

    def parts(self, values: Mapping[str, float]) -> tuple[float, float]:
        """The part of the total that is the outcome's, and the reply's own."""
        outcome, own = ({name: values[name] for name in names} for names in (self.outcome, self.reply))
        return self.total(outcome), self.total(own)

    def total(self, values: Mapping[str, float]) -> float:
        return sum(self.weights[name] * value for name, value in values.items())
