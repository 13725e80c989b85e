"""The examples of docs/examples do what they say, with programs that stand in for Slurm's, vLLM and torchrun."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from hydra import compose, initialize_config_dir

from motif.system.config import CONF
from tests.support import ROOT

EXAMPLES = sorted((ROOT / "docs/examples").glob("*.sbatch"))
STANDS_IN = """
import json, os, pathlib, signal, subprocess, sys
name, words, here = pathlib.Path(sys.argv[0]).name, sys.argv[1:], pathlib.Path(__file__).parent
def note(what, of=words): (here / f"{what}.json").write_text(json.dumps(of))
def end(number, frame): sys.exit(128 + number)
if name == "scontrol":
    print("a\\nb\\nc") if words[0] == "show" else note("requeue")
elif name == "curl":
    sys.exit(not (here / "vllm.json").exists())
elif name == "srun":
    options = [word for word in words if word.startswith("--")][: 3]
    rest, (count,) = words[len(options):], [int(word[9:]) for word in options if word.startswith("--ntasks=")]
    note(f"srun-{rest[0]}", options)
    tasks = [subprocess.Popen(rest, env={**os.environ, "TASK": str(task)}) for task in range(count)]
    for number in (signal.SIGUSR2, signal.SIGTERM):
        signal.signal(number, lambda number, frame: [task.send_signal(number) for task in tasks])
    (here / f"{rest[0]}-begun").touch()
    sys.exit(max(task.wait() for task in tasks))
else:
    signal.signal(signal.SIGUSR2, end), signal.signal(signal.SIGTERM, end)
    note(f"{name}{os.environ['TASK'] if name == 'torchrun' else ''}")
    while not (name == "torchrun" and os.environ.get("ENDS")):
        signal.pause()
"""
NAMES = ("scontrol", "curl", "srun", "vllm", "torchrun")


def begin(folder, **variables):
    """The example as Slurm begins it, on nodes a, b and c."""
    commands = folder / "bin"
    commands.mkdir()
    for name in NAMES:
        (commands / name).write_text(f"#!{sys.executable}\n{STANDS_IN}")
        (commands / name).chmod(0o755)
    given = {"SLURM_JOB_ID": "7", "SLURM_JOB_NODELIST": "[a-c]", "SLURM_CPUS_PER_TASK": "64", **variables}
    environment = {**os.environ, **given, "PATH": f"{commands}:{os.environ['PATH']}"}
    return commands, subprocess.Popen(["bash", str(ROOT / "docs/examples/vllm_server.sbatch")], env=environment)


def until_there(process, *files):
    deadline = time.monotonic() + 60
    while not all(file.is_file() and (file.suffix != ".json" or file.read_text()) for file in files):
        assert time.monotonic() < deadline and process.poll() is None, files
        time.sleep(0.02)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_an_example_is_a_program_of_bash(example):
    assert subprocess.run(["bash", "-n", str(example)], capture_output=True).returncode == 0
    lines = example.read_text().splitlines()
    assert max(map(len, lines)) <= 120 and "#SBATCH --requeue" in lines


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_before_its_time_is_over_the_job_stops_its_training_and_is_put_into_the_queue_again(tmp_path):
    commands, process = begin(tmp_path)
    ready = [commands / name for name in ("torchrun0.json", "torchrun1.json", "torchrun-begun")]
    until_there(process, *ready)
    process.send_signal(signal.SIGUSR2)
    assert process.wait(60) == 128 + signal.SIGUSR2
    assert json.loads((commands / "requeue.json").read_text()) == ["requeue", "7"]
    assert json.loads((commands / "srun-vllm.json").read_text()) == ["--nodes=1", "--ntasks=1", "--nodelist=a"]
    assert json.loads((commands / "srun-torchrun.json").read_text()) == ["--nodes=2", "--ntasks=2", "--exclude=a"]


def test_the_example_trains_by_settings_and_options_that_are_there(tmp_path):
    commands, process = begin(tmp_path, ENDS="yes")
    assert process.wait(60) == 0 and not (commands / "requeue.json").exists()
    from torch.distributed.run import get_args_parser

    asked = get_args_parser().parse_args(json.loads((commands / "torchrun0.json").read_text()))
    assert (asked.nnodes, asked.nproc_per_node, asked.rdzv_endpoint, asked.rdzv_id) == ("2", "8", "b:29500", "7")
    assert asked.signals_to_handle == "SIGTERM,SIGINT,SIGUSR2" and asked.training_script == "train.py"
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", overrides=asked.training_script_args)
    assert (config.generation.mode, config.generation.base_url) == ("server", "http://a:8000")
    served = json.loads((commands / "vllm.json").read_text())
    assert served[:4] == ["serve", config.model.path, "--revision", config.model.revision]
