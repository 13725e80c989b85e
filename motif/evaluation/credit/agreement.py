"""Do credit schemes agree? The advantages that each makes of a run's recorded trees, held against each other.

The trees are read one step at a time; what stays are sums by question. Intervals are over questions: for correlations
a bootstrap that draws questions (Efron 1979; Field & Welsh 2007 on clusters), for shares Wilson's at the effective
sample size (`motif.evaluation.statistics.clustered`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from motif.evaluation.credit.schemes import Credited, credit, name, readable, remembering
from motif.evaluation.statistics import clustered
from motif.rounds.episode import Episode, Tree
from motif.rounds.records import steps_of, tree_of_record
from motif.system.errors import UserError
from motif.training.advantages import FLAT
from motif.training.algorithms import Algorithm
from motif.training.rewards import Reward

DRAWS = 1000  # of a bootstrap
SAME = 1e-9  # as far as a recorded value may be from the one made of the record


class Sums:
    """Vectors that are summed by question."""

    def __init__(self, width: int) -> None:
        self.by_question: dict[str, Any] = defaultdict(lambda: np.zeros(width))

    def add(self, question: str, *values: float) -> None:
        self.by_question[question] += values

    @property
    def table(self) -> Any:
        """(questions, width)"""
        return np.array(list(self.by_question.values()))

    def share(self, of: int, among: int) -> dict[str, Any]:
        """Column `of` in column `among`, its interval by question, and n; None where there is nothing to share."""
        table = self.table
        counted = table[table[:, among] > 0]
        n = int(counted[:, among].sum())
        if not n:
            return {"share": None, "interval": None, "n": 0, "questions": 0}
        shares = (counted[:, of] / counted[:, among]).tolist()
        most = max(1, round(n / len(shares)))
        found = {"share": float(counted[:, of].sum() / n), "interval": list(clustered(shares, most)), "n": n}
        return {**found, "questions": len(shares)}


class Agreement:
    """Sums over the trees that it is told of: `signal` by scheme and round (None: of a group's all rounds), `pairs` by
    two schemes and round."""

    def __init__(self, schemes: Sequence[Algorithm]) -> None:
        self.names = [name(scheme) for scheme in schemes]
        self.signal: dict[tuple[str, int | None], Sums] = defaultdict(lambda: Sums(2))  # n, without signal
        self.pairs: dict[tuple[str, str, int], Sums] = defaultdict(lambda: Sums(8))  # n Σx Σy Σx² Σy² Σxy both opposed

    def add(self, question: str, advantages: Mapping[str, Sequence[Credited]]) -> None:
        """One tree: for each scheme what it trains of it. A reply that two schemes train is one pair of advantages."""
        of: dict[str, dict[int, tuple[int, float]]] = {}
        for scheme, found in advantages.items():
            of[scheme] = {id(each.node.reply): (each.node.round, each.advantage) for each in found}
            silent = [abs(each.advantage) < FLAT for each in found]
            self.signal[scheme, None].add(question, 1, all(silent))
            for each, none in zip(found, silent, strict=True):
                self.signal[scheme, each.node.round].add(question, 1, none)
        for one, other in combinations(self.names, 2):
            for reply, (round, x) in of[one].items():
                if reply in of[other]:
                    y = of[other][reply][1]
                    both = abs(x) >= FLAT and abs(y) >= FLAT
                    self.pairs[one, other, round].add(question, 1, x, y, x * x, y * y, x * y, both, both and x * y < 0)

    def result(self) -> dict[str, Any]:
        """`signal` and `agreement` as lists, with intervals."""
        return {
            "signal": [
                {"scheme": scheme, "round": round, **sums.share(1, 0)}
                for (scheme, round), sums in sorted(self.signal.items(), key=lambda item: self._place(item[0]))
            ],
            "agreement": [
                {"one": one, "other": other, "round": round, **agreement(sums)}
                for (one, other, round), sums in sorted(self.pairs.items(), key=lambda item: self._place(item[0]))
            ],
        }

    def _place(self, key: Sequence[Any]) -> tuple[int, ...]:
        """Schemes in their order, rounds in theirs, None first."""
        return tuple(self.names.index(part) if part in self.names else part or 0 for part in key)


def agreement(sums: Sums) -> dict[str, Any]:
    """Pearson's correlation over replies with its interval, and the share of those with a signal in both whose signs
    are opposed. The correlation is None where a scheme has given all of them the same."""
    table = sums.table
    whole = float(correlation(table.sum(0)))
    opposed = sums.share(7, 6)
    return {
        **{"n": int(table[:, 0].sum()), "questions": len(table)},
        "correlation": None if np.isnan(whole) else whole,
        "interval": interval(correlation(resampled(table))),
        **{"opposed": opposed["share"], "opposed_interval": opposed["interval"], "both": opposed["n"]},
    }


def correlation(sums: Any) -> Any:
    """Pearson's correlation of (…, n Σx Σy Σx² Σy² Σxy …); nan where one of the two does not vary."""
    n, x, y, xx, yy, xy = np.moveaxis(sums[..., :6], -1, 0)
    of_x, of_y = xx - x * x / n, yy - y * y / n
    with np.errstate(invalid="ignore", divide="ignore"):
        found = (xy - x * y / n) / np.sqrt(of_x * of_y)
    return np.where((of_x > FLAT * n) & (of_y > FLAT * n), np.clip(found, -1.0, 1.0), np.nan)


def resampled(table: Any, draws: int = DRAWS, seed: int = 0) -> Any:
    """(draws, width): the sums over as many questions as there are, drawn with replacement."""
    return np.concatenate([counts @ table for counts in resamplings(len(table), draws, seed)])


def resamplings(questions: int, draws: int = DRAWS, seed: int = 0) -> Iterator[Any]:
    """How often each question is drawn in a bootstrap's draws, in blocks (100, questions)."""
    generator = np.random.default_rng(seed)
    for start in range(0, draws, 100):
        yield generator.multinomial(questions, [1 / questions] * questions, min(100, draws - start)).astype(float)


def interval(drawn: Any) -> list[float] | None:
    """The middle 95 % of a bootstrap's draws; None where more than 5 % of them are not defined."""
    good = drawn[~np.isnan(drawn)]
    return None if len(good) < 0.95 * len(drawn) else np.percentile(good, [2.5, 97.5]).tolist()


def agree(
    file: Path, own: Algorithm, episode: Episode, reward: Reward, report: Callable[[int, int, Any], None]
) -> tuple[dict[str, Any], list[str]]:
    """What every scheme makes of the trees in `file`, which `own` grew of `episode` (as it was in training); and lines
    on what could not be read.

    `own`'s advantages are those that were recorded, or the difference is said (`recorded`). Raises `UserError` where a
    reward term reads otherwise on a record than it did in training, or there is no tree.
    """
    schemes, undefined = readable(own, episode.rounds)
    scale = own.trainer.get("scale_rewards") or "group"
    held, torn, steps, apart = Agreement(schemes), list[str](), list[int](), 0.0
    groups, questions = 0, set[str]()
    for records in steps_of(file, torn):
        step = records[0].get("step")
        if scale == "batch" and len(records) < own.questions:
            raise UserError(
                f"algo.trainer.scale_rewards=batch divides by the spread of all {own.questions} questions of a step, "
                f"and {file} holds {len(records)} of step {step}; record.questions=null keeps all"
            )
        try:
            trees = [tree_of_record(record, episode) for record in records]
            asked = remembering(reward)
            made = {name(scheme): credit(scheme, trees, asked, scale) for scheme in schemes}
            for place, (tree, record) in enumerate(zip(trees, records, strict=True)):
                apart = max(apart, compared(made[name(own)][place], tree, record))
                held.add(tree.question.id, {scheme: found[place] for scheme, found in made.items()})
        except UserError as error:
            raise UserError(f"{file}, step {step}: {error}") from None
        questions.update(tree.question.id for tree in trees)
        groups += len(trees)
        steps.append(int(step or 0))
        report(len(steps), own.steps, {})
    if not groups:
        raise UserError(f"{file} holds no episode; record.questions keeps those of so many questions a step")
    counts = {"groups": groups, "questions": len(questions), "steps": [steps[0], steps[-1]], "scale": scale}
    names = {"own": name(own), "schemes": held.names, "undefined": undefined, "recorded": apart}
    return {**counts, **names, **held.result()}, torn


def compared(found: Sequence[Credited], tree: Tree, record: Mapping[str, Any]) -> float:
    """How far the advantages that were recorded of a tree are from those `found`. Raises `UserError` where a term of
    the reward reads otherwise on the record than it did in training."""
    raw, waiting = [], list(record["replies"])
    while waiting:  # in the order of `Tree.nodes`
        raw.append(waiting.pop(0))
        waiting.extend(raw[-1]["children"])
    noted = {id(node.reply): item for node, item in zip(tree.nodes(), raw, strict=True)}
    apart = 0.0
    for each in found:
        item = noted[id(each.node.reply)]
        if "values" not in item or "advantage" not in item:
            raise UserError(f"a reply of round {each.node.round} that was trained has no values or advantage recorded")
        for term, value in each.values.items():
            was = item["values"].get(term)
            if was is None or abs(value - was) > SAME:
                raise UserError(
                    f"the reward term {term} is {value:g} by the record and was {was} in training: it looks at what "
                    "records do not hold, or has changed since"
                )
        apart = max(apart, abs(each.advantage - item["advantage"]))
    return apart
