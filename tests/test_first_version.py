"""Folders that the first version made, when all modules had other names: read, opened, left as they are.

The fixture holds two runs of one command, with a policy of random weights: seed 0 is finished (its checkpoints are left
out), seed 1 was stopped after step 2 of 4.
"""

import json
import shutil

import pytest

from motif.reporting.folders import read_runs
from motif.reporting.status import status
from motif.runs.checkpoints import MADE_WITH
from tests.support import ROOT

FIXTURE = ROOT / "tests/fixtures/first_version"
FINISHED, STOPPED = sorted(FIXTURE.iterdir())
COMMAND = [
    *("rounds=2", "algo=motif", "+model.layers=1", "+model.width=32", "+model.heads=2"),
    *("model.imitation_steps=2", "+model.imitation_batch=8", "algo.questions=2", "algo.m=4", "algo.k=2"),
    *("dataset.train_size=32", "dataset.test_size=16", "dataset.validation_size=8", "tracking=none"),
    *("checkpoint.every=2", "algo.steps=4", "record.questions=1"),
    f"checkpoint.accept=[{','.join(MADE_WITH)}]",  # other versions of libraries do not matter here
]


@pytest.fixture
def outputs(tmp_path):
    """A copy of the folders, where `python train.py` looks for them."""
    return shutil.copytree(FIXTURE, tmp_path / "outputs")


@pytest.fixture
def train(forks, tmp_path):
    """Runs the command of the first version, for a seed, to its end."""
    cache = {"MOTIF_CACHE": str(tmp_path / "cache")}
    return lambda seed: forks.train(tmp_path, *COMMAND, f"seed={seed}", environment=cache).wait()


def there(folder):
    """Every file of a folder, with its content, without the records of who has worked on it."""
    return {
        file: file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file() and ".locks" not in file.parts
    }


def test_they_are_shown_where_they_stand(outputs):
    one, other = (status(folder) for folder in sorted(outputs.iterdir()))
    assert (one.state, one.step, one.steps, other.step, other.steps) == ("finished", 4, 4, 2, 4)
    assert one.result and other.state in ("stopped", "killed") and other.left is not None


def test_they_are_read_without_a_complaint_and_the_finished_one_is_an_arm(outputs):
    runs, _ = read_runs(sorted(outputs.iterdir()))
    assert [run.complaints for run in runs] == [[], []] and [run.config["seed"] for run in runs] == [0, 1]
    assert len(runs[0].summary["evaluation"]) == 4 and not runs[1].summary


def test_programs_that_read_runs_read_them(outputs, forks, tmp_path):
    folders = [f"outputs/{folder.name}" for folder in sorted(outputs.iterdir())]
    before = there(outputs)
    begun = [
        forks.begin("motif.study", tmp_path, "status", "outputs"),
        forks.begin("motif.verdicts", tmp_path, *folders),
        forks.begin("motif.report", tmp_path, *folders, "--to", "report"),
    ]
    said = [run.wait() for run in begun]
    assert [code for code, _ in said] == [0, 0, 0], said
    assert "1 finished, 1 stopped" in said[0][1] and "No verdict on motif against base" in said[1][1]
    plain = (tmp_path / "report/report.md").read_text()
    assert all(words in plain for words in ("motif", "chain", "0.0"))
    assert there(outputs) == before


def test_the_same_command_begins_a_run_beside_them_since_the_embedded_task_is_another(outputs, train):
    before = there(outputs)
    code, said = train(0)
    assert code == 0 and "finished already" not in said, said
    after = there(outputs)
    assert all(after[file] == content for file, content in before.items())
    assert len(list(outputs.glob("motif-*"))) == 3


def test_the_policy_of_the_finished_one_is_evaluated_and_asked(outputs, forks, tmp_path):
    policy = f"policy=outputs/{FINISHED.name}"
    begun = [
        forks.begin("evaluate.py", tmp_path, policy, "questions=4"),
        forks.begin("solve.py", tmp_path, f"{policy}/policy", "9a-5b*8c+7"),
    ]
    (measured, said), (solved, shown) = (run.wait() for run in begun)
    assert measured == 0 and "chain, 2 rounds: 4/4" in said, said
    (result,) = (outputs / FINISHED.name / "evaluation").glob("chain-r2*.json")
    assert json.loads(result.read_text())["n"] == 4  # in the rounds that the run was trained in
    assert solved == 0 and "round 2 of 2" in shown, shown
