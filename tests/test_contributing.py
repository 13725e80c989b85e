"""The worked examples of CONTRIBUTING.md, taken out of the page and trained with."""

import gzip
import json
import re

import pytest
from hydra import compose, initialize_config_dir

from motif.system import config as settings
from tests.support import ROOT

SMALL = ["experiment=smoke", "tracking=none", "algo.questions=2", "algo.m=2", "algo.steps=2", "evaluation.questions=2"]
BLOCK = re.compile(r"```(?:python|yaml)\n# (?:motif/\w+/)?(\w+\.py|conf/\w+/\w+\.yaml)[^\n]*\n(.*?)```", re.DOTALL)


@pytest.fixture
def written(tmp_path, monkeypatch):
    """The page's files in a folder of one's own, and a function that trains with these overrides there."""
    for name, text in BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text()):
        file = tmp_path / "mine" / name.removeprefix("conf/")
        file.parent.mkdir(parents=True, exist_ok=True)
        known = "from motif.rounds.episode import Path\n" * (name == "rewards.py")  # which that module imports
        file.write_text(known + re.sub(r"motif\.\w+\.(last_round|headline|rewards\.brief)\b", r"\1", text))
    monkeypatch.syspath_prepend(str(tmp_path / "mine"))

    def train(*words):
        words = [*SMALL, *words, f"hydra.searchpath=[file://{tmp_path}/mine]", f"outputs={tmp_path}", "name=run"]
        with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = compose("config", overrides=words)
            summary = settings.build(config).run(settings.resolved(config))
        with gzip.open(tmp_path / "run/episodes.jsonl.gz", "rt") as file:
            return summary, [json.loads(line) for line in file]

    return train


def nodes(tree):
    waiting = list(tree["replies"])
    while waiting:
        yield (node := waiting.pop())
        waiting += node["children"]


def test_a_reward_is_one_function_and_one_yaml(written):
    _, trees = written("reward=brief", "algo=grpo", "algo.questions=4")
    trained = [node for tree in trees for node in nodes(tree) if "values" in node]
    assert {node["values"]["brief"] for node in trained} == {0.0, 1.0}
    assert all(node["values"]["brief"] == ("no_answer" not in node["events"]) for node in trained)


def test_an_algorithm_is_one_class_and_one_yaml(written):
    summary, trees = written("algo=last_round")
    assert summary["algo"] == "last_round" and summary["compute"]["training"]["first_round_replies"] == 8
    trained = [node["round"] for tree in trees for node in nodes(tree) if "advantage" in node]
    assert trained == [3] * 8
    tokens = sum(node["tokens"] for tree in trees for node in nodes(tree) if node["round"] == 3)
    assert summary["compute"]["training"]["trained_tokens"] == tokens


def test_a_carry_over_is_one_class_and_one_yaml(written):
    _, trees = written("episode=headline", "algo=broadcast")
    made = [node for tree in trees for node in nodes(tree) if node["round"] < 3]
    answers = [re.findall(r"<answer>(.*?)</answer>", node["text"]) for node in made]
    handed = [(answer[-1].split(".")[0] or None) if answer else None for answer in answers]
    assert [node["carried"] for node in made] == handed and any(handed)
