"""Work divided among cores: in order, and none of it outlives who asked for it."""

import os
import signal
import subprocess
import sys
import time

import pytest

from motif.reporting.cores import parallel_map

HERE = os.getpid()
ASLEEP = """
import os, sys, time
from motif.reporting.cores import parallel_map
def sleep(item):
    os.write(1, b"%d\\n" % os.getpid())
    time.sleep(100)
os.cpu_count = lambda: 3
parallel_map(sleep, range(3))
"""


def test_what_is_found_stands_in_the_order_of_what_was_given(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert parallel_map(lambda item: (item * item, os.getpid() == HERE), range(7)) == [(n * n, False) for n in range(7)]
    assert parallel_map(str, [1]) == ["1"] and parallel_map(str, []) == []


def test_an_error_of_one_is_that_of_all(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    with pytest.raises(ZeroDivisionError):
        parallel_map(lambda item: 1 // item, [1, 0, 2])


def test_workers_end_with_the_process_that_was_killed():
    with subprocess.Popen([sys.executable, "-c", ASLEEP], stdout=subprocess.PIPE) as process:
        assert process.stdout
        workers = {int(process.stdout.readline()) for _ in range(3)}
        assert len(workers) == 3 and process.pid not in workers
        process.send_signal(signal.SIGKILL)
    until = time.monotonic() + 60
    while alive := [pid for pid in workers if running(pid)]:
        assert time.monotonic() < until, f"{alive} wait for a process that is gone"
        time.sleep(0.05)


def running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
