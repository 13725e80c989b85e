"""Sweeps that fail, are killed, and are asked for again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from motif.locks import Lock
from motif.progress import objective, status
from motif.runs import Run, write_json
from motif.study import Job, duration, jobs_of, launch, survey, totals

ROOT = Path(__file__).parent.parent
RESULT = {"policy": "trained", "dataset": "chain", "rounds": 3, "accuracy": 0.5, "interval": (0.2, 0.8), "n": 8}


def run_folder(tmp_path, name, lines=0, finished=False):
    run = Run(tmp_path / name)
    write_json(run.folder / "run.json", {"format": 1, "id": name, "identity": "x"})
    (run.folder / "config.yaml").write_text(yaml.safe_dump({"algo": {"steps": 10}}))
    for step in range(1, lines + 1):
        run.record({"step": step, "seconds/rollout": 1.5, "seconds/update": 0.5})
    if finished:
        run.finish({"rounds": 3, "evaluation": [RESULT]})
    return run


def test_a_run_is_finished_running_stopped_or_not_begun_and_what_is_left_is_told(tmp_path):
    done = status(run_folder(tmp_path, "done", lines=10, finished=True).folder)
    assert (done.state, done.result) == ("finished", "50.0% (20.0% – 80.0%, n = 8) on chain in 3 rounds")
    held = run_folder(tmp_path, "held", lines=4)
    with Lock(held.lock):
        running = status(held.folder)
        assert running.state == "running" and f"pid {os.getpid()}" in running.detail
        assert (running.step, running.steps, running.left) == (4, 10, pytest.approx(12.0))
    assert status(held.folder).state == "stopped"
    (tmp_path / "nothing").mkdir()
    assert status(tmp_path / "nothing").state == "not begun"


def test_a_half_written_line_of_metrics_does_not_matter(tmp_path):
    run = run_folder(tmp_path, "half", lines=3)
    with run.metrics_file.open("a") as file:
        file.write('{"step": 4, "sec')
    assert status(run.folder).step == 3


def test_the_survey_holds_jobs_without_a_folder_and_of_a_study_the_newest_launch(tmp_path):
    run_folder(tmp_path, "a", lines=10, finished=True)
    for stamp, jobs in (("1", ["old"]), ("2", ["a", "b"])):
        launch(tmp_path / ".sweeps" / stamp, "mine", ["train.py"], [([f"name={name}"], name) for name in jobs])
    found = {each.name: each.state for each in survey([tmp_path])[0]}
    assert found == {"a": "finished", "b": "not begun"}
    assert totals(survey([tmp_path])[0]) == "1 finished, 1 not begun"


def test_what_a_job_says_of_itself_is_kept_in_its_file(tmp_path):
    launch(tmp_path, "mine", ["train.py", "-m"], [(["seed=0"], "a"), (["seed=1"], "b")])
    first = Job(tmp_path / "jobs/0.json", ["seed=0"])
    first.note("begun", name="a", folder=str(tmp_path / "a"))
    first.failed(RuntimeError("no\nroom"))
    noted, other = jobs_of(tmp_path)
    assert noted["state"] == "failed" and "no" in noted["reason"] and "\n" not in noted["reason"]
    assert "RuntimeError" in noted["traceback"] and noted["name"] == "a" and other["state"] == "planned"


def test_an_optimiser_sees_validation_questions_only():
    assert objective({"rounds": 3, "evaluation": [RESULT]}) is None
    assert objective({"rounds": 3, "evaluation": [RESULT | {"split": "validation"}]}) == 0.5


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (720, "12 min"), (3900, "1 h 05 min"), (None, "")])
def test_durations_are_short(seconds, words):
    assert duration(seconds) == words


SMALL = ["experiment=smoke", "algo.m=2", "evaluation.questions=8", "tracking=none", "checkpoint.every=1"]


def sweep(folder, *arguments, **options):
    call = [sys.executable, str(ROOT / "train.py"), "-m", *SMALL, *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": folder}
    return subprocess.Popen(call, **pipes, **options)


@pytest.mark.slow
def test_a_failing_job_stops_no_other_and_the_same_command_skips_what_is_finished(tmp_path):
    process = sweep(tmp_path, "algo=grpo", "algo.questions=2,3", "algo.micro_batch=4")  # 6 rows are not 4 times any
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 1 and "Traceback" not in said
    assert "1 done" in said and "1 failed" in said and "algo.micro_batch=4" in said and "this one alone" in said
    (summary,) = (tmp_path / "outputs").glob("*/summary.json")
    before = summary.stat().st_mtime_ns
    process = sweep(tmp_path, "algo=grpo", "algo.questions=2,3", "algo.micro_batch=4")
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 1 and "1 skipped" in said and summary.stat().st_mtime_ns == before


@pytest.mark.slow
def test_a_sweep_that_is_killed_and_asked_for_again_redoes_nothing_that_was_finished(tmp_path):
    arguments = ("algo=grpo,motif", "seed=0", "algo.steps=12")
    process = sweep(tmp_path, *arguments)
    deadline = time.monotonic() + 150
    metrics = tmp_path / "outputs" / "none"
    while time.monotonic() < deadline and not (metrics.is_file() and len(metrics.read_text().splitlines()) >= 2):
        time.sleep(0.1)
        metrics = next((tmp_path / "outputs").glob("motif-*/metrics.jsonl"), metrics)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=20)
    (summary,) = (tmp_path / "outputs").glob("*/summary.json")
    assert summary.parent.name.startswith("grpo")
    before = summary.stat().st_mtime_ns
    call = [sys.executable, "-m", "motif.study", "status", str(tmp_path / "outputs")]
    shown = subprocess.run(call, capture_output=True, text=True, timeout=60, cwd=ROOT).stdout
    assert "1 finished" in shown and "1 killed" in shown
    said, _ = sweep(tmp_path, *arguments).communicate(timeout=200)
    assert "1 skipped" in said and "1 done" in said and summary.stat().st_mtime_ns == before
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps == list(range(1, 13))
