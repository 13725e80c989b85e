"""Results pooled over seeds: the mean of an arm's results at one setting, with its interval.

Results are pooled where they share all that `motif.reporting.folders` calls their settings. An untrained policy counts
once, however many runs measured it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motif.evaluation.statistics import Interval, clustered, over_seeds
from motif.evaluation.wording import plural
from motif.reporting.arms import Arm
from motif.reporting.recorded import Result


@dataclass(frozen=True)
class Pooled:
    """The results of one setting, one of each seed of an arm."""

    arm: Arm
    results: Sequence[Result]

    def __getitem__(self, key: str) -> Any:
        """A value that all results share, by its key in their JSON."""
        return self.results[0].values.get(key)

    def mean(self, key: str) -> float:
        return sum(result.values[key] for result in self.results) / len(self.results)

    def cost(self, count: str) -> float | None:
        """What a question took in evaluation, by a count of the ledger; None where a result does not say."""
        if count == "generated_tokens":
            return sum(result.tokens for result in self.results) / len(self.results)
        counts = [result.values.get("compute", {}).get(count) for result in self.results]
        return None if None in counts else sum(counts) / len(counts) / self["n"]

    @property
    def accuracies(self) -> list[float]:
        """One of each seed."""
        return [result.values["accuracy"] for result in self.results]

    @property
    def interval(self) -> Interval:
        """95 %: of one result its own, over questions. Of several the t interval over seeds, nowhere inside the one
        over questions."""
        return with_seeds(self.accuracies, self.over_questions)

    @property
    def over_questions(self) -> Interval:
        """95 %: what these seeds would score on other questions."""
        return self._over_questions(
            [result.shares.whole for result in self.results], [result.values["interval"] for result in self.results]
        )

    @property
    def by_round(self) -> list[tuple[float, Interval]]:
        """Accuracy and interval if the episode had been stopped after round 1, 2, …"""
        by_seed = [result.values.get("accuracy_by_round") or [] for result in self.results]
        pooled = []
        for t in range(min(map(len, by_seed))):
            stopped = [of_rounds[t] for of_rounds in by_seed]
            values = [accuracy["value"] for accuracy in stopped]
            shares = [result.shares.after(t) for result in self.results]
            over_questions = self._over_questions(shares, [accuracy["interval"] for accuracy in stopped])
            pooled.append((sum(values) / len(values), with_seeds(values, over_questions)))
        return pooled

    def _over_questions(self, shares: Sequence[Mapping[str, float]], intervals: Sequence[Sequence[float]]) -> Interval:
        """Of one result its own interval; of several that of the mean shares by question; where records are missing
        the widest of the seeds' intervals."""
        first = shares[0]
        if len(intervals) == 1 or not all(of_seed and of_seed.keys() == first.keys() for of_seed in shares):
            return min(low for low, _ in intervals), max(high for _, high in intervals)
        means = [sum(of_seed[id] for of_seed in shares) / len(shares) for id in first]
        return clustered(means, len(shares) * self["samples"])


def with_seeds(values: Sequence[float], over_questions: Interval) -> Interval:
    """The interval of the mean of one value a seed, where there are several: over seeds, and at least that over
    questions."""
    if len(values) == 1:
        return over_questions
    (low, high), (least, most) = over_seeds(values).interval, over_questions
    return max(0.0, min(low, least)), min(1.0, max(high, most))


def of_shares(table: Any, samples: int) -> tuple[float, Interval]:
    """The mean of shares (seeds, questions), each of so many `samples`, and its interval: over seeds where there are
    several, and at least that over questions."""
    over_questions = clustered(table.mean(0).tolist(), len(table) * samples)
    return float(table.mean()), with_seeds(table.mean(1).tolist(), over_questions)


def pool(arms: Sequence[Arm]) -> list[Pooled]:
    """The results of all arms, sorted by data set, arm (untrained policies first) and rounds."""
    pooled = []
    for place, arm in enumerate(sorted(arms, key=lambda arm: arm.trained)):
        by_setting: dict[str, dict[Any, Result]] = {}
        for result in arm.results:
            setting = json.dumps([result.dataset, result.rounds, result.settings])
            by_setting.setdefault(setting, {}).setdefault(result.seed if arm.trained else None, result)
        pooled += [(place, Pooled(arm, list(by_seed.values()))) for by_seed in by_setting.values()]
    return [one for _, one in sorted(pooled, key=lambda item: (item[1]["dataset"], item[0], item[1]["rounds"]))]


def seeds_in_words(arm: Arm) -> str:
    """`n = 3 seeds`, and how many of them are unfinished."""
    unfinished = sum(not run.finished for run in arm.runs)
    return f"n = {plural(len(arm.runs), 'seed')}" + (f", {unfinished} unfinished" if unfinished else "")
