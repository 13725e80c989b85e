"""Reading rows from files and from the hub."""

import gzip
import json
import os
import shutil

import datasets
import huggingface_hub
import pytest

from motif.system.errors import UserError
from motif.tasks.tables import fetch_table, find_table, read_table

PIN = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache" / PIN)


@pytest.fixture
def no_network(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)


def lines(path, text='{"question": "a", "answer": 1}\n'):
    path.write_text(text)
    return path


def test_stems_are_looked_for_in_order_and_extensions_too(tmp_path):
    for name in ("b.csv", "b.jsonl", "c.jsonl", "d"):
        (tmp_path / name).touch()
    assert find_table(tmp_path, ["a", "b", "c"]) == [tmp_path / "b.jsonl"]
    assert find_table(tmp_path, ["a", "d"]) == []


def test_shards_are_one_table(tmp_path):
    for shard in range(2):
        datasets.Dataset.from_dict({"question": [str(shard)]}).to_parquet(
            tmp_path / f"train-0000{shard}-of-00002.parquet"
        )
    files = find_table(tmp_path, ["train"])
    assert len(files) == 2 and [row.values["question"] for row in read_table(files, []).rows] == ["0", "1"]


def test_brackets_in_a_folder_s_name_are_no_pattern(tmp_path):
    (tmp_path / "[a]").mkdir()
    assert len(read_table([lines(tmp_path / "[a]" / "x.jsonl")], []).rows) == 1


@pytest.mark.parametrize("name", ["x.jsonl", "x.jsonl.gz", "x.json", "x.csv", "x.tsv", "x.parquet", "saved"])
def test_a_changed_file_with_the_same_time_and_size_is_read_anew(name, tmp_path):
    def written(answer):
        rows, file = [{"question": "a", "answer": answer}], tmp_path / name
        if name == "saved":
            datasets.Dataset.from_list(rows).save_to_disk(tmp_path / answer)
            shutil.rmtree(file, ignore_errors=True)
            (tmp_path / answer).rename(file)
        elif name.endswith(".parquet"):
            datasets.Dataset.from_list(rows).to_parquet(file)
        else:
            sign = "\t" if name == "x.tsv" else ","
            text = json.dumps(rows) if "json" in name else f"question{sign}answer\na{sign}{answer}\n"
            file.write_bytes(gzip.compress(text.encode(), mtime=0) if name.endswith(".gz") else text.encode())
        for part in [file, *file.glob("*")]:
            os.utime(part, ns=(0, 0))
        return read_table([file], ["question", "answer"]).rows[0].values

    assert written("1") == {"question": "a", "answer": "1"}
    assert written("2") == {"question": "a", "answer": "2"}


def test_own_files_leave_nothing_in_the_cache(tmp_path):
    read_table([lines(tmp_path / "x.jsonl")], [])
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.jsonl", b'{"question": "a", "answer": 5}\n{"question": "b", "ans', "line 2: no JSON: Unterminated string"),
        ("x.jsonl", b"\xff\xfe\x00", "cannot be read"),
        ("x.jsonl", b"", "holds no rows"),
        ("x.json", b"[]", "holds no rows"),
        ("x.csv", b"question,answer\n", "holds no rows"),
        ("x.csv", b'question,answer\na,1\n"open,2\nb,3\n', "cannot be read: line 3: unexpected end of data"),
        ("x.parquet", b"garbage", "cannot be read"),
        ("x.jsonl.gz", b"garbage", "cannot be read: line 1: no JSON"),
        ("x.jsonl.gz", gzip.compress(b"{}" * 99, mtime=0)[:-9], "cannot be read: Compressed file ended"),
        ("x.txt", b"question", "of no known kind; known are .jsonl"),
    ],
)
def test_an_unreadable_file_is_one_line_that_names_it(name, content, words, tmp_path, caplog):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=words) as error:
        read_table([tmp_path / name], [])
    assert f"dataset.path={tmp_path / name}" in str(error.value) and "\n" not in str(error.value)
    assert not caplog.records


def test_a_hub_out_of_reach_is_one_line_with_the_remedy_and_no_retries(no_network, monkeypatch):
    monkeypatch.setattr(huggingface_hub.utils._http.time, "sleep", lambda _: pytest.fail("it tries again"))
    with pytest.raises(UserError, match=r"Name or service not known.*dataset.path=FILE") as error:
        fetch_table("gsm8k", "openai/gsm8k", "main", PIN, "test")
    assert "\n" not in str(error.value)
    assert not datasets.config.HF_HUB_OFFLINE


@pytest.mark.parametrize(("revision", "good"), [(PIN, True), ("main", True), (None, True), (PIN[::-1], False)])
def test_without_the_hub_the_cache_serves_its_own_revision_only(revision, good, no_network, tmp_path, monkeypatch):
    cached = datasets.load_dataset("json", data_files=str(lines(tmp_path / "x.jsonl")), split="train")
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: cached)
    if good:
        assert fetch_table("toy", "a/b", None, revision, "test") is cached
    else:
        with pytest.raises(UserError, match="the cache holds another revision of a/b"):
            fetch_table("toy", "a/b", None, revision, "test")


def test_an_unknown_split_of_the_hub_is_named(monkeypatch):
    def refused(*_, split, **__):
        raise ValueError(f"Unknown split \"{split}\". Should be one of ['train', 'test'].")

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", lambda *_, **__: None)
    monkeypatch.setattr(datasets, "load_dataset", refused)
    with pytest.raises(UserError, match=r"tset of a/b.*Should be one of"):
        fetch_table("toy", "a/b", None, PIN, "tset")
