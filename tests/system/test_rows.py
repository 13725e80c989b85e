"""Rows as they are written: digits, dates, places, nested columns, messages; and what is wrong, by its line."""

import csv
import datetime
import gzip
import io
import json
from decimal import Decimal

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from motif.system import console
from motif.system.errors import UserError
from motif.system.rows import columns_of, read_rows, value_at
from motif.tasks.corpus import Corpus

NUMBERS = [
    *("123456789012345678901234567890", "12345678901234567", "9007199254740993", "0.5", "1.10", "-0", "100"),
    *("0.1000000000000000055511151231257827", "3.141592653589793238462643383279", "1e5", "1E+05", "2.50e-3", "1e400"),
]
TEXTS = [
    *("2024-01-01", "2024-01-01T10:30:00Z", "10:30", "1:05:00", "007", "+5", "1_000", "1,000", "True", "true", "TRUE"),
    *("None", "null", "NaN", "nan", "inf", "NA", "yes", "0x1F", "1e5", "1.10", "27.0", "½", "2/3", "10%", "$5"),
]


def golds(path, **settings):
    return [one.gold for one in Corpus("toy", path=str(path), trainable=False, **settings).test()]


def as_table(golds, kind):
    """A table of questions `q0`, `q1` … with these golds: text in quotes where JSON has them."""
    if kind in ("csv", "tsv"):
        out = io.StringIO()
        csv.writer(out, delimiter="\t" if kind == "tsv" else ",").writerows(
            [("question", "answer"), *((f"q{place}", gold) for place, gold in enumerate(golds))]
        )
        return out.getvalue()
    rows = [f'{{"question": "q{place}", "answer": {gold}}}' for place, gold in enumerate(golds)]
    return f"[{','.join(rows)}]" if kind == "json" else "\n".join(rows)


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tsv"])
def test_numbers_keep_their_digits_whatever_stands_beside_them(kind, tmp_path):
    file = tmp_path / f"x.{kind}"
    file.write_text(as_table(NUMBERS, kind))
    assert golds(file) == NUMBERS
    for number in NUMBERS:
        file.write_text(as_table([number], kind))
        assert golds(file) == [number]


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "tsv"])
def test_dates_times_and_words_that_look_like_values_stay_text(kind, tmp_path):
    file = tmp_path / f"x.{kind}"
    for some in (TEXTS, *([text] for text in TEXTS)):
        file.write_text(as_table(map(json.dumps, some) if "json" in kind else some, kind))
        assert golds(file) == some


def test_true_and_false_of_json_stay_as_json_writes_them(tmp_path):
    (tmp_path / "x.jsonl").write_text(as_table(["true", "false", '"True"', "5"], "jsonl"))
    assert golds(tmp_path / "x.jsonl") == ["true", "false", "True", "5"]


def test_a_whole_number_that_a_table_wrote_as_a_decimal_loses_it(tmp_path):
    (tmp_path / "x.jsonl").write_text(as_table(["27.0", "27.00", '"27.0"'], "jsonl"))
    assert golds(tmp_path / "x.jsonl") == ["27", "27.00", "27.0"]


def test_parquet_keeps_decimals_dates_times_and_short_numbers(tmp_path):
    values = [
        (pyarrow.array([Decimal("1.10")]), "1.10"),
        (pyarrow.array([Decimal("123456789012345678901234567890")]), "123456789012345678901234567890"),
        (pyarrow.array([2**63], pyarrow.uint64()), str(2**63)),
        (pyarrow.array([0.1], pyarrow.float32()), "0.1"),
        (pyarrow.array([27.0]), "27"),
        (pyarrow.array([datetime.date(2024, 1, 1)]), "2024-01-01"),
        (pyarrow.array([datetime.time(10, 30)]), "10:30:00"),
        (pyarrow.array(["2024-01-01"]), "2024-01-01"),
        (pyarrow.array(["x"]).dictionary_encode(), "x"),
        (pyarrow.array([True]), "true"),
        (pyarrow.array([["42"]]), "42"),
    ]
    for column, gold in values:
        parquet.write_table(pyarrow.table({"question": ["q"], "answer": column}), tmp_path / "x.parquet")
        assert golds(tmp_path / "x.parquet") == [gold]


def test_a_folder_with_an_equals_sign_adds_no_column(tmp_path):
    (tmp_path / "level=3").mkdir()
    parquet.write_table(pyarrow.table({"question": ["q"]}), tmp_path / "level=3" / "x.parquet")
    assert columns_of(read_rows(tmp_path / "level=3" / "x.parquet", "parquet")) == ["question"]


CELLS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=20)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.sampled_from(["csv", "tsv"]))
def test_any_table_that_the_csv_module_writes_is_read_again(rows, kind):
    out = io.StringIO()
    writer = csv.writer(out, delimiter="\t" if kind == "tsv" else ",", quoting=csv.QUOTE_ALL)
    writer.writerows([("a", "b"), *rows])
    from motif.system.rows import _csv

    found = [(values["a"], values["b"]) for _, values in _csv(out.getvalue(), kind)]
    assert found == [row for row in rows if any(cell.strip() for cell in row)]


@given(st.lists(st.dictionaries(CELLS, st.one_of(st.integers(), CELLS, st.none()), max_size=3), max_size=5), st.data())
def test_any_rows_of_json_are_read_with_the_lines_that_they_begin_in(rows, data):
    from motif.system.rows import _json

    text, lines = "", []
    for row in rows:
        text += "\n" * data.draw(st.integers(0, 2))
        lines.append(text.count("\n") + 1)
        text += json.dumps(row, ensure_ascii=data.draw(st.booleans())) + "\n"
    found = list(_json(text))
    assert [line for line, _ in found] == lines
    assert [json.loads(json.dumps(values)) for _, values in found] == [
        {name: str(value) if isinstance(value, int) else value for name, value in row.items()} for row in rows
    ]


# files as people have them


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b"\xef\xbb\xbfquestion,answer\r\na,1\r\nb,2\r\n"),  # a spreadsheet's
        ("x.csv", b"question;answer\r\na;1\r\nb;2\r\n"),  # one in Europe
        ("x.tsv", "question\tanswer\na\t1\nb\t2\n".encode("utf-16")),
        ("x.csv", b"question, answer\na, 1\n\n  \nb, 2\n,\n"),
        ("x.csv", b"question,answer,\na,1,\nb,2,,\n"),
        ("x.csv", b"id,question,answer,note\n1,a,1\n2,b,2,x\n"),
        ("x.csv", gzip.compress(b"question,answer\na,1\nb,2\n", mtime=0)),
        ("X.CSV.GZ", gzip.compress(b"question,answer\na,1\nb,2\n", mtime=0)),
        ("x.jsonl", b'\xef\xbb\xbf{"question": "a", "answer": 1}\r\n\r\n{"question": "b", "answer": 2}\r\n'),
        ("x.jsonl", b'{"question": "a", "answer": 1},\n{"question": "b", "answer": 2},\n'),
        ("x.jsonl", b'[{"question": "a", "answer": 1}, {"question": "b", "answer": 2}]'),
        ("x.json", b'[\n  {"question": "a", "answer": 1},\n  {"question": "b", "answer": 2},\n]\n'),
        ("x.json", b'{"question": "a", "answer": 1}\n{"question": "b", "answer": 2}\n'),
        ("x.json", b'{\n "question": "a",\n "answer": 1\n}\n{\n "question": "b",\n "answer": 2}\n'),
    ],
)
def test_a_file_is_read_whatever_wrote_it(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    assert golds(tmp_path / name) == ["1", "2"]


def test_a_line_separator_within_a_text_ends_no_line(tmp_path):
    (tmp_path / "x.jsonl").write_text('{"question": "a\u2028b", "answer": "1"}\n{"question": "c", "answer": null}\n')
    assert [row.place for row in read_rows(tmp_path / "x.jsonl", "json")] == ["x.jsonl, line 1", "x.jsonl, line 2"]


def test_a_cell_of_several_lines_moves_the_lines_after_it(tmp_path):
    (tmp_path / "x.csv").write_text('\nquestion,answer\n"a\nb\n\nc",1\n\nd,2\n')
    assert [row.place for row in read_rows(tmp_path / "x.csv", "csv")] == ["x.csv, line 3", "x.csv, line 8"]


def test_a_long_cell_is_read(tmp_path):
    (tmp_path / "x.csv").write_text(f"question,answer\n{'a' * 300_000},1\n")
    assert golds(tmp_path / "x.csv") == ["1"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.jsonl", '{"question": "a", "answer": "1"}\n{"question": "b"}\n', "x.jsonl, line 2: answer=None"),
        ("x.jsonl", '{"question": "a", "answer": "1"}\n\n{"question": null, "answer": 2}', "line 3: question=None"),
        ("x.jsonl", '{"question": "a", "answer": NaN}', "x.jsonl, line 1: answer=nan"),
        ("x.jsonl", '{"question": {"de": "a"}, "answer": "2024-01-01"}', "line 1: question={'de': 'a'}"),
        (
            "x.json",
            '[{"question": "a", "answer": 1},\n\n {"question": "b", "answer": [1, 2]}]',
            r"line 3: answer=\[1, 2",
        ),
        ("x.csv", 'question,answer\n"a\nb",1\nc,\n', "x.csv, line 4: answer=''"),
        ("x.csv", "question,answer\na,1\nb\n", "x.csv, line 3: answer=None"),
        ("x.csv", "question,answer\n ,1\n", "x.csv, line 2: question=''"),
        ("x.tsv", "question\tanswer\na\t1\n\tb\n", "x.tsv, line 3: question=''"),
    ],
)
def test_a_missing_value_is_told_with_file_line_column_and_value(name, content, words, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=words):
        golds(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("x.jsonl", '{"question": "a"\n{"question": "b"}\n', "line 1: no JSON"),
        ("x.jsonl", '{"question": "a"}\n{"question": True}\n', "line 2: no JSON: Expecting value"),
        ("x.jsonl", '{"question": "a"}\n{"answer": 007}\n', "line 2: no JSON"),
        ("x.jsonl", '{"question": "a"}\n["b", 2]\n', "line 2: a row is an object with columns"),
        ("x.jsonl", '{"question": "a", "question": "b"}', "line 1: the column 'question' stands twice"),
        ("x.jsonl", '{"a": ' * 100_000, "line 1"),
        ("x.json", '[{"question": "a"},\n', "line 2: the list of rows has no end"),
        ("x.json", '[{"question": "a"}]\n\n{"question": "b"}', "line 1: something follows the end"),
        ("x.csv", "question,answer,answer\na,1,2\n", "line 1: the column 'answer' stands twice"),
        ("x.csv", "question,answer\na,1\nHello, world,2\n", "line 3: 3 cells and 2 columns; .*','.* in quotes"),
        ("x.csv", 'question,answer\n"a" b,1\n', "line 2: .*a quote within quotes is written twice"),
        ("x.csv", 'question,answer\na,1\n"b,2\nc,3\n', "line 3: unexpected end of data"),
    ],
)
def test_a_file_that_is_no_table_is_told_with_its_line(name, content, words, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=f"dataset.path=.*{name} cannot be read: {words}"):
        golds(tmp_path / name)


# nested columns and messages

VERL = {
    "data_source": "gsm8k",
    "prompt": [{"role": "user", "content": "What is 1 + 1?"}],
    "reward_model": {"ground_truth": "2", "style": "rule"},
    "extra_info": {"index": 7, "split": "train"},
}


@pytest.mark.parametrize("kind", ["jsonl", "json", "parquet"])
@pytest.mark.parametrize("asked", ["prompt", "prompt.content", "prompt.0.content"])
def test_a_file_of_verl_is_read_as_it_is(kind, asked, tmp_path):
    file = tmp_path / f"train.{kind}"
    if kind == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist([VERL]), file)
    else:
        file.write_text(json.dumps([VERL] if kind == "json" else VERL))
    columns = {"question": asked, "answer": "reward_model.ground_truth", "id": "extra_info.index"}
    (one,) = Corpus("toy", path=str(file), trainable=False, facts=["extra_info.split"], **columns).test()
    assert (one.text, one.gold, one.facts) == ("What is 1 + 1?", "2", {"id": 7, "extra_info.split": "train"})


def test_a_nested_column_that_is_not_there_is_named_with_those_there_are(tmp_path):
    (tmp_path / "x.jsonl").write_text(json.dumps(VERL))
    with pytest.raises(UserError, match="no column of .*, did you mean reward_model.ground_truth.*prompt.content"):
        golds(tmp_path / "x.jsonl", question="prompt", answer="reward_model.ground_trut")


def test_a_nested_value_that_one_row_lacks_is_told_by_its_line(tmp_path):
    (tmp_path / "x.jsonl").write_text(f"{json.dumps(VERL)}\n{json.dumps({**VERL, 'reward_model': {}})}\n")
    with pytest.raises(UserError, match="x.jsonl, line 2: reward_model.ground_truth=None"):
        golds(tmp_path / "x.jsonl", question="prompt", answer="reward_model.ground_truth")


def test_a_dotted_path_goes_through_objects_lists_of_one_and_places():
    values = {"a": {"b": [{"c": "x"}]}, "d": ["y", {"e": "z"}], "f.g": "w", "h": "text"}
    paths = ("a.b.c", "a.b.0.c", "d.0", "d.1.e", "f.g", "a.x", "d.e", "d.2", "h.i", "nothing")
    assert [value_at(values, path) for path in paths] == ["x", "x", "y", "z", "w", *[None] * 5]


SYSTEM, USER = {"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 1 + 1?"}
REPLY = {"role": "assistant", "content": "2"}


def test_system_messages_stand_above_their_questions_and_that_is_said(tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr(console, "say", lambda text="", style=None: said.append(text))
    rows = [{"prompt": [SYSTEM, USER], "answer": "2"}, {"prompt": [USER], "answer": "2"}]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = Corpus("toy", path=str(tmp_path / "x.jsonl"), question="prompt", trainable=False).test()
    assert [one.text for one in found] == ["Be brief.\n\nWhat is 1 + 1?", "What is 1 + 1?"]
    assert said == ["1 of 2 rows of toy test have a system message: it stands above their questions"]


def test_a_talk_that_holds_replies_is_refused_with_its_line(tmp_path):
    (tmp_path / "x.jsonl").write_text(json.dumps({"prompt": [USER, REPLY], "answer": "2"}))
    with pytest.raises(UserError, match=r"x.jsonl, line 1: prompt=\[{'role': 'user'"):
        golds(tmp_path / "x.jsonl", question="prompt")
