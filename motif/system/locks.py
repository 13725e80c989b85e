"""Who works on a run: a lock made of files, for processes of one or of many machines that share a file system.

A lock is a folder of numbered files; the highest number holds it. A process takes the lock when it links the next
number, which only one process can do. Nothing is taken away from a holder, so there is never a moment without an owner.
The holder touches its file now and then.

On the holder's machine a process sees whether the holder's process is there, and asks no clock. From another machine, a
holder that has not touched its file for `STALE` seconds looks dead. Who wants the lock then watches the file for two
beats of a clock that nobody can set. So a clock that jumps takes a lock from nobody, and `kill -9` blocks nobody for
long. A released lock keeps how the work ended. It is no queue: who does not get the lock is told who has it.
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
from motif.system.files import explained
from motif.system.safe_text import masked
from motif.system.signals import Stopped

BEAT = 15.0  # seconds between touches
STALE = 120.0  # seconds without one, by the clock of the file system, after which a holder looks dead


class Busy(UserError):
    """Another process holds the lock."""


@dataclass(frozen=True)
class Holder:
    """Who holds a lock, or has held it.

    Attributes:
        machine: the machine and its boot; `process`: when the process began. Numbers of processes are used again.
        ended: how the work ended; None where it has not ended, or was killed.
        alive: whether the holder is seen to be there now.
        silent: the holder is of another machine, and its last touch is long ago, or in the future, by clocks that may
            have jumped. Then it may live although `alive` is False.
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
    """`with Lock(folder):` holds the lock, or raises `Busy`.

    Args:
        folder: of the lock's files.
        what: the name of what is locked, for messages.
        lost: called from a thread where another process has taken the lock over, because this one did not touch it for
            too long. The default ends this process, which must not write any more.
        say: called with the reason where taking the lock takes two beats.
    """

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
        with explained(self.folder, "or choose another outputs="):
            self.folder.mkdir(parents=True, exist_ok=True)
        newest = _newest(self.folder)
        other = holder(self.folder)
        if other and other.silent:
            self.say(f"{self.what} was left by a process not heard of any more ({other}); {2 * BEAT:.0f} s to be sure")
        if other and (other.alive or (other.silent and _touched(self.folder / str(newest)))):
            raise self._busy(other)
        mine = self.folder / str(newest + 1)
        draft = self.folder / f".{uuid.uuid4().hex}"
        draft.write_text(json.dumps(_me()))
        try:
            os.link(draft, mine)  # the one step that only one process can take
        except FileExistsError:
            raise self._busy(holder(self.folder)) from None
        finally:
            draft.unlink()
        if _newest(self.folder) > newest + 1:  # others came and went while this process slept
            mine.unlink(missing_ok=True)
            raise self._busy(holder(self.folder))
        for old in _numbers(self.folder):
            if old <= newest:
                (self.folder / str(old)).unlink(missing_ok=True)
        self.file = mine
        self.stop.clear()
        threading.Thread(target=self._beat, args=(mine,), daemon=True).start()
        return self

    def _busy(self, holder: Holder | None) -> Busy:
        return Busy(f"{self.what} is being worked on by another process ({holder})")

    def _beat(self, mine: Path) -> None:
        while not self.stop.wait(BEAT):
            try:
                os.utime(mine)
            except FileNotFoundError:
                if _newest(self.folder) > int(mine.name) and not self.stop.is_set():
                    self.lost()
                return
            except OSError:  # the file system is away; the next touch tells whether for too long
                continue

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.stop.set()
        assert self.file is not None
        if not self.file.exists():  # taken over
            return
        draft = self.folder / f".{uuid.uuid4().hex}"
        with suppress(OSError):  # a full disk, say; others see that the process is gone
            draft.write_text(json.dumps({**_me(), "ended": _outcome(error)}))
            draft.replace(self.file)


def holder(folder: Path) -> Holder | None:
    """Who holds the lock (`alive`), or has held it last; None where nobody has."""
    for _ in range(5):  # a taker may remove the file that is being read
        newest = _newest(folder)
        if not newest:
            return None
        file = folder / str(newest)
        try:
            last, touched = Holder(**json.loads(file.read_text())), file.stat().st_mtime
        except (OSError, ValueError, TypeError):
            continue
        seen = False if last.ended is not None else _seen(last)
        silent = seen is None and abs(_now(folder) - touched) >= STALE
        return replace(last, alive=not silent if seen is None else seen, silent=silent)
    return None


def _touched(file: Path) -> bool:
    """Wait up to two beats. Whether the holder touches its `file`, or another process takes the lock, in that time."""

    def stamp() -> int | None:
        try:
            with file.open() as opened:  # NFS asks its server when a file is opened
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
    """The time by the clock of the file system; by this machine's clock where nothing can be written."""
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
    """This boot of this machine, and the space of process numbers in it. Host names alone can be shared."""
    words = [platform.node()]
    with suppress(OSError):
        words += [Path("/proc/sys/kernel/random/boot_id").read_text().strip(), os.readlink("/proc/self/ns/pid")]
    return " ".join(words)


def _process(pid: int) -> str | None:
    """When process `pid` of this machine began, in ticks since boot.

    None where it is not there or a zombie, or where there is no /proc.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _seen(holder: Holder) -> bool | None:
    """Whether the holder's process is there; None where that cannot be seen from here."""
    if holder.machine != _machine():
        return None
    if holder.process is not None:
        return _process(holder.pid) == holder.process
    try:  # without /proc the number may be another process's by now, and the host's name another host's
        os.kill(holder.pid, 0)
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
