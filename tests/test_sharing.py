"""How work is shared: what is refused before anything heavy is loaded, who takes which GPU, and that all ways to begin
two processes come to the same."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
from hydra.types import RunMode
from omegaconf import OmegaConf

from benchmarks.kills import result
from motif import sharing, sweeps
from motif.system import UserError, processes
from motif.system.environment import cores
from tests.support import FEW, ROOT, ranks
from tests.test_sweeps import run, sweep

EIGHT = "0,1,2,3,4,5,6,7"
TOLD = {"RANK": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
TWO = [
    *("name=run", "experiment=smoke", "algo=grpo", "tracking=none", "preflight=false", "algo.m=4", "algo.steps=2"),
    *("rounds=1", "algo.questions=2", "evaluation.questions=2", "evaluation.before=false", *FEW),
]


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No variable of any launcher, and no GPU that this process holds."""
    names = ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "ACCELERATE_MIXED_PRECISION")
    monkeypatch.setattr(sharing, "held", ExitStack()), monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for name in (*names, "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", sharing.GPUS, sharing.DIVIDED):
        monkeypatch.setenv(name, "")  # so that it is put back as it was, whatever a test does to it
        monkeypatch.delenv(name)
    monkeypatch.setattr(processes, "patience", processes.patience)


def config(number=None, patience=600):
    return OmegaConf.create({"processes": number, "patience": patience})


@pytest.mark.parametrize(
    ("visible", "number", "variables", "words"),
    [
        (EIGHT, None, {}, "8 GPUs are visible: processes=8 works on all of them, and CUDA_VISIBLE_DEVICES=0 before"),
        (EIGHT, None, {"WORLD_SIZE": "1"}, "8 GPUs are visible: processes=8 works on all of them"),
        (EIGHT, 9, {}, "processes=9 are more than the 8 GPUs that are visible"),
        ("", 0, {}, "processes must be a whole number of at least 1, got 0"),
        ("", 3, {"WORLD_SIZE": "2"}, "processes=3, but 2 were begun by what sets WORLD_SIZE; leave processes= out"),
        ("", None, {"MASTER_ADDR": "127.0.0.1", "ACCELERATE_MIXED_PRECISION": "no"}, "accelerate launch --cpu has"),
    ],
)
def test_what_cannot_be_shared_as_asked_is_a_line(monkeypatch, visible, number, variables, words):
    for name, value in {"CUDA_VISIBLE_DEVICES": visible, **variables}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"^{words}"):
        sharing.together("train", config(number))


def test_a_job_is_told_where_else_configuration_files_lie(monkeypatch):
    sources = [("hydra", "pkg://hydra.conf"), ("main", "/conf"), ("command-line", "/own")]
    found = [SimpleNamespace(provider=provider, path=path) for provider, path in sources]
    words = ["hydra.searchpath=[file:///more]", "hydra/launcher=joblib"]
    hydra = SimpleNamespace(
        runtime=SimpleNamespace(config_sources=found), overrides=SimpleNamespace(hydra=OmegaConf.create(words))
    )
    monkeypatch.setattr(sharing.HydraConfig, "get", lambda: hydra)
    assert sharing.own_overrides() == ["hydra.searchpath=[file:///more]", "--config-dir=/own"]


def test_patience_is_a_time():
    with pytest.raises(UserError, match="patience must be a number above 0, got 0"):
        sharing.together("train", config(patience=0))
    assert not sharing.together("train", config(patience=5)) and processes.patience == 5


def test_one_process_takes_the_first_of_several_gpus_where_one_is_asked_for(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    assert not sharing.together("train", config(1)) and os.environ["CUDA_VISIBLE_DEVICES"] == "4"


def test_a_process_that_torchrun_has_begun_sees_all_gpus_and_begins_no_other(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", EIGHT), monkeypatch.setenv("WORLD_SIZE", "8")
    assert not sharing.together("train", config(8)) and os.environ["CUDA_VISIBLE_DEVICES"] == EIGHT


def test_the_threads_of_a_job_are_divided_among_its_processes_and_what_a_person_has_set_is_kept(monkeypatch):
    said = SimpleNamespace(launcher=SimpleNamespace(_target_="x.BasicLauncher"))
    monkeypatch.setattr(sharing.HydraConfig, "get", lambda: said)
    assert sharing.threads(1) == str(cores())
    monkeypatch.setenv("OMP_NUM_THREADS", "6")
    assert sharing.threads(2) == "6"
    monkeypatch.setenv(sharing.DIVIDED, "true")
    assert [sharing.threads(count) for count in (1, 2, 4, 8)] == ["6", "3", "1", "1"]
    monkeypatch.delenv(sharing.DIVIDED)
    said.launcher._target_ = "x.SlurmLauncher"  # whose preset divides them
    assert sharing.threads(2) == "3"


@pytest.mark.parametrize("launcher", ["JoblibLauncher", "LocalLauncher"])
def test_a_launcher_that_divides_threads_says_so_where_no_person_has_set_them(monkeypatch, launcher):
    monkeypatch.setattr(signal, "signal", lambda *_: None), monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    sweeps.prepare(launcher, at_once=2)
    assert sharing.DIVIDED not in os.environ and os.environ["OMP_NUM_THREADS"] == "3"
    monkeypatch.delenv("OMP_NUM_THREADS")
    sweeps.prepare(launcher, at_once=2)
    assert sharing.DIVIDED in os.environ


@pytest.mark.parametrize(
    ("visible", "number", "taken"),
    [
        (EIGHT, None, ["0", "1", "2", "7", "3"]),
        (EIGHT, 2, ["0,1", "2,3", "4,5", "6,7", "0,1"]),
        ("3,5", 4, ["3,5"] * 5),
        ("", None, [None] * 5),
    ],
)
def test_a_job_beside_others_takes_free_gpus_or_those_of_its_number_and_keeps_them(monkeypatch, visible, number, taken):
    found = []
    for job in (0, 1, 2, 7, 8) if number is None else (0, 1, 2, 3, 4):
        hydra = SimpleNamespace(job=SimpleNamespace(num=job), mode=RunMode.MULTIRUN)
        monkeypatch.setattr(sharing.HydraConfig, "get", lambda hydra=hydra: hydra)
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False), monkeypatch.setenv(sharing.GPUS, visible)
        sharing.take_gpus(config(number))
        found.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
        hydra.job.num += 1
        sharing.take_gpus(config(number))
        assert os.environ.get("CUDA_VISIBLE_DEVICES") == found[-1]
    assert found == taken


JOB = """
import os, signal, sys
from types import SimpleNamespace
from omegaconf import OmegaConf
from motif import sharing
hydra = SimpleNamespace(job=SimpleNamespace(num=int(sys.argv[1])))
sharing.HydraConfig.get = lambda: hydra
sharing.take_gpus(OmegaConf.create({"processes": int(sys.argv[2])}))
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
signal.pause()
"""


@pytest.mark.program
def test_a_job_takes_a_gpu_that_no_running_job_has_also_where_one_was_killed(tmp_path):
    shared = {**os.environ, sharing.GPUS: "0,GPU-4/1,2", "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    running = []

    def takes(number, size=1):
        call = [sys.executable, "-c", JOB, str(number), str(size)]
        running.append(subprocess.Popen(call, env=shared, stdout=subprocess.PIPE, text=True))
        return running[-1].stdout.readline().strip()

    def ends(place):
        running[place].kill(), running[place].wait()

    try:
        assert [takes(0), takes(1), takes(2)] == ["0", "GPU-4/1", "2"]
        ends(1)
        assert takes(3) == "GPU-4/1"  # its number is that of GPU 0, which is in use
        assert takes(5) == "2"  # all are in use
        ends(0), ends(3)
        assert takes(7, 2) == "0,GPU-4/1" and takes(1) == "GPU-4/1"
    finally:
        for place in range(len(running)):
            ends(place)


def test_the_tasks_of_a_job_take_the_same_gpus(monkeypatch):
    hydra = SimpleNamespace(job=SimpleNamespace(num=5), mode=RunMode.MULTIRUN)
    monkeypatch.setattr(sharing.HydraConfig, "get", lambda: hydra), monkeypatch.setenv("WORLD_SIZE", "2")
    for _ in range(2):
        monkeypatch.setenv(sharing.GPUS, EIGHT)
        sharing.take_gpus(config())
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "2,3"


def test_where_no_lock_can_be_written_a_job_takes_the_gpu_of_its_number(monkeypatch, tmp_path):
    (tmp_path / f"motif-gpus-{os.getuid()}").touch()
    hydra = SimpleNamespace(job=SimpleNamespace(num=9), mode=RunMode.MULTIRUN)
    monkeypatch.setattr(sharing.HydraConfig, "get", lambda: hydra), monkeypatch.setenv(sharing.GPUS, EIGHT)
    sharing.take_gpus(config())
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"RANK": "1"}, "RANK=1 is set and WORLD_SIZE is not: set both, as torchrun does, or none of them"),
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE=two is no number of processes, which is a whole number of at least 1"),
        (
            {"WORLD_SIZE": "2", "RANK": "0"},
            "WORLD_SIZE=2 is set without LOCAL_RANK, MASTER_ADDR, MASTER_PORT: torchrun",
        ),
        (
            {"WORLD_SIZE": "2", **TOLD, "RANK": "2"},
            "RANK=2 is none of WORLD_SIZE=2 processes, whose numbers are 0 to 1",
        ),
        ({"WORLD_SIZE": "1", "RANK": "-1"}, "RANK=-1 is none of WORLD_SIZE=1 processes, whose numbers are 0 to 0"),
    ],
)
def test_variables_that_do_not_say_which_process_this_is_are_a_line(monkeypatch, variables, words):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=f"^{words}"):
        processes.check()


@pytest.mark.program
def test_a_number_without_that_of_all_processes_is_a_line_before_torch_is_loaded(tmp_path):
    code, stdout, stderr = loading(tmp_path, "train.py", {"RANK": "1"})
    assert code == 1 and stdout == "False\n" and not list(tmp_path.iterdir())
    assert stderr == "error: RANK=1 is set and WORLD_SIZE is not: set both, as torchrun does, or none of them\n"


@pytest.mark.parametrize("variables", [{}, {"RANK": "0"}, {"WORLD_SIZE": "1"}, {"WORLD_SIZE": "2", **TOLD}])
def test_variables_that_say_which_process_this_is_pass(monkeypatch, variables):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    processes.check()


def loading(folder, program, variables, *words):
    """The status of a program, what it has printed and then whether it has loaded torch, and its errors."""
    code = (
        f"import atexit, runpy, sys; sys.path.insert(0, {str(ROOT)!r}); sys.argv = {[str(ROOT / program), *words]!r}\n"
    )
    code += "atexit.register(lambda: print('torch' in sys.modules)); runpy.run_path(sys.argv[0], run_name='__main__')"
    call, environment = [sys.executable, "-c", code], {**os.environ, **variables}
    done = subprocess.run(call, capture_output=True, text=True, cwd=folder, env=environment, timeout=100)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.program
@pytest.mark.parametrize("program", ["train.py", "evaluate.py"])
def test_eight_visible_gpus_and_nothing_said_are_a_line_before_torch_is_loaded(tmp_path, program):
    words = ["policy=x", "dataset=chain"] if program == "evaluate.py" else []
    code, stdout, stderr = loading(tmp_path, program, {"CUDA_VISIBLE_DEVICES": EIGHT}, *words)
    assert code == 1 and stdout == "False\n" and stderr.count("\n") == 1, (stdout, stderr)
    assert stderr.startswith("error: 8 GPUs are visible: processes=8 ") and not list(tmp_path.iterdir())


@pytest.mark.program
@pytest.mark.parametrize(("failing", "left"), [("true", "1 failed, 1 not begun"), ("false", "2 failed")])
def test_fail_fast_leaves_the_jobs_after_a_failed_one_unbegun(tmp_path, forks, failing, left):
    words = ["algo=grpo", "experiment=smoke", "tracking=none", "budget.match=one,two", f"sweep.fail_fast={failing}"]
    code, said = forks.train(tmp_path, "-m", *words).wait()
    assert code == 1 and left in said, said


def bare(folder):
    """Two plain processes that know each other by torch's variables alone."""
    shared = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": ranks.free_port()}
    call = [sys.executable, str(ROOT / "train.py"), *TWO]
    begun = [
        subprocess.Popen(call, cwd=folder, env={**os.environ, **shared, "RANK": rank, "LOCAL_RANK": rank})
        for rank in "01"
    ]
    return max(process.wait(600) for process in begun)


def by(*words):
    def call(folder):
        return subprocess.run([sys.executable, *words, *TWO], cwd=folder, timeout=600).returncode

    return call


def two_agents(folder):
    begun = ranks.agents(folder, *TWO)
    said = [process.communicate(timeout=600)[0] for process in begun]
    return 0 if [process.returncode for process in begun] == [0, 0] else said


WAYS = {
    "bare variables": bare,
    "torchrun": by("-m", "torch.distributed.run", "--nproc_per_node=2", str(ROOT / "train.py")),
    "two agents of torchrun": two_agents,
}


@pytest.mark.slow
def test_all_ways_to_begin_two_processes_come_to_the_same_in_every_bit(tmp_path):
    (tmp_path / "own").mkdir()
    assert by(str(ROOT / "train.py"), "processes=2")(tmp_path / "own") == 0
    own = result(tmp_path / "own/outputs/run")
    assert json.loads((tmp_path / "own/outputs/run/environment.json").read_text())["processes"] == 2
    for name, begin in WAYS.items():
        (tmp_path / name).mkdir()
        assert begin(tmp_path / name) == 0, name
        assert result(tmp_path / name / "outputs/run") == own, name


SMALL = ["algo=grpo", "algo.m=2", "algo.questions=2"]


@pytest.mark.slow
def test_a_job_of_a_sweep_is_trained_by_processes_of_its_own_which_find_choices_of_a_folder_of_ones_own(tmp_path):
    (tmp_path / "own/reward").mkdir(parents=True)
    (tmp_path / "own/reward/mine.yaml").write_text("# Mine\ndefaults: [accuracy, _self_]\nname: mine\n")
    code, said = run(tmp_path, *sweep(*SMALL, "seed=0", "reward=mine", "processes=2", "--config-dir", "own"))
    assert code == 0 and "1 done" in said and "Traceback" not in said, said
    (file,) = (tmp_path / "outputs").glob("*/environment.json")
    assert json.loads(file.read_text())["processes"] == 2


@pytest.mark.slow
def test_the_tasks_of_a_job_of_submitit_train_it_together(tmp_path):
    where = ["hydra/launcher=submitit_local", "hydra.launcher.tasks_per_node=2"]
    code, said = run(tmp_path, *sweep(*SMALL, "seed=0", *where))
    assert code == 0 and "1 done" in said, said
    (file,) = (tmp_path / "outputs").glob("*/environment.json")
    assert json.loads(file.read_text())["processes"] == 2
    first, second = sorted((tmp_path / "outputs/.sweeps").glob("*/logs/*/*_log.out"))
    assert "\njob 1 of 1 is done: " in first.read_text() and "job 1" not in second.read_text()


@pytest.mark.slow
def test_jobs_beside_each_other_see_a_gpu_each(tmp_path, monkeypatch):
    (tmp_path / "seen.py").write_text(
        "import os, pathlib\n"
        "def seen(path):\n"
        "    pathlib.Path('seen-' + os.environ['CUDA_VISIBLE_DEVICES']).touch()\n"
        "    return 0.0\n"
    )
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5"), monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    term = ["+reward.reply.seen._target_=seen.seen", "+reward.reply.seen._partial_=true", "+reward.weights.seen=0.0"]
    code, said = run(tmp_path, *sweep(*SMALL, "seed=0,1", *term, "hydra/launcher=joblib"))
    assert code == 0 and "2 done" in said, said
    assert sorted(file.name for file in tmp_path.glob("seen-*")) == ["seen-3", "seen-5"]


@pytest.mark.parametrize(
    ("visible", "number", "variables", "words"),
    [
        ("", 2, {}, "processes=2: a warm start runs in one process"),
        ("0,1", None, {}, "2 GPUs are visible, and a warm start uses one: processes=1 takes the first"),
        ("0,1", 1, {}, None),
        ("0,1", None, {"WORLD_SIZE": "2", **TOLD}, None),
        (
            "0,1",
            None,
            {"WORLD_SIZE": "1"},
            "2 GPUs are visible, and a warm start uses one: processes=1 takes the first",
        ),
    ],
)
def test_what_runs_in_one_process_says_so_and_takes_one_gpu(monkeypatch, visible, number, variables, words):
    for name, value in {"CUDA_VISIBLE_DEVICES": visible, **variables}.items():
        monkeypatch.setenv(name, value)
    if words:
        with pytest.raises(UserError, match=f"^{words}$"):
            sharing.alone("a warm start", config(number))
    else:
        sharing.alone("a warm start", config(number))
        assert os.environ["CUDA_VISIBLE_DEVICES"] == (visible if variables else "0")
