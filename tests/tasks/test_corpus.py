"""Questions from rows: how golds are read, what is left out and said, which questions are held out."""

import gzip
import json
from functools import cache

import datasets
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from motif.system import config as settings
from motif.system import console
from motif.system.errors import UserError
from motif.tasks.corpus import Corpus, as_json, gold_after_hashes, gold_in_box, gold_in_field
from motif.tasks.grading import is_correct
from motif.tasks.grading.numbers import integer
from motif.tasks.questions import normalised, without
from tests.support import ROOT
from tests.support.toys import shared

ROWS = [{"question": f"What is {n} and {n}?", "answer": str(2 * n), "level": n % 3} for n in range(200)]
EVALUATION = ("math500", "aime24", "aime25", "amc23")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))


@pytest.fixture
def said(monkeypatch):
    heard = []
    monkeypatch.setattr(console, "say", lambda text="", style=None: heard.append(text))
    return heard


def write(path, rows=ROWS):
    """`rows` as a file of the kind that the name of `path` says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    name, table = path.name.removesuffix(".gz"), datasets.Dataset.from_list(rows)
    plain = path.with_name(name)
    if name.endswith(".jsonl"):
        plain.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name.endswith(".json"):
        plain.write_text(json.dumps(rows))
    elif name.endswith((".csv", ".tsv")):
        table.to_csv(plain, sep="\t" if name.endswith(".tsv") else ",")
    elif name.endswith(".parquet"):
        table.to_parquet(plain)
    else:
        table.save_to_disk(plain)
    if path.name.endswith(".gz"):
        path.write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    return path


def corpus(path, name="toy", trainable=True, **settings):
    return Corpus(name, path=str(path), trainable=trainable, **settings)


def texts(questions):
    return [question.text for question in questions]


# golds


@pytest.mark.parametrize(
    ("value", "gold"),
    [("025", "025"), (" x ", "x"), (70, "70"), (27.0, "27"), (-1.0, "-1"), (0.25, "0.25"), (1e-7, "0.0000001")],
)
def test_a_gold_in_a_column_of_its_own_is_read_as_it_stands(value, gold):
    assert gold_in_field(value) == gold


@pytest.mark.parametrize("value", [None, "", "  ", float("nan"), float("inf"), [1], {"a": 1}])
def test_a_gold_that_is_nothing_cannot_be_read(value):
    assert gold_in_field(value) is None


def test_a_gold_after_hashes_is_the_last_and_loses_its_thousands_commas():
    assert gold_after_hashes("5 #### no\nso 6\n#### 1,234,000") == "1234000"
    assert gold_after_hashes("#### -3.5") == "-3.5"
    assert gold_after_hashes("#### (1,2)") == "(1,2)"
    assert [gold_after_hashes(value) for value in ("18", "18 ####", None, 18)] == [None] * 4
    assert all(is_correct(prediction, gold_after_hashes("#### 1,000")) for prediction in ("1000", "1,000"))


def test_a_gold_in_a_box_is_the_last_complete_one():
    assert gold_in_box(r"so \boxed{1} or \boxed{\frac{1}{2}}, not \boxed{3") == r"\frac{1}{2}"
    assert gold_in_box("none") is gold_in_box(None) is gold_in_box(r"\boxed{}") is None


# files


@pytest.mark.parametrize(
    "name",
    ["x.jsonl", "x.jsonl.gz", "x.json", "x.json.gz", "x.csv", "x.csv.gz", "x.tsv", "x.tsv.gz", "x.parquet", "saved"],
)
def test_every_format_gives_the_same_questions(name, tmp_path):
    found = corpus(write(tmp_path / name), trainable=False, facts=["level"]).test()
    level = str if "csv" in name or "tsv" in name else int  # cells are text
    assert [(one.text, one.gold, one.facts) for one in found] == [
        (row["question"], row["answer"], {"level": level(row["level"])}) for row in ROWS
    ]


def test_csv_keeps_golds_as_they_are_written(tmp_path):
    (tmp_path / "x.csv").write_text("question,answer\na,025\nb,1.50\nc,None\n")
    assert [one.gold for one in corpus(tmp_path / "x.csv", trainable=False).test()] == ["025", "1.50", "None"]


def test_golds_of_several_kinds_in_one_file_are_read(tmp_path):
    rows = [{"question": "a", "answer": 5}, {"question": "b", "answer": "x"}, {"question": "c", "answer": 2.5}]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [one.gold for one in corpus(tmp_path / "x.jsonl", trainable=False).test()] == ["5", "x", "2.5"]


@pytest.mark.parametrize(
    "name", ["toy_test.jsonl", "toy-test.csv", "test.parquet", "toy.json.gz", "toy/test.jsonl", "toy_test", "toy/test"]
)
def test_an_evaluation_set_finds_its_file_in_a_folder(name, tmp_path):
    write(tmp_path / name)
    write(tmp_path / "other_test.jsonl", ROWS[:1])
    assert len(corpus(tmp_path, trainable=False).test()) == len(ROWS)


def test_a_saved_dictionary_of_splits_is_read_by_the_hub_s_names(tmp_path):
    table = datasets.Dataset.from_list(ROWS)
    datasets.DatasetDict(train=table, test=table.select(range(3))).save_to_disk(tmp_path / "saved")
    both = corpus(tmp_path / "saved")
    assert len(both.train()) + len(both.validation()) == len(ROWS) and len(both.test()) == 3
    assert len(corpus(tmp_path / "saved", trainable=False, splits={"test": "train"}).test()) == len(ROWS)


def test_train_and_test_files_of_a_folder_are_kept_apart(tmp_path):
    write(tmp_path / "toy_train.jsonl", ROWS[:150])
    write(tmp_path / "toy_test.csv", ROWS[150:])
    toy = corpus(tmp_path)
    assert sorted(texts(toy.train() + toy.validation())) == sorted(row["question"] for row in ROWS[:150])
    assert texts(toy.test()) == [row["question"] for row in ROWS[150:]]


def test_a_single_file_is_divided_and_its_validation_questions_are_its_test(tmp_path, said):
    toy = corpus(write(tmp_path / "x.jsonl"), validation_share=0.2)
    assert 20 < len(toy.validation()) < 60 and len(toy.train()) + len(toy.validation()) == len(ROWS)
    assert toy.test() == toy.validation()
    assert len(said) == 1 and "validation questions are its test questions" in said[0]


def test_a_single_file_of_an_evaluation_set_is_all_test(tmp_path):
    assert len(corpus(write(tmp_path / "x.jsonl"), trainable=False).test()) == len(ROWS)


# questions


def test_questions_carry_ids_facts_and_whether_a_box_is_needed(tmp_path):
    rows = [{"problem": " What? ", "solution": "#### 1,000", "unique_id": 7, "subject": "Algebra"}]
    settings = {"question": "problem", "answer": "solution", "gold": "hashes", "unboxed": True}
    (one,) = corpus(write(tmp_path / "x.jsonl", rows), "t", False, id="unique_id", facts=["subject"], **settings).test()
    assert (one.text, one.gold, one.facts, one.unboxed) == ("What?", "1000", {"id": 7, "subject": "Algebra"}, True)
    assert one.id.startswith("t-")


def test_facts_can_be_written_as_json(tmp_path):
    rows = [{"question": "a", "answer": 1, "facts": {"x": [1]}, "date": "2024-01-02"}]
    (one,) = corpus(write(tmp_path / "x.jsonl", rows), trainable=False, facts=["facts", "date"]).test()
    assert json.loads(json.dumps(one.facts))["date"] == "2024-01-02"


def test_what_json_cannot_hold_becomes_text():
    assert as_json([1]) == "[1]" and as_json(True) is True and as_json(None) is None and as_json(1.5) == 1.5


def test_no_row_moves_when_others_are_added_or_reordered(tmp_path):
    before = corpus(write(tmp_path / "a.jsonl", ROWS[:100]))
    after = corpus(write(tmp_path / "b.jsonl", ROWS[::-1]))
    assert set(texts(before.validation())) <= set(texts(after.validation()))
    assert set(texts(before.train())) <= set(texts(after.train()))


def test_the_division_follows_its_own_seed_and_share(tmp_path):
    path = write(tmp_path / "a.jsonl")
    usual = corpus(path).validation()
    assert usual == corpus(path).validation() != corpus(path, split_seed=1).validation()
    assert set(texts(usual)) < set(texts(corpus(path, validation_share=0.5).validation()))
    assert corpus(path, validation_share=0).validation() == []


def test_the_division_is_the_same_on_every_machine(tmp_path):
    rows = [{"question": f"Question {n}", "answer": "1"} for n in range(20)]
    held = corpus(write(tmp_path / "a.jsonl", rows), validation_share=0.2).validation()
    assert texts(held) == ["Question 7", "Question 15", "Question 19"]


def test_repeated_questions_are_kept_once_and_counted(tmp_path, said):
    rows = [*ROWS, {**ROWS[0], "question": "what is  0 and 0"}, {**ROWS[1], "answer": "other"}]
    found = corpus(write(tmp_path / "x.jsonl", rows), trainable=False).test()
    assert len(found) == len(ROWS) and found[1].gold == "2"
    assert said == ["2 of 202 rows of toy test repeat a question and are left out (1 with another gold)"]


def test_a_few_rows_without_question_or_gold_are_left_out_and_counted(tmp_path, said):
    rows = [*ROWS, {"question": "More?", "answer": None}, {"question": " ", "answer": "1"}]
    assert len(corpus(write(tmp_path / "x.jsonl", rows), trainable=False).test()) == len(ROWS)
    assert len(said) == 1 and "2 of 202 rows" in said[0] and "x.jsonl, line 201: answer=None" in said[0]


def test_many_rows_without_gold_are_refused(tmp_path):
    path = write(tmp_path / "x.jsonl", [*ROWS, *({"question": f"More {n}?", "answer": ""} for n in range(3))])
    with pytest.raises(UserError, match=r"3 of 203 rows of toy test .*line 201: answer=''.*and dataset.gold=field"):
        corpus(path, trainable=False).test()
    with pytest.raises(UserError, match=r"203 of 203 rows .*line 1: answer='0'.*gold=hashes"):
        corpus(path, trainable=False, gold="hashes").test()


def test_each_split_is_prepared_once(tmp_path, monkeypatch):
    toy = corpus(write(tmp_path / "x.jsonl"))
    first = toy.train()
    monkeypatch.setattr("motif.tasks.corpus.read_table", lambda *_: pytest.fail("it is read again"))
    first.clear()
    assert toy.train() and toy.validation() and toy.test()


# mistakes


def test_an_evaluation_set_is_not_trained_on(tmp_path):
    exam = corpus(tmp_path / "nowhere", "math500", trainable=False)
    assert not exam.trainable
    for split in (exam.train, exam.validation):
        with pytest.raises(UserError, match=r"dataset=math500 is an evaluation set.*evaluation.datasets=\[math500\]"):
            split()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"question": "questoin"}, "dataset.question=questoin is no column of .*, did you mean question.*columns: qu"),
        ({"answer": "gold"}, "dataset.answer=gold is no column"),
        ({"facts": ["levle"]}, "dataset.facts=levle is no column of .*, did you mean level"),
        ({"id": "uid"}, "dataset.id=uid is no column"),
    ],
)
def test_an_unknown_column_is_named_with_those_there_are(settings, words, tmp_path):
    with pytest.raises(UserError, match=words):
        corpus(write(tmp_path / "x.jsonl"), trainable=False, **settings).test()


def test_a_missing_file_is_named_with_what_was_looked_for(tmp_path):
    with pytest.raises(UserError, match="dataset.path=.*nothing: there is no such file or folder"):
        corpus(tmp_path / "nothing").train()
    write(tmp_path / "toy_test.jsonl")
    with pytest.raises(UserError, match="holds none of toy_train, toy-train, train, toy .as .jsonl"):
        corpus(tmp_path).train()
    with pytest.raises(UserError, match="holds none of exam_test, exam-test, test, exam "):
        corpus(tmp_path, "exam", trainable=False).test()


def test_a_division_that_leaves_nothing_is_refused(tmp_path):
    few = corpus(write(tmp_path / "x.jsonl", ROWS[:3]), validation_share=0)
    with pytest.raises(UserError, match="holds out none of its 3 questions"):
        few.test()


def test_a_hub_set_without_a_train_split_says_so():
    with pytest.raises(UserError, match="dataset.splits names no train split of a/b"):
        Corpus("toy", hub="a/b", splits={"test": "test"}, trainable=True).train()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": "a/b"}, "dataset.name must be"),
        ({"path": None}, "dataset.path must be"),
        ({"path": 3}, "dataset.path must be text, got 3"),
        ({"question": None}, "dataset.question must be text"),
        ({"gold": "hash"}, "dataset.gold must be one of field, hashes, boxed, got 'hash', did you mean hashes"),
        ({"facts": "level"}, "dataset.facts must be a list"),
        ({"facts": None}, "dataset.facts must be a list"),
        ({"splits": None}, "dataset.splits must be a group"),
        ({"splits": {"trian": "train"}}, "dataset.splits must be one of train, test, got 'trian'"),
        ({"trainable": "yes"}, "dataset.trainable must be true or false"),
        ({"unboxed": 1}, "dataset.unboxed must be true or false"),
        ({"validation_share": 1}, "dataset.validation_share must be a number at least 0 and at most 0.9, got 1"),
        ({"split_seed": -1}, "dataset.split_seed must be"),
        ({"tokens_per_round": 0}, "dataset.tokens_per_round must be"),
    ],
)
def test_a_bad_value_is_refused_when_built(settings, words):
    with pytest.raises(UserError, match=words):
        Corpus(**{"name": "toy", "path": "x", **settings})


# the data sets there are


def configured(*overrides):
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return settings.build(compose("config", overrides=["name=x", *overrides])).dataset


@pytest.mark.parametrize("name", ["gsm8k", *EVALUATION, "local"])
def test_a_data_set_says_its_licence_and_source(name):
    plain = OmegaConf.load(ROOT / "conf" / "dataset" / f"{name}.yaml")
    for key in ("licence", "citation", "url"):
        assert key in plain and (plain[key] or name == "local")
    if name != "local":
        assert len(plain.revision) == 40 and plain.hub in plain.url


@cache
def real(name):
    """A data set of the real files with its splits read, and what was said meanwhile."""
    heard = []
    folder = shared(f"{name}_test.jsonl").parent
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(console, "say", lambda text="", style=None: heard.append(text))
        found = configured(f"dataset={name}", f"dataset.path={folder}")
        found.test()
        if found.trainable:
            found.train()
    return found, heard


@pytest.mark.parametrize(
    ("name", "train", "test"),
    [("gsm8k", 7473, 1319), ("math500", 0, 500), ("aime24", 0, 30), ("aime25", 0, 30), ("amc23", 0, 40)],
)
def test_every_row_of_the_real_files_is_a_question_with_a_gold(name, train, test):
    found, said = real(name)
    assert found.trainable == (train > 0) and not said
    assert len(found.test()) == len({one.id for one in found.test()}) == test
    if train:
        assert len(found.train()) + len(found.validation()) == train
        assert 0.04 < len(found.validation()) / train < 0.06
        assert all(integer(one.gold) is not None for one in found.train() + found.validation())
    if name != "math500":
        assert all(integer(one.gold) is not None for one in found.test())


def test_data_sets_of_a_sweep_take_one_path(tmp_path):
    for name in ("math500", "aime24"):
        others = dict.fromkeys(("unique_id", "subject", "level", "id", "url"), "x")
        write(tmp_path / f"{name}_test.jsonl", [{"problem": name, "answer": 1, **others}])
    found = [configured(f"dataset={name}", f"dataset.path={tmp_path}") for name in ("math500", "aime24")]
    assert [one.path for one in found] == [str(tmp_path)] * 2
    assert [texts(one.test()) for one in found] == [["math500"], ["aime24"]]


def test_golds_and_facts_of_the_real_files_are_what_they_are_known_to_be():
    first = {name: real(name)[0].test()[0] for name in ("gsm8k", *EVALUATION)}
    assert [first[name].gold for name in ("gsm8k", "aime24", "aime25", "amc23")] == ["18", "204", "70", "27"]
    assert first["math500"].gold == r"\left( 3, \frac{\pi}{2} \right)"
    assert first["math500"].facts == {"id": "test/precalculus/807.json", "subject": "Precalculus", "level": 2}
    assert {one.facts["level"] for one in real("math500")[0].test()} == {1, 2, 3, 4, 5}
    assert "025" in {one.gold for one in real("aime24")[0].test()}
    assert "-1" in {one.gold for one in real("amc23")[0].test()}


def test_no_evaluation_question_of_the_real_files_is_trained_on():
    gsm8k = real("gsm8k")[0]
    train = gsm8k.train() + gsm8k.validation()
    assert len({normalised(one.text) for one in train}) == 7473
    tests = [question for name in ("gsm8k", *EVALUATION) for question in real(name)[0].test()]
    assert len(tests) == 1919 and without(tests, train)[1] == []
    assert without(train[:5], train[3:])[1] == train[3:5]


def test_real_questions_are_short():
    folder = shared("qwen2.5-tokenizer")
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    lengths = [len(ids) for ids in tokenizer(texts(real("gsm8k")[0].test()))["input_ids"]]
    assert round(sum(lengths) / len(lengths)) == 61 and max(lengths) == 188
