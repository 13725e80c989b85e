"""Checkpoints under kills, torn writes and rot."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from motif.runs.checkpoints import Checkpoint, Checkpoints, check_made_with, drafts, made_with, newest, seal
from motif.runs.folder import checkpoints
from motif.system.errors import UserError


def drafted(folder, step, content="weights"):
    draft = drafts(folder) / f"checkpoint-{step}"
    (draft / "inner").mkdir(parents=True)
    (draft / "model.safetensors").write_text(f"{content} of {step}")
    (draft / "inner/optimizer.pt").write_text(f"moments of {step}")


def sealed(folder, *steps, keep=2):
    for step in steps:
        drafted(folder, step)
        seal(folder, {"step": step}, keep)


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != "writing")


def test_the_newest_is_found_with_its_note_and_the_files_that_were_saved(tmp_path):
    assert newest(tmp_path) is None
    sealed(tmp_path, 9, 10)
    found = newest(tmp_path)
    assert found.step == 10 and (found.folder / "model.safetensors").read_text() == "weights of 10"
    assert set(found.note["files"]) == {"model.safetensors", "inner/optimizer.pt"}


def test_as_many_stay_as_were_asked_for_by_their_number_whatever_the_clock_says(tmp_path):
    for step in (8, 9, 10, 11):
        sealed(tmp_path, step)
        os.utime(tmp_path / f"checkpoint-{step}", (0, 10**9 - 10**6 * step))  # the clock runs backwards
    assert names(tmp_path) == ["checkpoint-10", "checkpoint-11"]
    sealed(tmp_path, 12, keep=1)
    assert names(tmp_path) == ["checkpoint-12"]


def torn(file):
    os.truncate(file, file.stat().st_size // 2)


def flipped(file):
    content = bytearray(file.read_bytes())
    content[3] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("name", ["model.safetensors", "inner/optimizer.pt", "motif.json"])
@pytest.mark.parametrize("harm", [torn, Path.unlink, flipped])
def test_one_that_does_not_verify_is_set_aside_with_a_line_and_the_one_before_is_used(tmp_path, capsys, name, harm):
    sealed(tmp_path, 20, 40)
    harm(tmp_path / "checkpoint-40" / name)
    assert newest(tmp_path).step == 20
    (line,) = capsys.readouterr().out.splitlines()
    assert "checkpoint-40 is damaged" in line and "set aside as damaged-40" in line and "from step 20" in line
    assert names(tmp_path) == ["checkpoint-20", "damaged-40"]
    assert newest(tmp_path).step == 20 and not capsys.readouterr().out


@pytest.mark.parametrize("text", ["[]", "{}", '{"step": 40, "files": {}}'])
def test_a_note_that_says_something_else_is_not_believed(tmp_path, text):
    sealed(tmp_path, 20, 40)
    (tmp_path / "checkpoint-40/motif.json").write_text(text)
    assert newest(tmp_path).step == 20


def test_where_none_verifies_that_is_said_and_nothing_is_moved_or_begun_again(tmp_path):
    sealed(tmp_path, 20, 40)
    for step in (20, 40):
        torn(tmp_path / f"checkpoint-{step}/model.safetensors")
    for _ in range(2):
        with pytest.raises(UserError, match=r"checkpoint-40 \(.*bytes\).*checkpoint-20 .*overwrite=true begins again"):
            newest(tmp_path)
    assert names(tmp_path) == ["checkpoint-20", "checkpoint-40"]


def test_of_damaged_ones_the_last_is_kept_once_there_is_a_whole_one_after_them(tmp_path):
    sealed(tmp_path, 10, 20, 30, keep=3)
    for _ in range(2):  # the second time what was made again of the same steps
        for step in (20, 30):
            torn(tmp_path / f"checkpoint-{step}/model.safetensors")
        assert newest(tmp_path).step == 10
        assert names(tmp_path) == ["checkpoint-10", "damaged-20", "damaged-30"]
        sealed(tmp_path, 20, keep=3)
        assert names(tmp_path) == ["checkpoint-10", "checkpoint-20", "damaged-30"]
        sealed(tmp_path, 30, keep=3)


def test_one_that_does_not_go_with_the_run_is_not_used(tmp_path, capsys):
    sealed(tmp_path, 20, 40)
    found = newest(tmp_path, lambda note: "it counts on lost lines" if note["step"] == 40 else None)
    assert found.step == 20 and "it counts on lost lines" in capsys.readouterr().out


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


OPERATIONS = [(os, "rename"), (os, "replace"), (os, "fsync"), (os, "unlink"), (os, "rmdir"), (os, "open")]


def dying_at(monkeypatch, count):
    """The `count`-th operation on the file system is the last one that happens; returns how many did."""
    done = []

    def counted(call):
        def operation(*arguments, **named):
            found = call(*arguments, **named)
            done.append(call)
            if len(done) == count:
                raise Killed
            return found

        return operation

    for module, name in OPERATIONS:
        monkeypatch.setattr(module, name, counted(getattr(module, name)))
    return done


def test_after_a_kill_at_any_operation_of_a_write_there_is_the_old_one_or_the_new_one_whole(tmp_path, monkeypatch):
    sealed(tmp_path / "calm", 20, 40)
    drafted(tmp_path / "calm", 60)
    with monkeypatch.context() as patch:
        operations = dying_at(patch, None)
        seal(tmp_path / "calm", {"step": 60}, keep=2)
    found = []
    for count in range(1, len(operations) + 1):
        folder = tmp_path / str(count)
        sealed(folder, 20, 40)
        drafted(folder, 60)
        with monkeypatch.context() as patch:
            dying_at(patch, count)
            with pytest.raises(Killed):
                seal(folder, {"step": 60}, keep=2)
        found.append(newest(folder).step)
        assert not drafts(folder).exists() and not [name for name in names(folder) if "damaged" in name]
        sealed(folder, 80)
        assert newest(folder).step == 80 and len(names(folder)) == 2
    assert len(found) > 10 and found == sorted(found) and set(found) == {40, 60}


def test_a_checkpoint_of_another_version_or_device_is_refused_by_name_unless_that_is_accepted(tmp_path, monkeypatch):
    sealed(tmp_path, 20)
    found = newest(tmp_path)
    check_made_with(found, [])
    other = {**made_with(), "torch": "2.1", "device": "cuda"}
    found = Checkpoint(found.folder, {**found.note, "made_with": other})
    with pytest.raises(UserError, match=r"torch 2.1, now .*device cuda, now cpu.*checkpoint.accept=\[torch,device\]"):
        check_made_with(found, [])
    with pytest.raises(UserError, match=r"accept=\[device\]"):
        check_made_with(found, ["torch"])
    check_made_with(found, ["torch", "device"])


def test_another_patch_of_a_package_continues(tmp_path, monkeypatch):
    sealed(tmp_path, 20)
    known = checkpoints.version
    monkeypatch.setattr(checkpoints, "version", lambda name: f"{'.'.join(known(name).split('.')[:2])}.99")
    check_made_with(newest(tmp_path), [])


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"every": 0}, "checkpoint.every"), ({"accept": ["cuda"]}, "checkpoint.accept must be one of torch")],
)
def test_bad_settings_are_a_line(settings, words):
    with pytest.raises(UserError, match=words):
        Checkpoints(**settings)


def test_what_is_saved_twice_at_one_step_stays_as_it_was(tmp_path):
    sealed(tmp_path, 20)
    drafted(tmp_path, 20, "other weights")
    seal(tmp_path, {"step": 20}, 2)
    assert (newest(tmp_path).folder / "model.safetensors").read_text() == "weights of 20"
    assert json.loads((tmp_path / "checkpoint-20/motif.json").read_text())["step"] == 20
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize(
    ("note", "words"),
    [
        ({"step": 20, "format": 99, "files": {}}, "has format 99, and this motif knows 1 at most"),
        ({"step": 20, "id": "x"}, "is of an older format"),
    ],
)
def test_one_of_another_format_is_refused_and_not_taken_for_damaged(tmp_path, note, words):
    sealed(tmp_path, 20)
    (tmp_path / "checkpoint-20/motif.json").write_text(json.dumps(note))
    with pytest.raises(UserError, match=words):
        newest(tmp_path)
    assert names(tmp_path) == ["checkpoint-20"]


def test_one_that_the_disk_cannot_read_is_set_aside(tmp_path, monkeypatch, capsys):
    sealed(tmp_path, 10, 20)
    whole = checkpoints.digest

    def broken(file):
        if "checkpoint-20" in str(file):
            raise OSError(errno.EIO, "Input/output error", str(file))
        return whole(file)

    monkeypatch.setattr(checkpoints, "digest", broken)
    assert newest(tmp_path).step == 10 and "cannot be read: Input/output error" in capsys.readouterr().out
