"""SIGKILL: a run that was killed and continued ends as one that was not, bit by bit."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from benchmarks.kills import ROOT, result
from tests.support import FEW

N = 3  # steps; two are a pass over the questions
SHORT = ["name=run", "tracking=none", f"algo.steps={2 * N}", "algo.questions=2", "algo.m=4", f"checkpoint.every={N}"]
SHORT += ["evaluation.questions=4", "evaluation.rounds=[3]", *FEW, "dataset.train_size=4"]


@pytest.mark.parametrize("algo", ["motif", pytest.param("grpo", marks=pytest.mark.slow)])
def test_2n_steps_and_n_steps_sigkill_and_the_rest_are_the_same_in_every_bit(tmp_path, forks, algo):
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    status, said = forks.train(tmp_path / "calm", *SHORT, f"algo={algo}").wait()
    assert status == 0, said
    killed, run = forks.train(tmp_path / "killed", *SHORT, f"algo={algo}"), tmp_path / "killed/outputs/run"
    deadline = time.monotonic() + 100
    while not (run / f"checkpoints/checkpoint-{N}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    killed.signal(signal.SIGKILL)
    assert killed.wait()[0] == -signal.SIGKILL
    before = json.loads((run / "run.json").read_text())["id"]
    status, said = forks.train(tmp_path / "killed", *SHORT, f"algo={algo}").wait()
    assert status == 0, said
    assert result(run) == result(tmp_path / "calm/outputs/run")
    assert len(result(run)["metrics"]) == 2 * N and json.loads((run / "run.json").read_text())["id"] == before
    assert len(json.loads((run / "environment.json").read_text())["earlier"]) == 1


@pytest.mark.slow
def test_two_processes_killed_in_a_later_pass_over_the_questions_end_as_two_that_were_not(tmp_path):
    """Seven questions fill three steps a pass: the kill is in the third pass."""
    words = [
        "name=run",
        "algo=grpo",
        "tracking=none",
        "algo.questions=2",
        "algo.m=2",
        "algo.steps=10",
        "preflight=false",
    ]
    words += ["checkpoint.every=4", "evaluation.questions=4", "evaluation.before=false", "evaluation.rounds=[1]"]
    words += ["experiment=smoke", *FEW, "dataset.train_size=7", "record.questions=null"]
    call = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2", str(ROOT / "train.py"), *words]

    def begun(folder):
        folder.mkdir(exist_ok=True)
        return subprocess.Popen(call, cwd=folder, stdout=subprocess.DEVNULL, start_new_session=True)

    assert begun(tmp_path / "calm").wait(250) == 0
    killed, run = begun(tmp_path / "killed"), tmp_path / "killed/outputs/run"
    deadline = time.monotonic() + 200
    while not (run / "checkpoints/checkpoint-8").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL and not (run / "summary.json").exists()
    assert begun(tmp_path / "killed").wait(250) == 0
    assert result(run) == result(tmp_path / "calm/outputs/run")


@pytest.mark.slow
def test_kills_at_random_moments_of_every_phase_change_nothing():
    call = [sys.executable, "-m", "benchmarks.kills", "--kills", "6", "--reports", "1"]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, f"{call}\n{done.stdout}\n{done.stderr}"
    kills, runs = re.findall(r"^(\d+) (?:kills:|runs)", done.stdout, re.M)
    assert int(kills) >= 6 and int(runs) >= 2
