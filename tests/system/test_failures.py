"""How programs end, whatever happens in them."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from motif.system import failures
from motif.system.errors import UserError
from tests.support import ROOT


def ending(error):
    @failures.program
    def main(arguments):
        raise error

    return main


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (UserError("name must be\n text"), 2, "error: name must be text\n"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), 1, "error: /x cannot be used: Permission denied"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "No space left on device; make room\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
    ],
)
def test_what_a_person_can_mend_is_one_line(error, status, words, capsys):
    assert ending(error)() == status
    said = capsys.readouterr()
    assert words in said.err and said.err.count("\n") == 1 and not said.out


def test_the_traceback_of_a_fault_of_ours_lies_in_the_file_that_the_line_names(capsys):
    assert ending(FileNotFoundError(errno.ENOENT, "No such file", "x"))() == 1
    said = capsys.readouterr().err
    file = Path(said.rpartition("lies in ")[2].strip().rstrip(")"))
    assert said.startswith("error: FileNotFoundError: ") and said.count("\n") == 1
    assert "Traceback" in file.read_text() and "in main" in file.read_text()
    file.unlink()


def test_of_a_run_it_lies_in_its_folder_one_after_the_other(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    for number in (1, 2):
        try:
            raise RuntimeError(f"fault {number} \udc80")
        except RuntimeError as error:
            words = failures.words(error, tmp_path)
    assert words.endswith(f"its traceback lies in {tmp_path / 'error.log'})")
    kept = (tmp_path / "error.log").read_text()
    assert kept.count("Traceback") == 2 and "fault 1" in kept and "fault 2" in kept


def test_neither_the_line_nor_the_traceback_holds_a_secret_or_commands_a_terminal(tmp_path):
    (tmp_path / "run.json").write_text("{}")
    words = failures.words(RuntimeError("no http://me:pass@host \x1b[31m"), tmp_path)
    assert "no http://[hidden]@host ‹U+001B›[31m" in words
    assert "pass@" not in (tmp_path / "error.log").read_text()


def test_where_nothing_can_be_written_the_traceback_itself_is_said(tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(failures, "append", full)
    monkeypatch.setattr(failures.tempfile, "mkstemp", full)
    words = failures.words(RuntimeError("here"), tmp_path)
    assert "RuntimeError: here" in words and "\n" not in words


def test_a_reader_that_has_seen_enough_is_no_error():
    code = "from motif.system import failures\n"
    code += "@failures.program\ndef main(_):\n  while True: print('line')\nraise SystemExit(main())"
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.wait(30) == 141 and process.stderr.read() == ""


def test_an_option_that_is_unknown_is_one_line_that_names_the_others(capsys):
    parser = failures.Parser(prog="x")
    parser.add_argument("--against")
    with pytest.raises(SystemExit) as end:
        parser.parse_args(["--agianst=3"])
    said = capsys.readouterr().err
    assert end.value.code == 2 and "did you mean --against? (valid: -h, --help, --against)\n" in said
    assert said.count("\n") == 1
