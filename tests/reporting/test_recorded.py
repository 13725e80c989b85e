"""A run as far as it has come, and the shares of its results."""

import json

from motif.reporting.folders import read_run
from motif.reporting.recorded import RecordedRun, Shares, json_lines, question_records
from tests.support.run_folders import make_run, sample


def test_an_unfinished_run_is_shown_as_far_as_it_is(tmp_path):
    make_run(tmp_path / "a", steps=2, finished=False)
    run = read_run(tmp_path / "a")
    assert (run.steps, run.finished, run.seconds) == ((2, 3), False, {"update": 4.0})
    assert run.spent["generated_tokens"] == 200 and [result.rounds for result in run.results] == [1, 1, 3]


def test_a_finished_run_is_what_its_summary_says(tmp_path):
    run = read_run(make_run(tmp_path / "a", "grpo", seed=4))
    assert (run.finished, run.seed, run.choice("algo"), run.choice("model")) == (True, 4, "grpo", "toy")
    assert run.seconds == {"update": 6.0} and run.spent == {"generated_tokens": 300}


def test_a_run_of_which_nothing_is_known_has_no_seed_and_has_spent_nothing(tmp_path):
    run = RecordedRun(tmp_path, {})
    assert (run.seed, run.choice("algo"), run.steps) == ("–", "–", (0, None))
    assert run.seconds == {} and run.spent == {"seconds": None, "peak_memory": None}


def test_shares_are_of_whole_episodes_and_of_those_stopped_after_a_round():
    shares = Shares()
    early = sample(rounds=1)
    shares.add({"id": 0, "samples": [sample(rounds=3), sample(rounds=3, correct=False)]})
    shares.add({"id": 1, "samples": [early, early]})
    shares.add({"id": 2, "samples": [{"correct": False}]})  # does not say what came after each round
    assert shares.whole == {"0": 0.5, "1": 1.0, "2": 0.0}
    assert shares.after(0) == {"0": 0.0, "1": 1.0} and shares.after(2) == {"0": 0.5, "1": 1.0}


def test_torn_lines_and_lines_without_samples_are_left_out(tmp_path):
    good = {"id": "a", "samples": [{"correct": True}]}
    lines = [good, {"id": "b"}, {"samples": [{"correct": True}]}, {"id": "c", "samples": [3]}, ["no mapping"]]
    file = tmp_path / "x.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"id": "torn')
    assert len(list(json_lines(file))) == 4 and list(question_records(file)) == [good]
