import json
import os
import subprocess
import sys
import threading
import time

import pytest

from motif.system import locks
from motif.system.errors import UserError
from motif.system.locks import Busy, Lock, holder
from motif.system.signals import Stopped
from tests.support import ROOT

HOLD = (
    "import sys, time; sys.path.insert(0, sys.argv[2])\nfrom motif.system.locks import Lock\nfrom pathlib import Path\n"
)
HOLD += "with Lock(Path(sys.argv[1])):\n print('held', flush=True)\n time.sleep(100)"


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock `tmp_path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path), str(ROOT)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_a_second_process_is_told_who_holds_it(tmp_path, other):
    with pytest.raises(Busy, match=rf"pid {other.pid}, since 20\d\d-") as error, Lock(tmp_path, "the run"):
        pass
    assert str(error.value).startswith("the run is being worked on by another process (") and "\n" not in str(
        error.value
    )


def test_a_killed_holder_is_replaced_at_once_reaped_or_not(tmp_path, other):
    other.kill()
    while locks._process(other.pid) is not None:  # a zombie from here on
        time.sleep(0.01)
    found = holder(tmp_path)
    assert found.pid == other.pid and not found.alive and found.ended is None
    with Lock(tmp_path):
        assert holder(tmp_path).pid == os.getpid() and holder(tmp_path).alive


def elsewhere(folder, **changes):
    """A lock held by a process of another machine."""
    told = {"host": "node7", "pid": 1, "since": "then", "machine": "node7 x", "process": "5", **changes}
    folder.mkdir(exist_ok=True)
    (folder / "4").write_text(json.dumps(told))


def test_of_another_machine_the_last_touch_decides(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.02)
    elsewhere(tmp_path)
    with pytest.raises(Busy, match="node7, pid 1, since then"), Lock(tmp_path):
        pass
    said, old = [], time.time() - locks.STALE - 1
    os.utime(tmp_path / "4", (old, old))
    with Lock(tmp_path, "the run", say=said.append):
        assert sorted(name.name for name in tmp_path.iterdir()) == ["5"]
    assert len(said) == 1 and said[0].startswith("the run was left by a process not heard of any more (node7, pid 1")


class Touching:
    """A living holder on another machine: its file is touched every beat."""

    def __init__(self, file):
        self.file, self.stop = file, threading.Event()
        self.thread = threading.Thread(target=self.beat)

    def beat(self):
        while not self.stop.wait(locks.BEAT):
            os.utime(self.file)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *error):
        self.stop.set()
        self.thread.join()


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_that_jumps_takes_a_lock_from_nobody_on_another_machine(tmp_path, monkeypatch, jump):
    monkeypatch.setattr(locks, "BEAT", 0.05)
    elsewhere(tmp_path)
    now = locks._now
    monkeypatch.setattr(locks, "_now", lambda folder: now(folder) + jump)
    assert not holder(tmp_path).alive and holder(tmp_path).silent
    with Touching(tmp_path / "4"), pytest.raises(Busy, match="node7"), Lock(tmp_path):
        pass
    with Lock(tmp_path):  # it is silent by a clock that nobody sets, too
        assert holder(tmp_path).pid == os.getpid()


@pytest.mark.parametrize("jump", [3600, -3600])
def test_on_its_own_machine_a_process_is_there_or_gone_whatever_the_clock_says(tmp_path, other, monkeypatch, jump):
    file = next(tmp_path.glob("[0-9]*"))
    at = time.time() - jump
    os.utime(file, (at, at))
    monkeypatch.setattr(locks, "_now", lambda folder: pytest.fail("a clock was asked"))
    assert holder(tmp_path).alive
    with pytest.raises(Busy, match=f"pid {other.pid}"), Lock(tmp_path):
        pass
    other.kill()
    other.wait()
    assert not holder(tmp_path).alive and not holder(tmp_path).silent
    monkeypatch.setattr(locks, "BEAT", 1e9)  # nobody has to be watched
    with Lock(tmp_path):
        assert holder(tmp_path).pid == os.getpid()


def test_who_looks_at_a_lock_does_not_wait(tmp_path, monkeypatch):
    elsewhere(tmp_path)
    os.utime(tmp_path / "4", (0, 0))
    monkeypatch.setattr(locks.time, "sleep", lambda seconds: pytest.fail("slept"))
    assert holder(tmp_path).silent


def test_one_who_watched_and_one_who_came_meanwhile_do_not_both_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.05)
    elsewhere(tmp_path)
    os.utime(tmp_path / "4", (0, 0))

    def come(seconds, sleep=time.sleep):
        elsewhere(tmp_path, host="node8")
        (tmp_path / "4").rename(tmp_path / "5")
        sleep(seconds)

    monkeypatch.setattr(locks.time, "sleep", come)
    with pytest.raises(Busy, match="node"), Lock(tmp_path):
        pass
    assert holder(tmp_path).host == "node8" and holder(tmp_path).alive


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_holder_keeps_its_lock_while_the_clock_jumps(tmp_path, monkeypatch, jump):
    monkeypatch.setattr(locks, "BEAT", 0.01)
    lost, real = [], time.time
    with Lock(tmp_path, lost=lambda: lost.append(True)):
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        os.utime(tmp_path / "1", (0, 0))
        while (tmp_path / "1").stat().st_mtime == 0:  # it goes on touching
            time.sleep(0.01)
        assert holder(tmp_path).alive and not lost
    assert holder(tmp_path).ended == "done"


def test_a_number_that_was_given_to_another_process_since_is_no_sign_of_life(tmp_path):
    elsewhere(tmp_path, machine=locks._machine(), pid=os.getpid(), process="1")
    assert not holder(tmp_path).alive


def test_of_many_that_want_a_dead_ones_lock_one_gets_it(tmp_path):
    elsewhere(tmp_path, machine=locks._machine(), pid=2**22 + 1)
    script = HOLD.replace("time.sleep(100)", "time.sleep(2)")
    calls = [[sys.executable, "-c", script, str(tmp_path), str(ROOT)] for _ in range(6)]
    processes = [subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for call in calls]
    done = [process.communicate(timeout=60) for process in processes]
    held = [out for out, _ in done if out == "held\n"]
    refused = [error for _, error in done if "Busy" in error]
    assert len(held) + len(refused) == 6 and held
    # who was let in later came after the one before had gone: numbers count them
    assert max(int(file.name) for file in tmp_path.iterdir()) == 4 + len(held)


def test_one_who_links_a_number_that_is_past_backs_off(tmp_path, monkeypatch):
    elsewhere(tmp_path, ended="done")
    with Lock(tmp_path):
        mine = holder(tmp_path)
        seen = iter([4, 4])  # what a slow process saw before: the lock was free, at number 4
        real = locks._newest
        monkeypatch.setattr(locks, "_newest", lambda folder: next(seen, None) or real(folder))
        (tmp_path / "6").write_text((tmp_path / "5").read_text())
        (tmp_path / "5").unlink()
        (tmp_path / "4").write_text(json.dumps({**mine.__dict__, "ended": "done"}))
        with pytest.raises(Busy), Lock(tmp_path):
            pass
        assert holder(tmp_path).alive and not (tmp_path / "5").exists()


@pytest.mark.parametrize(
    ("error", "ended"),
    [
        (None, "done"),
        (KeyboardInterrupt(), "stopped"),
        (Stopped("after step 3"), "stopped"),
        (UserError("rounds must be 3"), "failed: rounds must be 3"),
        (ValueError("a\nb"), "failed: ValueError: a b"),
    ],
)
def test_a_released_lock_keeps_how_the_work_ended(tmp_path, error, ended):
    try:
        with Lock(tmp_path):
            if error:
                raise error
    except BaseException as caught:
        assert caught is error
    assert holder(tmp_path).ended == ended and not holder(tmp_path).alive
    with Lock(tmp_path):
        assert holder(tmp_path).ended is None


def test_a_holder_touches_its_file_and_is_told_when_it_has_lost_it(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "BEAT", 0.01)
    lost = []
    with Lock(tmp_path, lost=lambda: lost.append(True)):
        os.utime(tmp_path / "1", (0, 0))
        while (tmp_path / "1").stat().st_mtime == 0:
            time.sleep(0.01)
        assert not lost
        elsewhere(tmp_path)
        (tmp_path / "1").unlink()  # what one does that has taken over
        while not lost:
            time.sleep(0.01)
    assert holder(tmp_path).host == "node7"


def test_a_lock_that_nobody_ever_held_has_no_holder(tmp_path):
    assert holder(tmp_path / "none") is None
