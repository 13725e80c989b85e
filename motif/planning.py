"""The plan of a sweep: which jobs it has, and which name the run of each job will have.

A run's name comes of its composed configuration. Hydra needs a tenth of a second to compose one, and a sweep may have a
thousand. Jobs of a sweep differ in few settings, so the plan composes once for all jobs with the same choices, and puts
plain values, such as a seed, into a copy. A value that may decide more than itself is never put in: it is composed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from hydra import compose
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from motif import hydra_private
from motif.cli import one_job, run_name
from motif.runs.identity import check_name
from motif.runs.names import NAMED, derived_name
from motif.system import UserError, masked
from motif.system.config import resolved

EXPANDED = {"evaluation.datasets", "evaluation.path", "dataset.path"}  # of which `resolved` makes other settings
MISSING = "???"  # as OmegaConf writes what has to be given
ANY = "*"


@dataclass(frozen=True)
class Composed:
    """What Hydra has composed, without Hydra: plain values can be put into it.

    Attributes:
        values: the resolved configuration; None where it cannot be resolved.
        leaves: what is no mapping in it, by dotted keys; interpolations as they were written.
        choices: the option of each group.
    """

    values: dict[str, Any] | None
    leaves: Mapping[str, Any]
    choices: Mapping[str, str]

    @cached_property
    def copies(self) -> dict[str, str]:
        """The keys that are written as `${KEY}`, by which key they are a copy of."""
        found = {key: re.fullmatch(r"\$\{(\w[\w.]*)\}", value) for key, value in self.texts.items()}
        return {key: copied[1] for key, copied in found.items() if copied}

    @cached_property
    def texts(self) -> dict[str, str]:
        """Values with an interpolation in them."""
        return {key: str(value) for key, value in self.leaves.items() if "${" in str(value)}

    @cached_property
    def read(self) -> set[str]:
        """All that may be the name of a setting in an interpolation that is no copy of one leaf; `ANY` where it may be
        the name of any."""
        others = [text for key, text in self.texts.items() if self.copies.get(key) not in self.leaves]
        computed = {ANY for text in others if re.search(r"\$\{[^}]*\$\{", text)}
        return computed | {name for text in others for name in re.findall(r"[\w.]+", text)}

    def changed_by(self, key: str) -> list[str]:
        """The keys whose value changes with that of `key`: itself, its copies, and theirs."""
        own = [copy for copy, of in self.copies.items() if of == key]
        return [key, *(changed for copy in own for changed in self.changed_by(copy))]

    def takes(self, key: str) -> bool:
        """Whether another plain value of `key` changes nothing but `changed_by(key)`."""
        if key in EXPANDED or not is_plain(self.leaves.get(key, MISSING)):
            return False
        return not any(reads(name, changed) for changed in self.changed_by(key) for name in self.read)

    def with_values(self, put: Mapping[str, Any]) -> dict[str, Any] | None:
        """`values`, where the keys of `put`, all of which it takes, have other values."""
        if self.values is None:
            return None
        found = self.values
        for key, value in put.items():
            for changed in self.changed_by(key):
                found = replaced(found, changed, value)
        return found


class Names:
    """The names of the runs of a sweep's jobs. `extra` are the overrides of Hydra itself that all of them have."""

    def __init__(self, extra: Sequence[str] = ()) -> None:
        self.extra = list(extra)
        self.composed: dict[tuple[str, ...], Composed] = {}

    def of(self, words: Sequence[str]) -> str | None:
        """The name of the run of the job with these overrides; None where it cannot be composed or resolved."""
        try:
            return self._of(words)
        except Exception:  # Hydra, or the job, says what is wrong with it
            return None

    def _of(self, words: Sequence[str]) -> str | None:
        base, put = self.composition(words)
        mine = base.with_values(put)
        if mine is None:
            return None
        if mine["name"]:
            return check_name(mine["name"])
        groups = {group: base.choices[group] for group in NAMED}
        usual = self.compose([f"{group}={option}" for group, option in groups.items()])
        if not usual.takes("rounds") or not usual.takes("seed"):
            return run_name(*composed([*words, *self.extra]), masked(words), self.extra)
        fields = {"rounds": mine["rounds"], "seed": mine["seed"]}
        told = [each for word in words for each in spelled(word)]
        return derived_name({**groups, **fields}, told, mine, usual.with_values(fields))

    def config(self, words: Sequence[str]) -> dict[str, Any]:
        """The resolved configuration of the job with these overrides. A `UserError` where it cannot be resolved."""
        base, put = self.composition(words)
        found = base.with_values(put)
        return resolved(composed([*words, *self.extra])[0]) if found is None else found

    def composition(self, words: Sequence[str]) -> tuple[Composed, dict[str, Any]]:
        """What makes the configuration of these overrides: as much of it as has to be composed, and by which keys what
        is put in."""
        try:
            defaults = self.compose([])
            put = [word for word in words if is_value(parsed(word))]
            put = [word for word in put if "." in key(word) or defaults.takes(key(word))]
            while True:
                base = self.compose([word for word in words if word not in put])
                taken = [word for word in put if base.takes(key(word))]
                if taken == put:
                    return base, {key(word): parsed(word).value() for word in put}
                put = taken
        except HydraException:  # some overrides need others
            return self.compose(words), {}

    def compose(self, words: Sequence[str]) -> Composed:
        """What Hydra composes of these overrides, kept for the next job that needs the same."""
        if tuple(words) not in self.composed:
            config, choices = composed([*words, *self.extra])
            try:
                values = resolved(config)
            except UserError:
                values = None
            found = Composed(values, dict(leaves(OmegaConf.to_container(config))), choices)
            self.composed[tuple(words)] = found
        return self.composed[tuple(words)]


def composed(words: Sequence[str], program: str = "config") -> tuple[DictConfig, Mapping[str, str]]:
    """The configuration that Hydra composes of conf/`program`.yaml and these overrides, and each group's option."""
    config = compose(program, list(words), return_hydra_config=True)
    choices = OmegaConf.to_container(config.hydra.runtime.choices)
    with open_dict(config):
        del config["hydra"]
    return config, choices  # type: ignore[return-value]


@cache
def parsed(word: str) -> Override:
    return hydra_private.PARSER.parse_override(word)


def key(word: str) -> str:
    """What an override sets: a dotted key, or a group."""
    return parsed(word).key_or_group


@cache
def spelled(word: str) -> list[str]:
    """An override as it stands in a name."""
    return one_job(masked([word]))


def is_value(override: Override) -> bool:
    """Whether an override gives a key another plain value, as far as it shows: it may be the choice of a group."""
    simple = override.type == OverrideType.CHANGE and override.package is None and not override.is_sweep_override()
    return simple and is_plain(override.value())


def leaves(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """What is no mapping in nested mappings, by dotted keys."""
    if not isinstance(node, Mapping):
        yield path, node
        return
    for key, value in node.items():
        name = key if isinstance(key, str) and "." not in key else f"[{key}]"  # which no override can name
        yield from leaves(value, f"{path}.{name}" if path else name)


def is_plain(value: Any) -> bool:
    """Whether a value is a number, a word or nothing, and no interpolation."""
    if isinstance(value, str):
        return "${" not in value and value != MISSING
    return value is None or isinstance(value, bool | int | float)


def reads(name: str, key: str) -> bool:
    """Whether `name`, found in an interpolation, may be `key` or a group that it is in."""
    if name == ANY:
        return True
    if name.startswith("."):  # from where it stands; any part may be meant
        return bool(set(name.split(".")) & set(key.split(".")))
    return f"{key}.".startswith(f"{name.rstrip('.')}.")


def replaced(node: Any, path: str, value: Any) -> Any:
    """A copy of nested mappings with another value at a dotted key."""
    first, _, rest = path.partition(".")
    return {**node, first: replaced(node[first], rest, value) if rest else value}
