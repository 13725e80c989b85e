"""Held-out accuracy at token budgets, and the area under its curve."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import t

from motif.evaluation.power import detectable
from motif.evaluation.significance import over_seeds_alone
from motif.reporting.arms import arms_of
from motif.reporting.curves import differences, mean_accuracy, points_of, tables
from motif.reporting.folders import read_runs
from motif.reporting.pictures.training import training_curves
from motif.reporting.program import main
from motif.system.errors import UserError
from tests.support.run_folders import make_run

POINTS = [(100.0, 0.2), (200.0, 0.4), (400.0, 0.5)]


def watched(folder, algo, seed, values, every=2, **config):
    """A run of 100 tokens a step, measured after each `every`-th one."""
    run = make_run(folder / f"{algo}{seed}", algo, seed, steps=every * len(values), **config)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines() if "torn" not in line]
    for value, line in zip(values, lines[every - 1 :: every], strict=True):
        line["held_out/accuracy"] = value
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return run


def accuracy_at(points, count):
    return mean_accuracy(points, count, count)


def arms(folder):
    return [arm for arm in arms_of(read_runs(sorted(folder.iterdir()))[0]) if arm.trained]


def test_between_two_measurements_accuracy_is_interpolated_and_outside_of_them_unknown():
    assert [accuracy_at(POINTS, count) for count in (100, 150, 300, 400)] == pytest.approx([0.2, 0.3, 0.45, 0.5])
    assert accuracy_at(POINTS, 96) == 0.2, "within 5 % before the first measurement"
    assert accuracy_at(POINTS, 0) is None and accuracy_at(POINTS, 95) is None
    assert accuracy_at(POINTS, 420) == 0.5, "within 5 % above the last measurement"
    assert accuracy_at(POINTS, 421) is None and accuracy_at([], 100) is None
    assert accuracy_at([(0.0, 0.1), *POINTS], 0) == 0.1, "a line at step 0 is a measurement"


def test_the_mean_accuracy_is_the_trapezoid_over_the_measured_points_and_the_two_ends():
    parts = 50 * (0.3 + 0.4) / 2 + 100 * (0.4 + 0.45) / 2
    assert mean_accuracy(POINTS, 150, 300) == pytest.approx(parts / 150)
    fine = np.linspace(100, 400, 300_001)
    exact = np.interp(fine, *zip(*POINTS, strict=True)).mean()
    assert mean_accuracy(POINTS, 100, 400) == pytest.approx(exact, abs=1e-6)
    assert mean_accuracy(POINTS, 50, 300) is None and mean_accuracy(POINTS, 150, 500) is None


def test_a_table_has_the_mean_over_the_seeds_that_have_come_so_far_with_interval_and_n(tmp_path):
    watched(tmp_path, "motif", 0, [0.2, 0.4, 0.6])
    watched(tmp_path, "motif", 1, [0.3, 0.5])
    watched(tmp_path, "grpo", 0, [0.1, 0.1, 0.1])
    make_run(tmp_path / "rloo", "rloo", 0)
    table, _ = tables(arms(tmp_path), [600, 200, 300, 300, 100], "grpo")
    rows = {row["arm"]: row for row in table.rows}
    assert set(rows) == {"motif", "grpo"}, "an arm that was not watched has no row"
    assert list(rows["motif"])[1:] == ["arm", "at 100", "at 200", "at 300", "at 600", "mean of 100 – 600"]
    motif = rows["motif"]
    assert motif["at 100"] == "–" and motif["at 300"].startswith("35.0% (0.0% – 98.5%; n = 2 seeds)")
    assert motif["at 600"] == "60.0% (n = 1 seed)" and motif["mean of 100 – 600"] == "–"
    assert rows["grpo"]["at 200"] == "10.0% (n = 1 seed)"


def test_a_pair_is_compared_seed_by_seed_with_sign_flips_and_says_what_it_would_see(tmp_path):
    lead = [0.02, 0.03, 0.01, 0.04, 0.02, 0.03, 0.05, 0.01]
    for seed, more in enumerate(lead):
        level = 0.1 * seed  # seeds differ far more than arms
        watched(tmp_path, "grpo", seed, [level, level + 0.1])
        watched(tmp_path, "motif", seed, [level + more, level + 0.1 + more])
    (row,) = tables(arms(tmp_path), [200, 400], "grpo")[1].rows
    assert (row["arm"], row["against"], row["seeds"]) == ("motif", "grpo", "8 in pairs")
    assert row["difference"] == "+2.6 points" and row["p"] == "p = 0.0078", "all of 2 ** 8 signs agree"
    low, high = map(float, row["95 % interval"].split(" to "))
    half = t.ppf(0.975, 7) * 2.625 / t.ppf(1 - 2**-8, 7)  # a standard error that gives this p
    assert (low, high) == pytest.approx((2.625 - half, 2.625 + half), abs=0.06)
    seen = float(row["would see"].split()[0])
    assert 1.0 < seen < 2.625, "the t test of 8 pairs sees 1.17 standard deviations (1.4 points)"
    assert row["Holm"] == "p = 0.0078 of 1"


def test_arms_of_another_start_are_compared_by_permutations_of_their_seeds(tmp_path):
    for seed in range(4):
        watched(tmp_path, "grpo", seed, [0.1 + 0.01 * seed] * 2, model={"name": "toy", "seed": 1})
        watched(tmp_path, "motif", seed, [0.5 + 0.01 * seed] * 2, model={"name": "toy", "seed": 2})
    (row,) = tables(arms(tmp_path), [200, 400], "grpo")[1].rows
    assert (row["seeds"], row["p"]) == ("4 against 4", "p = 0.029"), "2 of 70 ways"


def test_holm_counts_the_pairs_that_can_decide(tmp_path):
    for seed in range(8):
        watched(tmp_path, "grpo", seed, [0.1 + 0.01 * seed] * 2)
        watched(tmp_path, "motif", seed, [0.5 + 0.02 * seed] * 2)
        watched(tmp_path, "rloo", seed, [0.1 + 0.01 * seed + 0.02 * (-1) ** seed] * 2)
    watched(tmp_path, "single", 0, [0.3, 0.3])
    rows = {row["arm"]: row for row in tables(arms(tmp_path), [200, 400], "grpo")[1].rows}
    assert rows["motif"]["Holm"] == "p = 0.016 of 2" and rows["rloo"]["Holm"] == "p = 1.00 of 2"
    single = rows["single"]
    assert (single["seeds"], single["p"], single["Holm"]) == ("1 against 8", "p = 0.11", "–"), "1 of 9 ways at best"
    assert (single["difference"], single["would see"]) == ("+16.5 points", "–")


def test_pairs_are_made_from_six_shared_seeds_on_and_one_seed_each_is_no_study(tmp_path):
    for seed in range(7):
        watched(tmp_path, "grpo", seed, [0.1 + 0.01 * seed] * 2)
    for algo, seeds in (("motif", range(6)), ("rloo", range(5)), ("maxrl", range(2, 9))):
        for seed in seeds:
            watched(tmp_path, algo, seed, [0.5 + 0.01 * seed] * 2)
    rows = {row["arm"]: row for row in tables(arms(tmp_path), [200, 400], "grpo")[1].rows}
    assert (rows["motif"]["seeds"], rows["motif"]["p"]) == ("6 in pairs", "p = 0.031"), "2 of 2 ** 6 signs"
    assert rows["motif"]["difference"] == "+40.0 points", "of shared seeds"
    assert (rows["rloo"]["seeds"], rows["rloo"]["difference"]) == ("5 against 7", "+39.0 points")
    assert rows["maxrl"]["seeds"] == "7 against 7", "only 2, 3, 4, 5 and 6 are shared"
    one_each = [replace(arm, runs=arm.runs[:1]) for arm in arms(tmp_path)]
    assert differences(one_each, [200, 400], "grpo").rows == []


def test_arms_on_other_validation_questions_are_not_compared(tmp_path):
    for algo, watch in (("grpo", {"questions": 32}), ("motif", {"questions": 64})):
        watched(tmp_path, algo, 0, [0.1, 0.1], watch=watch)
    assert differences(arms(tmp_path), [200, 400], "grpo").rows == []


def test_one_number_a_seed_has_the_error_rate_of_the_test_and_the_power_it_says():
    generator, found = np.random.default_rng(0), 0
    for _ in range(1000):
        found += over_seeds_alone([generator.normal(0, 0.05, 8), generator.normal(0, 0.05, 8)]).p < 0.05
    assert 25 <= found <= 65
    study = over_seeds_alone([[0.05, -0.05, 0.02, -0.02, 0.03, -0.03, 0.01, -0.01]])
    spread, effect = study.samples[0].lasting ** 0.5, detectable(study)
    seen = sum(over_seeds_alone([generator.normal(effect, spread, 8)]).p < 0.05 for _ in range(1000))
    assert 760 <= seen <= 850


def test_counts_without_a_watched_run_are_refused_in_one_line(tmp_path, capsys, without_pictures):
    make_run(tmp_path / "a")
    assert main([str(tmp_path / "a"), "--at", "100,200"]) == 2
    assert capsys.readouterr().err == "error: --at: no run has held_out/accuracy; train with watch.every=5\n"
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path / "a"), "--at", "100,x"])
    assert "numbers of tokens, such as 20000,40000, got '100,x'" in capsys.readouterr().err
    with pytest.raises(UserError, match="--at must be a whole number of at least 0, got -1"):
        tables(arms(tmp_path), [-1], "grpo")


def test_the_report_has_the_tables_where_counts_are_given_and_the_curve_always(tmp_path, capsys, without_pictures):
    for algo, seed in (("grpo", 0), ("motif", 0), ("motif", 1)):
        watched(tmp_path, algo, seed, [0.2, 0.4])
    folders = [str(folder) for folder in sorted(tmp_path.iterdir())]
    assert main([*folders, "--to", str(tmp_path / "plain")]) == 0
    assert "token budgets" not in capsys.readouterr().out
    assert main([*folders, "--to", str(tmp_path / "with"), "--at", "200,400"]) == 0
    assert re.search(r"\nHeld-out accuracy at token budgets\ntrained on .*, arm grpo, ", capsys.readouterr().out)
    plain, at = ((tmp_path / name / "report.md").read_text() for name in ("plain", "with"))
    assert "token budgets" not in plain and "### Held-out accuracy at token budgets" in at
    page, latex = ((tmp_path / "with" / name).read_text() for name in ("index.html", "tables.tex"))
    assert "<td>30.0% (n = 1 seed)</td>" in page and "tab:at-tokens-pairs" in latex
    names = [drawing for drawing in training_curves(arms(tmp_path), ["tokens"]) if drawing.name.startswith("held-out")]
    (line,) = names
    assert line.name == "held-out-tokens-sums" and line.caption.endswith("A point is a measurement.")
    assert line.figure.axes[0].lines[0].get_ydata().tolist() == [20, 40]


def test_points_are_the_lines_that_were_measured(tmp_path):
    runs, _ = read_runs([watched(tmp_path, "motif", 0, [0.2, 0.4], every=3)])
    assert points_of(runs[0]) == [(300, 0.2), (600, 0.4)]
