"""Recorded episodes as logs of inspect_ai, read back with its own reader."""

import gzip
import json

import pytest

from motif.reporting.folders import read_runs
from motif.reporting.frames import Frames
from motif.reporting.inspect_logs import write_logs
from motif.reporting.program import main
from tests.support.run_folders import HOSTILE, evaluated, leaf, make_run, records, sample


@pytest.fixture
def read():
    """inspect_ai's reader of a log, whole and checked."""
    log = pytest.importorskip(
        "inspect_ai.log", reason="inspect_ai is not installed: pip install 'motif-rounds[inspect]'"
    )
    return lambda file: log.read_eval_log(str(file))


def test_an_evaluation_is_a_log_whose_samples_are_its_episodes(read, tmp_path):
    folder = make_run(tmp_path / "a", right=(True, True, False))
    found = records(sample("so", 3, carried=["half", None], truncated=True), sample("no", 3, correct=False))
    found[1]["samples"].append(sample("yes", 3))
    evaluated(folder, "trained-sums-r3", "trained", found)
    runs, _ = read_runs([folder])
    assert write_logs(runs, tmp_path / "logs") == 4  # two of the trained policy, one of the base, the training
    log = read(tmp_path / "logs/a/trained-sums-r3.eval")
    assert (log.status, log.eval.task, log.eval.model, log.eval.dataset.name) == (
        "success",
        "trained-sums-r3",
        "a",
        "sums",
    )
    assert log.eval.metadata["algo.name"] == "motif" and log.eval.dataset.samples == 2
    assert log.results.scores[0].metrics["accuracy"].value == pytest.approx(2 / 3)
    assert log.stats.model_usage["a"].output_tokens == 3 * 15
    first, wrong, right = log.samples
    assert [(each.id, each.epoch) for each in log.samples] == [("q0", 1), ("q1", 1), ("q1", 2)]
    assert (first.input, first.target, first.metadata["level"]) == ("question 0", "2", 1)
    assert [(message.role, message.text) for message in first.messages] == [
        ("user", "question 0"),
        ("assistant", "so"),
        ("user", "question 0\n\nhanded on: half"),
        ("assistant", "so"),
        ("user", "question 0\n\nhanded on: (nothing)"),
        ("assistant", "so"),
    ]
    assert [each.scores["accuracy"].value for each in log.samples] == ["C", "I", "C"]
    assert first.scores["accuracy"].answer == "2" and first.output.usage.output_tokens == 15
    assert first.output.stop_reason == "max_tokens" and right.output.stop_reason == "stop"
    assert wrong.metadata["flags"] == ["wrong"] and [each["round"] for each in wrong.metadata["rounds"]] == [1, 2, 3]


def test_each_way_through_a_tree_of_training_is_a_sample_with_the_ids_that_pandas_has(read, tmp_path):
    folder = make_run(tmp_path / "a")
    ends = [leaf(2, "right", correct=True, prediction="2", advantage=0.3), leaf(2, "wrong", finished=False)]
    tree = {"step": 4, "id": "t0", "question": "1+1", "gold": "2", "facts": {}}
    roots = [leaf(text="first", carried="half", reward=1.0, advantage=0.7, children=ends), leaf(text="alone")]
    with gzip.open(folder / "episodes.jsonl.gz", "at") as file:
        file.write(json.dumps(tree | {"replies": roots}) + "\n")
    runs, _ = read_runs([folder])
    write_logs(runs, tmp_path / "logs")
    log = read(tmp_path / "logs/a/training.eval")
    samples = [each for each in log.samples if each.id == "q2"]
    assert [[reply["id"] for reply in each.metadata["rounds"]] for each in samples] == [
        ["q2.1", "q2.1.1"],
        ["q2.1", "q2.1.2"],
        ["q2.2"],
    ]
    rows = Frames(runs).episodes.set_index("id")
    for each in samples:
        for reply in each.metadata["rounds"]:
            row = rows.loc[reply["id"]]
            for key in ("round", "tokens", "correct", "parent", "reward", "advantage", "carried"):
                assert reply[key] == row[key] if key in reply else row.isna()[key], (reply["id"], key)
    assert samples[0].metadata["step"] == 4 and samples[0].metadata["question"] == "t0"
    assert [each.scores["accuracy"].value for each in samples] == ["C", "I", "I"]
    assert samples[1].output.stop_reason == "max_tokens"


def test_the_option_writes_logs_that_the_viewer_lists_and_writes_them_again(read, tmp_path, capsys, without_pictures):
    from inspect_ai.log import list_eval_logs

    make_run(tmp_path / "outputs/a", text=HOSTILE)
    make_run(tmp_path / "more/a", "grpo")
    asked = [str(tmp_path / "outputs"), str(tmp_path / "more"), "--inspect", str(tmp_path / "logs")]
    for _ in range(2):
        assert main(asked) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith(f"logs    8 in {tmp_path / 'logs'}; inspect view")
    found = list_eval_logs(str(tmp_path / "logs"))
    assert len(found) == 8 and {each.task for each in found} >= {"training", "base-sums-r1"}
    assert len(list((tmp_path / "logs").rglob("*.eval"))) == 8  # two runs of one name have two folders
    texts = [message.text for each in found for item in read(each.name).samples for message in item.messages]
    assert any("‹U+202E›" in text for text in texts) and not any("\u202e" in text for text in texts)


def test_without_inspect_ai_one_line_says_what_to_install(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("motif.reporting.inspect_logs.find_spec", lambda name: None)
    make_run(tmp_path / "a")
    assert main([str(tmp_path / "a"), "--inspect", str(tmp_path / "logs")]) == 2
    said = capsys.readouterr()
    assert said.err == (
        "error: --inspect needs inspect_ai, which is not installed: pip install 'motif-rounds[inspect]'\n"
    )
    assert not said.out and not (tmp_path / "logs").exists()
