"""Accuracy by a fact of the questions, and where one result overtakes another."""

from math import inf

import numpy as np
import pytest

from motif.reporting.arms import arms_of
from motif.reporting.by_fact import by_facts, crossover, crossovers, tables_by_fact
from motif.reporting.folders import read_runs
from motif.reporting.pictures.accuracy import by_fact
from motif.reporting.pooled import pool
from tests.support.run_folders import evaluated, make_run, records, sample

LENGTHS = (2, 3, 4, 5)
EACH = 10  # questions of a length


def measured(folder, stem, rights, rounds, **facts):
    """Results in `rounds` rounds: so many of EACH questions of each length are right."""
    made = records(*(sample("so", rounds, place < right) for right in rights for place in range(EACH)))
    for place, record in enumerate(made):
        record["facts"] = {"length": LENGTHS[place // EACH], "level": "hard", "unique": place, "even": True, **facts}
    evaluated(folder, stem, "trained", made)


def known(folder, windows, rounds):
    """Pooled results of grpo in one round and motif in three, of two seeds each, by right answers at each length."""
    for algo, stem, rights, count in (("grpo", "r1", windows, 1), ("motif", "r3", rounds, 3)):
        for seed in (0, 1):
            run = make_run(folder / f"{algo}{seed}", algo, seed)
            for old in (run / "evaluation").iterdir():
                old.unlink()
            measured(run, f"trained-sums-{stem}", rights, count)
            result = run / f"evaluation/trained-sums-{stem}.json"
            result.write_text(result.read_text().replace(f'"budget": {8 * count}', '"budget": 24'))
    return pool(arms_of(read_runs(sorted(folder.iterdir()))[0]))


def test_accuracy_is_split_by_each_whole_number_of_few_values_and_has_interval_and_n(tmp_path):
    (one,) = by_facts(known(tmp_path, (10, 9, 2, 0), (9, 8, 7, 5)))
    assert one.fact == "length" and list(one.ids) == [*LENGTHS], "neither texts nor flags nor numbers of one question"
    (table,) = tables_by_fact([one])
    assert [row["length"] for row in table.rows] == ["2", "3", "4", "5"] and table.rows[0]["n questions"] == "10"
    cell = table.rows[2]["motif, 3 rounds of 8 tokens"]
    assert cell.startswith("70.0% (") and "grpo, 1 round of 24 tokens" in table.columns
    (drawing,) = by_fact([one])
    (axes,) = drawing.figure.axes
    lines = {line.get_label(): line for line in axes.containers}
    assert list(lines) == [
        *("grpo, 1 round of 24 tokens (n = 40 × 2 seeds)", "motif, 3 rounds of 8 tokens (n = 40 × 2 seeds)")
    ]
    assert axes.get_xlabel() == "length" and lines[list(lines)[1]][0].get_ydata().tolist() == [90, 80, 70, 50]


def test_the_report_says_from_which_value_rounds_overtake_the_long_window(tmp_path):
    (table,) = crossovers(by_facts(known(tmp_path, (10, 9, 2, 0), (9, 8, 7, 5))), "grpo")
    (row,) = table.rows
    assert (row["result"], row["against"]) == ("motif, 3 rounds of 8 tokens", "grpo, 1 round of 24 tokens")
    assert row["above from"] == "length 4" and row["95 % interval"].endswith(" – 4") and row["seeds"] == "2 against 2"


def test_no_crossover_is_said_with_the_largest_value(tmp_path):
    (table,) = crossovers(by_facts(known(tmp_path, (10, 9, 8, 7), (9, 8, 7, 5))), "grpo")
    (row,) = table.rows
    assert row["above from"] == "no crossover up to length 5" and row["95 % interval"].endswith("beyond 5")
    assert crossovers([], "grpo")[0].rows == []


def test_a_crossover_is_the_last_start_of_the_largest_lead():
    def tables(*rights):
        return [np.array([[1.0] * right + [0.0] * (20 - right)]) for right in rights]

    assert crossover(tables(20, 20, 10, 5), tables(20, 20, 0, 0))[0] == 2, "equal ones do not count as above"
    assert crossover(tables(20, 18, 10, 0), tables(20, 20, 4, 0))[0] == 2
    assert crossover(tables(20, 10, 4, 9), tables(20, 20, 5, 0))[0] == 3
    assert crossover(tables(20, 20), tables(10, 10)) == (0, (0, 0)), "above everywhere"
    assert crossover(tables(5, 5), tables(5, 5)) == (inf, (inf, inf))


def test_the_interval_of_a_crossover_holds_the_true_one():
    chances = np.array([[0.95, 0.9, 0.8, 0.6, 0.3, 0.1, 0.05], [0.9, 0.85, 0.8, 0.75, 0.6, 0.5, 0.4]])
    held = found = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        window, rounds = ([(generator.random((1, 27)) < p).astype(float) for p in side] for side in chances)
        at, (low, high) = crossover(rounds, window)
        held += low <= 3 <= high
        found += at in (2, 3)
    assert held >= 54 and found >= 40, "27 questions a length place it within a length most of the time"


def test_seeds_that_differ_widen_the_interval_of_a_crossover():
    generator = np.random.default_rng(0)
    window = [(generator.random((3, 40)) < p).astype(float) for p in (0.9, 0.6, 0.3)]
    rounds = [np.array([[0.2] * 40, [0.7] * 40, [1.0] * 40])] * 3
    alike = [table.mean(0, keepdims=True) for table in rounds]
    (low, high), (least, most) = (crossover(side, window)[1] for side in (rounds, alike))
    assert low <= least and high >= most and high - low > most - least


@pytest.mark.parametrize("rows", [0, 1])
def test_results_on_other_questions_are_not_split_together(tmp_path, rows):
    found = by_facts(known(tmp_path, (10, 9, 2, 0), (9, 8, 7, 5))[rows : rows + 1])
    assert crossovers(found, "grpo")[0].rows == []
