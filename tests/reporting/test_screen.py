"""What the terminal shows of arms. The last screen of a sweep as a whole is in test_study.py."""

from motif.reporting.arms import arms_of
from motif.reporting.folders import read_runs
from motif.reporting.markup import Table
from motif.reporting.screen import as_trained, show_arms, show_table
from tests.support.run_folders import make_run


def test_an_arm_is_shown_as_it_was_trained(tmp_path):
    make_run(tmp_path / "a")
    (trained,) = (arm for arm in arms_of(read_runs([tmp_path / "a"])[0]) if arm.trained)
    assert as_trained(trained)["rounds"] == 3


def test_arms_without_results_have_no_row(tmp_path, capsys):
    run = make_run(tmp_path / "a", finished=False)
    for file in (run / "evaluation").iterdir():
        file.unlink()
    show_arms([run])
    assert "motif" not in capsys.readouterr().out.split("verdict")[0]


def test_a_table_of_the_report_is_shown_with_its_title(capsys):
    show_table(
        Table("t", "Accuracy at tokens", [{"arm": "motif", "at 20,000": "50.0%"}], right=frozenset({"at 20,000"}))
    )
    title, head, row = (line for line in capsys.readouterr().out.splitlines() if line.strip() and "─" not in line)
    assert (
        title == "Accuracy at tokens" and head.split() == ["arm", "at", "20,000"] and row.split() == ["motif", "50.0%"]
    )
