"""Sweeps that fail, are killed, and are asked for again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motif.evaluation.terminal import nearest
from motif.reporting.status_screen import totals
from motif.reporting.study import Job, heading, jobs_of, last_screen, launch, main, place, study_of, survey
from motif.runs.folder import AnotherRun, write_json
from motif.system import console
from motif.system.errors import UserError
from tests.reporting.test_status import run_folder
from tests.support import FEW, ROOT
from tests.support.run_folders import make_run


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
    assert last_screen(folder) and "\nagain" not in (said := capsys.readouterr().out)
    assert f"next    python -m motif.report {nearest(tmp_path)}/*" in said or len(str(tmp_path)) > 60
    Job(folder / "jobs/1.json", ["seed=1"]).failed(ValueError("no"))
    assert not last_screen(folder)
    said = capsys.readouterr().out
    assert "python train.py -m seed=0,1 " in said and "python train.py seed=1 " in said
    assert "python train.py seed=0 " not in said and "ValueError: no" in said and "tracebacks lie in" in said


def test_after_a_sweep_there_is_one_table_of_its_arms_the_verdict_and_what_to_type_next(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(console.console, "_width", 80)
    monkeypatch.chdir(tmp_path)
    folder = Path("outputs/.sweeps/1")
    launch(folder, "mine", ["train.py", "-m", "algo=grpo,motif"], [(["algo=grpo"], "g"), (["algo=motif"], "m")])
    for number, algo in enumerate(("grpo", "motif")):
        make_run(Path("outputs", algo[0]), algo)
        Job(folder / f"jobs/{number}.json", [f"algo={algo}"]).note("done", result="50 %")
    assert last_screen(folder)
    said = capsys.readouterr().out
    rows = [line.split() for line in said.splitlines()]
    assert [row[:4] for row in rows if row[:1] in (["grpo"], ["motif"])] == [
        *(["grpo", "sums", "3", "50.0%"], ["motif", "sums", "3", "50.0%"])
    ]
    assert "verdict No verdict on motif against grpo on sums" in said and max(map(len, said.splitlines())) <= 80
    assert said.splitlines()[-1] == "next    python -m motif.report outputs/*"
    capsys.readouterr()


def test_a_job_begins_with_its_place_and_with_how_long_the_whole_still_takes(tmp_path):
    folder = tmp_path / ".sweeps/1"
    launch(folder, "mine", ["train.py"], [([f"seed={seed}"], f"a-s{seed}") for seed in range(3)])
    second = Job(folder / "jobs/1.json", ["seed=1"])
    assert heading(second, "a-s1", 0, 1) == "job 2 of 3: a-s1"
    run_folder(tmp_path, "a-s0", lines=10, finished=True)
    Job(folder / "jobs/0.json", ["seed=0"]).note("done")
    assert heading(second, "a-s1", 0, 1) == "job 2 of 3: a-s1  (about 54 s left of the whole)"  # two, of 27 s each
    assert heading(second, "a-s1", 0, 2) == "job 2 of 3: a-s1  (about 27 s left of the whole)"
    assert place(second, 20) == "job 2 of 20"


def test_a_command_that_nobody_would_type_is_not_repeated(tmp_path, capsys):
    words = [f"dataset.path={'x' * 100}"]
    launch(tmp_path / ".sweeps/1", "mine", ["train.py", "-m", *words], [(words, "a")])
    last_screen(tmp_path / ".sweeps/1")
    said = capsys.readouterr().out
    assert "again   the same command    # skips what is finished" in said and "xxx" not in said


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


def test_of_many_runs_status_says_in_few_lines_how_they_stand_and_how_to_go_on(tmp_path, capsys):
    outputs, arms = tmp_path / "outputs", ("grpo", "motif")
    jobs = [([f"algo={arm}", f"seed={seed}"], f"{arm}-chain-tiny-r3-s{seed}") for arm in arms for seed in range(20)]
    launch(outputs / ".sweeps/1", "mine", ["train.py", "-m"], jobs)
    for seed in range(3):
        launch(outputs / f".sweeps/{2 + seed}", "more", ["train.py", f"{seed}"], [(["algo.k=9"], f"other-s{seed}")])
    for number, (_, name) in enumerate(jobs[:30]):
        run_folder(outputs, name, lines=10 if number % 3 else 4, finished=bool(number % 3))
    main(["status", str(outputs)])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "43 runs in 3 arms" and len(said) <= 40
    assert "7 stopped, 13 finished" in said[1] and said[1].endswith("  grpo-chain-tiny-r3")
    assert [line for line in said if line.startswith("10 stopped, 20 finished, 13 not begun; about ")]
    again = [line for line in said if line.startswith("again")]
    assert len(again) == 2 and said[-1].startswith("--all ")
    main(["status", str(outputs), "--all"])
    every = capsys.readouterr().out
    assert all(name in every for _, name in jobs) and every.count("\nagain ") == 4 and "--all" not in every
    assert every.count("# this one alone") == 23


def test_the_last_screen_of_many_jobs_is_short_too(tmp_path, capsys):
    folder = tmp_path / ".sweeps/1"
    launch(folder, "mine", ["train.py", "-m"], [([f"seed={seed}"], f"a-s{seed}") for seed in range(1000)])
    assert not last_screen(folder)
    said = capsys.readouterr().out.splitlines()
    assert said[:3] == ["mine: 1,000 not begun", "1,000 runs in 1 arm", "  1,000 not begun  a"] and len(said) == 8
    assert said[-1].strip() == "and 997 more jobs"


def test_what_the_first_version_planned_job_by_job_is_read(tmp_path):
    run_folder(tmp_path, "a", lines=10, finished=True)
    folder = tmp_path / ".sweeps/1"
    write_json(folder / "study.json", {"study": "mine", "command": ["train.py", "-m"], "grid": True})
    for number, name in enumerate("ab"):
        job = {"number": number, "overrides": [f"seed={number}"], "name": name, "folder": f"/x/{name}"}
        write_json(folder / f"jobs/{number}.json", {**job, "state": "planned"})
    assert [(each.name, each.state) for each in survey([tmp_path])[0]] == [("a", "finished"), ("b", "not begun")]


@pytest.mark.parametrize("jobs", ["[4]", "4", '[{"name": "a"}]', '[{"overrides": 3}]'])
def test_a_plan_that_is_no_plan_is_a_line(tmp_path, jobs):
    (tmp_path / "1").mkdir()
    (tmp_path / "1/study.json").write_text(f'{{"study": "s", "command": [], "jobs": {jobs}}}')
    with pytest.raises(UserError, match="put a whole copy in its place"):
        jobs_of(tmp_path / "1")


def test_asking_loads_neither_torch_nor_hydra():
    code = """import sys, motif.reporting.study
sys.exit(", ".join({"torch", "numpy", "pandas", "hydra", "omegaconf"} & set(sys.modules)) or 0)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr


SMALL = [
    *("experiment=smoke", "algo.m=2", "evaluation.questions=4", "evaluation.rounds=[3]", "tracking=none"),
    *("checkpoint.every=1", *FEW),
]


@pytest.fixture
def sweep(forks, tmp_path):
    """Begins a sweep in the test's folder, whose jobs are run in turn in its process."""
    return lambda *words: forks.train(tmp_path, "-m", *SMALL, *words)


def test_a_failing_job_stops_no_other_and_the_same_command_skips_what_is_finished(tmp_path, sweep):
    words = ("algo=grpo", "algo.steps=1", "algo.questions=2,3", "algo.micro_batch=4")  # 6 rows are not 4 times any
    status, said = sweep(*words).wait()
    assert status == 1 and "Traceback" not in said
    assert "1 done" in said and "1 failed" in said and "algo.micro_batch=4" in said
    assert "\nagain   the same command    # skips what is finished\n" in said
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
