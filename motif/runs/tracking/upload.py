"""`python -m motif.uploads outputs/*` sends to W&B the parts of runs that it has not got; `make sync` calls it.

`wandb sync` sends them. The oldest run goes first, and the parts of a continued run go in their order. Nothing is
removed. What is sent is marked, so the same command again sends what is left.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from motif.runs.folder import Run
from motif.runs.tracking.base import WandB
from motif.runs.tracking.wandb import UNSENT
from motif.system import UserError, failures, there, visible
from motif.system.locks import holder

HEADER = 7  # bytes of a file without a record; with one `wandb sync` would not send the run's other parts
PART = re.compile(r"(?:offline-)?run-(\d{8}_\d{6})-(.+)")


def pending(folders: Iterable[Path]) -> list[list[Path]]:
    """The parts that W&B has not got, a list for each run: the oldest run first, and in it the oldest part.

    These are parts of offline runs without W&B's mark, and parts of online runs with ours. A part that a kill left
    empty is not among them.
    """
    runs: dict[str, list[tuple[str, Path]]] = {}
    for part in (part for folder in folders for part in (folder / "wandb").glob("*run-*-*")):
        name = PART.fullmatch(part.name)
        if not name or not part.is_dir() or not any(file.stat().st_size > HEADER for file in part.glob("*.wandb")):
            continue
        if (part / UNSENT).exists() or (part.name.startswith("offline-") and not list(part.glob("*.wandb.synced"))):
            runs.setdefault(name[2], []).append((name[1], part))
    return [[part for _, part in sorted(parts)] for parts in sorted(runs.values(), key=min)]


def idle(folders: Sequence[Path]) -> list[Path]:
    """The `folders` that no process works on. The others get a line, because their parts still grow."""
    working = {folder: found for folder in folders if (found := holder(Run(folder).lock)) and found.alive}
    for folder, found in working.items():
        print(visible(f"{folder}: left alone, it is being worked on by another process ({found})"), flush=True)
    return [folder for folder in folders if folder not in working]


def send(parts: Sequence[Path]) -> str | None:
    """Send one run's parts. Returns what went wrong, or None."""
    for part in parts:
        if (part / UNSENT).exists():  # then W&B's mark is of a broken upload
            for mark in part.glob("*.wandb.synced"):
                mark.unlink()
    call = [sys.executable, "-m", "wandb", "sync", "--include-online", *map(str, parts)]
    env = {name: value for name, value in os.environ.items() if name not in ("WANDB_MODE", "WANDB_SILENT")}
    done = subprocess.run(call, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=env)
    if all(list(part.glob("*.wandb.synced")) for part in parts):
        for part in parts:
            (part / UNSENT).unlink(missing_ok=True)
        return None
    lines = [line.removeprefix("wandb: ") for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    wrong = [line for line in lines if re.search("ERROR|rror:|[Ff]ailed", line)] or lines or ["wandb sync said nothing"]
    return wrong[-1].removeprefix("ERROR ")[:200]


@failures.program
def main(arguments: Sequence[str] | None = None) -> int:
    parser = failures.Parser(prog="python -m motif.uploads", description=__doc__)
    parser.add_argument("runs", nargs="*", type=Path, default=sorted(Path("outputs").glob("*")), help="outputs/*")
    waiting = pending(idle(there(parser.parse_args(arguments).runs)))
    if not waiting:
        print("Nothing to upload.")
        return 0
    if not WandB.has_key():
        raise UserError(f"{len(waiting)} to upload, but no W&B key: wandb login, or set WANDB_API_KEY")
    failed = 0
    for parts in waiting:
        wrong = send(parts)
        failed += wrong is not None
        name = parts[0].parent.parent
        print(visible(f"{name}: {wrong or f'uploaded, {len(parts)} part' + 's' * (len(parts) > 1)}"), flush=True)
    return 1 if failed else 0
