"""Episodes as scripts for the page's browser."""

import gzip
import json

from motif.reporting.episodes import EvenSample, nested, script, training_trees, write_episodes
from motif.reporting.folders import read_runs
from tests.support.run_folders import HOSTILE, evaluated, leaf, make_run, records, sample


def test_a_sample_of_a_stream_is_even_and_bounded():
    kept_of = EvenSample(most=100, most_bytes=10_000)
    for place in range(1234):
        if kept_of.wants_next():
            kept_of.keep(str(place))
    kept = [int(item) for item in kept_of.items]
    assert kept_of.seen == 1234 and 50 <= len(kept) <= 100
    assert kept == list(range(0, 1234, kept[1]))[: len(kept)] and kept[-1] > 1234 - 2 * kept[1]


def test_a_script_holds_one_string_that_is_json(tmp_path):
    text = script("s1", 0, [json.dumps({"text": HOSTILE})])
    assert text.isascii() and "<" not in text
    inner = json.loads(text.removeprefix('motifEpisodes("s1",0,').removesuffix(");\n"))
    assert json.loads(inner)[0]["text"] == HOSTILE


def test_the_ends_of_a_tree_are_flagged_and_a_torn_file_is_read_as_far_as_it_goes(tmp_path):
    copied = leaf(prediction="2", children=[leaf(2, prediction="2", correct=True, finished=False, strict=False)])
    item = {"step": 1, "id": "t", "question": "", "gold": "2", "facts": {}, "replies": [copied, leaf()]}
    whole = gzip.compress((json.dumps(item) + "\n").encode())
    (tmp_path / "e.gz").write_bytes(whole + whole[:-20])
    (found,) = list(training_trees(tmp_path / "e.gz"))[:1]
    assert found["flags"] == {"truncated", "copied", "disagree", "wrong", "unparsable"}
    assert found["replies"][0]["children"][0]["flags"] == ["disagree", "truncated", "copied"]


def test_an_evaluated_episode_is_nested_and_its_last_reply_has_the_answer():
    first = nested(sample("so", 2, correct=False, truncated=True))
    (last,) = first["children"]
    assert (first["round"], first["carried"], first["tokens"], first["correct"]) == (1, "note", 5, False)
    assert "flags" not in first and last["flags"] == ["wrong", "truncated"] and last["carried"] is None
    assert last["prediction"] == "2" and last["children"] == []


def test_sources_count_flags_and_every_result_gets_its_shares(tmp_path):
    run = make_run(tmp_path / "a")
    samples = [sample("x", 3), sample("x", 3, correct=False), sample("x", 3, strict=False)]
    evaluated(run, "trained-sums-r3", "trained", records(*samples))
    runs, _ = read_runs([run])
    first, *_, training = write_episodes(runs, tmp_path / "episodes", most=2)
    assert (first.title, first.kept, first.total) == ("trained on sums, 3 rounds (trained-sums-r3.jsonl)", 2, 3)
    assert first.counts == {"wrong": 1, "truncated": 0, "unparsable": 0, "copied": 0, "disagree": 1}
    assert training.title == "training" and "disagree" not in training.counts
    (result,) = (result for result in runs[0].results if result.rounds == 3)
    assert "shares" in vars(result) and result.shares.whole == {"q0": 1.0, "q1": 0.0, "q2": 1.0}
