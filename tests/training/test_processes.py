"""One, two and four processes: the same episodes, in the same order, and the same metrics."""

import gzip
import json
import re
import subprocess
import sys

import pytest

from tests.support import FEW, ROOT, ranks

RUNS = {  # by their names: what is divided is less than a question, or no whole number of them
    "grpo": ["algo=grpo", "algo.questions=4", "algo.sampling=dynamic", "reward=accuracy"],
    "uneven": ["algo=motif", "algo.questions=3", "episode.stop=ended"],
    "adaptive": ["algo=motif", "algo.k=adaptive", "algo.pilot=2", "algo.questions=1", "algo.sampling=dynamic"],
    "one": ["algo=broadcast", "algo.questions=1", "watch.every=1", "watch.questions=3"],
    "batch": ["algo=broadcast", "algo.questions=3", "algo.trainer.scale_rewards=batch", "episode.stop=ended"],
    "budget": ["algo=grpo", "algo.questions=4", "budget.questions=6"],
}
SHARED = [
    *("experiment=smoke", "tracking=none", "algo.m=4", "algo.steps=2", "rounds=2", "episode.tokens=36", "outputs=."),
    *("record.questions=null", "preflight=false", "evaluation.questions=5", "evaluation.before=false"),
    *("episode.temperature=1.5", "dataset.longest=4", *FEW),
]
SCRIPT = """
import json, sys
import motif
for name, words in json.loads(sys.argv[1]).items():
    motif.train(*words, f"name={name}")
"""
OWN = re.compile(
    r".*guard.difference|seconds/|total/seconds|train/step_time|compute/"
)  # of a process, or of its choice


def trained(forks, folder, count):
    """What each of RUNS recorded in `count` processes: episodes, metrics, evaluations."""
    folder.mkdir()
    words = json.dumps({name: [*SHARED, *own] for name, own in RUNS.items()})
    ranks.run(forks, count, SCRIPT, folder, words)
    return {name: recorded(folder / name) for name in RUNS}


def recorded(run):
    with gzip.open(run / "episodes.jsonl.gz", "rt") as lines:
        episodes = [json.loads(line) for line in lines]
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    metrics = [{name: value for name, value in line.items() if not OWN.match(name)} for line in lines]
    evaluated = {file.name: file.read_text() for file in sorted(run.glob("evaluation/*.jsonl"))}
    return episodes, metrics, evaluated | {file.name: file.read_text() for file in run.glob("held_out/*.jsonl")}


@pytest.mark.slow
def test_one_two_and_four_processes_record_the_same_episodes_metrics_and_evaluations(forks, tmp_path):
    alone = trained(forks, tmp_path / "1", 1)
    for name, (episodes, metrics, evaluated) in alone.items():
        assert len(metrics) == 2 and any(line["train/grad_norm"] > 0 for line in metrics) and len(evaluated) >= 2, name
        assert len(episodes) == {"grpo": 8, "one": 2, "adaptive": 2}.get(name, 6)
    assert {len(tree["replies"]) for tree in alone["one"][0]} == {4}
    assert any(line["groups/redrawn"] for line in alone["grpo"][1])
    assert any(not reply["children"] for tree in alone["uneven"][0] for reply in tree["replies"])
    assert any(reply["children"] for tree in alone["uneven"][0] for reply in tree["replies"])
    assert [line["step/questions"] for line in alone["budget"][1]] == [4, 2]
    for count in (2, 4):
        for name, (episodes, metrics, evaluated) in trained(forks, tmp_path / str(count), count).items():
            assert episodes == alone[name][0], (count, name)
            assert evaluated == alone[name][2], (count, name)
            for line, own in zip(metrics, alone[name][1], strict=True):
                assert line == pytest.approx(own, rel=1e-3, abs=1e-6), (count, name)


@pytest.mark.program
def test_rows_that_processes_cannot_share_equally_are_refused_at_once():
    call = [sys.executable, str(ROOT / "train.py"), "algo.questions=1", "algo.m=9", "rounds=2", "algo=grpo"]
    env = {"WORLD_SIZE": "6", "RANK": "0", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}
    env |= {"PATH": "", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(call, env=env, capture_output=True, text=True, timeout=100)
    assert done.returncode not in (0, None) and "Traceback" not in done.stderr
    assert "9 rows a step, which 6 processes cannot share equally: make algo.questions a multiple of 2" in done.stderr
