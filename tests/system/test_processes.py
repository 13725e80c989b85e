"""Which of several processes writes, and what they tell each other, as torchrun starts them."""

import os
import socket
import subprocess
import sys

import pytest

from motif.system import failures, processes
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


def chained(error, cause):
    error.__cause__ = cause
    return error


CLOSED = RuntimeError("[.../gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:3141")


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (CLOSED, True),
        (RuntimeError("Read error [127.0.0.1]:3141: Connection reset by peer"), True),
        (RuntimeError("Timed out waiting 15000ms for recv operation to complete"), True),
        (RuntimeError("NCCL error: remote process exited or there was a network error"), True),
        (chained(ValueError("x"), CLOSED), True),
        (ConnectionResetError(104, "Connection reset by peer"), False),  # a server's
        (RuntimeError("shape '[2]' is invalid for input of size 3"), False),
        (KeyError("x"), False),
    ],
)
def test_a_lost_process_is_known_by_the_words_of_the_libraries_where_there_are_several(monkeypatch, error, lost):
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert not processes.lost(error)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert processes.lost(error) == lost
    said = failures.mistake(error)
    assert (said == "another process ended, or did not answer for 600 s (patience=)") == lost


def test_last_words_are_left_where_somebody_reads_them(tmp_path, monkeypatch):
    assert not processes.leave("error", "nobody reads it")
    monkeypatch.setenv("RANK", "3"), monkeypatch.setenv(processes.LAST_WORDS, str(tmp_path))
    assert processes.left(tmp_path) == {} and processes.leave("stopped", "after step 2", 15)
    assert processes.left(tmp_path) == {3: {"kind": "stopped", "words": "after step 2", "signal": 15}}
