"""Faults of one of several processes: all end, a person reads one line, and the newest checkpoint is whole."""

import os
import signal
import subprocess
import sys
import time

import pytest

from motif.runs.folder import Run
from tests.support import FEW, ROOT, ranks

TRAP = '''
"""A term of the reward that does something to its own process, at its ninth call: MOTIF_TRAP says what, and to whom."""
import os, pathlib, signal
calls = 0
def trap(path):
    global calls
    calls += 1
    what, _, rank = os.environ.get("MOTIF_TRAP", "").partition(":")
    pathlib.Path(f"pid-{os.environ.get('RANK', 0)}").write_text(str(os.getpid()))
    if calls == 9 and rank in ("any", os.environ["RANK"]):
        if what == "raise":
            raise KeyError("trapped")
        whom, signal_name = (os.getppid(), what[6:]) if what.startswith("agent-") else (os.getpid(), what)
        os.kill(whom, getattr(signal, signal_name))
    return 0.0
'''
WORDS = [
    *("name=run", "experiment=smoke", "algo=grpo", "tracking=none", "preflight=false", "algo.m=4", "algo.steps=6"),
    *("algo.questions=2", "checkpoint.every=1", "evaluation.before=false", "evaluation.questions=2"),
    *("evaluation.rounds=[1]", "rounds=1", "+reward.reply.trap._target_=trap.trap"),
    *("+reward.reply.trap._partial_=true", "+reward.weights.trap=0.0", *FEW),
]
pytestmark = [pytest.mark.slow]


def begin(folder, trap="", *words, launcher=("processes=2",)):
    """`python train.py processes=2` in a session of its own, with a trap in one of the two."""
    (folder / "trap.py").write_text(TRAP)
    path = os.pathsep.join([str(folder), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "MOTIF_TRAP": trap}
    call = [sys.executable, str(ROOT / "train.py"), *WORDS, *launcher, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(call, cwd=folder, env=environment, start_new_session=True, **pipes)


def end(folder, process):
    """The exit status of a run and what it has said, which is one line of an error; its processes are gone."""
    said, _ = process.communicate(timeout=300)
    for file in folder.glob("pid-*"):
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)
    assert "Traceback" not in said and "motif's own" not in said, said
    return process.returncode, said


def step_of(folder):
    """The step of the newest checkpoint, which has to be whole: its hashes are read."""
    return Run(folder / "outputs/run").checkpoint().step


def test_a_process_that_is_killed_ends_the_others_with_one_line_and_the_same_command_continues(tmp_path):
    code, said = end(tmp_path, begin(tmp_path, "SIGKILL:0"))
    assert code == 1 and said.count("error: ") == 1, said
    assert "error: process 0 of 2 was killed by SIGKILL; the same command continues\n" in said
    assert step_of(tmp_path) == 2
    code, said = end(tmp_path, begin(tmp_path))
    assert code == 0 and "trained 6 steps" in said, said


def test_an_error_in_one_process_is_the_one_line(tmp_path):
    (tmp_path / "trap.py").write_text(TRAP)
    process = begin(tmp_path, "raise:1")
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 1 and said.count("error: ") == 1 and "KeyError: 'trapped'" in said, said
    assert "another process" not in said and "Traceback" not in said, said
    assert step_of(tmp_path) == 2 and "trapped" in (tmp_path / "outputs/run/error.log").read_text()


def until_two_steps(folder, process):
    file = folder / "outputs/run/metrics.jsonl"
    deadline = time.monotonic() + 200
    while not file.is_file() or file.read_bytes().count(b"\n") < 2:
        assert time.monotonic() < deadline and process.poll() is None, process.communicate()
        time.sleep(0.05)
    return file


def test_a_signal_to_the_one_that_began_them_lets_all_finish_their_step_and_write_a_checkpoint(tmp_path):
    process = begin(tmp_path, "", "algo.steps=500", "checkpoint.every=1000")
    file = until_two_steps(tmp_path, process)
    process.send_signal(signal.SIGTERM)
    status, said = end(tmp_path, process)
    step = step_of(tmp_path)
    assert status == 143 and said.count(f"stopped after step {step} of 500; a checkpoint is written;") == 1, said
    assert file.read_bytes().count(b"\n") == step


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_processes_whose_beginner_is_killed_stop_after_their_step_with_a_checkpoint(tmp_path):
    process = begin(tmp_path, "", "algo.steps=500", "checkpoint.every=1000")
    file = until_two_steps(tmp_path, process)
    process.kill()
    process.communicate(timeout=200)  # which ends with the last process that holds its output
    assert file.read_bytes().count(b"\n") == step_of(tmp_path) < 500


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
@pytest.mark.parametrize("rank", ["0", "1"])
def test_where_one_of_two_agents_of_torchrun_is_killed_both_end_with_a_checkpoint_and_go_on(tmp_path, rank):
    (tmp_path / "trap.py").write_text(TRAP)
    words, path = [*WORDS, "checkpoint.every=1000"], {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])}
    begun = ranks.agents(tmp_path, *words, MOTIF_TRAP=f"agent-SIGKILL:{rank}", **path)
    said = "".join(process.communicate(timeout=900)[0] for process in begun)  # which ends with what they have begun
    statuses = sorted(process.returncode for process in begun)
    assert statuses[0] == -signal.SIGKILL and statuses[1] > 0 and "motif's own" not in said, (statuses, said)
    assert "stopped after step 3 of 6; a checkpoint is written; the same command continues" in said, said
    assert step_of(tmp_path) == 3
    begun = ranks.agents(tmp_path, *words, **path)
    said = "".join(process.communicate(timeout=900)[0] for process in begun)
    assert [process.returncode for process in begun] == [0, 0] and said.count("trained 6 steps") == 1, said


def test_a_signal_to_one_process_alone_stops_all_after_the_same_step(tmp_path):
    status, said = end(tmp_path, begin(tmp_path, "SIGTERM:1", "checkpoint.every=1000"))
    assert status == 143 and said.count("stopped after step 3 of 6; a checkpoint is written;") == 1, said
    assert step_of(tmp_path) == 3


def test_a_process_that_does_not_answer_is_waited_for_as_long_as_patience_says(tmp_path):
    code, said = end(tmp_path, begin(tmp_path, "SIGSTOP:1", "patience=15"))
    assert code == 1 and said.count("error: ") == 1, said
    assert "error: another process ended, or did not answer for 15 s (patience=); the same command continues" in said
    assert step_of(tmp_path) == 2
