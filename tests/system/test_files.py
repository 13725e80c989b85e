"""Writes that fail leave what was there, and say why."""

import errno
import os
from pathlib import Path

import pytest

from motif.system.errors import UserError
from motif.system.files import FORMAT, append, as_size, read_json, read_yaml, size, unwritable, write_text


def test_a_text_is_written_whole_or_the_old_one_stays(tmp_path, monkeypatch):
    file = tmp_path / "inner/file.txt"
    write_text(file, "old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_text(file, "new")
    assert file.read_text() == "old" and os.listdir(file.parent) == ["file.txt"]


def test_what_can_only_be_appended_in_part_is_taken_back(tmp_path):
    import resource

    file = tmp_path / "lines"
    append(file, b"whole\n")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, limit[1]))
    try:
        with pytest.raises(OSError, match="too large") as error:
            append(file, b"longer than it may be\n")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert file.read_bytes() == b"whole\n"
    assert "ulimit" in unwritable(error.value, tmp_path)


def test_a_full_device_is_named_whoever_says_so(tmp_path):
    with pytest.raises(OSError, match="No space") as error:
        append(Path("/dev/full"), b"x")
    for said in (
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        error.value.__class__(*error.value.args),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ):
        words = unwritable(said, tmp_path)
        assert words.startswith(f"{tmp_path} cannot be written: No space left on device (") and "make room" in words
    for said in ("[enforce fail at inline_container.cc:672] . unexpected pos 3838400 vs 3838292", "iostream error"):
        assert f"{tmp_path} cannot be written" in unwritable(RuntimeError(said), tmp_path)


def test_other_errors_and_other_places_are_not_taken_for_it(tmp_path):
    for other in (
        ValueError("no"),
        OSError(errno.ENOENT, "No such file or directory", str(tmp_path / "missing")),
        OSError(errno.EACCES, "Permission denied", "/somewhere/else"),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
    ):
        assert unwritable(other, tmp_path) is None
    gone = tmp_path / "gone"
    assert "put it back" in unwritable(OSError(errno.ENOENT, "No such file", str(gone / "metrics.jsonl")), gone)


def test_sizes(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 1500)
    assert size(tmp_path) == 1500 and as_size(1500) == "1.5 kB" and as_size(12_345_678) == "12 MB"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is torn or no JSON"),
        (b'{"a": ', "is torn or no JSON"),
        (bytes(range(256)), "is torn or no JSON"),
        (b"[" * 100_000, "is torn or no JSON"),
        (b"[1, 2]", r"must hold a mapping in JSON, got \[1, 2\]"),
        (b'{"format": %d}' % (FORMAT + 1), f"has format {FORMAT + 1}, and this motif knows {FORMAT} at most"),
    ],
)
def test_what_cannot_be_read_is_a_line_that_names_the_file(tmp_path, content, words):
    file = tmp_path / "run.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=f"{file} {words}") as error:
        read_json(file)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("text", ["[" * 200_000, "- " * 200_000, "{a: " * 50_000])
def test_what_is_nested_too_deeply_is_refused_and_ends_no_process(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match="torn or no YAML"):
        read_yaml(tmp_path / "a.yaml")


def test_what_is_whole_is_read(tmp_path):
    (tmp_path / "a.json").write_text('{"format": 1, "id": "x"}')
    (tmp_path / "a.yaml").write_text("rounds: 3\n")
    assert read_json(tmp_path / "a.json")["id"] == "x" and read_yaml(tmp_path / "a.yaml") == {"rounds": 3}
    (tmp_path / "a.yaml").write_text("rounds: [3\n")
    with pytest.raises(UserError, match="torn or no YAML"):
        read_yaml(tmp_path / "a.yaml")
