"""Checkpoints of training: made beside and renamed, sealed with the hashes of their files, verified when read.

checkpoints/
  checkpoint-<step>/  policy, optimiser, scheduler and random states as transformers saves them, and
    motif.json        the rest: ledger, lengths of the files that grow, W&B id, versions; the seal, written last
  writing/            one that is being made
  damaged-<step>/     one that did not verify

Nothing here knows what is in a checkpoint; whoever trains says when one is complete.
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

from motif.system import console
from motif.system.errors import UserError, of_kind, one_of, whole
from motif.system.files import FORMAT, check_format, remove, sync, sync_all, write_json

SEAL = "motif.json"
EXACT = ("torch", "transformers", "trl", "peft", "accelerate")  # packages whose minor version may change a step
MADE_WITH = (*EXACT, "device", "processes")  # what a checkpoint is bound to


@dataclass(frozen=True)
class Checkpoints:
    """A checkpoint `every` so many steps and at a stop; the newest `keep` stay.

    One continues exactly only under the versions and the kind of device it was made with. `accept` names those of
    `MADE_WITH` that may differ all the same.
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
    """A whole one: its folder, and what was noted in it."""

    folder: Path
    note: Mapping[str, Any]

    @property
    def step(self) -> int:
        return int(self.note["step"])


def drafts(folder: Path) -> Path:
    """Where a checkpoint is made, below the `folder` of them all."""
    return folder / "writing"


def seal(folder: Path, note: Mapping[str, Any], keep: int) -> None:
    """Make the draft of step `note["step"]` a checkpoint, and remove all but the newest `keep`.

    Before the rename there is none, after it there is a whole one, whenever the power goes.
    """
    draft, place = (where / f"checkpoint-{note['step']}" for where in (drafts(folder), folder))
    if place.exists():  # of the same step in the same process
        shutil.rmtree(draft)
        return
    files = sync_all(draft)
    seals = {str(file.relative_to(draft)): {"size": file.stat().st_size, "sha256": digest(file)} for file in files}
    whole_note = {**note, "format": FORMAT, "made_with": made_with(), "files": seals}
    write_json(draft / SEAL, {**whole_note, "sha256": digest_of(whole_note)})
    sync(draft)
    draft.rename(place)
    sync(folder)
    for old in (*_numbered(folder, "checkpoint")[keep:], *_numbered(folder, "damaged")[1:]):
        remove(old)


def newest(folder: Path, fits: Callable[[Mapping[str, Any]], str | None] = lambda note: None) -> Checkpoint | None:
    """The newest checkpoint that verifies, or None.

    `fits` says why a note does not go with the run as it lies there now. One that does not verify is set aside with a
    line, and the one before it is taken; where there are some and none verifies, that is a `UserError`, and they stay.
    Leftovers of a process that was killed are removed.
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
        said = [f"{bad} is damaged ({fault}) and set aside as {set_aside(bad)}" for bad, fault in faults.items()]
        if said:
            console.say(f"{'; '.join(said)}; going on from step {note['step']}", style="yellow")
        return Checkpoint(place, note)
    if faults:
        words = "; ".join(f"{bad} ({fault})" for bad, fault in faults.items())
        raise UserError(f"no checkpoint is as it was written: {words}; put them back, or overwrite=true begins again")
    return None


def set_aside(place: Path) -> str:
    """Give a damaged checkpoint another name, which is returned, in place of an earlier one of the same step."""
    aside = place.with_name(place.name.replace("checkpoint", "damaged"))
    if aside.exists():
        remove(aside)
    return place.rename(aside).name


def damage(place: Path, note: Mapping[str, Any]) -> str | None:
    """What is wrong with a checkpoint, in a few words; None where every file is as it was sealed."""
    try:
        return _damage(place, note)
    except OSError as error:
        return f"{Path(str(error.filename)).name} cannot be read: {error.strerror}"


def _damage(place: Path, note: Mapping[str, Any]) -> str | None:
    if not note:
        return f"its {SEAL} is missing or torn"
    if note.get("sha256") != digest_of({key: value for key, value in note.items() if key != "sha256"}):
        return f"the contents of {SEAL} have changed"
    for name, sealed in note["files"].items():
        file = place / name
        if not file.is_file():
            return f"{name} is missing"
        if file.stat().st_size != sealed["size"]:
            return f"{name} has {file.stat().st_size:,} of {sealed['size']:,} bytes"
        if digest(file) != sealed["sha256"]:
            return f"the contents of {name} have changed"
    return None


def check_made_with(found: Checkpoint, accept: Sequence[str]) -> None:
    """Refuse to continue under other versions, another kind of device or another number of processes, by name."""
    then, now = found.note["made_with"], made_with()
    other = [name for name in MADE_WITH if then.get(name) != now[name] and name not in accept]
    if other:
        was = ", ".join(f"{name} {then.get(name)}, now {now[name]}" for name in other)
        raise UserError(
            f"{found.folder} was made with {was}, and would not continue exactly; go back to what it was made with, or "
            f"checkpoint.accept=[{','.join(other)}] continues all the same, or overwrite=true begins again"
        )


def made_with() -> dict[str, str]:
    """What a step's result may depend on besides the configuration: versions up to the minor one, device, processes."""
    import torch

    minor = {name: ".".join(version(name).split(".")[:2]) for name in EXACT}
    return {
        **minor,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "processes": os.environ.get("WORLD_SIZE", "1"),
    }


def steps(folder: Path) -> list[int]:
    """Steps of which there are checkpoints, the newest first, unverified."""
    return [int(place.name.split("-")[1]) for place in _numbered(folder, "checkpoint")]


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digest_of(note: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(note, sort_keys=True).encode()).hexdigest()


def _numbered(folder: Path, kind: str) -> list[Path]:
    """Folders such as checkpoint-20, the highest first; by their number, for clocks jump."""
    found = [path for path in folder.glob(f"{kind}-*") if path.name.split("-")[1].isdigit()]
    return sorted(found, key=lambda path: int(path.name.split("-")[1]), reverse=True)


def _note(place: Path) -> dict[str, Any]:
    try:
        found = json.loads((place / SEAL).read_text())
        return found if isinstance(found, dict) else {}
    except (FileNotFoundError, ValueError):
        return {}
