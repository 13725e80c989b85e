"""A sweep on a real Slurm, where there is one: `python -m pytest -m slurm`. One node that gives two cores will do.

The partition is the default one, or that of MOTIF_SLURM_PARTITION; the folder of the tests has to be seen by its nodes
(`--basetemp=`).
"""

import json
import os
import shutil
import subprocess

import pytest

from tests.test_sweeps import begin, process_of, run, steps, sweep, until

PARTITION = os.environ.get("MOTIF_SLURM_PARTITION", "null")


def ask(*words):
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


pytestmark = [pytest.mark.slow, pytest.mark.slurm]


@pytest.fixture(autouse=True)
def slurm():
    if shutil.which("sbatch") is None or ask("sinfo", "-h").returncode != 0:
        pytest.skip("needs a running Slurm")


def test_a_job_that_slurm_preempts_writes_a_checkpoint_is_requeued_and_goes_on(tmp_path):
    asked = {"timeout_min": 60, "mem_gb": 2, "cpus_per_task": 1, "gpus_per_node": "null", "partition": PARTITION}
    where = ["hydra/launcher=submitit_slurm", *(f"hydra.launcher.{key}={value}" for key, value in asked.items())]
    command = sweep("algo=grpo", "seed=0,1", "algo.steps=16", "checkpoint.every=100", *where)
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
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 0 and "2 done" in said, said
    assert [json.loads(line)["step"] for line in (first / "metrics.jsonl").open()] == list(range(1, 17))
    assert process_of(first) != before
    code, said = run(tmp_path, *command)
    assert code == 0 and "2 skipped" in said, said


def test_the_tasks_of_a_job_train_it_together_and_a_job_of_several_is_requeued_and_goes_on(tmp_path):
    asked = {"timeout_min": 60, "mem_gb": 3, "cpus_per_task": 1, "gpus_per_node": "null", "partition": PARTITION}
    where = [*(f"hydra.launcher.{key}={value}" for key, value in asked.items()), "hydra.launcher.tasks_per_node=2"]
    words = ["algo=grpo", "algo.questions=2", "seed=0", "algo.steps=16", "checkpoint.every=100"]
    process = begin(tmp_path, *sweep(*words, "hydra/launcher=submitit_slurm", *where))
    only = until(lambda: next(iter((tmp_path / "outputs").glob("grpo-*-s0-*")), None), process)
    until(lambda: steps(only) >= 2, process)
    (log,) = (tmp_path / "outputs/.sweeps").glob("*/logs/[0-9]*")
    ask("scancel", "--signal=USR2", log.name)
    until(lambda: "Requeued" in "".join(file.read_text() for file in log.glob("*log.out")), process)
    stopped = steps(only)
    assert 2 <= stopped < 16 and (only / f"checkpoints/checkpoint-{stopped}/motif.json").is_file()
    until(lambda: ask("squeue", "-h", "-r", "-j", log.name, "-o", "%T").stdout == "PENDING\n", process)
    ask("scontrol", "update", f"jobid={log.name}", "StartTime=now")
    said, _ = process.communicate(timeout=400)
    assert process.returncode == 0 and "1 done" in said, said
    assert [json.loads(line)["step"] for line in (only / "metrics.jsonl").open()] == list(range(1, 17))
    told = json.loads((only / "environment.json").read_text())
    assert [each["processes"] for each in (told, *told["earlier"])] == [2, 2]
