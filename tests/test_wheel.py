"""The package as pip installs it: built, installed beside nothing of the checkout, and used in an empty folder."""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import motif
from tests.support import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.program]
SHORT = "rounds=3 algo=motif experiment=smoke tracking=none"  # so that what follows it is short enough to be proposed
SMALL = ["algo.steps=2", "algo.questions=2", "algo.m=2", "evaluation.questions=8", "tracking=none"]


def built(source, to):
    """The wheel that pip makes of `source`, without a network."""
    call = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(to)]
    subprocess.run([*call, str(source)], check=True, timeout=120)
    (wheel,) = to.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return built(ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source")
    call = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    subprocess.run(call, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (made,) = folder.glob("*.tar.gz")
    return made


@pytest.fixture(scope="module")
def commands(wheel, tmp_path_factory):
    """The bin folder of an environment into which the wheel was installed, and that has what else is installed here."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    call = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python"), "install", "--quiet", "--no-index"]
    subprocess.run([*call, "--no-deps", str(wheel)], check=True, timeout=120)
    (libraries,) = folder.glob("lib/python*/site-packages")
    here = dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")])
    (libraries / "others.pth").write_text("\n".join(here))  # whose own .pth files, of a checkout say, are not read
    return folder / "bin"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("empty")


@pytest.fixture(scope="module")
def typed(commands, folder):
    """Types a command into a shell in the empty folder; returns what it printed."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    environment |= {"PATH": f"{commands}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}

    def run(command):
        done = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="module")
def trained(typed):
    return typed(f"motif-train {SHORT}")


def inside(wheel):
    """What a wheel holds, by its place in the checkout."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    return {re.sub(r"^motif/conf/(sweeps/)?", lambda found: found[1] or "conf/", name) for name in names}


def test_a_wheel_holds_the_package_its_data_and_the_configuration_and_nothing_else(wheel):
    files = [path for name in ("motif", "conf", "sweeps") for path in (ROOT / name).rglob("*") if path.is_file()]
    names = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    assert inside(wheel) == {name for name in names if not name.startswith("conf/sweeps/")}
    assert wheel.name == f"motif_rounds-{motif.__version__}-py3-none-any.whl"
    for needed in (
        "motif/evaluation/credit/program.py",
        "motif/reporting/web/episodes.js",
        "motif/reporting/web/uPlot.LICENSE",
        "conf/config.yaml",
        "sweeps/rounds.yaml",
    ):
        assert needed in inside(wheel)
    assert any(re.fullmatch(r"motif/policies/tiny-\w+/model.safetensors", name) for name in inside(wheel))


def test_the_source_makes_the_same_wheel_and_holds_no_runs(source, wheel, tmp_path):
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        archive.extractall(tmp_path / "unpacked", filter="data")
    assert {"LICENSE", "README.md", "CITATION.cff", "train.py", "tests/test_wheel.py"} <= names
    assert not [name for name in names if name.startswith(("outputs/", ".venv")) and ".gitkeep" not in name]
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert inside(built(unpacked, tmp_path / "again")) == inside(wheel)


def test_the_installed_package_is_the_one_that_runs(typed, commands):
    place = typed("python -c 'import motif; print(motif.__file__)'").strip()
    assert Path(place).is_relative_to(commands.parent)


def test_training_leaves_its_run_and_says_what_to_type_next(typed, trained, folder):
    (run,) = (path for path in (folder / "outputs").iterdir() if (path / "summary.json").is_file())
    assert "python train.py" not in trained and "motif-train -m rounds=3 experiment=smoke tracking=none" in trained
    (evaluate,) = re.findall(r"motif-evaluate .*", trained)
    assert f"policy=outputs/{run.name}" in evaluate and "=" not in run.name
    assert "records  outputs/" in typed(f"{evaluate} questions=4 rounds=1")
    assert "answer" in typed(f"motif-solve policy=outputs/{run.name} '9a-5b'")
    assert "is finished already" in typed(f"motif-train {SHORT}")


def test_a_page_of_help_names_the_commands_that_were_installed(typed):
    for name in ("train", "evaluate", "solve"):
        page = typed(f"motif-{name} --help")
        assert f"  motif-{name} " in page and ".py" not in page


def test_a_report_is_written_on_it(typed, trained, folder):
    assert "outputs/report/index.html" in typed("python -m motif.report outputs/*")
    assert (folder / "outputs/report/index.html").is_file()


def test_a_sweep_runs_and_its_preset_is_found(typed):
    said = typed(f"motif-train -m rounds=1,2 algo=grpo outputs=sweep evaluation.before=false {shlex.join(SMALL)}")
    assert "2 done" in said and "motif-train seed" not in said
    assert "2 finished" in typed("python -m motif.study status sweep")
    composed = typed("motif-train sweeps=baseline rounds=2 --cfg hydra")
    assert "mode: MULTIRUN" in composed and "experiment: window_grpo,rounds_motif," in composed


def test_a_notebooks_functions_are_there(typed, trained):
    code = "import motif; print(motif.train('rounds=3', 'algo=motif', steps=2, tracking='none', **{%s}))"
    settings = ", ".join(f"'{word.split('=')[0]}': {word.split('=')[1]}" for word in SMALL[1:4])
    assert typed(f"python -c {shlex.quote(code % settings)}").splitlines()[-1].startswith("TrainResult(outputs/motif-")
