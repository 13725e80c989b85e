"""Which results are compared, and what a comparison must say besides."""

import pytest

from motif.reporting.comparison import compare
from motif.reporting.pairing import PAIRED_SEEDS, left_out, pairs
from motif.reporting.verdicts import survey
from tests.support.studies import answers, arms, run, seeds_of

RIGHT = [True, False, True, True]


def verdicts(folders, against="grpo"):
    return survey(arms(folders), against)[0]


def test_measurements_pair_where_their_settings_are_alike_and_others_are_told_apart(tmp_path):
    motif = [run(tmp_path / f"m{seed}", seed=seed, trained=RIGHT, budget=132 if seed < 2 else 64) for seed in range(3)]
    grpo = [run(tmp_path / f"g{seed}", "grpo", seed=seed, trained=RIGHT) for seed in range(3)]
    one, other = arms(motif + grpo)
    ((first, second),) = pairs(one.results, other.results)
    assert [item.seed for item in first] == [0, 1] and [item.seed for item in second] == [0, 1, 2]
    (line,) = left_out(one, one.results, first)
    assert line.startswith("seed 2 of motif") and "evaluation budget 64 against 132" in line


def test_how_every_round_was_drawn_is_a_setting(tmp_path):
    plain, warmer = {"temperature": 0.6, "top_p": 1.0}, {"temperature": 0.8, "top_p": 1.0}
    folders = [
        run(tmp_path / "a", trained=RIGHT, sampling=[plain, plain]),
        run(tmp_path / "b", "grpo", trained=RIGHT, sampling=[plain, warmer]),
        run(tmp_path / "c", trained=RIGHT, rounds=1, sampling=[plain, warmer], settings={"algo.k": 9}),
    ]
    one, other, short = (arm.results[0].settings for arm in sorted(arms(folders), key=lambda arm: arm.runs[0].name))
    assert (one["temperature"], other["temperature"], short["temperature"]) == (0.6, "0.6, then 0.8", 0.6)
    assert pairs(arms(folders[:1])[0].results, arms(folders[1:2])[0].results) == []


def test_one_seed_against_three_is_flagged_and_decides_nothing(tmp_path):
    folders = seeds_of(tmp_path, "motif", (80,)) + seeds_of(tmp_path, "grpo", (50, 50, 50))
    verdict = compare(*arms(folders), "chain", 3)
    assert verdict.warnings == ("one training seed of motif, taken to vary from seed to seed as the other arm does",)
    assert (verdict.outcome, verdict.p, verdict.least_p) == ("no verdict", 0.25, 0.25)


@pytest.mark.parametrize("extra", [0, 1, 2], ids=["none", "in front", "behind"])
def test_one_more_run_with_another_n_changes_nothing_wherever_it_stands(tmp_path, extra):
    folders = seeds_of(tmp_path, "motif", (40, 41, 42), n=64) + seeds_of(tmp_path, "grpo", (20, 21, 22), n=64)
    more = [run(tmp_path / "more", "grpo", trained=answers(70, n=128), settings={"evaluation.questions": 128})]
    grpo, motif = sorted(arms([folders, more + folders, folders + more][extra]), key=lambda arm: arm.name)
    verdict = compare(motif, grpo, "chain", 3)
    assert (verdict.seeds, verdict.n, verdict.effect) == ((3, 3), 64, pytest.approx(20 / 64))
    line = f"{tmp_path / 'more'} repeats seed 0: where {tmp_path / 'grpo0'} was measured alike, that one counts"
    assert verdict.warnings == ((line,) if extra else ())


def test_many_seeds_that_two_arms_share_are_paired(tmp_path):
    rights = [50 + seed for seed in range(PAIRED_SEEDS)]
    folders = seeds_of(tmp_path, "motif", [right + 3 for right in rights]) + seeds_of(tmp_path, "grpo", rights)
    assert "sign flips" in compare(*arms(folders), "chain", 3).test
    assert "permutations" in compare(*arms(folders[1:]), "chain", 3).test
    other = seeds_of(tmp_path / "other", "grpo", rights, settings={"dataset.rows": 1})
    assert "permutations" in compare(*arms(folders[:PAIRED_SEEDS] + other), "chain", 3).test


def test_what_differs_besides_the_algorithm_is_said(tmp_path):
    settings = {"model.name": "big", "model.revision": "x", "algo.steps": 60, "algo.trainer.learning_rate": 1e-5}
    folders = [
        run(tmp_path / "m", trained=answers(70), settings=settings | {"algo.futures": "many"}),
        run(tmp_path / "g", "grpo", trained=answers(5), settings={"algo.steps": 120, "algo._target_": "x"}),
    ]
    assert verdicts(folders)[0].warnings == (
        "the arms also differ in: algo.steps 60 against 120; algo.trainer.learning_rate 1e-05 against –; "
        "model.name big against tiny",
    )


def test_of_one_algorithm_a_single_setting_is_what_the_comparison_is_about_and_several_are_told(tmp_path):
    folders = [
        run(tmp_path / "a", trained=answers(70)),
        run(tmp_path / "b", trained=answers(60), settings={"algo.k": 4}),
        run(tmp_path / "c", trained=answers(60), settings={"algo.k": 8, "algo.steps": 9}),
        run(tmp_path / "g", "grpo", trained=answers(10)),
    ]
    found = {verdict.arm: verdict.warnings for verdict in verdicts(folders, "motif k=2")}
    assert found == {
        "grpo": (),
        "motif k=4": (),
        "motif k=8 steps=9": ("the arms differ in algo.k 8 against 2; algo.steps 9 against –",),
    }


def test_arms_that_differ_in_nothing_else_bear_no_warning_of_it(tmp_path):
    folders = seeds_of(tmp_path, "motif", (80, 82)) + seeds_of(tmp_path, "grpo", (50, 54))
    assert verdicts(folders)[0].warnings == ()


def test_a_seed_measured_otherwise_is_left_out_and_named(tmp_path):
    folders = seeds_of(tmp_path, "motif", (80, 82)) + seeds_of(tmp_path, "grpo", (50, 54, 52))
    folders.append(run(tmp_path / "late", "motif", 2, answers(40, n=50)))
    verdict = compare(*arms(folders), "chain", 3)
    assert verdict.seeds == (2, 3)
    assert "Seed 2 of motif is left out: they differ in dataset rows (dataset rows chain-50 against chain-100)" in (
        verdict.sentence
    )


def test_results_of_different_arithmetic_are_compared_and_told_apart(tmp_path):
    float32 = {"dtype": "float32", "engine": "transformers", "batch": 256}
    folders = [
        run(tmp_path / "a", trained=RIGHT, arithmetic=float32),
        run(tmp_path / "b", "grpo", trained=RIGHT, arithmetic={**float32, "dtype": "bfloat16", "batch": 64}),
    ]
    line = "computed in different arithmetic: dtype bfloat16 and float32; batch 256 and 64"
    assert line in compare(*arms(folders), "chain", 3).warnings
    same = [run(tmp_path / "c", trained=RIGHT, arithmetic=float32), run(tmp_path / "d", "grpo", trained=RIGHT)]
    assert compare(*arms(same), "chain", 3).warnings == ()
