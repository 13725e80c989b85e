"""What runs have left, as DataFrames: a row for each of it, under the names that the pages give."""

import gzip
import json
import re
import subprocess
import sys

import matplotlib.pyplot as plt
import pytest

from motif.reporting.folders import read_runs
from motif.reporting.frames import Frames
from tests.support import ROOT
from tests.support.run_folders import HOSTILE, evaluated, leaf, make_run, records, sample

PAGE = (ROOT / "docs/python.md").read_text().partition("## Results in pandas")[2].partition("\n## ")[0]
OLD = sorted((ROOT / "tests/fixtures/first_version").iterdir())


def frames(*folders):
    return Frames(read_runs(folders)[0])


def write_trees(folder, *lines):
    with gzip.open(folder / "episodes.jsonl.gz", "wt") as file:
        file.writelines(line + "\n" for line in lines)


def tree(*replies, step=1, **changes):
    return json.dumps({"step": step, "id": "t", "question": "1+1", "gold": "2", "replies": replies} | changes)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """Two arms of two seeds; one run is not finished."""
    home = tmp_path_factory.mktemp("frames") / "outputs"
    for seed in (0, 1):
        make_run(home / f"grpo-{seed}", "grpo", seed)
        make_run(
            home / f"motif-{seed}", "motif", seed, steps=3 - seed, finished=not seed, right=(True, True, True, False)
        )
    return home


def test_there_is_a_row_of_metrics_for_each_step_of_each_run(outputs):
    metrics = frames(*sorted(outputs.iterdir())).metrics
    assert list(metrics.columns[:2]) == ["run", "step"] and "train/reward" in metrics
    assert metrics.groupby("run")["step"].max().to_dict() == {"grpo-0": 3, "grpo-1": 3, "motif-0": 3, "motif-1": 2}
    assert metrics["total/generated_tokens"].sum() == 3 * (100 + 200 + 300) + 300


def test_a_metric_that_other_runs_lack_is_missing_there(outputs, tmp_path):
    folder = make_run(tmp_path / "other", steps=1)
    with (folder / "metrics.jsonl").open("w") as file:
        file.write('{"train/new": 2, "step": 1}\n')
    metrics = frames(outputs / "grpo-0", folder).metrics
    assert list(metrics.columns[:2]) == ["run", "step"]
    assert metrics["train/new"].isna().tolist() == [True, True, True, False]


def test_there_is_a_row_for_each_result_of_an_evaluation(outputs):
    found = frames(outputs / "motif-0").evaluations.set_index(["policy", "rounds"])
    assert sorted(found.index) == [("base", 1), ("trained", 1), ("trained", 3)]
    row, recorded = found.loc[("trained", 3)], outputs / "motif-0/evaluation/trained-sums-r3.json"
    result = json.loads(recorded.read_text())
    assert [row["low"], row["high"]] == result["interval"] and row["low"] < row["accuracy"] == 0.75 < row["high"]
    assert (row["run"], row["dataset"], row["n"], row["samples"], row["budget"]) == ("motif-0", "sums", 4, 1, 24)
    assert row["tokens_per_question"] == result["tokens"] == 15 and row["strict"] == 0.75 and row["truncated"] == 0
    assert row["records"] == str(recorded.with_suffix(".jsonl"))


def test_tokens_of_a_question_are_those_of_all_its_samples(tmp_path):
    folder = make_run(tmp_path / "run")
    (record,) = records(sample(rounds=2))
    evaluated(folder, "trained-sums-r2", "trained", [record | {"samples": [sample(rounds=2)] * 4}])
    found = frames(folder).evaluations.set_index(["policy", "rounds"]).loc[("trained", 2)]
    assert found["samples"] == 4 and found["tokens_per_question"] == 4 * 2 * 5


def test_a_policy_that_is_no_run_has_its_results_and_no_settings(outputs, tmp_path):
    evaluated(tmp_path, "chain-r1-abc", "Qwen/Qwen2.5-3B", records(sample()))
    (tmp_path / "evaluation").rename(tmp_path / "Qwen")
    found = frames(outputs / "grpo-0", tmp_path / "Qwen")
    assert found.evaluations.set_index("run").loc["Qwen", "policy"] == "base"
    assert found.settings.loc["Qwen"].isna().all() and "Qwen" not in set(found.metrics["run"])


def test_a_reply_knows_the_reply_that_it_continues(tmp_path):
    folder = make_run(tmp_path / "run")
    last = leaf(3, "c", prediction="2", correct=True)
    first = leaf(1, "a", [leaf(2, "b", [last], carried="x"), leaf(2, "d")], carried="h", reward=1.0, advantage=0.5)
    write_trees(folder, tree(first, leaf(1, "e", reward=0.0, advantage=-0.5)), tree(leaf(1, "f"), step=2))
    found = frames(folder).episodes
    assert found["text"].tolist() == ["a", "b", "c", "d", "e", "f"] and found["step"].tolist() == [1] * 5 + [2]
    assert found["id"].tolist() == ["q1.1", "q1.1.1", "q1.1.1.1", "q1.1.2", "q1.2", "q2.1"]
    assert found["parent"].fillna("-").tolist() == ["-", "q1.1", "q1.1.1", "q1.1", "-", "-"]
    assert found["round"].tolist() == [1, 2, 3, 2, 1, 1] and (found["parent"].isna() == (found["round"] == 1)).all()
    assert found["reward"].fillna(9).tolist() == [1, 9, 9, 9, 0, 9] and found["carried"].count() == 2
    assert found["correct"].tolist() == [False, False, True, False, False, False] and found["prediction"].count() == 1
    assert set(found["question_id"]) == {"t"} and set(found["gold"]) == {"2"} and set(found["run"]) == {"run"}


def test_episodes_are_read_when_they_are_first_asked_for_and_kept(tmp_path):
    found = frames(make_run(tmp_path / "run"))
    write_trees(tmp_path / "run", tree(leaf(text="later")))
    assert len(found.metrics) == 3 and found.episodes["text"].tolist() == ["later"]
    write_trees(tmp_path / "run")
    assert len(found.episodes) == 1


def test_what_is_torn_is_left_out(tmp_path):
    folder = make_run(tmp_path / "run")
    write_trees(folder, tree(leaf(text="a")), '{"step": 1, "repl', tree(leaf(text="b")))
    whole = (folder / "episodes.jsonl.gz").read_bytes()
    assert frames(folder).episodes["text"].tolist() == ["a", "b"]
    (folder / "episodes.jsonl.gz").write_bytes(whole + whole[:30])
    assert frames(folder).episodes["text"].tolist() == ["a", "b"]


def test_text_is_as_the_policy_wrote_it_but_for_what_is_no_unicode(tmp_path):
    folder = make_run(tmp_path / "run")
    write_trees(folder, tree(leaf(text=HOSTILE), question="\ud800"))
    (row,) = frames(folder).episodes.to_dict("records")
    assert row["text"].replace("\ufffd", "") == HOSTILE.replace("\ud800", "")
    assert set(row["question"]) == {"\ufffd"}


def test_settings_are_the_keys_of_the_configuration_and_can_be_compared(outputs, tmp_path):
    listed = make_run(tmp_path / "listed", evaluation={"rounds": [1, 3]})
    settings = frames(*sorted(outputs.iterdir()), listed).settings
    assert settings.index.name == "run" and settings.loc["motif-1", "seed"] == 1
    assert settings.loc["listed", "evaluation.rounds"] == "[1, 3]" and settings["evaluation.rounds"].count() == 1
    differing = settings.columns[settings.nunique(dropna=False) > 1]
    assert sorted(differing) == ["algo.name", "evaluation.rounds", "seed"]


def test_where_nothing_was_recorded_the_columns_are_there(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_text("{}")
    found = frames(folder)
    assert list(found.metrics) == ["run", "step"] and "policy" in found.evaluations and "text" in found.episodes
    assert found.settings.index.tolist() == ["run"]
    assert not len(found.metrics) + len(found.evaluations) + len(found.episodes)
    assert repr(found) == "Frames(1 run; .metrics, .evaluations, .episodes, .settings)"


def test_folders_of_the_first_version_are_read():
    found = frames(*OLD)
    assert found.metrics.groupby("run")["step"].max().tolist() == [4, 2] and len(found.evaluations) == 6
    assert found.settings["seed"].tolist() == [0, 1] and set(found.settings["algo.name"]) == {"motif"}
    both = found.episodes.groupby("run")["round"].agg(["min", "max"])
    assert both.to_numpy().tolist() == [[1, 2], [1, 2]] and set(found.evaluations["dataset"]) == {"chain"}


def test_the_page_has_the_columns_of_each_frame(outputs):
    found = frames(outputs / "grpo-0", *OLD)
    told = {
        name: re.findall(r"`(\w+)`", columns)
        for name, columns in re.findall(r"^\| `(\w+)` \|.*\| (.*) \|$", PAGE, re.M)
    }
    assert told.keys() == {"metrics", "evaluations", "episodes", "settings"}
    for name in ("evaluations", "episodes"):
        assert told[name] == list(getattr(found, name)), name
    assert told["metrics"] == list(found.metrics)[:2]


def test_the_blocks_of_the_page_work(outputs, monkeypatch):
    monkeypatch.chdir(outputs.parent)
    plt.switch_backend("agg")
    blocks, names = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S), {}
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)
    plt.close("all")
    assert names["by_arm"].loc[("motif", "trained", "sums", 3)].tolist() == [0.75, 0, 2]
    assert sorted(names["differing"]) == ["algo.name", "seed"]
    assert names["pairs"][["text before", "round"]].to_numpy().tolist() == [["so", 2]] * 4


@pytest.mark.program
def test_results_are_loaded_without_torch():
    code = f"""import sys, motif
found = motif.load(*{[str(folder) for folder in OLD]})
print(len(found.metrics), len(found.evaluations), len(found.episodes) > 9, len(found.settings))
sys.exit(", ".join({{"torch", "transformers", "trl", "wandb", "datasets"}} & set(sys.modules)) or 0)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0 and done.stdout.strip() == "6 6 True 2", done.stderr
