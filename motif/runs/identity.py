"""What a run is: its resolved configuration without plumbing.

Where things lie, who watches, how often a checkpoint is written and in how many parts an update is computed change no
result. Another engine is another run, for its numbers differ. `motif.runs.names` makes a name of it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from motif.system.errors import UserError, shown
from motif.system.targets import first_target, with_targets

PLUMBING = (  # can change no result
    *("name", "outputs", "overwrite", "preflight", "plan", "tracking", "generation", "guard", "watch"),
    *("record", "checkpoint", "processes", "patience", "sweep"),
)
NEVER = object()
SINCE: dict[str, dict[str, Any]] = {  # settings that came later, with the value at which they change nothing
    "algo": {
        **{"weighting": "trajectory", "sampling": "fixed", "redraws": 2, "pilot": 4},
        "trainer": {"disable_dropout": True},
    },
    "budget": {"flops": None, "steps": None},
    "evaluation": {"deterministic": False},
    "dataset": {"solution": None},
    "episode": {"carry_thoughts": False, "prompts": {"format": "tags", "examples": 0}},
    "flaws": {"base_prompt": "same"},
}


def identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a resolved configuration that can change a result."""
    kept = {
        key: without_copy(value) if key == "dataset" else value
        for key, value in with_targets(config, first_target).items()
        if key not in PLUMBING
    }
    algo = kept.get("algo")
    if isinstance(algo, Mapping) and not by_parts(algo.get("trainer") or {}):
        kept["algo"] = {key: value for key, value in algo.items() if key != "micro_batch"}
    evaluation = kept.get("evaluation")
    if isinstance(evaluation, Mapping) and evaluation.get("datasets"):
        kept["evaluation"] = {**evaluation, "datasets": [without_copy(each) for each in evaluation["datasets"]]}
    for node, defaults in SINCE.items():
        if isinstance(settings := kept.get(node), Mapping):
            kept[node] = without(settings, defaults)
    engine = config.get("generation")
    name = engine.get("name", "transformers") if isinstance(engine, Mapping) else "transformers"
    return kept if name == "transformers" else {**kept, "engine": name}


def without(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """`settings` without those that have their value of `defaults`, in nested settings, too."""
    kept: dict[str, Any] = {}
    for key, value in settings.items():
        default = defaults.get(key, NEVER)
        if isinstance(default, Mapping) and isinstance(value, Mapping):
            kept[key] = without(value, default)
        elif default != value:
            kept[key] = value
    return kept


def by_parts(trainer: Mapping[str, Any]) -> bool:
    """Whether these keys of TRL's make an objective of which each part of an update takes a mean of its own."""
    return trainer.get("loss_type") == "bnpo" or any("entropy" in key for key in trainer)


def without_copy(dataset: Any) -> Any:
    """The settings of a data set of the hub without the place of a local copy; the rows are compared by fingerprint."""
    if not isinstance(dataset, Mapping):
        return dataset
    return without(dataset, SINCE["dataset"] | ({"path": dataset.get("path")} if dataset.get("hub") else {}))


def identity_hash(config: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(identity(config), sort_keys=True).encode()).hexdigest()[:12]


def differing(one: Any, other: Any, prefix: str = "") -> list[str]:
    """The dotted keys in which two nested mappings differ."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return [prefix] if one != other else []
    keys, missing = dict.fromkeys([*one, *other]), object()
    pairs = ((f"{prefix}.{key}".removeprefix("."), one.get(key, missing), other.get(key, missing)) for key in keys)
    return [found for name, here, there in pairs for found in differing(here, there, name)]


def check_name(name: object) -> str:
    """`name` where it can be a folder's name everywhere, else a `UserError`."""
    if not isinstance(name, str):
        raise UserError(f"name must be text, got {shown(name)}; in a YAML file it is quoted, as in name: '007'")
    if not re.fullmatch(r"[A-Za-z0-9=_+,-][A-Za-z0-9=._+,-]{0,199}(?<!\.)", name):
        raise UserError(f"name must be up to 200 letters, digits and = . _ + - , got {shown(name)}")
    return name
