"""Groups: the results of an arm at one setting, averaged over its seeds, with their interval.

What may be averaged is what shares all that `motif.reporting.folders` calls settings. Untrained policies count once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motif.reporting.arms import Arm
from motif.reporting.folders import Result


@dataclass(frozen=True)
class Group:
    """The results of one setting over the seeds of an arm."""

    arm: Arm
    results: Sequence[Result]

    def __getitem__(self, key: str) -> Any:
        return self.results[0].found.get(key)

    def mean(self, key: str) -> float:
        return sum(result.found[key] for result in self.results) / len(self.results)

    def cost(self, count: str) -> float | None:
        """What a question took in evaluation, by a count of the ledger; None where a result does not say."""
        if count == "generated_tokens":
            return sum(result.tokens for result in self.results) / len(self.results)
        spent = [result.found.get("compute", {}).get(count) for result in self.results]
        return None if None in spent else sum(spent) / len(spent) / self["n"]

    @property
    def interval(self) -> tuple[float, float]:
        """95 %: of one result its own; of several, clustered by question over the seeds' mean shares, that is of
        these seeds on other questions. Where records are missing, the widest of the seeds' intervals."""
        return self._pooled([result.shares for result in self.results], [r.found["interval"] for r in self.results])

    @property
    def by_round(self) -> list[tuple[float, tuple[float, float]]]:
        """Accuracy and interval if the episode had been stopped after round 1, 2, …"""
        given = [result.found.get("accuracy_by_round") or [] for result in self.results]
        found = []
        for place in range(min(map(len, given))):
            stopped = [entries[place] for entries in given]
            shares = [r.shares_by_round[place] if len(r.shares_by_round) > place else {} for r in self.results]
            interval = self._pooled(shares, [entry["interval"] for entry in stopped])
            found.append((sum(entry["value"] for entry in stopped) / len(stopped), interval))
        return found

    def _pooled(self, shares: Sequence[Mapping[str, float]], given: Sequence[Sequence[float]]) -> tuple[float, float]:
        if len(given) == 1 or not all(found and found.keys() == shares[0].keys() for found in shares):
            return min(low for low, _ in given), max(high for _, high in given)
        from motif.evaluation.statistics import clustered

        means = [sum(found[id] for found in shares) / len(shares) for id in shares[0]]
        return clustered(means, len(shares) * self["samples"])


def groups(found: Sequence[Arm]) -> list[Group]:
    """Results by data set, arm and setting, averaged over seeds; untrained policies first."""
    made = []
    for arm in sorted(found, key=lambda arm: arm.trained):
        by_setting: dict[str, dict[Any, Result]] = {}
        for result in arm.results:  # one a seed
            setting = json.dumps([result.dataset, result.rounds, result.settings])
            by_setting.setdefault(setting, {}).setdefault(result.seed if arm.trained else None, result)
        made += [Group(arm, list(members.values())) for members in by_setting.values()]
    places = list(dict.fromkeys(group.arm for group in made))
    return sorted(made, key=lambda group: (group["dataset"], places.index(group.arm), group["rounds"]))


def counted(arm: Arm) -> str:
    """`n = 3 seeds`, and how many of them are unfinished."""
    n, unfinished = len(arm.runs), sum(not run.finished for run in arm.runs)
    return f"n = {n} seed{'s' * (n > 1)}" + (f", {unfinished} unfinished" if unfinished else "")
