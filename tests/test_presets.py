"""Every preset runs one step, with the tiny model and the chain task in the place of what needs a network and a GPU."""

import json
import re

import pytest

from motif.system.errors import UserError
from motif.training.published import CHOICES, base_generator
from tests.support import ROOT, thinned
from tests.support.experiments import PRESETS, composed, made

SMALL = [
    *("model=tiny", "dataset=chain", "dataset.test_size=4", "dataset.train_size=64"),
    *("tracking=none", "evaluation.datasets=null"),
    *(
        "algo.steps=1",
        "budget.steps=null",
        "algo.m=2",
        "algo.micro_batch=null",
        "episode.tokens=22",
        "episode.later.tokens=44",
        "evaluation.budget=null",
    ),
]


def run(tmp_path, preset):
    words = [f"experiment={preset}", *SMALL, f"outputs={tmp_path}"]
    return made(*words).run(composed(*words))


@pytest.mark.parametrize("preset", thinned(PRESETS, 2))
def test_a_preset_takes_a_step(tmp_path, preset):
    summary = run(tmp_path, preset)
    assert (tmp_path / "x/policy/README.md").is_file()
    (line,) = (tmp_path / "x/metrics.jsonl").read_text().splitlines()
    assert {"train/reward", "train/loss", "guard/difference"} <= set(json.loads(line))
    assert bool(summary["flaws"]) == preset.startswith("as_published")


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_opens_with_its_command_its_cost_and_its_question(preset):
    head = (ROOT / "conf/experiment" / f"{preset}.yaml").read_text()
    assert re.match(rf"# @package _global_\n# .+\n# python train.py experiment={preset}\b", head)
    assert "Question:" in head and ("Expected" in head or "Published" in head)


@pytest.mark.slow
def test_each_flaw_of_the_published_arms_can_be_switched_off_alone():
    for flaw, (right, _) in CHOICES.items():
        assert flaw not in made("experiment=as_published_motif", f"flaws.{flaw}={right}").flaws.on()


def test_base_futures_are_those_of_the_weights_before_training():
    import torch

    from motif.rounds.replies import Sampling

    experiment = made("experiment=as_published_motif", *SMALL)
    policy, talks = experiment.model.load(), [[{"role": "user", "content": "1/3 5a+2b*3c+4"}]] * 8
    generate = experiment.generation.generator(policy)
    from_base = base_generator(policy, experiment.generation)
    before = generate(talks, Sampling(20))
    with torch.no_grad():
        for weight in policy.model.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    assert [reply.text for reply in from_base(talks, Sampling(20))] == [reply.text for reply in before]
    assert [reply.text for reply in generate(talks, Sampling(20))] != [reply.text for reply in before]


def test_base_futures_need_the_engine_whose_weights_can_go_without_adapters():
    with pytest.raises(UserError, match="flaws.futures=base needs generation=transformers"):
        made("experiment=as_published_motif", "generation=vllm")
