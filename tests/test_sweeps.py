"""Sweeps whose jobs run in other processes: they fail, are killed, are interrupted, and are asked for again.

Slurm's is in test_slurm.py. Each of these sweeps is a real one of seconds.
"""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest
from hydra.errors import CompactHydraException

from motif import sweeps
from motif.reporting.study import Job, jobs_of, launch
from motif.runs.folder import Run, write_json
from motif.sweeps import Launched, installed, start
from motif.system.environment import cores
from motif.system.locks import Lock
from tests.reporting.test_status import run_folder
from tests.support import FEW, ROOT

SMALL = [
    *("experiment=smoke", "rounds=1", "algo.m=2", "algo.steps=2", "algo.questions=1", "tracking=none"),
    *("evaluation.questions=2", "evaluation.before=false", *FEW),
]
BESIDE = ["joblib", "submitit_local"]


def begin(folder, *arguments):
    """A program of this checkout, in a group of processes of its own, as a terminal would start it."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "cwd": folder}
    return subprocess.Popen([sys.executable, *arguments], **pipes, env=environment, start_new_session=True)


def run(folder, *arguments):
    process = begin(folder, *arguments)
    said, _ = process.communicate(timeout=900)
    return process.returncode, said


def sweep(*arguments):
    return [str(ROOT / "train.py"), "-m", *SMALL, *arguments]


def until(true, process, seconds=600):
    """Wait for something that a running sweep does."""
    deadline = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < deadline and process.poll() is None, process.communicate(timeout=20)
        time.sleep(0.05)
    return found


def steps(folder):
    file = folder / "metrics.jsonl"
    return file.read_text().count("\n") if file.is_file() else 0


def process_of(run_folder):
    """Who has worked on a run."""
    file = max((run_folder.parent / ".locks" / run_folder.name).glob("[0-9]*"), key=lambda each: int(each.name))
    return json.loads(file.read_text())["pid"]


@pytest.fixture
def launched(tmp_path, monkeypatch):
    """A sweep of one job that was launched here."""
    folder = tmp_path / ".sweeps/1"
    monkeypatch.setattr("sys.argv", ["train.py"])
    launch(folder, "mine", ["train.py", "-m", "seed=0"], [(["seed=0"], "a")])
    monkeypatch.setattr(sweeps, "launched", [Launched(folder, "BasicLauncher")])
    return Job(folder / "jobs/0.json", ["seed=0"])


def lost(words):
    """What submitit raises where a job's process has left no result; its logs lie there."""
    (sweeps.launched[0].folder / "logs").mkdir()
    return pytest.importorskip("submitit.core.utils").UncompletedJobError(words)


@pytest.mark.parametrize(
    ("fault", "words", "code"),
    [
        (lambda: lost("Job 7 has not\nKilled"), "error: a job's process ended before its work did: Killed (logs", 1),
        (KeyboardInterrupt(), "", 130),
        (SystemExit(130), "", 130),
        (None, "", 1),  # the job has not begun
    ],
)
def test_what_ends_a_sweep_is_told_before_its_last_screen(launched, capfd, fault, words, code):
    def main():
        if fault is not None:
            raise fault if isinstance(fault, BaseException) else fault()

    with pytest.raises(SystemExit) as end:
        start(main, "config")
    out, err = capfd.readouterr()
    assert end.value.code == code and words in out + err
    assert "mine: 1 not begun" in out and "python train.py seed=0" in out


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (CompactHydraException("no such\n group\nConfig search path: x"), "error: no such group\n"),
        (RuntimeError("sbatch: error"), "RuntimeError: sbatch: error"),
    ],
)
def test_a_sweep_none_of_whose_jobs_could_be_begun_leaves_nothing(launched, capfd, fault, words):
    def main():
        raise fault

    with pytest.raises(SystemExit) as end:
        start(main, "config")
    out, err = capfd.readouterr()
    assert end.value.code == 1 and words in out + err and "mine" not in out and not launched.file.parent.exists()


def test_a_worker_of_joblibs_that_was_killed_is_a_line(launched, capfd):
    def main():
        launched.note("begun")
        raise pytest.importorskip("joblib.externals.loky.process_executor").TerminatedWorkerError("A\nworker")

    with pytest.raises(SystemExit) as end:
        start(main, "config")
    out, err = capfd.readouterr()
    assert end.value.code == 1 and err == "error: a job's process ended before its work did: A worker\n"
    assert "mine: 1 killed" in out


def test_a_plugin_is_there_or_not_also_where_no_plugin_is():
    assert installed("hydra._internal.core_plugins.basic_launcher") and installed("motif.sweeps")
    assert not installed("motif.nothing") and not installed("nothing.at.all")


def test_a_launcher_that_is_not_installed_is_a_line(tmp_path):
    if find_spec("hydra_plugins.hydra_ray_launcher"):
        pytest.skip("it is installed")
    code, said = run(tmp_path, *sweep("hydra/launcher=ray"))
    assert code == 1 and said == "error: hydra/launcher=ray needs: pip install hydra-ray-launcher\n"


def test_a_sweep_that_came_to_its_end_ends_with_status_0_and_one_with_a_failed_job_with_1(launched, tmp_path, capsys):
    run_folder(tmp_path, "a", lines=10, finished=True)
    launched.note("done", result="50 %")
    with pytest.raises(SystemExit) as end:
        start(lambda: None, "config")
    assert end.value.code == 0
    launched.failed(ValueError("x"))
    with pytest.raises(SystemExit) as end:
        start(lambda: None, "config")  # as where an optimiser lets trials fail
    assert end.value.code == 1


def test_what_is_no_sweep_ends_with_a_line_too(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train.py"])
    for fault, code, words in (
        (KeyError("x"), 1, "error: KeyError: 'x' (a fault of motif's own; its traceback lies in "),
        (CompactHydraException("no such\n group\nConfig search path: x"), 1, "error: no such group\n"),
        (KeyboardInterrupt(), 130, ""),
    ):

        def main(fault=fault):
            raise fault

        with pytest.raises(SystemExit) as end:
            start(main, "config")
        said = capsys.readouterr().err
        assert end.value.code == code and said.startswith(words) and said.count("\n") == bool(words)
    assert start(lambda: None, "config") is None


def test_a_job_that_failed_says_why_itself_and_hydra_adds_nothing(tmp_path, forks):
    words = [*SMALL, "algo=grpo", "budget.match=one,two"]
    process = forks.begin("train.py", tmp_path, "-m", *words, apart=True)
    code, said = process.wait()
    assert code == 1 and not process.errors and "Traceback" not in said, process.errors
    for name in ("one", "two"):
        assert said.count(f"error: budget.match={name} is not a run") == 1
    assert "2 failed" in said


def test_a_failed_job_is_listed_by_its_own_name_whatever_its_name_is_made_of(tmp_path, forks):
    words = [*SMALL, "algo=motif", "name=${algo.name}-${algo.m}", "algo.m=2,4", "algo.k=0"]
    code, said = forks.train(tmp_path, "-m", *words).wait()
    assert code == 1 and "2 failed" in said and "motif-2 " in said and "motif-4 " in said, said
    (told,) = (tmp_path / "outputs/.sweeps").glob("*/study.json")
    assert [job["name"] for job in json.loads(told.read_text())["jobs"]] == ["motif-2", "motif-4"]


def test_a_sweep_launched_into_the_folder_of_another_tells_nothing_of_that_one(tmp_path, forks):
    words = [*SMALL, "algo=grpo", "budget.match=known", "hydra.sweep.dir=outputs/.sweeps/mine"]
    for names in ("20240101,007,1e5", "true"):
        code, said = forks.train(tmp_path, "-m", *words, f"name={names}").wait()
        assert code == 1 and f"{1 + names.count(',')} failed" in said, said
    assert [each.name for each in (tmp_path / "outputs/.sweeps/mine/jobs").iterdir()] == ["0.json"]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", BESIDE)
def test_jobs_beside_each_other_share_the_threads_and_what_failed_is_retried_alone(tmp_path, launcher):
    command = sweep("algo=grpo", "budget.match=null,known", f"hydra/launcher={launcher}")
    code, said = run(tmp_path, *command)
    assert code == 1 and "Traceback" not in said, said
    assert "1 done, 1 failed" in said and "budget.match=known is not a run" in said
    (done,) = (tmp_path / "outputs").glob("*/summary.json")
    threads = json.loads((done.parent / "environment.json").read_text())["threads"]
    assert threads == max(1, cores() // 2)
    (study,) = (tmp_path / "outputs/.sweeps").iterdir()
    (failed,) = [job for job in jobs_of(study) if job["state"] == "failed"]
    before = done.stat().st_mtime_ns
    write_json(tmp_path / "known/summary.json", {"compute": {"training": {"generated_tokens": 1}}})
    code, said = run(tmp_path, str(ROOT / "train.py"), *failed["overrides"])  # this one alone
    assert code == 0, said
    runs = sorted((tmp_path / "outputs").glob("*/summary.json"))
    assert len(runs) == 2 and done.stat().st_mtime_ns == before
    code, said = run(tmp_path, *command)
    assert code == 0 and "2 skipped" in said and "\nagain " not in said, said
    assert sorted((tmp_path / "outputs").glob("*/summary.json")) == runs


@pytest.mark.slow
def test_a_job_that_is_killed_ends_no_other_and_goes_on_as_the_same_run_of_wandb(tmp_path):
    command = sweep("algo=grpo", "seed=0,1", "algo.steps=8", "checkpoint.every=1", "hydra/launcher=submitit_local")
    command[command.index("tracking=none")] = "tracking.mode=offline"
    process = begin(tmp_path, *command)
    first = until(lambda: next(iter((tmp_path / "outputs").glob("grpo-*-s0-*")), None), process)
    until(lambda: steps(first) >= 2, process)
    os.kill(process_of(first), signal.SIGKILL)
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 1 and "1 killed, 1 done" in said and "Traceback" not in said, said
    code, said = run(tmp_path, *command)
    assert code == 0 and "1 done, 1 skipped" in said, said
    assert [json.loads(line)["step"] for line in (first / "metrics.jsonl").open()] == list(range(1, 9))
    told = sorted(each.name.rpartition("-")[2] for each in first.glob("wandb/offline-run-*"))
    assert told == [json.loads((first / "run.json").read_text())["id"]] * 2


def test_a_run_that_another_process_works_on_is_left_alone(tmp_path, forks):
    with Lock(Run(tmp_path / "outputs/mine").lock):
        code, said = forks.train(tmp_path, "-m", *SMALL, "name=mine", "seed=0").wait()
        left = f"pid {os.getpid()}" in said and "left alone" in said and "1 running elsewhere" in said
        assert code == 0 and left, said
        code, said = forks.train(tmp_path, *SMALL, "name=mine").wait()
        assert code == 1 and said.count("error: ") == 1 and f"pid {os.getpid()}" in said and "Traceback" not in said
    assert not (tmp_path / "outputs/mine").exists()


@pytest.mark.slow
@pytest.mark.parametrize("launcher", BESIDE)
def test_ctrl_c_lets_all_jobs_finish_their_step_and_begins_none(tmp_path, launcher):
    most = ["seed=0,1,2"] if launcher == "joblib" else ["seed=0,1"]  # two at a time; all at once
    process = begin(tmp_path, *sweep("algo=grpo", *most, "algo.steps=500", f"hydra/launcher={launcher}"))
    runs = until(lambda: len(found := list((tmp_path / "outputs").glob("grpo-*"))) == 2 and found, process)
    until(lambda: all(steps(each) for each in runs), process)
    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 130 and "Traceback" not in said, said
    for each in runs:
        assert (each / f"checkpoints/checkpoint-{steps(each)}/motif.json").is_file()
    counted = "2 stopped, 1 not begun" if launcher == "joblib" else "2 stopped;"
    assert counted in said and "skips what is finished" in said, said
    assert sorted((tmp_path / "outputs").glob("grpo-*")) == sorted(runs)


GATE = """
import pathlib, time
def gate(path):
    while not pathlib.Path("go").exists():
        time.sleep(0.05)
    return 0.0
"""


def left_alone(folder, *where):
    """The command of a sweep of two jobs that was submitted with `sweep.wait=false`, and what the program has said.
    The jobs wait for the file `go`."""
    (folder / "gate.py").write_text(GATE)
    term = ["+reward.reply.gate._target_=gate.gate", "+reward.reply.gate._partial_=true", "+reward.weights.gate=0.0"]
    command = sweep("algo=grpo", "seed=0,1", *term, *where)
    with (folder / "said").open("w") as said:
        call = [sys.executable, *command, "sweep.wait=false"]
        assert subprocess.run(call, cwd=folder, stdout=said, stderr=said, timeout=600).returncode == 0
    return command, (folder / "said").read_text()


def ends(folder, count):
    """Wait for the end of `count` jobs, now that they may end."""
    (folder / "go").touch()
    deadline = time.monotonic() + 900
    while len([file for file in folder.glob("outputs/.sweeps/*/jobs/*.json") if '"done"' in file.read_text()]) < count:
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_jobs_that_are_submitted_and_left_go_on_after_the_program_has_ended(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    command, said = left_alone(tmp_path, "hydra/launcher=submitit_local")
    assert "2 jobs; where they stand: " in said and said.endswith("the jobs are submitted, and go on by themselves\n")
    assert not list(tmp_path.glob("outputs/*/summary.json"))
    ends(tmp_path, 2)
    code, said = run(tmp_path, *command)
    assert code == 0 and "2 skipped" in said, said


@pytest.mark.parametrize("where", [["hydra/launcher=joblib"], [], ["sweeps=optuna", "hydra/launcher=submitit_local"]])
def test_jobs_that_are_waited_for_cannot_be_left(tmp_path, forks, where):
    process = forks.begin("train.py", tmp_path, "-m", *SMALL, *where, "sweep.wait=false", apart=True)
    code, _ = process.wait()
    assert code == 1 and process.errors == (
        "error: sweep.wait=false is for submitit_slurm and submitit_local, without an optimiser\n"
    )


@pytest.mark.slow
def test_an_optimiser_goes_on_where_it_was_killed_and_one_bad_trial_does_not_stop_it(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    chosen = ["sweeps=optuna", "algo=grpo", "hydra.sweeper.n_trials=3", "hydra.sweeper.params=null", "algo.steps=8"]
    searched = ["model.learning_rate=tag(log,interval(1e-5,1e-3))", "algo.micro_batch=choice(2,1,3)"]
    command = sweep(*chosen, "checkpoint.every=1", *searched)  # of which 3 does not divide the 2 rows of a step
    process = begin(tmp_path, *command)
    outputs = tmp_path / "outputs"
    until(lambda: list(outputs.glob("*/summary.json")), process)
    until(
        lambda: any(steps(each) >= 2 and not (each / "summary.json").is_file() for each in outputs.glob("g*")), process
    )
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate(timeout=20)
    kept = {file: file.stat().st_mtime_ns for file in outputs.glob("*/summary.json")}
    code, said = run(tmp_path, *command)
    assert code == 1 and "1 skipped" in said and "1 done" in said and "1 failed" in said and "\nbest " in said, said
    assert all(file.stat().st_mtime_ns == before for file, before in kept.items())
