"""What a run is called where nobody has named it: `motif-chain-tiny-r3-s0`, or `motif-chain-tiny-r3-s0-steps30-9f2c`.

Another identity has another name. The words are for people; the hash at the end keeps names apart.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from motif.runs.folder import Run
from motif.runs.identity import PLUMBING, differing, identity, identity_hash

NAMED = ("algo", "dataset", "model")  # the choices that a name begins with
PRESETS = ("experiment", "sweeps")  # choices beside which every word that was typed is said
MOST = 60  # characters of a name
SHORT = {"learning_rate": "lr", "temperature": "temp"}  # what people call a setting


def derived_name(
    fields: Mapping[str, object], overrides: Sequence[str], config: Mapping[str, Any], usual: Mapping[str, Any] | None
) -> str:
    """The name of the run of a resolved configuration; that of an older version where such a folder holds this run.

    Args:
        fields: the choices of `NAMED`, `rounds` and `seed`.
        overrides: Hydra's, such as `algo.k=4`. Of those whose value is the usual one nothing is said.
        config: resolved.
        usual: what `fields` alone resolve to, with defaults for the rest; None: they need what has no default.
    """
    changed = None if usual is None else differing(identity(config), identity(usual))
    own = None if changed == [] else identity_hash(config)
    if any(text.lstrip("+").partition("=")[0] in PRESETS for text in overrides):
        changed = None
    name = new_name(fields, told(overrides, fields), own, changed)
    former = former_name(fields, told(overrides, fields), own)
    outputs = Path(str(config.get("outputs", "")))
    if former != name and not (outputs / name).exists() and (found := Run(outputs / former)).is_run():
        return name if found.differs(config) else former
    return name


def new_name(
    fields: Mapping[str, object], overrides: Sequence[str], own: str | None, changed: Sequence[str] | None = None
) -> str:
    """At most `MOST` letters, digits and `. _ -`: the `fields`, the words of the `overrides` that have `changed` one of
    these dotted keys (None: any may have), and digits of the hash `own`, where an identity has one: four, or six where
    not all words fit."""
    head = "-".join(clean(str(fields[each])) for each in NAMED)
    tail = f"-r{clean(str(fields['rounds']))}-s{clean(str(fields['seed']))}"
    if own is None and len(head + tail) <= MOST:
        return head + tail
    words = []
    for text in overrides:
        key, _, value = text.lstrip("+~").partition("=")
        key = key.partition("@")[0]
        if changed is None or any(within(key, each) or within(each, key) for each in changed):
            words.append(f"-{word(key, value, text.startswith('~'))}")
    digits = 4 if len("".join((head, tail, *words))) + 5 <= MOST else 6
    end = f"-{(own or identity_hash(fields))[:digits]}"
    name = head[: max(1, MOST - len(tail + end))] + tail
    for each in words:
        if len(name + each + end) <= MOST:
            name += each
    return name + end


def word(key: str, value: str, removed: bool = False) -> str:
    """`k4` for algo.k=4, `tail` for episode=tail, `on_seconds` for budget.on=seconds, `eval_questions9` for
    evaluation.questions=9, its last part for a path."""
    *above, last = key.split(".")
    last = ("eval_" if above == ["evaluation"] else "") + SHORT.get(last, last)
    value = value.strip("\"' ")
    if removed or value == "null":
        return f"no_{clean(last)}"
    if last == "path" or "/" in value or value.startswith("~"):
        name = re.sub(r"(\.[A-Za-z]{2,7})+$", "", value.rstrip("/").rpartition("/")[2])
        return clean(name if last == "path" else f"{last}_{name}")
    if re.fullmatch(r"-?\d*\.?\d+(e[-+]?\d+)?", value):
        return clean(f"{last}{float(value):.4g}" if re.search(r"[.e]", value) else f"{last}{value}")
    return clean(f"{last}_{value}" if above else value)


def clean(text: str) -> str:
    """`text` in what the name of a folder may have."""
    return re.sub(r"[^A-Za-z0-9.-]+", "_", text).strip("_.-") or "_"


def within(key: str, other: str) -> bool:
    """Whether a dotted key is `other`, or in that group."""
    return f"{key}.".startswith(f"{other}.")


def told(overrides: Sequence[str], fields: Mapping[str, object]) -> list[str]:
    """The overrides that a name may tell, a preset first; no plumbing, and a sweep only where there is nothing else."""
    unsaid = (*PLUMBING, *fields, "sweeps")
    others = [
        text
        for text in overrides
        for key in [text.lstrip("+~").split("=")[0]]
        if re.split("[.@]", key)[0] not in unsaid or ("." in key and key.split(".")[0] in fields)
        if key != "algo.micro_batch"
    ]
    others.sort(key=lambda text: (not text.lstrip("+").startswith("experiment="), text.lstrip("+~")))
    return others or [text for text in overrides if text.lstrip("+").startswith("sweeps=")]


def former_name(fields: Mapping[str, object], overrides: Sequence[str], own: str | None) -> str:
    """The name that older versions gave: `motif-chain-tiny-r3-s0-steps=30-9f2c1a`. `overrides` are those of `told`."""
    name = f"{fields['algo']}-{fields['dataset']}-{fields['model']}-r{fields['rounds']}-s{fields['seed']}"
    if own is None:
        return name
    texts = sorted(text.lstrip("+~").removeprefix("sweeps=") for text in overrides)
    words = "-".join(
        re.sub(r"^[^=]*\.", "", text.replace(":", "=").translate(str.maketrans("", "", "{}"))) for text in texts
    )
    return "-".join(part for part in (name, re.sub(r"[^A-Za-z0-9=._-]", "_", words)[:60], own[:6]) if part)
