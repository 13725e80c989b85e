"""A sweep on a real cluster of Ray, on this machine, where Ray is installed. It joins the cluster that runs here, or
begins one."""

import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.test_sweeps import begin, run, steps, sweep, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("hydra_plugins.hydra_ray_launcher") is None, reason="needs ray and its launcher"),
]


@pytest.fixture
def cluster():
    call = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--num-cpus=2", "--block"]
    told = ["--include-dashboard=false", "--disable-usage-stats"]
    variables = {**os.environ, "RAY_raylet_start_wait_time_s": "200"}
    process = subprocess.Popen(
        [*call, *told], env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said = []
    until(lambda: said.append(process.stdout.readline()) or "Ray runtime started" in said[-1], process)
    yield
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=100)


def test_ctrl_c_on_a_cluster_lets_jobs_write_checkpoints_and_the_same_command_goes_on(tmp_path, cluster):
    where = ["hydra/launcher=ray", "hydra.launcher.ray.init.address=auto", "hydra.launcher.ray.remote.num_cpus=1"]
    command = sweep("algo=grpo", "seed=0,1", "algo.steps=200", "checkpoint.every=100", *where)
    process = begin(tmp_path, *command)
    runs = until(lambda: len(found := list((tmp_path / "outputs").glob("grpo-*"))) == 2 and found, process)
    until(lambda: all(steps(each) for each in runs), process)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 130 and "Traceback" not in said and "2 stopped;" in said, said
    for each in runs:
        assert 0 < steps(each) < 200 and (each / f"checkpoints/checkpoint-{steps(each)}/motif.json").is_file()
    code, said = run(tmp_path, *command)
    assert code == 0 and "2 done" in said and [steps(each) for each in runs] == [200, 200], said
