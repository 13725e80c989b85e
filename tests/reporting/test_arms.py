"""Which runs are one arm, and what an arm says of them."""

import json

import pytest

from motif.reporting.arms import finished, seedless
from motif.reporting.pooled import pool
from tests.support.studies import arms, evaluation, run

RIGHT = [True, False, True, True]


def test_runs_that_differ_in_seed_and_name_only_are_one_arm(tmp_path):
    folders = [run(tmp_path / f"a{seed}", seed=seed, trained=RIGHT, training_tokens=10 * seed) for seed in (2, 0, 1)]
    (arm,) = arms(folders)
    assert (arm.name, arm.algo, arm.trained, arm.seeds, arm.training_tokens) == ("motif", "motif", True, (0, 1, 2), 10)


def test_how_a_run_was_measured_and_watched_does_not_make_another_arm(tmp_path):
    settings = {"evaluation.questions": 4, "tracking.name": "wandb", "generation.cache_gib": 2.0}
    folders = [run(tmp_path / "a", trained=RIGHT), run(tmp_path / "b", seed=1, trained=RIGHT, settings=settings)]
    assert len(arms(folders)) == 1


def test_runs_of_two_engines_are_two_arms_for_their_numbers_differ(tmp_path):
    engines = ("transformers", "vllm")
    folders = [run(tmp_path / name, trained=RIGHT, settings={"generation.name": name}) for name in engines]
    assert len(arms(folders)) == 2


def test_an_arm_is_called_by_its_name_or_by_its_algorithm_with_any_of_its_settings(tmp_path):
    folders = [run(tmp_path / str(k), trained=RIGHT, base=RIGHT, settings={"algo.k": k}) for k in (2, 4)]
    folders.append(run(tmp_path / "other", trained=RIGHT, settings={"model.name": "big"}))
    found = {name: [arm.is_called(name) for arm in arms(folders)] for name in ("motif", "motif k=4", "base", "grpo")}
    assert found["motif"] == [True, True, True, False] and found["motif k=4"] == [False, True, False, False]
    assert found["base"] == [False, False, False, True] and not any(found["grpo"])


def test_runs_that_are_each_matched_with_their_own_seed_are_one_arm(tmp_path):
    folders = [
        run(tmp_path / f"g{seed}", "grpo", seed, RIGHT, settings={"budget.match": match, "budget.on": "tokens"})
        for seed, match in enumerate(["outputs/motif-chain-tiny-r3-s0", "elsewhere/motif-chain-tiny-r3-s1/"])
    ]
    (arm,) = arms(folders)
    assert arm.seeds == (0, 1) and arm.settings["budget.match"] == "motif-chain-tiny-r3"
    other = {"budget.match": "outputs/motif-chain-tiny-r3-s0-k=4-1f3a5b", "budget.on": "tokens"}
    folders += [
        run(tmp_path / "k4", "grpo", 0, RIGHT, settings=other),
        run(tmp_path / "time", "grpo", 0, RIGHT, settings=other | {"budget.on": "seconds"}),
        run(tmp_path / "not", "grpo", 0, RIGHT),
    ]
    assert [arm.seeds for arm in arms(folders)] == [(0, 1), (0,), (0,), (0,)]


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("outputs/motif-chain-tiny-r3-s0", "motif-chain-tiny-r3"),
        ("/a/motif-chain-tiny-r3-s12-k=4-1f3a5b", "motif-chain-tiny-r3-k=4"),
        ("motif-chain-tiny-r3-s1-0f3a5b", "motif-chain-tiny-r3"),
        ("outputs/mine", "outputs/mine"),
    ],
)
def test_a_derived_name_is_told_without_its_seed(folder, name):
    assert seedless(folder) == name


def test_a_seed_that_is_there_twice_counts_once_and_is_told(tmp_path):
    folders = [run(tmp_path / name, trained=RIGHT) for name in ("a", "b")]
    (arm,) = arms(folders)
    assert [result.folder.name for pooled in pool([arm]) for result in pooled.results] == ["a"]
    assert arm.warnings == [f"{folders[1]} repeats seed 0: where {folders[0]} was measured alike, that one counts"]
    assert arms(folders[::-1])[0].warnings == arm.warnings
    assert len(arms([folders[0], folders[0]])[0].warnings) == 0


def test_the_untrained_policy_is_one_arm_whatever_was_trained_from_it(tmp_path):
    folders = [
        run(tmp_path / "a", trained=RIGHT, base=RIGHT),
        run(tmp_path / "b", "grpo", trained=RIGHT, base=RIGHT, settings={"rounds": 1, "episode.rounds": 1}),
    ]
    *_, base = arms(folders)
    assert (base.name, base.trained, base.seeds, len(base.results)) == ("base", False, (), 2)
    assert len(arms([*folders, run(tmp_path / "c", base=RIGHT, settings={"model.name": "big"})])) == 5


@pytest.mark.parametrize(
    "key",
    [
        *("model.learning_rate", "model.bf16", "model.gradient_checkpointing", "model.peft.r", "algo.steps"),
        *(
            "flaws.futures",
            "flaws.format",
            "flaws.sampling",
            "reward.name",
            "episode.temperature",
            "episode.later.top_p",
        ),
    ],
)
def test_what_is_of_training_alone_makes_no_other_untrained_policy(tmp_path, key):
    folders = [run(tmp_path / str(value), base=RIGHT, trained=RIGHT, settings={key: value}) for value in (1, 2)]
    assert [(arm.trained, len(arm.runs)) for arm in arms(folders)] == [(True, 1), (True, 1), (False, 2)]


@pytest.mark.parametrize("key", ["model.path", "model.dtype", "episode.tokens", "episode.carry.tokens", "flaws.carry"])
def test_what_changes_its_answers_makes_another_untrained_policy(tmp_path, key):
    folders = [run(tmp_path / str(value), base=RIGHT, settings={key: value}) for value in (1, 2)]
    assert [len(arm.runs) for arm in arms(folders) if not arm.trained] == [1, 1]


def test_unfinished_runs_are_of_their_arm_and_no_part_of_what_is_finished(tmp_path):
    folders = [run(tmp_path / f"a{seed}", seed=seed, trained=RIGHT, finished=seed < 1) for seed in range(3)]
    folders.append(run(tmp_path / "other", trained=RIGHT, finished=False, settings={"algo.k": 4}))
    found = arms(folders)
    assert [(arm.name, arm.seeds) for arm in found] == [("motif k=2", (0, 1, 2)), ("motif k=4", (0,))]
    assert [(arm.name, arm.seeds) for arm in finished(found)] == [("motif k=2", (0,))]


def test_of_a_seed_that_is_there_twice_the_finished_run_counts(tmp_path):
    folders = [run(tmp_path / name, trained=RIGHT, finished=name == "b") for name in ("a", "b")]
    (arm,) = arms(folders)
    assert [item.folder for item in arm.runs] == [folders[1]] and finished([arm])[0].warnings == []


def test_a_run_whose_configuration_cannot_be_read_is_no_other_runs_arm(tmp_path):
    folders = [run(tmp_path / name, trained=RIGHT) for name in ("a", "b")]
    (folders[1] / "config.yaml").write_text("a: [")
    assert [arm.name for arm in arms(folders)] == ["motif", "motif of unknown configuration"]
    assert [arm.name for arm in finished(arms(folders))] == ["motif"]


def test_what_evaluate_adds_to_a_run_is_of_its_trained_policy(tmp_path):
    folder = run(tmp_path / "a", seed=5, trained=RIGHT)
    drawn = {"sampling": [{"temperature": 0.6, "top_p": 1.0}], "seed": 0}
    evaluation(folder / "evaluation/math500-r2-x2-abc", [[1, 0], [1, 1]], "run 123", "math500", 2, **drawn)
    (folder / "evaluation" / "half-r1-x2-abc.jsonl").write_text("")
    (arm,) = arms([folder])
    (found,) = arm.at("math500", 2)
    assert (found.seed, found.samples, found.settings["temperature"], found.tokens) == (5, 2, 0.6, 120)
    assert found.shares.whole == {"math500-0": 0.5, "math500-1": 1.0}
    assert arm.at("math500", 2, samples=1) == [] and arm.at("chain", 3)[0].settings["temperature"] == 0


def test_policies_measured_without_a_run_are_arms_of_their_own(tmp_path):
    evaluation(tmp_path / "evaluations/Qwen/chain-r3-abc", RIGHT, "Qwen/Qwen2.5-3B", "chain", 3)
    (arm,) = arms([tmp_path / "evaluations"])
    assert (arm.name, arm.trained, arm.seeds) == ("Qwen", False, ()) and arm.at("chain", 3)[0].shares.whole[
        "chain-1"
    ] == 0


@pytest.mark.slow
def test_what_training_writes_is_read(tmp_path):
    import subprocess
    import sys

    arguments = ["experiment=smoke", "algo.steps=1", "evaluation.questions=8", "tracking=none", f"outputs={tmp_path}"]
    subprocess.run([sys.executable, "train.py", *arguments, "name=one"], check=True, capture_output=True, timeout=300)
    trained, base = arms([tmp_path / "one"])
    summary = json.loads((tmp_path / "one/summary.json").read_text())
    entries = {(found["policy"], found["rounds"]): found for found in summary["evaluation"]}
    for arm, policy in ((trained, "trained"), (base, "base")):
        for found in arm.results:
            entry = entries[policy, found.rounds]
            assert sum(found.shares.whole.values()) / found.n == pytest.approx(entry["accuracy"])
            assert None not in found.settings.values()
    assert trained.training_tokens == summary["compute"]["training"]["generated_tokens"]
