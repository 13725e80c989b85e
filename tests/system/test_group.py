"""A command as several processes: which word of which process is the one error, and what signals come to.

The processes are Pythons that load nothing; those of real trainings are in tests/faults/test_processes.py.
"""

import os
import signal
import subprocess
import sys
import time

import pytest

from motif.system import Busy, Stopped, UserError
from motif.system.group import together
from tests.support import ROOT

HEAD = "import os, signal, sys, time; from motif.system import processes; rank = processes.index(); "
END = "; sys.exit(1)"
WAITS = "time.sleep(60)"
KILLED = "open(os.environ[processes.LAST_WORDS] + '/gone', 'w'); os.kill(os.getpid(), signal.SIGKILL)"


def run(first, second):
    """Two processes: what the first does, and the second."""
    code = f"{HEAD}exec({first!r} if rank == 0 else {second!r})"
    together(2, ["-c", code], {"PYTHONPATH": str(ROOT), "MOTIF_TEST": "seen"}, "go on so")


def leaves(kind, words, *more):
    return f"processes.leave({kind!r}, {words!r}, {', '.join(map(repr, more))}){END}"


def loses(name):
    """Lose the other process, once it has left the file `name`, as one loses another only when it has ended."""
    there = f"os.path.exists(os.environ[processes.LAST_WORDS] + '/{name}')"
    return f"any({there} or time.sleep(0.01) for _ in range(6000)); {leaves('lost', 'others')}"


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (leaves("error", "mine"), loses("0.json"), "mine"),
        (loses("1.json"), leaves("error", "mine"), "mine"),
        (leaves("error", "the same"), leaves("error", "the same"), "the same"),
        (WAITS, KILLED, "process 1 of 2 was killed by SIGKILL; go on so"),
        (KILLED, WAITS, "process 0 of 2 was killed by SIGKILL; go on so"),
        (loses("gone"), KILLED, "process 1 of 2 was killed by SIGKILL; go on so"),
        (leaves("lost", "others"), WAITS, "others"),
        (WAITS, "sys.exit(3)", "process 1 of 2 ended with status 3; go on so"),
    ],
)
def test_what_has_ended_the_processes_is_one_error(first, second, words):
    handlers, variables = signal.getsignal(signal.SIGTERM), dict(os.environ)
    with pytest.raises(UserError) as error:
        run(first, second)
    assert str(error.value) == words
    assert signal.getsignal(signal.SIGTERM) is handlers and dict(os.environ) == variables


def test_processes_that_end_well_are_no_error_and_know_each_other(tmp_path):
    code = f"open({str(tmp_path)!r} + '/' + os.environ['RANK'], 'w').write(os.environ['MOTIF_TEST'])"
    run(f"{code}; assert processes.count() == 2", code)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["0", "1"] and (tmp_path / "1").read_text() == "seen"


def test_processes_that_find_another_at_work_are_busy():
    with pytest.raises(Busy, match="^worked on$"):
        run(leaves("busy", "worked on"), leaves("busy", "worked on"))


def test_processes_that_were_stopped_are_a_stop():
    with pytest.raises(Stopped, match="^after step 3$") as stop:
        run(leaves("stopped", "after step 3", 15), WAITS)
    assert stop.value.signal == signal.SIGTERM


TWICE = """
import os, signal, sys, time
seen = []
signal.signal(signal.SIGINT, lambda *_: seen.append(1))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
open(f"{os.environ['RANK']}-ready", "w")
while not seen:
    time.sleep(0.01)
open(f"{os.environ['RANK']}-one", "w")
time.sleep(60)
"""
BEGINS = """
from motif.system import Stopped, group
try:
    group.together(2, ["twice.py"], {}, "")
except Stopped as stop:
    print(stop, stop.signal)
"""


def test_the_first_signal_is_handed_on_and_the_second_ends_the_processes(tmp_path):
    (tmp_path / "twice.py").write_text(TWICE)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    call = [sys.executable, "-c", BEGINS]
    begun = subprocess.Popen(call, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True)
    for what in ("ready", "one"):
        deadline = time.monotonic() + 100
        while len(list(tmp_path.glob(f"?-{what}"))) < 2:
            assert time.monotonic() < deadline and begun.poll() is None
            time.sleep(0.05)
        begun.send_signal(signal.SIGINT)
    said, _ = begun.communicate(timeout=50)
    assert said == "stopped 2\n" and begun.returncode == 0
