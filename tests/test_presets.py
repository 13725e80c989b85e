"""Every preset runs one step, with the tiny model and the chain task in the place of what needs a network and a GPU."""

import json
import re

import pytest
from hydra import compose, initialize_config_dir

from motif import cli
from motif.system import config as settings
from motif.training.published import CHOICES
from tests.support import ROOT

CONF = ROOT / "conf"
PRESETS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
SMALL = [
    *("model=tiny", "dataset=chain", "dataset.test_size=4", "tracking=none", "evaluation.datasets=null"),
    *("algo.steps=1", "algo.m=2", "episode.tokens=22", "episode.later.tokens=44", "evaluation.budget=null"),
]


@pytest.fixture(autouse=True)
def hydra():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def run(tmp_path, preset):
    config = compose("config", overrides=[f"experiment={preset}", *SMALL, "name=x", f"outputs={tmp_path}"])
    return settings.build(config).run(settings.resolved(config))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_takes_a_step(tmp_path, preset):
    summary = run(tmp_path, preset)
    assert (tmp_path / "x/policy/README.md").is_file()
    (line,) = (tmp_path / "x/metrics.jsonl").read_text().splitlines()
    assert {"train/reward", "train/loss", "train/guard/difference"} <= set(json.loads(line))
    assert bool(summary["flaws"]) == preset.startswith("as_published")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_opens_with_its_command_its_cost_and_its_question(preset):
    head = (CONF / "experiment" / f"{preset}.yaml").read_text()
    assert re.match(rf"# @package _global_\n# .+\n# python train.py experiment={preset}\b", head)
    assert "Question:" in head and ("Expected" in head or "Published" in head)


def test_each_flaw_of_the_published_arms_can_be_switched_off_alone(tmp_path):
    for flaw, (right, _) in CHOICES.items():
        config = compose("config", overrides=["experiment=as_published_motif", "name=x", f"flaws.{flaw}={right}"])
        assert flaw not in settings.build(config).flaws.on()


def test_base_futures_are_those_of_the_weights_before_training(tmp_path):
    import torch

    from motif.rounds.replies import Sampling

    experiment = settings.build(compose("config", overrides=["experiment=as_published_motif", *SMALL, "name=x"]))
    policy, talks = experiment.model.load(), [[{"role": "user", "content": "1/3 5a+2b*3c+4"}]] * 8
    generate = experiment.generation.generator(policy)
    from_base = experiment._from_base(policy, generate)
    before = generate(talks, Sampling(20, seed=1))
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    assert [reply.text for reply in from_base(talks, Sampling(20, seed=1))] == [reply.text for reply in before]
    assert [reply.text for reply in generate(talks, Sampling(20, seed=1))] != [reply.text for reply in before]


def test_base_futures_need_the_engine_whose_weights_can_go_without_adapters():
    config = compose("config", overrides=["experiment=as_published_motif", "generation=vllm", "name=x"])
    with pytest.raises(cli.UserError, match="flaws.futures=base needs generation=transformers"):
        settings.build(config)
