"""Which of several processes writes, and what they tell each other, as torchrun starts them."""

import os
import socket
import subprocess
import sys

import pytest

from motif.system import processes
from tests.support import ROOT

TWO = """
from motif.system import processes
rank = processes.of_all("me" if processes.first() else "other")
print(processes.count(), rank, processes.of_first(rank[0] if processes.first() else None))
processes.wait()
"""


def test_a_process_alone_is_the_first_and_talks_to_nobody(monkeypatch):
    for name in ("WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)
    assert processes.count() == 1 and processes.first()
    assert processes.of_all([1]) == [[1]] and processes.of_first("x") == "x" and processes.wait() is None


def test_the_first_is_told_by_its_rank(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3"), monkeypatch.setenv("RANK", "1")
    assert processes.count() == 3 and not processes.first()


@pytest.mark.slow
def test_two_processes_hear_each_other_in_their_order_and_what_the_first_says():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {
        **os.environ,
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "ACCELERATE_USE_CPU": "1",
    }
    begun = [
        subprocess.Popen(
            [sys.executable, "-c", TWO],
            **{"cwd": ROOT, "env": shared | {"RANK": rank, "LOCAL_RANK": rank}, "text": True},
            **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE},
        )
        for rank in "01"
    ]
    for process in begun:
        out, errors = process.communicate(timeout=200)
        assert out == "2 ['me', 'other'] me\n", errors
