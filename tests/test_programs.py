"""The programs as they are typed: mistakes are one line, help is quick, values with = in them are values."""

import os
import signal
import subprocess
import sys
from importlib.metadata import version

import pytest

from motif import programs
from tests.support import ROOT


def command(*arguments, cwd=ROOT):
    call = [sys.executable, str(ROOT / "train.py"), *arguments]
    return subprocess.run(call, capture_output=True, text=True, cwd=cwd, timeout=100)


@pytest.mark.program
@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["rounds=abc"], "rounds must be"), (["dataset=chain", "dataset.longest=99"], "dataset.longest must be")],
)
def test_a_mistake_on_the_command_line_is_a_short_message_a_status_and_no_traceback(arguments, words, tmp_path):
    """The table of such mistakes is in test_bad_input.py; here a process is begun as a person does."""
    done = command(*arguments, cwd=tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == 1 and words in said and "Traceback" not in said
    assert not list(tmp_path.iterdir())


@pytest.mark.program
def test_a_typo_in_a_preset_is_named(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nseeed: 7\n")
    done = command("experiment=mine", f"hydra.searchpath=[file://{tmp_path}]", cwd=tmp_path)
    assert done.returncode == 1 and "unknown key seeed" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.program
def test_help_and_the_composed_configuration_are_shown_without_heavy_imports(tmp_path):
    assert "python train.py rounds=3 algo=motif" in command("--help", cwd=tmp_path).stdout
    assert "rounds: 2" in command("rounds=2", "--cfg", "job", cwd=tmp_path).stdout
    probe = "import sys; sys.argv = ['train.py', '--cfg', 'job']; sys.path.insert(0, '.'); import train\n"
    probe += "heavy = {'torch', 'transformers', 'trl', 'datasets', 'wandb'}\n"
    probe += "try:\n train.main()\nfinally:\n print('HEAVY', sorted(heavy & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert "HEAVY []" in done.stdout


@pytest.mark.program
def test_help_into_a_pipe_that_is_closed_ends_without_a_word():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [sys.executable, "train.py", "--help"],
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            timeout=100,
        )
    assert done.returncode == 128 + signal.SIGPIPE and done.stderr == ""


def test_the_version_is_that_of_the_suite(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["train.py", "rounds=3", "--version"])
    with pytest.raises(SystemExit) as ended:
        programs.command_line()
    assert not ended.value.code and capsys.readouterr().out == f"motif {version('motif-rounds')}\n"


def test_what_is_typed_is_read_as_hydra_reads_it_and_values_that_hold_an_equals_sign_are_values(monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "policy=outputs/motif-k=4-1f3a5b", "-v", "algo.k=4"])
    programs.command_line()
    assert sys.argv == ["train.py", 'policy="outputs/motif-k=4-1f3a5b"', "hydra.verbose=true", "algo.k=4"]
