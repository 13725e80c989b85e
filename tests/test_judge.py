import io
import json
import subprocess
import sys
import time

import pytest

from motif.judge import WALL, Child, answer, main


@pytest.mark.parametrize(
    ("prediction", "gold", "verdict"),
    [
        ("\\sqrt{8}", "2\\sqrt{2}", True),
        ("(\\sqrt{8}, x+1)", "(2\\sqrt{2}, 1+x)", True),
        ("2x+2y=2", "x+y=1", True),
        ("x^2=-4", "x^2=-1", False),
        ("0=0", "x=x+1", False),
        ("e^{i\\pi}", "-1", True),
        ("2i", "2", False),
        ("\\frac{", "1", False),
    ],
)
def test_algebra_decides_the_parts(prediction, gold, verdict):
    assert answer(prediction, gold) is verdict


def test_a_child_that_takes_too_long_is_ended_and_the_next_one_answers():
    child = Child()
    started = time.process_time()
    assert not child.ask(json.dumps(["\\binom{10^9}{10^8}", "3\\pi"]).encode() + b"\n", time.monotonic() + WALL)
    child.end()
    child = Child()
    assert child.ask(json.dumps(["\\sqrt{8}", "2\\sqrt{2}"]).encode() + b"\n", time.monotonic() + WALL) == b"true\n"
    child.end()
    assert time.process_time() - started < 5


def test_where_every_child_is_killed_the_judge_ends_and_makes_no_verdict_up(monkeypatch):
    class Killed:
        def ask(self, line, until):
            return b""

        def end(self, dead=False):
            return dead

    monkeypatch.setattr("motif.judge.Child", Killed)
    verdicts = io.BytesIO()
    main([b'["1", "1"]\n', b'["2", "2"]\n'], verdicts)
    assert verdicts.getvalue() == b"ready\n"


def test_the_end_of_its_questions_ends_the_judge():
    questions = (
        '["\\\\sqrt{8}", "2\\\\sqrt{2}"]\n["x", "y+1"]\n["\\\\binom{10^9}{10^8}", "3\\\\pi"]\nno json\n["x+1", "1+x"]\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "motif.judge"], input=questions, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["ready", "true", "false", "null", "false", "true"] and not done.stderr
    assert callable(main)
