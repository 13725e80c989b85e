"""Who works on a run: a lock made of files, for processes of one or many machines that share a file system.

A lock is a folder of numbered files; the highest number holds. To take it is to link the next number, which one process
alone can do; nothing is ever taken away from under its holder, so there is no moment without an owner to race for. The
holder touches its file now and then. On its own machine its process is seen to be there or gone, and no clock is
asked. From another machine one that has not touched its file for `STALE` seconds looks dead, and whoever wants the lock
watches the file for two beats, by a clock that nobody can set, before it is taken: a clock that jumps takes a lock from
nobody. So `kill -9` blocks nobody for long. When a lock is released it keeps how the work ended. It is no queue: who
does not get it is told who has it, and goes.
"""

import json
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from motif.system.errors import UserError
from motif.system.safe_text import masked
from motif.system.signals import Stopped

BEAT = 15.0  # seconds between touches
STALE = 120.0  # seconds without one, by the clock of the file system, after which a holder looks dead


class Busy(UserError):
    """Another process holds the lock."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, or held it: `ended` says how that ended, and is None where it has not or was cut short.

    `alive` is what is seen at this moment; where it is False because of `silent` alone, the holder may be alive: it is
    of another machine, and its last touch lies long ago, or ahead, by clocks that may have jumped.
    """

    host: str
    pid: int
    since: str
    machine: str
    process: str | None
    ended: str | None = None
    alive: bool = False
    silent: bool = False

    def __str__(self) -> str:
        return f"{self.host}, pid {self.pid}, since {self.since}"


class Lock:
    """`with Lock(folder):` holds it, or raises `Busy`. `lost` is called, from a thread, where another took it over
    because this process had not touched it for too long; its default ends the process, which must write no more.
    `say` is told why taking it takes two beats."""

    def __init__(
        self,
        folder: Path,
        what: str = "",
        lost: Callable[[], None] | None = None,
        say: Callable[[str], None] = lambda words: None,
    ) -> None:
        self.folder, self.what, self.lost, self.say = folder, what or str(folder), lost or abandon, say
        self.file: Path | None = None
        self.stop = threading.Event()

    def __enter__(self) -> "Lock":
        self.folder.mkdir(parents=True, exist_ok=True)
        newest = _newest(self.folder)
        found = holder(self.folder)
        if found and found.silent:
            self.say(f"{self.what} was left by a process not heard of any more ({found}); {2 * BEAT:.0f} s to be sure")
        if found and (found.alive or (found.silent and _touched(self.folder / str(newest)))):
            raise Busy(f"{self.what} is being worked on by another process ({found})")
        mine = self.folder / str(newest + 1)
        draft = self.folder / f".{uuid.uuid4().hex}"
        draft.write_text(json.dumps(_me()))
        try:
            os.link(draft, mine)  # the one step that only one process can take
        except FileExistsError:
            raise Busy(f"{self.what} is being worked on by another process ({holder(self.folder)})") from None
        finally:
            draft.unlink()
        if _newest(self.folder) > newest + 1:  # others came and went while this process slept
            mine.unlink(missing_ok=True)
            raise Busy(f"{self.what} is being worked on by another process ({holder(self.folder)})")
        for old in _numbers(self.folder):
            if old <= newest:
                (self.folder / str(old)).unlink(missing_ok=True)
        self.file = mine
        self.stop.clear()
        threading.Thread(target=self._beat, args=(mine,), daemon=True).start()
        return self

    def _beat(self, mine: Path) -> None:
        while not self.stop.wait(BEAT):
            try:
                os.utime(mine)
            except FileNotFoundError:
                if _newest(self.folder) > int(mine.name) and not self.stop.is_set():
                    self.lost()
                return
            except OSError:  # the file system is away for a moment; whether it was too long, the next touch tells
                continue

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.stop.set()
        assert self.file is not None
        if not self.file.exists():  # taken over
            return
        draft = self.folder / f".{uuid.uuid4().hex}"
        with suppress(OSError):  # a full disk, say: the process is seen to be gone all the same
            draft.write_text(json.dumps({**_me(), "ended": _outcome(error)}))
            draft.replace(self.file)


def holder(folder: Path) -> Holder | None:
    """Who holds the lock (`alive`), or held it last; None where nobody ever did."""
    for _ in range(5):  # a taker may remove the file that is being read
        newest = _newest(folder)
        if not newest:
            return None
        file = folder / str(newest)
        try:
            found, touched = Holder(**json.loads(file.read_text())), file.stat().st_mtime
        except (OSError, ValueError, TypeError):
            continue
        seen = False if found.ended is not None else _seen(found)
        silent = seen is None and abs(_now(folder) - touched) >= STALE
        return replace(found, alive=not silent if seen is None else seen, silent=silent)
    return None


def _touched(file: Path) -> bool:
    """Whether the holder of the lock `file` shows itself within two beats, or another has come meanwhile. Waits for
    that long."""

    def stamp() -> int | None:
        try:
            with file.open() as opened:  # to open is what makes NFS ask its server
                return os.fstat(opened.fileno()).st_mtime_ns
        except OSError:
            return None

    before, until = stamp(), time.monotonic() + 2 * BEAT
    while time.monotonic() < until:
        time.sleep(BEAT / 10)
        if stamp() != before:
            return True
    return before is None


def abandon() -> None:
    """End this process at once."""
    os.write(2, b"another process took this run over, because this one was not heard of for too long\n")
    os._exit(75)


def _numbers(folder: Path) -> list[int]:
    try:
        return [int(name) for name in os.listdir(folder) if name.isdigit()]
    except FileNotFoundError:
        return []


def _newest(folder: Path) -> int:
    return max(_numbers(folder), default=0)


def _now(folder: Path) -> float:
    """The time by the clock that stamps the files there; where nothing can be written, by one's own."""
    probe = folder / f".{uuid.uuid4().hex}"
    try:
        probe.touch()
        stamp = probe.stat().st_mtime
        probe.unlink()
        return stamp
    except OSError:
        return time.time()


def _me() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "pid": os.getpid(),
        "since": time.strftime("%Y-%m-%d %H:%M:%S"),
        "machine": _machine(),
        "process": _process(os.getpid()),
    }


def _machine() -> str:
    """This boot of this machine, and within it this space of process numbers; host names can be shared."""
    words = [platform.node()]
    with suppress(OSError):
        words += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(words)


def _process(pid: int) -> str | None:
    """When process `pid` of this machine began, in ticks since boot: numbers come again. None where it is not there, a
    zombie included, or cannot be asked."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _seen(found: Holder) -> bool | None:
    """Whether the holder's process is there, where that can be seen from here; None where it cannot."""
    if found.machine != _machine():
        return None
    if found.process is not None:
        return _process(found.pid) == found.process
    try:  # without /proc a number may be another process's by now, and a host's name another host's
        os.kill(found.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return None
    return None


def _outcome(error: BaseException | None) -> str:
    """How work ended, in one line."""
    if error is None:
        return "done"
    if isinstance(error, Stopped | KeyboardInterrupt | SystemExit):
        return "stopped"
    return f"failed: {reason(error)}"


def reason(error: BaseException) -> str:
    """Why work failed, in one line."""
    words = str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
    return masked(" ".join(words.split()))[:500]
