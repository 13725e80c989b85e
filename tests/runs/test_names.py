"""What a run is called where nobody has named it."""

import json
import re

import pytest

from motif.runs.folder import Run
from motif.runs.identity import check_name, identity_hash
from motif.runs.names import MOST, derived_name, former_name, new_name, told

FIELDS = {"algo": "motif", "dataset": "chain", "model": "tiny", "rounds": 3, "seed": 0}
USUAL = {
    "rounds": 3,
    "seed": 0,
    "algo": {"k": 2, "steps": 20, "trainer": {"beta": 0.0}},
    "episode": {"name": "summary"},
}


def named(*overrides, own="9f2c1a3b5d7e", changed=None):
    return new_name(FIELDS, told(overrides, FIELDS), own, changed)


def test_a_name_says_what_the_run_is():
    assert named("rounds=3", "algo=motif", "tracking=none", own=None) == "motif-chain-tiny-r3-s0"


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["algo.steps=30"], "steps30"),
        (["seed=0", "tracking.mode=offline", "algo.k=4", "+experiment=smoke"], "smoke-k4"),
        (["algo.k=4", "algo.micro_batch=4"], "k4"),
        (["experiment=laptop_real"], "laptop_real"),
        (["sweeps=budget"], "budget"),
        (["flaws={futures:base}"], "futures_base"),
        (["budget.on=seconds", "episode=tail"], "on_seconds-tail"),
        (["evaluation.rounds=[1,3]"], "eval_rounds_1_3"),
        (["algo.questions=2", "evaluation.questions=9"], "questions2-eval_questions9"),
        (["model.learning_rate=0.000123456789"], "lr0.0001235"),
        (["~reward.reply.format"], "no_format"),
        (["peft@model.peft=null"], "no_peft"),
        (["dataset.path='/home/me/my data/a b.jsonl.gz'"], "a_b"),
        (["dataset.path=~/rows.csv"], "rows"),
        (["model.path=Qwen/Qwen2.5-0.5B"], "Qwen2.5-0.5B"),
        ([], ""),
    ],
)
def test_an_identity_of_its_own_has_the_short_words_of_what_was_typed_and_four_digits(overrides, words):
    assert named(*overrides) == "-".join(filter(None, ("motif-chain-tiny-r3-s0", words, "9f2c")))


@pytest.mark.parametrize(
    "overrides",
    [["episode.prompts.tag='é b/c'"], ["x=" + "y" * 300], ["a.b=[1,2,{c:3}]"], [f"algo.a{n}={n}" for n in range(40)]],
)
def test_any_words_make_a_short_name_that_a_folder_can_have_and_that_holds_no_path(overrides):
    made = named(*overrides)
    assert check_name(made) and len(made) <= MOST and re.fullmatch(r"[A-Za-z0-9._-]+-9f2c(..)?", made)


def test_long_names_of_choices_are_cut_and_then_a_hash_tells_them_apart():
    long = {**FIELDS, "dataset": "my_own_questions_of_last_year", "model": "a_model_of_my_own_with_a_long_name"}
    one, other = new_name(long, [], None), new_name({**long, "model": f"{long['model']}r"}, [], None)
    assert one != other and len(one) <= MOST and len(other) <= MOST and "-r3-s0-" in one


def derived(folder, *overrides, **algo):
    config = {**USUAL, "outputs": str(folder), "algo": {**USUAL["algo"], **algo}}
    return derived_name(FIELDS, overrides, config, {**USUAL, "outputs": "elsewhere"}), config


def test_what_is_as_it_is_anyway_is_not_in_a_name_unless_a_preset_may_have_changed_it(tmp_path):
    assert derived(tmp_path, "algo.k=2")[0] == "motif-chain-tiny-r3-s0"
    name, _ = derived(tmp_path, "algo.k=2", "algo.steps=30", steps=30)
    assert re.fullmatch(r"motif-chain-tiny-r3-s0-steps30-[0-9a-f]{4}", name)
    name, _ = derived(tmp_path, "algo.k=2", "sweeps=continuations", steps=30)
    assert re.fullmatch(r"motif-chain-tiny-r3-s0-k2-[0-9a-f]{4}", name)


def test_a_run_whose_folder_has_the_name_of_an_older_version_keeps_it(tmp_path):
    name, config = derived(tmp_path, "algo.steps=30", steps=30)
    former = former_name(FIELDS, ["algo.steps=30"], "1f3a5b7c9d")
    assert former == "motif-chain-tiny-r3-s0-steps=30-1f3a5b"
    assert former_name(FIELDS, ["flaws={futures:base}"], "1f3a5b") == (
        "motif-chain-tiny-r3-s0-flaws=futures=base-1f3a5b"
    )
    old = tmp_path / f"motif-chain-tiny-r3-s0-steps=30-{identity_hash(config)[:6]}"
    old.mkdir()
    assert derived(tmp_path, "algo.steps=30", steps=30)[0] == name  # it is no run
    (old / "run.json").write_text("{}")
    (old / "config.yaml").write_text(json.dumps({**config, "seed": 1}))
    assert derived(tmp_path, "algo.steps=30", steps=30)[0] == name  # it is another run
    (old / "config.yaml").write_text(json.dumps(config))
    assert Run(old).differs(config) == [] and derived(tmp_path, "algo.steps=30", steps=30)[0] == old.name
    (tmp_path / name).mkdir()
    assert derived(tmp_path, "algo.steps=30", steps=30)[0] == name
