"""Checkpoints of training: made in a draft and renamed, sealed with the hashes of their files, verified when read.

checkpoints/
  checkpoint-<step>/  policy, optimiser, scheduler and random states as transformers saves them, and
    motif.json        the rest: ledger, lengths of the files that grow, W&B id, versions; the seal, written last
  writing/            the draft of one
  damaged-<step>/     one that did not verify

This module does not know what is in a checkpoint. The trainer says when one is complete.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from motif.system import UserError, console, of_kind, one_of, whole
from motif.system.files import FORMAT, check_format, digest, remove, sync, sync_all, write_json

SEAL = "motif.json"
EXACT = ("torch", "transformers", "trl", "peft", "accelerate")  # packages whose minor version may change a step
MADE_WITH = (*EXACT, "device", "processes")  # what a checkpoint is bound to


@dataclass(frozen=True)
class Checkpoints:
    """When checkpoints are made, and which of them stay.

    Args:
        every: steps between checkpoints; one more is made at a stop.
        keep: how many of the newest stay.
        accept: what may differ when training continues, of `MADE_WITH`. A checkpoint continues exactly only under the
            versions and the kind of device it was made with.
    """

    every: int = 20
    keep: int = 2
    accept: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        whole("checkpoint.every", self.every)
        whole("checkpoint.keep", self.keep)
        of_kind("checkpoint.accept", self.accept, list)
        for name in self.accept:
            one_of("checkpoint.accept", name, MADE_WITH)


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that verified: its folder and its note (motif.json)."""

    folder: Path
    note: Mapping[str, Any]

    @property
    def step(self) -> int:
        return int(self.note["step"])


def drafts(folder: Path) -> Path:
    """Where drafts are made, in the `folder` of all checkpoints."""
    return folder / "writing"


def seal(folder: Path, note: Mapping[str, Any], keep: int) -> None:
    """Make the draft of step `note["step"]` a checkpoint, and remove all but the newest `keep`.

    It is there after the rename and not before, even where the power fails.
    """
    draft, place = (where / f"checkpoint-{note['step']}" for where in (drafts(folder), folder))
    if place.exists():  # this process has made it before
        shutil.rmtree(draft)
        return
    files = sync_all(draft)
    seals = {str(file.relative_to(draft)): {"size": file.stat().st_size, "sha256": digest(file)} for file in files}
    sealed = {**note, "format": FORMAT, "made_with": made_with(), "files": seals}
    write_json(draft / SEAL, {**sealed, "sha256": digest_of(sealed)})
    sync(draft)
    draft.rename(place)
    sync(folder)
    for old in (*_numbered(folder, "checkpoint")[keep:], *_numbered(folder, "damaged")[1:]):
        remove(old)


def newest(folder: Path, fits: Callable[[Mapping[str, Any]], str | None] = lambda note: None) -> Checkpoint | None:
    """The newest checkpoint that verifies, or None where there is no checkpoint.

    One that does not verify is set aside with a line, and the one before it is taken. What a killed process left is
    removed.

    Args:
        fits: why a note does not fit the run's files as they are now; None where it does.

    Raises:
        UserError: there are checkpoints, but none verifies (they stay), or one has another format.
    """
    shutil.rmtree(drafts(folder), ignore_errors=True)
    for left in folder.glob(".removing-*"):
        shutil.rmtree(left, ignore_errors=True)
    faults: dict[Path, str] = {}
    for place in _numbered(folder, "checkpoint"):
        note = _note(place)
        check_format(place / SEAL, note)
        if note and not {"files", "sha256"} & note.keys():
            raise UserError(
                f"{place / SEAL} is of an older format, without the hashes of its files; go back to the motif that "
                "wrote it, or overwrite=true begins again"
            )
        if fault := damage(place, note) or fits(note):
            faults[place] = fault
            continue
        damaged = [f"{bad} is damaged ({fault}) and set aside as {set_aside(bad)}" for bad, fault in faults.items()]
        if damaged:
            console.say(f"{'; '.join(damaged)}; going on from step {note['step']}", style="yellow")
        return Checkpoint(place, note)
    if faults:
        words = "; ".join(f"{bad} ({fault})" for bad, fault in faults.items())
        raise UserError(f"no checkpoint is as it was written: {words}; put them back, or overwrite=true begins again")
    return None


def set_aside(place: Path) -> str:
    """Rename a damaged checkpoint, in place of an earlier one of the same step; returns the new name."""
    aside = place.with_name(place.name.replace("checkpoint", "damaged"))
    if aside.exists():
        remove(aside)
    return place.rename(aside).name


def damage(place: Path, note: Mapping[str, Any]) -> str | None:
    """What is wrong with a checkpoint, in a few words; None where every file has its sealed hash."""
    if not note:
        return f"its {SEAL} is missing or torn"
    if note.get("sha256") != digest_of({key: value for key, value in note.items() if key != "sha256"}):
        return f"the contents of {SEAL} have changed"
    try:
        for name, sealed in note["files"].items():
            file = place / name
            if not file.is_file():
                return f"{name} is missing"
            if file.stat().st_size != sealed["size"]:
                return f"{name} has {file.stat().st_size:,} of {sealed['size']:,} bytes"
            if digest(file) != sealed["sha256"]:
                return f"the contents of {name} have changed"
    except OSError as error:
        return f"{Path(str(error.filename)).name} cannot be read: {error.strerror}"
    return None


def check_made_with(checkpoint: Checkpoint, accept: Sequence[str]) -> None:
    """A `UserError` under other versions, another kind of device or another number of processes, unless in `accept`."""
    then, now = checkpoint.note["made_with"], made_with()
    other = [name for name in MADE_WITH if then.get(name) != now[name] and name not in accept]
    if other:
        was = ", ".join(f"{name} {then.get(name)}, now {now[name]}" for name in other)
        raise UserError(
            f"{checkpoint.folder} was made with {was}, and would not continue exactly; go back to what it was made "
            f"with, or checkpoint.accept=[{','.join(other)}] continues all the same, or overwrite=true begins again"
        )


def made_with() -> dict[str, str]:
    """What a step may depend on besides the configuration: versions up to the minor one, device, processes."""
    import torch

    minor = {name: ".".join(version(name).split(".")[:2]) for name in EXACT}
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return {**minor, "device": device, "processes": os.environ.get("WORLD_SIZE", "1")}


def steps(folder: Path) -> list[int]:
    """The steps that have checkpoints, the newest first. They are not verified."""
    return [int(place.name.split("-")[1]) for place in _numbered(folder, "checkpoint")]


def digest_of(note: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(note, sort_keys=True).encode()).hexdigest()


def _numbered(folder: Path, kind: str) -> list[Path]:
    """Folders such as checkpoint-20, the highest number first. Their times are not asked, because clocks jump."""
    numbered = [path for path in folder.glob(f"{kind}-*") if path.name.split("-")[1].isdigit()]
    return sorted(numbered, key=lambda path: int(path.name.split("-")[1]), reverse=True)


def _note(place: Path) -> dict[str, Any]:
    try:
        note = json.loads((place / SEAL).read_text())
        return note if isinstance(note, dict) else {}
    except (FileNotFoundError, ValueError):
        return {}
