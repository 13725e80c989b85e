"""Names of arms: the algorithm and, among several arms of it, the settings that set each apart (`motif k=4`).

Works on the settings of arms, by dotted keys. A setting that follows from another one is not named.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from motif.reporting.recorded import MISSING

GROUPS = ("model", "dataset", "reward", "episode", "algo")  # choices, which have a name
MOST_LABELS = 5  # settings in a name
FIRST = ("algo.name", "model.name", "dataset.name", "rounds")  # of the keys that differ

Settings = Mapping[str, Any]


def arm_names(kinds: Sequence[str], settings: Sequence[Settings | None]) -> list[str]:
    """A name for each arm, no two alike: its kind (the algorithm, say), with at most MOST_LABELS of its settings, those
    whose value most arms do not share. `settings` are None where they are not known."""
    known = [(kind, own) for kind, own in zip(kinds, settings, strict=True) if own is not None]
    usual = {key: most_common(values_of(key, known)) for key in {key for _, own in known for key in own}}
    names: list[str] = []
    for kind, own in zip(kinds, settings, strict=True):
        labels = ["of unknown configuration"]
        if own is not None:
            keys = sorted(independent(differing_keys([other for same, other in known if same == kind])))
            keys = [key for key in keys if not is_private(key)] or keys
            values = {key: own.get(key, MISSING) for key in keys}
            labels = [label(key, value) for key, value in values.items() if usual[key] != [value]][:MOST_LABELS]
        name = " ".join([kind, *labels])
        alike = sum(other == name or other.startswith(f"{name} #") for other in names)
        names.append(f"{name} #{alike + 1}" if alike else name)
    return names


def differing_keys(settings: Sequence[Settings]) -> list[str]:
    """The keys in which arms differ, choices first. A key that repeats another's values is left out."""
    keys = {key for own in settings for key in own}
    others = sorted(keys - set(FIRST), key=lambda key: ("._" in key, not key.endswith(".name"), key.count("."), key))
    seen, differing = set(), []
    for key in [*(key for key in FIRST if key in keys), *others]:
        values = tuple(as_text(own.get(key, MISSING)) for own in settings)
        if len(set(values)) > 1 and values not in seen:
            seen.add(values)
            differing.append(key)
    return differing


def independent(keys: Iterable[str], except_group: str = "") -> list[str]:
    """`keys` without those that follow from another: the keys of a group whose name is among them (not of
    `except_group`), and an episode's rounds where the rounds are."""
    keys = list(keys)
    named = [group for group in GROUPS if f"{group}.name" in keys and group != except_group]
    implied = {"episode.rounds"} if "rounds" in keys else set()
    return [key for key in keys if key not in implied and (key.split(".")[0] not in named or key.endswith(".name"))]


def values_of(key: str, arms: Sequence[tuple[str, Settings]]) -> list[Any]:
    """The setting in all arms; an algorithm's own setting in all arms of the algorithms that have it."""
    having = {kind for kind, own in arms if key in own or not key.startswith("algo.")}
    return [own.get(key, MISSING) for kind, own in arms if kind in having]


def most_common(values: Sequence[Any]) -> list[Any]:
    """The one value that most of these are, in a list; an empty list where two values are as common."""
    counts = Counter(map(as_text, values)).most_common(2)
    if len(counts) == 2 and counts[0][1] == counts[1][1]:
        return []
    return [value for value in values if as_text(value) == counts[0][0]][:1]


def as_text(value: Any) -> str:
    return json.dumps(value, default=str)


def is_private(key: str) -> bool:
    """Whether the last part of a dotted key begins with an underscore, as `_target_` does."""
    return key.split(".")[-1].startswith("_")


def label(key: str, value: Any) -> str:
    """`k=4` for algo.k, `model=tiny` for model.name."""
    *groups, last = key.split(".")
    return f"{groups[-1] if last == 'name' and groups else last}={short(value)}"


def short(value: Any) -> str:
    return str(value)[:40]
