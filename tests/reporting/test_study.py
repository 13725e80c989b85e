"""Sweeps that fail, are killed, and are asked for again."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from motif.reporting.status_screen import duration, totals
from motif.reporting.study import Job, jobs_of, last_screen, launch, main, study_of, survey
from motif.runs.folder import AnotherRun
from tests.reporting.test_status import run_folder
from tests.support import ROOT


def test_the_survey_holds_jobs_without_a_folder_and_of_a_study_the_newest_launch(tmp_path):
    run_folder(tmp_path, "a", lines=10, finished=True)
    for stamp, jobs in (("1", ["old"]), ("2", ["a", "b"])):
        launch(tmp_path / ".sweeps" / stamp, "mine", ["train.py"], [([f"name={name}"], name) for name in jobs])
    found = {each.name: each.state for each in survey([tmp_path])[0]}
    assert found == {"a": "finished", "b": "not begun"}
    words = "1 finished, 1 not begun; about 27 s of work left in 1 of them"  # what the finished one took
    assert totals(survey([tmp_path])[0]) == words


def test_a_study_whose_folder_has_moved_finds_its_runs_beside_it(tmp_path):
    run_folder(tmp_path / "old", "a", lines=10, finished=True)
    launch(tmp_path / "old/.sweeps/1", "mine", ["train.py"], [(["seed=0"], "a"), (["seed=1"], "b")])
    (tmp_path / "old").rename(tmp_path / "new")
    assert [(each.name, each.state) for each in survey([tmp_path / "new"])[0]] == [
        ("a", "finished"),
        ("b", "not begun"),
    ]


def test_the_last_screen_says_whether_all_is_done_and_what_goes_on_with_what_is_not(tmp_path, capsys):
    folder = tmp_path / ".sweeps/1"
    launch(folder, "mine", ["train.py", "-m", "seed=0,1"], [(["seed=0"], "a"), (["seed=1"], "b")])
    for number, name in enumerate("ab"):
        run_folder(tmp_path, name, lines=10, finished=True)
        Job(folder / f"jobs/{number}.json", [f"seed={number}"]).note("done", result="50 %")
    assert last_screen(folder) and "again" not in capsys.readouterr().out
    Job(folder / "jobs/1.json", ["seed=1"]).failed(ValueError("no"))
    assert not last_screen(folder)
    said = capsys.readouterr().out
    assert "python train.py -m seed=0,1 " in said and "python train.py seed=1 " in said
    assert "python train.py seed=0 " not in said and "ValueError: no" in said and "tracebacks lie in" in said


def test_a_job_that_is_done_and_whose_folder_was_removed_is_to_be_done_again(tmp_path):
    launch(tmp_path / ".sweeps/1", "mine", ["train.py", "-m"], [(["seed=0"], "a")])
    Job(tmp_path / ".sweeps/1/jobs/0.json", ["seed=0"]).note("done", result="50 %")
    assert [each.state for each in survey([tmp_path])[0]] == ["not begun"] and not last_screen(tmp_path / ".sweeps/1")


def test_a_job_that_was_refused_for_the_run_in_its_folder_is_shown_beside_that_run(tmp_path, capsys):
    run_folder(tmp_path, "a", lines=10, finished=True)
    folder = tmp_path / ".sweeps/1"
    launch(folder, "mine", ["train.py", "-m"], [(["algo.k=1"], "a"), (["algo.k=2"], "a")])
    Job(folder / "jobs/0.json", ["algo.k=1"]).note("done", result="50 %")
    Job(folder / "jobs/1.json", ["algo.k=2"]).failed(AnotherRun("a holds a run with another configuration"))
    assert [(each.state, each.step) for each in survey([tmp_path])[0]] == [("finished", 10), ("failed", 0)]
    assert not main(["status", str(tmp_path)]) and not last_screen(folder)
    said = capsys.readouterr().out
    assert said.count("python train.py algo.k=2 ") == 2 and "algo.k=1" not in said


def test_launches_of_one_study_by_different_commands_are_all_shown(tmp_path):
    for stamp, name in (("1", "a"), ("2", "b")):
        launch(tmp_path / ".sweeps" / stamp, "rounds", ["train.py", f"model={name}"], [([f"model={name}"], name)])
    assert {each.name for each in survey([tmp_path])[0]} == {"a", "b"}


def test_a_run_is_known_to_belong_to_its_study_also_where_it_is_run_alone(tmp_path):
    for stamp, study in (("1", "old"), ("2", "new")):
        launch(tmp_path / ".sweeps" / stamp, study, ["train.py"], [(["seed=0"], "a")])
    assert study_of(tmp_path / "a") == "new" and study_of(tmp_path / "b") is None
    assert study_of(tmp_path / "nowhere/a") is None


def look(*paths, folder=ROOT):
    call = [sys.executable, "-m", "motif.study", "status", *map(str, paths)]
    done = subprocess.run(
        call, capture_output=True, text=True, timeout=60, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )
    return done.returncode, done.stdout, done.stderr


def test_a_bad_path_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for paths in ([], ["nowhere"], ["file"], ["empty"], ["empty", "nowhere/*"]):
        code, out, err = look(*paths, folder=tmp_path)
        assert code == 2 and not out and err.startswith("error: ") and err.count("\n") == 1, err


def test_what_is_not_a_run_beside_runs_does_not_matter(tmp_path):
    run_folder(tmp_path, "a", lines=3)
    (tmp_path / "report").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    code, out, _ = look(*sorted(tmp_path.iterdir()))
    assert code == 0 and "1 stopped; about 14 s of work left" in out


def test_what_a_job_says_of_itself_is_kept_in_its_file(tmp_path):
    launch(tmp_path, "mine", ["train.py", "-m"], [(["seed=0"], "a"), (["seed=1"], "b")])
    first = Job(tmp_path / "jobs/0.json", ["seed=0"])
    first.note("begun", name="a", folder=str(tmp_path / "a"))
    first.failed(RuntimeError("no\nroom"))
    noted, other = jobs_of(tmp_path)
    assert noted["state"] == "failed" and "no" in noted["reason"] and "\n" not in noted["reason"]
    assert "RuntimeError" in noted["traceback"] and noted["name"] == "a" and other["state"] == "planned"


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (720, "12 min"), (3900, "1 h 05 min"), (None, "")])
def test_durations_are_short(seconds, words):
    assert duration(seconds) == words


SMALL = [
    *("experiment=smoke", "algo.m=2", "evaluation.questions=4", "evaluation.rounds=[3]", "tracking=none"),
    "checkpoint.every=1",
]


@pytest.fixture
def sweep(forks, tmp_path):
    """Begins a sweep in the test's folder, whose jobs are run in turn in its process."""
    return lambda *words: forks.train(tmp_path, "-m", *SMALL, *words)


def test_a_failing_job_stops_no_other_and_the_same_command_skips_what_is_finished(tmp_path, sweep):
    words = ("algo=grpo", "algo.steps=1", "algo.questions=2,3", "algo.micro_batch=4")  # 6 rows are not 4 times any
    status, said = sweep(*words).wait()
    assert status == 1 and "Traceback" not in said
    assert "1 done" in said and "1 failed" in said and "algo.micro_batch=4" in said and "this one alone" in said
    (summary,) = (tmp_path / "outputs").glob("*/summary.json")
    before = summary.stat().st_mtime_ns
    status, said = sweep(*words).wait()
    assert status == 1 and "1 skipped" in said and summary.stat().st_mtime_ns == before


def test_a_sweep_that_is_killed_and_asked_for_again_redoes_nothing_that_was_finished(tmp_path, sweep, forks):
    words = ("algo=grpo,motif", "seed=0", "algo.steps=8")
    killed = sweep(*words)
    deadline = time.monotonic() + 150
    metrics = tmp_path / "outputs" / "none"
    while time.monotonic() < deadline and not (metrics.is_file() and len(metrics.read_text().splitlines()) >= 2):
        time.sleep(0.05)
        metrics = next((tmp_path / "outputs").glob("motif-*/metrics.jsonl"), metrics)
    killed.signal(signal.SIGKILL)
    assert killed.wait()[0] == -signal.SIGKILL
    (summary,) = (tmp_path / "outputs").glob("*/summary.json")
    assert summary.parent.name.startswith("grpo")
    before = summary.stat().st_mtime_ns
    _, shown = forks.begin("motif.study", tmp_path, "status", "outputs").wait()
    assert "1 finished" in shown and "1 killed" in shown
    (measured,) = metrics.parent.glob("evaluation/base-*.json")
    took = json.loads(measured.read_text())["compute"]["seconds"]
    status, said = sweep(*words).wait()
    assert status == 0 and "1 skipped" in said and "1 done" in said and summary.stat().st_mtime_ns == before
    assert took <= json.loads(measured.read_text())["compute"]["seconds"]  # no process's time is lost
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert steps == list(range(1, 9))
