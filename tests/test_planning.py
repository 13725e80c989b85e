"""The names that a plan gives are those that the jobs will give themselves, and so are the configurations they hang on.

What a job does is to compose everything: that is what each name is held against.
"""

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import open_dict

from motif import planning
from motif.cli import run_name
from motif.planning import Composed, Names, leaves
from motif.system.config import CONF, resolved
from motif.system.errors import UserError
from motif.system.safe_text import masked


@pytest.fixture(autouse=True, scope="module")
def hydra():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@pytest.fixture(scope="module")
def names():
    return Names()


def alone(words):
    """The name and the configuration of a job, as the job itself makes them; None where Hydra or the job refuses it."""
    try:
        config = compose("config", list(words), return_hydra_config=True)
        choices = config.hydra.runtime.choices
        with open_dict(config):
            del config["hydra"]
        return config.name or run_name(config, choices, masked(words)), resolved(config)
    except Exception:
        return None, None


def check(names, words):
    name, config = alone(words)
    assert names.of(words) == name, words
    if config is not None:
        base, put = names.composition(words)
        assert base.with_values(put) == config, words


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["rounds=4", "seed=2", "algo=grpo"],  # others take rounds over
        ["algo.k=4", "model.learning_rate=1e-4"],  # as another one does the learning rate
        ["algo.trainer.learning_rate=0.5", "model.learning_rate=0.1"],  # unless it has its own
        ["dataset.longest=8", "dataset.seed=1"],  # which the tiny policy's follows
        ["reward=efficiency", "rounds=2"],
        ["dataset=local", "dataset.path=rows.csv", "seed=1"],  # has no value unless it is given
        ["dataset=local", "seed=3"],
        ["~algo.gamma", "algo=discounted", "seed=1"],
        ["+algo.trainer.epsilon_low=0.1", "++algo.trainer.beta=0.1", "algo.m=4"],
        ["algo.k=${rounds}", "rounds=4"],
        ["name=mine", "seed=3"],
        ["algo.kk=3"],
        ["seed=null", "tracking.mode=offline"],
    ],
    ids=" ".join,
)
def test_a_planned_name_is_the_one_that_the_job_gives_itself(names, words):
    check(names, words)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["experiment=smoke", "algo.m=4", "tracking=none"],
        ["experiment=paper_motif", "seed=1"],
        ["experiment=as_published_grpo", "algo.m=4", "seed=1"],
        ["sweeps=carry", "seed=1", "algo=grpo"],
        ["sweeps=flaws", "flaws={carry:whole_text}", "seed=1"],
        ["flaws.format=single_line", "reward=as_published", "flaws.accuracy=tiered"],
        ["reward=length", "episode.tokens=33"],
        ["reward=overlong", "episode.later.tokens=3"],
        ["episode.rounds=7", "rounds=3"],
        ["algo.trainer.bf16=true", "model.bf16=false"],
        ["model=local", "model.path=a/b", "seed=2"],
        ["dataset=math500", "episode.tokens=400"],
        ["dataset=math500"],  # is for evaluation alone
        ["evaluation.datasets=[math500,aime24]", "seed=1"],
        ["evaluation.datasets=[math500]", "dataset=gsm8k", "dataset.path=/tmp"],
        ["evaluation.path=/tmp", "evaluation.datasets=[aime24]"],
        ["evaluation.rounds=[1,3]", "evaluation.before=True"],
        ["algo=grpo", "algo.k=3"],
        ["algo=nope"],
        ["seed='a b'", "rounds=[1]"],
        ["model.wording=full", "algo.questions=null", "algo.micro_batch=2"],
        ["generation=vllm", "seed=1"],
        ["rounds=5", "~algo.trainer.weight_decay"],
        ["tracking.api_key=0123456789abcdef", "+tracking.token=x"],
    ],
    ids=" ".join,
)
def test_so_it_is_with_every_way_of_choosing(names, words):
    check(names, words)


OVERRIDES = {  # by key: whatever of this is chosen together makes a job
    "algo": ["grpo", "motif", "value", "discounted"],
    "reward": ["accuracy", "efficiency", "as_published", "length"],
    "episode": ["summary", "tail", "none"],
    "model": ["tiny", "qwen2.5-0.5b"],
    "dataset": ["chain", "gsm8k"],
    "experiment": ["smoke", "laptop"],
    "sweeps": ["credit", "rounds"],
    "rounds": ["1", "2", "3"],
    "seed": ["0", "1", "12"],
    "algo.m": ["8", "16"],
    "algo.steps": ["1e3", "4"],
    "~algo.trainer.weight_decay": [""],
    "++algo.trainer.beta": ["0.1"],
    "model.learning_rate": ["1e-4", "0.01", "null"],
    "algo.trainer.learning_rate": ["1e-3", "${rounds}"],
    "episode.tokens": ["32", "${rounds}"],
    "episode.later.temperature": ["null", "0.5"],
    "flaws.accuracy": ["equal", "tiered"],
    "flaws": ["{carry:whole_text}", "{format:single_line}"],
    "evaluation.datasets": ["[math500]", "null"],
    "evaluation.before": ["true", "False"],
    "tracking": ["none", "[wandb,tensorboard]"],
    "tracking.project": ["a-b", "'a b'"],
}


@st.composite
def jobs(draw):
    keys = draw(st.lists(st.sampled_from(list(OVERRIDES)), unique=True, max_size=6))
    values = {key: draw(st.sampled_from(OVERRIDES[key])) for key in keys}
    return [f"{key}={value}" if value else key for key, value in values.items()]


@pytest.mark.slow
@settings(max_examples=40)
@given(words=jobs())
def test_so_it_is_with_whatever_is_chosen_together(names, words):
    check(names, words)


def test_hundreds_of_seeds_are_composed_as_often_as_one(names, monkeypatch):
    choices = ["algo=grpo", "algo.m=16", "dataset.longest=8", "~algo.trainer.weight_decay"]
    one = names.of([*choices, "seed=0"])
    monkeypatch.setattr(planning, "compose", None)  # so that it fails where it is called
    found = {names.of([*choices, f"seed={seed}", f"algo.questions={seed}"]) for seed in range(1, 300)}
    assert len(found) == 299 and None not in found and one not in found


def test_choices_of_a_folder_of_ones_own_are_found_as_the_jobs_find_them(tmp_path):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text("# @package _global_\nrounds: 2\nalgo:\n  k: ${seed}\n")
    extra = [f"hydra.searchpath=[file://{tmp_path}]"]
    planned = Names(extra).of(["experiment=mine", "seed=3"])
    config = compose("config", ["experiment=mine", "seed=3", *extra], return_hydra_config=True)
    choices = config.hydra.runtime.choices
    with open_dict(config):
        del config["hydra"]
    assert planned == run_name(config, choices, ["experiment=mine", "seed=3"], extra) and "-mine-" in planned
    assert Names().of(["experiment=mine", "seed=3"]) is None


def test_a_secret_is_in_no_planned_name(names):
    assert "hf_" not in names.of(["+algo.trainer.project=hf_0123456789abcdefghij"])


def made(**config):
    """As if Hydra had composed this."""
    return Composed(values=None, leaves=dict(leaves(config)), choices={})


@pytest.mark.parametrize(
    ("config", "taken"),
    [
        ({"a": 1, "b": "${c}"}, True),
        ({"a": None}, True),
        ({"a": "word", "b": "${a}", "c": {"d": "${b}"}}, True),  # which follow
        ({"a": "${b}"}, False),
        ({"a": "???"}, False),
        ({"a": [1]}, False),
        ({"a": {"b": 1}}, False),
        ({"b": 1}, False),
        ({"a": 1, "b": "x${a}"}, False),
        ({"a": 1, "b": ["${a}"]}, False),
        ({"a": 1, "b": "${oc.select:a,2}"}, False),
        ({"a": 1, "c": {"b": "${..a}"}}, False),
        ({"a": 1, "b": "${${c}}", "c": "a"}, False),
        ({"a": 1, "b": "${a}", "c": "${oc.select:b,2}"}, False),
        ({"a": 1, "b": {3: "x${a}", "x.y": "${a}"}}, False),
    ],
)
def test_a_value_is_put_in_only_where_it_decides_nothing_but_itself_and_what_follows_it(config, taken):
    assert made(**config).takes("a") == taken


def test_a_group_that_is_read_as_a_whole_takes_nothing():
    inner = {"a": 1, "x": {"y": 2}}
    assert made(group=inner).takes("group.x.y") and made(group=inner, copy="${other.x}").takes("group.x.y")
    for text in ("${group}", "${group.x}", "${oc.dict.keys:group}"):
        assert not made(group=inner, copy=text).takes("group.x.y")


def test_what_follows_a_value_has_that_value_too():
    base = Composed(
        values={"a": 1, "b": {"c": 1, "d": 5}, "e": 1, "f": 1},
        leaves={"a": 1, "b.c": "${a}", "b.d": 5, "e": "${b.c}", "f": "${b.c}"},
        choices={},
    )
    assert base.with_values({"a": 2, "b.d": 6}) == {"a": 2, "b": {"c": 2, "d": 6}, "e": 2, "f": 2}
    assert base.values == {"a": 1, "b": {"c": 1, "d": 5}, "e": 1, "f": 1}


def test_a_job_that_fails_to_resolve_has_no_name(names, monkeypatch):
    def refuse(config):
        raise UserError("no")

    assert Names().of(["seed=1"]) == "motif-chain-tiny-r3-s1"
    monkeypatch.setattr(planning, "resolved", refuse)
    assert Names().of(["seed=1"]) is None
