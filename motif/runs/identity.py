"""What a run is, and what it is called.

The identity of a run is its resolved configuration without plumbing: where things lie, who watches, how often a
checkpoint is written and in how many parts an update is computed change no result. Another engine is another run, for
its numbers differ. Where a name is not given it is derived, so that another identity has another name.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
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
NAMED = ("algo", "dataset", "model")  # the choices that a derived name begins with


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


def own_hash(config: Mapping[str, Any], usual: Mapping[str, Any] | None) -> str | None:
    """The hash that the name of the run of this resolved `config` needs: none, where its `usual` configuration is the
    same run. That one has the same choices of `NAMED`, rounds and seed, and defaults for the rest (None: it cannot be
    resolved, because what it needs has no default)."""
    return None if usual is not None and identity(config) == identity(usual) else identity_hash(config)


def differing(one: Any, other: Any, prefix: str = "") -> list[str]:
    """The dotted keys in which two nested mappings differ."""
    if not (isinstance(one, Mapping) and isinstance(other, Mapping)):
        return [prefix] if one != other else []
    keys, missing = dict.fromkeys([*one, *other]), object()
    pairs = ((f"{prefix}.{key}".removeprefix("."), one.get(key, missing), other.get(key, missing)) for key in keys)
    return [found for name, here, there in pairs for found in differing(here, there, name)]


def derived_name(fields: Mapping[str, object], overrides: Sequence[str] = (), special: str | None = None) -> str:
    """`motif-chain-tiny-r3-s0`, where that says all.

    `special` is the hash of an identity that the fields alone do not make: it is added, after the words of what was
    overridden, as `-k=4-1f3a5b`. `overrides` are Hydra's, such as `algo.k=4`; they are for people, the hash is what
    keeps names apart.
    """
    name = f"{fields['algo']}-{fields['dataset']}-{fields['model']}-r{fields['rounds']}-s{fields['seed']}"
    if special is None:
        return name
    stripped = [override.lstrip("+~") for override in overrides]
    plumbing = (*PLUMBING, *fields, "sweeps")
    others = sorted(
        text
        for text in stripped
        if re.split("[.=@]", text)[0] not in plumbing or ("." in text.split("=")[0] and text.split(".")[0] in fields)
        if not text.startswith("algo.micro_batch=")
    )
    others = others or [text.split("=", 1)[1] for text in stripped if text.startswith("sweeps=")]
    words = "-".join(
        re.sub(r"^[^=]*\.", "", text.replace(":", "=").translate(str.maketrans("", "", "{}"))) for text in others
    )
    slug = re.sub(r"[^A-Za-z0-9=._-]", "_", words)[:60]
    return "-".join(part for part in (name, slug, special[:6]) if part)


def check_name(name: object) -> str:
    """`name` where it can be a folder's name everywhere, else a `UserError`."""
    if not isinstance(name, str):
        raise UserError(f"name must be text, got {shown(name)}; in a YAML file it is quoted, as in name: '007'")
    if not re.fullmatch(r"[A-Za-z0-9=_+,-][A-Za-z0-9=._+,-]{0,199}(?<!\.)", name):
        raise UserError(f"name must be up to 200 letters, digits and = . _ + - , got {shown(name)}")
    return name
