"""Folders whose metrics have the names of earlier versions are read by today's names, whoever reads them."""

import json
import re
import shutil

import pytest
import yaml

from motif.reporting.arms import arms_of
from motif.reporting.curves import points_of
from motif.reporting.folders import read_runs
from motif.reporting.frames import Frames
from motif.reporting.pictures.training import METRICS, curve
from motif.reporting.status import last_lines
from motif.runs.folder import Run
from motif.runs.ledger import Ledger
from motif.runs.metric_names import renamed, today
from motif.runs.tracking.wandb import step_of
from motif.runs.watchdogs import Watch, Watchdogs
from motif.training.resume import lost
from tests.support import ROOT

FOLDERS = sorted((ROOT / "tests/fixtures/first_version").iterdir())
RECORDED = sorted((ROOT / "results").glob("**/metrics.jsonl"))
LISTED = [name for section in yaml.safe_load((ROOT / "docs/metrics.yaml").read_text()).values() for name in section]
KNOWN = re.compile("|".join(re.sub(r"<\w+>|\\\*", ".+", re.escape(name)) for name in LISTED))


def raw(file):
    return [json.loads(line) for line in file.read_text().splitlines()]


@pytest.mark.parametrize("file", [FOLDERS[0] / "metrics.jsonl", *RECORDED[:1]], ids=["first version", "recorded"])
def test_each_number_of_an_old_line_is_there_once_under_a_name_that_is_listed(file):
    for line in raw(file):
        found = renamed(line)
        assert list(found.values()) == list(line.values()) and found["step"] == line["step"]
        assert [name for name in found if name != "step" and not KNOWN.fullmatch(name)] == []


def test_a_name_of_today_is_no_old_one():
    names = [re.sub(r"<count>", "questions", re.sub(r"<\w+>|\*", "1", name)) for name in LISTED]
    assert [name for name in names if today(name) != name] == []


def test_what_was_read_by_an_old_name_is_read_by_todays():
    (line, *_), (found, *_) = raw(FOLDERS[0] / "metrics.jsonl"), Run(FOLDERS[0]).metrics()
    pairs = {
        **{"train/reward": "train/reward", "train/reward/format": "train/rewards/format/mean"},
        **{"train/clipped": "train/clip_ratio/region_mean", "train/accuracy": "episode/accuracy"},
        **{"train/accuracy/round_1": "rounds/1/correct", "train/tokens/round_2": "rounds/2/tokens"},
        **{"train/progress_cut/round_1": "rounds/1/progress_cut", "train/zero_spread": "groups/zero_advantage"},
        **{"train/guard/difference": "guard/difference", "train/guard/difference/round_2": "rounds/2/guard_difference"},
        **{"train/tokens_round_2": "total/generated_tokens_round_2", "train/questions": "total/questions"},
        **{"step/tokens_round_1": "step/generated_tokens_round_1", "step/flops": "step/flops"},
        **{
            "seconds/training": "total/seconds",
            "seconds/update": "seconds/update",
            "memory/peak": "compute/peak_memory",
        },
    }
    for old, new in pairs.items():
        assert found[new] == line[old] and (old == new or old not in found)
    assert renamed({"train/tokens": 7, "held_out/loss": 2.0}) == {"train/num_tokens": 7, "eval/loss": 2.0}


def test_a_continued_run_has_one_name_for_its_first_part_and_its_second(tmp_path):
    run = Run(shutil.copytree(FOLDERS[1], tmp_path / "run"))
    (first, second), before = run.metrics(), raw(run.metrics_file)
    run.record(second | {"step": 3, "rounds/2/truncated": 0.5})
    assert raw(run.metrics_file)[:2] == before
    (read,), _ = read_runs([run.folder])
    for lines in (run.metrics(), read.metrics, last_lines(run.metrics_file, 9)):
        assert [line["step"] for line in lines] == [1, 2, 3]
        assert [line["rounds/2/truncated"] for line in lines] == [
            first["rounds/2/truncated"],
            second["rounds/2/truncated"],
            0.5,
        ]
        assert {*lines[0]} == {*lines[2]}
    barks = Watchdogs(Watch(steps=3, truncated=0.7)).see
    assert [[each["name"] for each in barks(line)] for line in run.metrics()][-1][-1] == "replies cut off"


def test_the_counts_of_an_old_checkpoint_go_on_by_their_names_of_today(tmp_path):
    folder = shutil.copytree(FOLDERS[1], tmp_path / "run")
    ledger = Ledger()
    ledger.restore(json.loads((folder / "checkpoints/checkpoint-2/motif.json").read_text())["ledger"])
    line = Run(folder).metrics()[1]
    assert {name: line[f"total/{name}"] for name in ledger.counts} == dict(ledger.counts)
    assert ledger.counts["generated_tokens_round_1"] and not ledger.counts["tokens_round_1"]
    assert lost(Run(folder), ledger) == {}
    ledger.counts["optimiser_steps"] -= 1
    ledger.counts["generated_tokens"] -= 5
    assert lost(Run(folder), ledger)["generated_tokens"] == 5


def test_frames_and_curves_of_old_folders_are_those_of_the_numbers_in_their_files():
    runs, _ = read_runs(FOLDERS)
    lines = [raw(folder / "metrics.jsonl") for folder in FOLDERS]
    frame = Frames(runs).metrics
    assert frame["rounds/2/tokens"].tolist() == [line["train/tokens/round_2"] for one in lines for line in one]
    assert frame["total/flops"].tolist() == [line["train/flops"] for one in lines for line in one]
    assert not [name for name in frame.columns if today(name) != name]
    (arm,) = [arm for arm in arms_of(runs[:1]) if arm.trained]
    drawn = curve(arm, METRICS["length"], "total/generated_tokens")
    lengths = [line["train/tokens/round_1"] + line["train/tokens/round_2"] for line in lines[0]]
    assert drawn.mean.tolist() == lengths and drawn.x.tolist() == [line["train/generated_tokens"] for line in lines[0]]
    assert runs[1].spent["generated_tokens"] == lines[1][-1]["train/generated_tokens"]
    assert runs[1].spent["seconds"] == lines[1][-1]["seconds/training"]
    assert runs[1].spent["peak_memory"] == lines[1][-1]["memory/peak"]


def test_held_out_accuracy_of_an_old_folder_lies_at_the_tokens_that_its_file_says(tmp_path):
    folder = shutil.copytree(FOLDERS[0], tmp_path / "run")
    lines = [line | {"held_out/accuracy": 0.25} for line in raw(folder / "metrics.jsonl")]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (run,), _ = read_runs([folder])
    assert points_of(run) == [(line["train/generated_tokens"], 0.25) for line in lines]


def test_the_last_step_that_wandb_has_is_found_by_either_name():
    assert step_of({"train/step": 7}) == 7 and step_of({}) == 0
    assert step_of({"train/step": 7, "train/global_step": 9}) == 9
