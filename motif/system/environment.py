"""Where a run took place: versions, commit, device, command."""

import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from motif.system.files import read_json
from motif.system.safe_text import masked

PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "hydra-core", "wandb", "math-verify")


def environment(seed: int, before: Path | None = None) -> dict[str, Any]:
    """Where a run took place: versions, commit, device, seed, command; `earlier` holds what the file `before` says of
    the processes that worked on it before."""
    import torch

    earlier: list[dict[str, Any]] = []
    if before and before.is_file():
        last = read_json(before)
        earlier = [*last.pop("earlier", []), last]
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": masked(sys.argv),
        "seed": seed,
        "motif": version("motif"),
        "git": git_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "packages": found,
        "earlier": earlier,
    }


def git_commit() -> str | None:
    """The commit of this checkout, with `+` where files have changed since; None outside one."""
    call = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(call, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
