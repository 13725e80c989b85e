"""A disk that is full, a folder that is read-only or gone: one line, nothing torn, the last checkpoint as it was."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from tests.support import FEW

SMALL = [
    *("experiment=smoke", "name=run", "algo=grpo", "rounds=1", "algo.m=2", "checkpoint.every=2", "tracking=none"),
    *("evaluation.questions=4", "evaluation.batch=2", *FEW),
]


@pytest.fixture
def train(forks, tmp_path):
    """Begins a run in the test's folder."""
    return lambda *words, **limit: forks.train(tmp_path, *SMALL, *words, **limit)


def refused(run):
    """The one line of a run that ended with an error."""
    status, said = run.wait()
    assert status == 1 and "Traceback" not in said, said
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    return line


def until_step(run, step):
    metrics, deadline = run / "metrics.jsonl", time.monotonic() + 100
    while time.monotonic() < deadline:
        if metrics.exists() and len(metrics.read_text().splitlines()) >= step:
            return
        time.sleep(0.02)
    raise AssertionError("no step was taken")


def steps(run):
    return [json.loads(line)["step"] for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_checkpoint_that_does_not_fit_leaves_the_one_before_and_the_same_command_continues(tmp_path, train):
    run = tmp_path / "outputs/run"
    status, said = train("algo.steps=2").wait()
    assert status == 0, said
    shutil.copytree(run / "checkpoints/checkpoint-2", tmp_path / "kept")
    (run / "summary.json").unlink()  # as if it were of the run below, killed after step 2
    config = run / "config.yaml"
    config.write_text(config.read_text().replace("  steps: 2\n", "  steps: 4\n"))
    for file in run.glob("evaluation/trained-*"):
        file.unlink()
    line = refused(train(limit=1_000_000))  # a policy takes four million bytes
    assert "outputs/run cannot be written" in line and "the same command continues from step 2" in line
    assert sorted(path.name for path in (run / "checkpoints").glob("*-*")) == ["checkpoint-2"]
    for file in (tmp_path / "kept").iterdir():
        assert file.read_bytes() == (run / "checkpoints/checkpoint-2" / file.name).read_bytes()
    assert not (run / "checkpoints/writing").exists()
    status, said = train().wait()
    assert status == 0 and steps(run) == [1, 2, 3, 4], said


@pytest.mark.slow
@pytest.mark.parametrize("file", ["metrics.jsonl", pytest.param("episodes.jsonl.gz", marks=pytest.mark.slow)])
def test_records_on_a_full_device_are_a_line_and_the_same_command_continues(tmp_path, train, file):
    process, run = train("algo.steps=12"), tmp_path / "outputs/run"
    until_step(run, 3)  # so that a checkpoint knows how long the records were
    (run / "full").symlink_to("/dev/full")
    os.link(run / file, run / "kept")
    os.replace(run / "full", run / file)
    line = refused(process)
    assert re.search(r"outputs/run cannot be written: No space left on device \(.* free\); make room", line)
    os.replace(run / "kept", run / file)
    status, said = train("algo.steps=12").wait()
    assert status == 0 and steps(run) == list(range(1, 13)), said


@pytest.mark.slow
def test_an_evaluation_on_a_full_device_is_a_line_and_the_same_command_continues(tmp_path, train):
    run = tmp_path / "outputs/run"
    file = run / "evaluation/base-chain-r1.jsonl"
    file.parent.mkdir(parents=True)
    file.symlink_to("/dev/full")
    (run / "run.json").write_text(json.dumps({"format": 1, "id": "x", "identity": "x", "rows": None}))
    assert "outputs/run cannot be written: No space left on device" in refused(train())
    file.unlink()
    status, said = train().wait()
    assert status == 0 and steps(run) == [1, 2, 3, 4], said


def test_a_disk_that_fills_up_is_a_line_and_after_making_room_the_same_command_continues(tmp_path, train):
    disk = tmp_path / "outputs"
    disk.mkdir()
    mounted = shutil.which("mount") and os.geteuid() == 0
    if not mounted or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", disk], stderr=-3):
        pytest.skip("mounting needs to be allowed")
    try:
        words = ["checkpoint.keep=5", "algo.steps=8"]  # a checkpoint takes 12 MB
        assert re.search(r"preflight: outputs/run needs .*5 \+ 1 checkpoints .* free some", refused(train(*words)))
        assert not (disk / "run").exists()
        line = refused(train(*words, "preflight=false"))
        assert re.search(r"No space left on device \(.* free\); make room, .* continues from step \d$", line)
        subprocess.check_call(["mount", "-o", "remount,size=200m", disk])
        status, said = train(*words).wait()
        assert status == 0 and steps(disk / "run") == list(range(1, 9)), said
    finally:
        subprocess.check_call(["umount", "-l", disk])


@pytest.mark.slow
def test_a_folder_that_is_taken_away_is_a_line_and_no_other_is_made_in_its_place(tmp_path, train):
    process, run = train("algo.steps=200"), tmp_path / "outputs/run"
    until_step(run, 3)
    run.rename(tmp_path / "elsewhere")
    assert "was removed or moved while the run was writing to it" in refused(process)
    assert not run.exists()
    (tmp_path / "elsewhere").rename(run)
    process = train("algo.steps=200")
    until_step(run, 6)
    process.signal(signal.SIGKILL)
    process.wait()
    assert steps(run) == list(range(1, len(steps(run)) + 1))


def test_a_read_only_place_is_a_line(tmp_path, train):
    disk = tmp_path / "outputs"
    disk.mkdir()
    if os.geteuid() == 0:
        if subprocess.call(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", disk], stderr=-3):
            pytest.skip("mounting needs to be allowed")
    else:
        disk.chmod(0o500)
    try:
        assert "cannot be written" in refused(train())
    finally:
        if os.geteuid() == 0:
            subprocess.check_call(["umount", "-l", disk])
