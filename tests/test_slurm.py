"""A sweep on a real Slurm, where there is one: `python -m pytest -m slurm`. One node that gives two cores will do.

The partition is the default one, or that of MOTIF_SLURM_PARTITION; the folder of the tests has to be seen by its nodes
(`--basetemp=`).
"""

import json
import os
import shutil
import subprocess
import time

import pytest

from tests.support import ROOT
from tests.test_sweeps import begin, ends, left_alone, process_of, run, steps, sweep, until

PARTITION = os.environ.get("MOTIF_SLURM_PARTITION", "null")


def ask(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


def where(**more):
    """On one core of Slurm, with what is asked for beyond that."""
    asked = {
        "timeout_min": 60,
        "mem_gb": 2,
        "cpus_per_task": 1,
        "gpus_per_node": "null",
        "partition": PARTITION,
        **more,
    }
    return ["hydra/launcher=submitit_slurm", *(f"hydra.launcher.{key}={value}" for key, value in asked.items())]


pytestmark = [pytest.mark.slow, pytest.mark.slurm]


@pytest.fixture(autouse=True)
def slurm():
    if shutil.which("sbatch") is None or ask("sinfo", "-h").returncode != 0:
        pytest.skip("needs a running Slurm")


def test_a_job_that_slurm_preempts_writes_a_checkpoint_is_requeued_and_goes_on(tmp_path):
    command = sweep("algo=grpo", "seed=0,1", "algo.steps=16", "checkpoint.every=100", *where())
    process = begin(tmp_path, *command)
    first = until(lambda: next(iter((tmp_path / "outputs").glob("grpo-*-s0-*")), None), process)
    until(lambda: steps(first) >= 2, process)
    (log,) = (tmp_path / "outputs/.sweeps").glob("*/logs/*_0")
    before = process_of(first)
    ask("scancel", "--signal=USR2", log.name)
    until(lambda: "Requeued" in "".join(file.read_text() for file in log.glob("*log.out")), process)
    stopped = steps(first)
    assert 2 <= stopped < 16 and (first / f"checkpoints/checkpoint-{stopped}/motif.json").is_file()
    assert json.loads((first / "environment.json").read_text())["threads"] == 1
    until(lambda: ask("squeue", "-h", "-r", "-j", log.name, "-o", "%T").stdout == "PENDING\n", process)
    ask("scontrol", "update", f"jobid={log.name}", "StartTime=now")  # it would be held back for two minutes
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 0 and "2 done" in said, said
    assert [json.loads(line)["step"] for line in (first / "metrics.jsonl").open()] == list(range(1, 17))
    assert process_of(first) != before
    code, said = run(tmp_path, *command)
    assert code == 0 and "2 skipped" in said, said


def test_the_tasks_of_a_job_train_it_together_and_a_job_of_several_is_requeued_and_goes_on(tmp_path):
    words = ["algo=grpo", "algo.questions=2", "seed=0", "algo.steps=16", "checkpoint.every=100"]
    process = begin(tmp_path, *sweep(*words, *where(mem_gb=3, tasks_per_node=2)))
    only = until(lambda: next(iter((tmp_path / "outputs").glob("grpo-*-s0-*")), None), process)
    until(lambda: steps(only) >= 2, process)
    (log,) = (tmp_path / "outputs/.sweeps").glob("*/logs/[0-9]*")
    ask("scancel", "--signal=USR2", log.name)
    until(lambda: "Requeued" in "".join(file.read_text() for file in log.glob("*log.out")), process)
    stopped = steps(only)
    assert 2 <= stopped < 16 and (only / f"checkpoints/checkpoint-{stopped}/motif.json").is_file()
    until(lambda: ask("squeue", "-h", "-r", "-j", log.name, "-o", "%T").stdout == "PENDING\n", process)
    ask("scontrol", "update", f"jobid={log.name}", "StartTime=now")
    said, _ = process.communicate(timeout=900)
    assert process.returncode == 0 and "1 done" in said, said
    assert [json.loads(line)["step"] for line in (only / "metrics.jsonl").open()] == list(range(1, 17))
    told = json.loads((only / "environment.json").read_text())
    assert [(each["processes"], each["threads"]) for each in (told, *told["earlier"])] == [(2, 1), (2, 1)]


def emptied():
    """Wait until Slurm has no job."""
    deadline = time.monotonic() + 600
    while ask("squeue", "-h").stdout:
        assert time.monotonic() < deadline
        time.sleep(0.5)


def test_the_first_failed_job_lets_no_other_of_its_sweep_begin(tmp_path):
    command = sweep("algo=grpo", "budget.match=one,two", "sweep.fail_fast=true", *where(array_parallelism=1))
    code, said = run(tmp_path, *command)
    assert code == 1 and "1 failed, 1 not begun" in said, said
    emptied()
    first, second = sorted((tmp_path / "outputs/.sweeps").glob("*/logs/*/*_log.out"))
    assert "budget.match=one is not a run" in first.read_text()
    assert "completed successfully" in second.read_text() and "two is not a run" not in second.read_text()


def test_jobs_that_are_submitted_and_left_go_on_after_the_program_has_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    command, said = left_alone(tmp_path, *where())
    assert said.endswith("the jobs are submitted, and go on by themselves\n"), said
    assert not list(tmp_path.glob("outputs/*/summary.json"))
    ends(tmp_path, 2)
    code, said = run(tmp_path, *command)
    assert code == 0 and "2 skipped" in said, said
