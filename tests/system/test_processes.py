"""Which of several processes writes, and what they tell each other, as torchrun starts them."""

import itertools
import json
import subprocess
import sys
from contextlib import nullcontext

import pytest

from motif.system import UserError, failures, processes
from tests.support import ROOT, ranks

TALK = """
import json
import subprocess
import sys
from contextlib import contextmanager
from motif.system import UserError, processes

index, seen, said, inside, mistakes = processes.index(), [], [], [], []

@contextmanager
def lock():
    inside.append("in")
    yield
    inside.append("out")

@contextmanager
def busy():
    raise UserError("busy")
    yield

def wrong(items):
    if index == 1:
        raise UserError("1 is no place")
    return items

with processes.in_first(lock()):
    found = {
        "made": processes.divided(lambda part: seen.extend(part) or [n * n for n in part], range(7)),
        "few": processes.divided(lambda part: [1 for _ in part], "x"),
        "none": processes.divided(list, ""),
    }
processes.divided(lambda part: said.extend(part) or part, range(3), among=1)
for act in (lambda: processes.divided(wrong, range(7)), lambda: processes.in_first(busy()).__enter__()):
    try:
        act()
    except UserError as error:
        mistakes.append(str(error))
found |= {"part": seen, "alone": said, "inside": inside, "mistakes": mistakes, "count": processes.count()}
print(json.dumps({**found, "ranks": processes.of_all(index), "first": processes.of_first(index)}))
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


def test_a_process_alone_does_all_the_work_and_raises_its_own_mistakes(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    parts = []
    assert processes.divided(lambda part: parts.append(part) or [2 * each for each in part], [1, 2, 3]) == [2, 4, 6]
    assert parts == [[1, 2, 3]] and processes.by_first(lambda: 5) == 5
    with pytest.raises(UserError, match="no"), processes.in_first(nullcontext()):
        processes.by_first(fails)


def fails():
    raise UserError("no")


def test_processes_hear_each_other_in_their_order_divide_work_and_share_mistakes(forks, tmp_path):
    for count in (2, 3):
        said = [json.loads(line) for line in ranks.run(forks, count, TALK, tmp_path)]
        for heard in said:
            assert heard["count"] == count and heard["ranks"] == [*range(count)] and heard["first"] == 0
            assert heard["made"] == [n * n for n in range(7)] and heard["few"] == [1] and heard["none"] == []
            assert heard["mistakes"] == ["1 is no place", "busy"]
        parts = [heard["part"] for heard in said]
        assert [*itertools.chain(*parts)] == [*range(7)] and max(map(len, parts)) - min(map(len, parts)) <= 1
        assert [heard["alone"] for heard in said] == [[0, 1, 2], *[[]] * (count - 1)]
        assert [heard["inside"] for heard in said] == [["in", "out"], *[[]] * (count - 1)]


def chained(error, cause):
    error.__cause__ = cause
    return error


def circle():
    error, other = ValueError("x"), KeyError("y")
    return chained(error, chained(other, error))


CLOSED = RuntimeError("[.../gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:3141")


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (CLOSED, True),
        (RuntimeError("Read error [127.0.0.1]:3141: Connection reset by peer"), True),
        (RuntimeError("Timed out waiting 15000ms for recv operation to complete"), True),
        (RuntimeError("NCCL error: remote process exited or there was a network error"), True),
        (chained(ValueError("x"), CLOSED), True),
        (circle(), False),
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


def test_a_block_that_takes_longer_than_it_may_ends_the_process_with_one_line():
    code = "import threading\nfrom motif.system import processes\n"
    code += "with processes.within(60, 'too long'):\n    print('in time')\n"
    code += (
        "with processes.within(0.1, 'the other side did not answer'):\n    threading.Event().wait(60)\nprint('after')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1 and done.stderr == "error: the other side did not answer\n", done


def test_what_a_process_that_is_ended_says_is_left_for_the_one_that_began_it(tmp_path, monkeypatch):
    monkeypatch.setenv(processes.LAST_WORDS, str(tmp_path))
    code = (
        "import time\nfrom motif.system import processes\nwith processes.within(0.1, 'no answer'):\n    time.sleep(60)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.returncode == 1 and not done.stderr
    assert processes.left(tmp_path) == {0: {"kind": "error", "words": "no answer", "signal": None}}
