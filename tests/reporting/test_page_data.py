"""What the page's scripts are given."""

import json

from motif.reporting.arms import arms_of
from motif.reporting.folders import read_runs
from motif.reporting.page_data import MOST_POINTS, curves, page_data, question_in, question_of
from motif.reporting.standings import places
from motif.runs.folder import write_json
from tests.support.run_folders import make_run


def read(*folders):
    return read_runs(folders)[0]


def test_curves_have_few_points_and_metrics_of_few_steps_have_their_own(tmp_path):
    folder = make_run(tmp_path / "a", steps=1000)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()[:-1]]
    for line in lines[9::10]:
        line["held_out/accuracy"] = 0.5
    lines[0]["train/kl"] = float("nan")
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = {metric: curve for curve in curves(read(folder)[0]) for metric in curve["y"]}
    assert len(found["train/reward"]["x"]["steps"]) == 143 <= MOST_POINTS, "1,000 steps in means of 7"
    assert found["train/reward"]["x"]["steps"][:2] == [4, 11] and set(found["train/reward"]["y"]["train/reward"]) == {
        0.5
    }
    assert found["held_out/accuracy"]["x"]["tokens"][:2] == [1000, 2000]
    assert found["held_out/accuracy"]["y"]["held_out/accuracy"] == [50] * 100
    assert "train/kl" not in found and "flops" not in found["train/reward"]["x"]


def test_a_question_is_that_of_the_sweep_that_was_typed(tmp_path):
    one, other = make_run(tmp_path / "a"), make_run(tmp_path / "b", seed=1)
    assert question_of(read(one, other)) == ""
    write_json(one / "environment.json", {"command": ["train.py", "sweeps=rewards"]})
    assert question_of(read(one)) == "Does the reward for form help, or is a right answer all that has to be paid?"
    assert question_of(read(one, other)) == "", "the other run is of no study"
    assert question_in("# Q\n# Question: what is so. More\nx: 1  # Question: no?\n") == "What is so."


def test_runs_share_what_they_have_in_common_and_the_sets_of_questions(tmp_path):
    other = make_run(tmp_path / "b", "motif", seed=1, right=(True, False, False, True))
    runs = read(make_run(tmp_path / "a", "grpo"), other)
    known = arms_of(runs)
    data = page_data(runs, known, places(known, "grpo"), [])
    assert data["common"]["dataset.name"] == "sums" and data["questions"] == [["q0", "q1", "q2", "q3"]]
    grpo, motif = data["runs"]
    assert grpo["settings"] == {"algo.name": "grpo", "seed": "0"} and motif["arm"] == "motif"
    assert [(result["id"], result["right"]) for result in motif["results"]] == [
        ("trained-sums-r3", "9009"),
        ("trained-sums-r1", "9009"),
        ("base-sums-r1", "0000"),
    ]
