"""Where a run takes place (versions, commit, device, command), and what is typed here to start or install something."""

import os
import platform
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from motif.system import processes
from motif.system.files import read_json
from motif.system.safe_text import masked

DISTRIBUTION = "motif-rounds"  # what pip calls this package
CHECKOUT = Path(__file__).parents[2]  # train.py lies there, unless the package was installed from a wheel
PACKAGES = ("torch", "transformers", "trl", "peft", "datasets", "accelerate", "hydra-core", "wandb", "sympy")


def environment(seed: int, before: Path | None = None) -> dict[str, Any]:
    """Where a run took place: versions, commit, device, seed, command; `earlier` holds what the file `before` says of
    the processes that worked on it before."""
    import torch

    earlier: list[dict[str, Any]] = []
    if before and before.is_file():
        last = read_json(before)
        earlier = [*last.pop("earlier", []), last]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.processor() or platform.machine()
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": masked(sys.argv),
        "seed": seed,
        "motif": version(DISTRIBUTION),
        "git": git_commit(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "cpu_count": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "processes": processes.count(),
        "packages": versions(),
        "earlier": earlier,
    }


def versions() -> dict[str, str | None]:
    """The versions of `PACKAGES`; None of one that is not installed."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def machine() -> dict[str, Any]:
    """What decides how fast this code runs here, as far as it is known without loading torch."""
    told = {name: os.environ.get(name) for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")}
    code = {"motif": version(DISTRIBUTION), "git": git_commit(), "python": platform.python_version()}
    return {"host": platform.node(), "cpu_count": os.cpu_count(), **told, **code, "packages": versions()}


@cache
def has_bfloat16() -> bool:
    """Whether this machine computes in bfloat16: on a GPU, or on a processor with AVX512-BF16 or AMX. Elsewhere float32
    is faster. It is seen without loading torch."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    if not hidden and any(Path("/dev", name).exists() for name in ("nvidia0", "nvidiactl", "dxg", "kfd")):
        return True
    try:
        flags = Path("/proc/cpuinfo").read_text().partition("\nflags")[2].partition("\n")[0].split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)


def cores() -> int:
    """Cores of this machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def gpus(devices: Path = Path("/dev")) -> list[str]:
    """The GPUs of NVIDIA's that this process may use, as CUDA_VISIBLE_DEVICES names them. They are seen among `devices`
    without loading torch."""
    if (told := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in told.split(",") if name.strip() not in ("", "-1")]
    return [str(number) for number, _ in enumerate(devices.glob("nvidia[0-9]*"))]


def git_commit() -> str | None:
    """The commit of this checkout, with `+` where files have changed since; None outside one."""
    if not (CHECKOUT / "train.py").is_file():  # installed, perhaps below somebody else's repository
        return None
    call = ["git", "-C", str(CHECKOUT), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(call, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def install(extra: str) -> str:
    """The command that installs what an optional part needs; pip takes the extra from the motif that is installed."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def program(name: str) -> str:
    """What starts `name` (train, evaluate or solve) from the current folder: `python train.py` in a checkout, else the
    command that pip installed."""
    return typed([first_word(name)])


def first_word(name: str) -> str:
    """The first word of the `sys.argv` of `name`, if it is started from the current folder."""
    file = Path(f"{name}.py")
    return str(file) if file.is_file() and file.resolve() == CHECKOUT / file else f"motif-{name}"


def typed(command: Sequence[str]) -> str:
    """The words of a program's `sys.argv` as they are typed in a shell."""
    return shlex.join(command if is_installed(command[0]) else ["python", *command])


def as_installed(text: str) -> str:
    """`text`, in which programs are started from a checkout, for whoever starts the commands that pip installed."""
    return re.sub(r"python (train|evaluate|solve)\.py", r"motif-\1", text)


def is_installed(program: str) -> bool:
    """Whether `program`, the first word of a `sys.argv`, is a command that pip installed."""
    return Path(program).stem.startswith("motif-")
