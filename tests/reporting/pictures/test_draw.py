"""All pictures of a report."""

from motif.reporting.arms import arms_of
from motif.reporting.folders import read_runs
from motif.reporting.pictures.draw import draw_all
from motif.reporting.pictures.training import AXES
from motif.reporting.pooled import pool
from tests.support.run_folders import make_run


def test_pictures_are_written_in_both_kinds_with_units_and_n(written):
    folder = written[0] / "report/pictures"
    names = {file.stem for file in folder.glob("*.svg")}
    assert {"reward-steps-sums", "reward-tokens-sums", "rounds-sums", "tokens-sums", "by-round-sums", "time"} <= names
    assert {file.stem for file in folder.glob("*.png")} == names
    page = (written[0] / "report/index.html").read_text()
    for name in names:
        svg = (folder / f"{name}.svg").read_text()
        assert "n = " in svg and any(unit in svg for unit in ("(%)", "tokens", "step", "minutes", "reward"))
        assert f'id="{name}-' in page


def test_other_counts_of_the_ledger_can_be_the_axis(tmp_path, one_metric):
    make_run(tmp_path / "a")
    runs, _ = read_runs([tmp_path / "a"])
    for place, line in enumerate(runs[0].metrics):
        line.update({"total/flops": 1e12 * (place + 1), "total/seconds": place})
        line["total/optimiser_steps"] = place + 1
    for result in runs[0].results:
        result.values["compute"] = {"flops": 4e9}
    found = arms_of(runs)
    drawn = {item.name: item.svg for item in draw_all(tmp_path / "p", found, pool(found), runs, list(AXES)[1:])}
    assert ">optimiser steps<" in drawn["reward-optimiser_steps-sums"] and "optimiser_steps-sums" not in drawn
    assert "FLOPs of training (estimated)" in drawn["reward-flops-sums"] and "2T" in drawn["reward-flops-sums"]
    assert "FLOPs / question (mean)" in drawn["flops-sums"] and "1G" in drawn["flops-sums"]
    assert "seconds of training" in drawn["reward-seconds-sums"] and "seconds-sums" not in drawn
