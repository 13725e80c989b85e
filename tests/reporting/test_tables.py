"""Tables of the report and of the terminal."""

from motif.reporting.arms import arms_of
from motif.reporting.folders import read_runs
from motif.reporting.paper import Reference
from motif.reporting.pooled import pool
from motif.reporting.tables import differences, results, runs_table, terminal_table, trained_by_decoded
from motif.runs.folder import write_json
from tests.support.run_folders import evaluated, make_run, records, sample


def read(folder):
    runs, _ = read_runs(sorted(folder.iterdir()))
    return runs, arms_of(runs)


def terminal_rows(folder):
    """The rows of the terminal's table, by column."""
    head, _, *rows = (line.strip("| ").split(" | ") for line in terminal_table(*read(folder)).splitlines())
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_printed_table_tells_arms_of_one_algorithm_apart(tmp_path):
    for name in ("full", "none"):
        make_run(tmp_path / name, "broadcast", episode={"name": name})
    assert {row["arm"] for row in terminal_rows(tmp_path)} == {
        "none",
        "broadcast episode=full",
        "broadcast episode=none",
    }


def test_in_the_terminal_every_run_has_its_rows_and_its_arms_name_and_equal_base_policies_one(tmp_path):
    for k in (1, 2, 4):
        make_run(tmp_path / f"k{k}", reward={"k": k})
    rows = terminal_rows(tmp_path)
    names = [row["arm"] for row in rows if row["policy"] == "trained" and row["decoded in"] == "3 rounds"]
    assert names == ["motif k=1", "motif k=2", "motif k=4"]
    assert [row["arm"] for row in rows].count("none") == 1 and rows[0]["arm"] == "none"


def test_a_run_without_results_has_a_table_with_a_head_alone():
    assert terminal_table([], []).splitlines()[1:] == ["|" + " --- |" * 11]


def test_seeds_have_their_spread_and_t_interval_in_the_table_of_arms(tmp_path):
    make_run(tmp_path / "a", seed=0, right=(True, True, True, False))
    make_run(tmp_path / "b", seed=1, right=(True, True, False, False))
    make_run(tmp_path / "c", "grpo", right=(True, True, False, False))
    for seed in (0, 1):
        make_run(tmp_path / f"d{seed}", "value", seed=seed, right=(True, True, False, False))
    _, arms = read(tmp_path)
    table = results(pool(arms), [])
    cells = {
        (row["arm"], row["decoded rounds"]): [
            row[key] for key in ("95 % interval", "over questions alone", "spread of seeds")
        ]
        for row in table.rows
    }
    assert cells["motif", "3"][::2] == ["0.0% – 100.0%", "17.7 points"]  # of 75 % and 50 %: ± 12.7 · 17.7 / √2
    assert cells["value", "3"] == ["12.5% – 87.5%", "12.5% – 87.5%", "0.0 points"]
    assert cells["grpo", "3"] == ["15.0% – 85.0%", "–", "–"] and "over seeds where there are several" in table.note
    assert all(list(row) == table.columns for row in table.rows)
    assert set(table.columns) - table.right == {"data set", "arm"}


def test_the_papers_accuracies_are_rows_with_the_same_columns(tmp_path):
    make_run(tmp_path / "a")
    _, arms = read(tmp_path)
    paper = Reference("MOTIF", "math500", 3, n=500, accuracy=0.486, interval=(0.442, 0.53), budget=5120)
    table = results(pool(arms), [paper])
    assert list(table.rows[-1]) == table.columns and table.rows[-1]["arm"] == "paper, Table 1: MOTIF"
    assert table.rows[-1]["95 % interval"] == "44.2% – 53.0%" and table.rows[-1]["budget / question"] == "5120"


def test_who_was_trained_how_stands_against_the_rounds_decoded_in(tmp_path):
    make_run(tmp_path / "a", right=(True, True, True, False))
    _, arms = read(tmp_path)
    (table,) = trained_by_decoded(pool(arms))
    assert table.columns == ["trained", "decoded in 1 round", "decoded in 3 rounds"]
    base, motif = table.rows
    assert (base["trained"], base["decoded in 3 rounds"]) == ("base", "–")
    assert (motif["trained"], motif["decoded in 3 rounds"]) == ("motif", "75.0% (30.1% – 95.4%; n = 4)")


def test_every_cell_has_its_own_n(tmp_path):
    """One run was measured on other questions than its seeds of the same arm."""
    for seed in (0, 1):
        make_run(tmp_path / str(seed), seed=seed)
    result = evaluated(tmp_path / "1", "trained-sums-r1", "trained", records(*(sample() for _ in range(9))))
    write_json(tmp_path / "1/evaluation/trained-sums-r1.json", result | {"rows": "others"})
    _, arms = read(tmp_path)
    (table,) = trained_by_decoded(pool(arms))
    assert [table.rows[1][f"decoded in {rounds}"].split("; ")[1] for rounds in ("1 round", "3 rounds")] == [
        "n = 9)",
        "n = 4 × 2 seeds)",
    ]


def test_every_run_stands_with_its_state_and_what_it_has_spent(tmp_path):
    make_run(tmp_path / "a", steps=2, finished=False)
    make_run(tmp_path / "b", seed=1)
    make_run(tmp_path / "c", seed=1)
    _, arms = read(tmp_path)
    rows = {row["run"]: row for row in runs_table([arm for arm in arms if arm.trained]).rows}
    assert [rows[name]["state"] for name in "abc"] == ["unfinished", "finished", "repeats a seed"]
    assert (rows["a"]["steps"], rows["a"]["tokens generated"], rows["a"]["FLOPs"]) == ("2 of 3", "200", "–")


def test_the_settings_in_which_arms_differ_are_listed_and_no_others(tmp_path):
    usual, other = {"name": "usual", "weight": 0.1, "again": 0.1}, {"name": "other", "weight": 0.5, "again": 0.5}
    make_run(tmp_path / "a", seed=0, reward=usual)
    make_run(tmp_path / "b", seed=1, reward=usual)
    make_run(tmp_path / "c", algo="grpo", reward=usual)
    make_run(tmp_path / "d", reward=other, evaluation={"questions": 4})
    _, arms = read(tmp_path)
    trained = [arm for arm in arms if arm.trained]
    assert {(arm.name, len(arm.runs)) for arm in trained} == {("grpo", 1), ("motif", 2), ("motif reward=other", 1)}
    rows = differences(trained).rows
    assert [row["setting"] for row in rows] == ["algo.name", "reward.name", "reward.again"]  # weight repeats a key
    assert rows[1]["motif reward=other"] == "other" and rows[1]["grpo"] == "usual"


def test_what_a_run_warned_of_stands_beside_it(written):
    home, _ = written
    rows = [line for line in (home / "report/report.md").read_text().splitlines() if "| answers copied |" in line]
    assert len(rows) == 1 and rows[0].startswith("| motif-1 |")
