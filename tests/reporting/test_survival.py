"""The right intermediate states that rounds hand over."""

import pytest

from motif.reporting.arms import arms_of
from motif.reporting.folders import read_runs
from motif.reporting.pictures.accuracy import accuracies
from motif.reporting.pooled import pool
from motif.reporting.program import main
from motif.reporting.recorded import right_states
from motif.reporting.survival import RIGHT, SURVIVED, handed_over, survival_table
from tests.support.run_folders import evaluated, make_run, records, sample

STATES = ["a1", "b2", "c3", "d4"]


def measured(folder, seed, *questions, states=STATES):
    """A run whose evaluation in four rounds has these questions, each the notes of its samples."""
    run = make_run(folder / f"motif{seed}", "motif", seed)
    for old in (run / "evaluation").iterdir():
        old.unlink()
    made = records(*(sample("so", 4) for _ in questions))
    for record, notes in zip(made, questions, strict=True):
        record["samples"] = [sample("so", 4, carried=list(carried)) for carried in notes]
        record["facts"] = {"states": states} if states else {}
    evaluated(run, "trained-sums-r4", "trained", made)
    return run


def known(folder):
    return pool(arms_of(read_runs(sorted(folder.glob("*[0-9]")))[0]))


@pytest.mark.parametrize(
    ("carried", "right", "survived"),
    [
        (["a1", "c3", "d4"], [True, True, True], [True, True, True]),
        (["d4", "d4", "d4"], [True, True, True], [True, True, True]),
        (["b2", "b3", "c3"], [True, False, True], [True, False, False]),
        (["ok", "a1", "d4"], [False, True, True], [False, False, False]),
        (["c3", "b2", "d4"], [True, True, True], [True, False, False]),
        ([None, "a1"], [False, True], [False, False]),
        ([], [], []),
    ],
    ids=["onward", "the last again", "a wrong value", "no note", "backwards", "nothing carried", "one round"],
)
def test_a_state_survives_while_each_round_hands_over_a_right_one_that_is_no_earlier(carried, right, survived):
    assert right_states(carried, STATES) == list(zip(right, survived, strict=True))


def test_of_a_label_that_comes_twice_the_later_one_may_follow():
    assert right_states(["b2", "a1", "b2"], ["a1", "b2", "a1", "c3"]) == [(True, True), (True, True), (True, False)]


def test_shares_are_over_samples_and_questions_and_an_episode_that_has_ended_hands_over_nothing(tmp_path):
    measured(tmp_path, 0, [("a1", "b2", "c3"), ("a1", "ok", "c3")], [("b2",), ("x", "d4", "d4")])
    (one,) = known(tmp_path)
    assert [share for share, _ in handed_over(one, SURVIVED)] == [0.75, 0.25, 0.25]
    assert [share for share, _ in handed_over(one, RIGHT)] == [0.75, 0.5, 0.75]


def test_a_row_has_the_mean_over_seeds_with_its_interval_and_the_share_of_the_round_alone(tmp_path):
    right, lost = [("a1", "b2", "d4")], [("a1", "ok", "d4")]
    measured(tmp_path, 0, *[right] * 8, *[lost] * 2)
    (row,) = survival_table(known(tmp_path)).rows
    assert row["round 2"] == "80.0% (49.0% – 94.3%; alone 80.0%)", "of one seed Wilson's"
    assert row["round 3"] == "80.0% (49.0% – 94.3%; alone 100.0%)"
    measured(tmp_path, 1, *[right] * 6, *[lost] * 4)
    measured(tmp_path, 2, *[right] * 10)
    (row,) = survival_table(known(tmp_path)).rows
    assert row["round 2"] == "80.0% (30.3% – 100.0%; alone 80.0%)", "of three seeds the t interval"
    assert (row["arm"], row["decoded in"], row["n questions"], row["seeds"]) == ("motif", "4", "10", "3")


def test_results_of_one_round_and_questions_without_states_have_no_row_and_no_picture(tmp_path):
    measured(tmp_path, 0, [("a1", "b2", "c3")], states=None)
    make_run(tmp_path / "grpo0", "grpo")
    assert survival_table(known(tmp_path)).rows == []
    pooled = known(tmp_path)
    assert not [
        drawing
        for drawing in accuracies([one.arm for one in pooled], pooled, [])
        if drawing.name.startswith("survival")
    ]


def test_the_report_has_the_table_and_a_line_for_each_arm(tmp_path, capsys, without_pictures):
    measured(tmp_path, 0, [("a1", "b2", "c3")], [("a1", "x", "c3")])
    assert main([str(tmp_path / "motif0"), "--to", str(tmp_path / "report")]) == 0
    text = (tmp_path / "report/report.md").read_text()
    assert "### Right states handed over, by round" in text and "50.0% (9.5% – 90.5%; alone 100.0%)" in text
    (one,) = known(tmp_path)
    drawings = {drawing.name: drawing for drawing in accuracies([one.arm], [one], [])}
    (axes,) = drawings["survival-sums"].figure.axes
    assert axes.containers[0][0].get_ydata().tolist() == [100, 50, 50]
    assert axes.get_ylabel() == "right so far (%)"
