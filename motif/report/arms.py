"""Arms: runs whose configurations differ in their seed alone, and what tells one arm from another.

Evaluation settings and plumbing make no arm; what only repeats another key adds nothing to a label.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from motif.report.reading import Recorded, Result
from motif.runs import identity

FIRST = ("algo.name", "model.name", "dataset.name", "rounds")  # what a label names before anything else
MISSING = "–"


@dataclass
class Arm:
    """Runs of one configuration, one a seed (or more, where a seed was run twice)."""

    label: str
    runs: Sequence[Recorded]
    settings: Mapping[str, Any]

    @property
    def seeds(self) -> str:
        return ", ".join(dict.fromkeys(str(run.choice("seed")) for run in self.runs))

    @property
    def counted(self) -> str:
        """`n = 3 seeds`, and how many of them are unfinished."""
        n, unfinished = len(self.runs), sum(not run.finished for run in self.runs)
        return f"n = {n} seed{'s' * (n > 1)}" + (f", {unfinished} unfinished" if unfinished else "")


@dataclass
class Group:
    """The results of one setting over the seeds of an arm."""

    arm: str
    policy: str
    results: Sequence[Result]

    def __getitem__(self, key: str) -> Any:
        return self.results[0].found.get(key)

    def mean(self, key: str) -> float:
        return sum(result.found[key] for result in self.results) / len(self.results)

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
        from motif.statistics import clustered

        means = [sum(found[id] for found in shares) / len(shares) for id in shares[0]]
        return clustered(means, len(shares) * self["samples"])


def arms(runs: Sequence[Recorded]) -> list[Arm]:
    """The arms of `runs`, in their order, with labels of as few settings as tell them apart."""
    grouped: dict[str, list[Recorded]] = {}
    for run in runs:
        grouped.setdefault(json.dumps(settings(run), sort_keys=True, default=str), []).append(run)
    found = [Arm("", members, settings(members[0])) for members in grouped.values()]
    for arm in found:
        arm.label = str(arm.settings.get("algo.name", MISSING))
    for key in differing_keys(found):
        alike: dict[str, list[Arm]] = {}
        for arm in found:
            alike.setdefault(arm.label, []).append(arm)
        for members in alike.values():
            if len({str(arm.settings.get(key, MISSING)) for arm in members}) > 1:
                for arm in members:
                    arm.label += f" {shortened(key, arm)}"
    return found


def shortened(key: str, arm: Arm) -> str:
    """`k=4`, or a choice's name alone."""
    value = str(arm.settings.get(key, MISSING))[:40]
    return value if key.endswith(".name") else f"{key.split('.')[-1]}={value}"


def settings(run: Recorded) -> dict[str, Any]:
    """The dotted keys of a run that make its arm."""
    named = {f"{key}.name": run.choice(key) for key in ("algo", "model", "dataset")}
    own = {key: value for key, value in identity(run.config).items() if key not in ("seed", "evaluation")}
    return {**dict(flat(own)), **named, "rounds": run.choice("rounds")}


def flat(config: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings by their dotted keys; `_target_` and the like left out."""
    if isinstance(config, Mapping):
        for key, value in config.items():
            if not str(key).startswith("_"):
                yield from flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, config


def differing_keys(found: Sequence[Arm]) -> list[str]:
    """The keys in which arms differ, choices first; a key that repeats another's values is left out."""
    keys = {key for arm in found for key in arm.settings}
    others = sorted(keys - set(FIRST), key=lambda key: (not key.endswith(".name"), key.count("."), key))
    seen, kept = set(), []
    for key in [*(key for key in FIRST if key in keys), *others]:
        values = tuple(json.dumps(arm.settings.get(key, MISSING), default=str) for arm in found)
        if len(set(values)) > 1 and values not in seen:
            seen.add(values)
            kept.append(key)
    return kept


def groups(found: Sequence[Arm]) -> list[Group]:
    """Results by arm and setting, averaged over seeds; base policies first, those of equal value once."""
    base: dict[tuple[Any, ...], Group] = {}
    trained: list[Group] = []
    models = {str(arm.settings.get("model.name")) for arm in found}
    for arm in found:
        by_setting: dict[tuple[Any, ...], list[Result]] = {}
        for run in arm.runs:
            for result in {result.setting: result for result in reversed(run.results)}.values():  # one a run
                if result.policy == "base":
                    model = str(run.choice("model"))
                    label = "base" if len(models) < 2 else f"base {model}"
                    base.setdefault((model, *result.value), Group(label, "base", [result]))
                else:
                    by_setting.setdefault(result.setting, []).append(result)
        trained += [Group(arm.label, "trained", members) for members in by_setting.values()]
    ordered = [*base.values(), *trained]
    places = {arm.label: place for place, arm in enumerate(found)}
    return sorted(ordered, key=lambda group: (group["dataset"], places.get(group.arm, -1), group["rounds"]))
