"""The report as a W&B run: what it holds, and that a second report updates it."""

import pytest

from motif.reporting.attach import groups_of, summary_run
from motif.reporting.folders import read_runs
from motif.reporting.program import main
from motif.runs.tracking import upload
from motif.system.errors import UserError
from tests.support.run_folders import make_run


def study(home, *groups, project="p"):
    """A run of each group, of one arm and another in turn."""
    for place, group in enumerate(groups):
        tracking = {"name": "wandb", "project": project, "entity": None, "group": group}
        make_run(home / f"run{place}", algo=("grpo", "motif")[place % 2], tracking=tracking)
    runs, _ = read_runs(sorted(home.glob("run*")))
    return runs


@pytest.mark.slow
def test_verdicts_and_pictures_are_attached_to_one_run_of_the_group(tmp_path, wandb_server, capsys):
    home = tmp_path / "outputs"
    study(home, "baseline", "baseline")
    folders = [str(path) for path in sorted(home.glob("run*"))]
    for _ in range(2):
        assert main([*folders, "--wandb"]) == 0
    (run,) = wandb_server.runs.values()
    assert run["upserts"][0]["groupName"] == "baseline" and run["upserts"][0]["jobType"] == "report"
    assert len(wandb_server.history(next(iter(wandb_server.runs)))) == 2  # two reports, one run
    keys = run["summary"]
    assert "report/verdicts" in keys and "report/arms" in keys
    assert keys["report/verdicts"]["nrows"] >= 1
    assert {name for name in keys if name.startswith("pictures/")} == {
        f"pictures/{file.stem}" for file in (home / "report" / "pictures").glob("*.png")
    }
    assert "report  " in capsys.readouterr().out


@pytest.mark.slow
def test_a_report_attached_offline_is_uploaded_as_the_same_run(tmp_path, wandb_server, monkeypatch, capsys):
    home = tmp_path / "outputs"
    runs = study(home, "baseline", "baseline")
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert main([*map(str, (run.folder for run in runs)), "--wandb"]) == 0
    assert not wandb_server.runs and "make sync" in capsys.readouterr().out
    monkeypatch.delenv("WANDB_MODE")
    while not upload.pending([home / "report"]):  # W&B's service closes its file in its own time
        pass
    assert upload.main([str(folder) for folder in home.iterdir()]) == 0
    (run,) = wandb_server.runs.values()
    assert list(wandb_server.runs) == [summary_run(runs)[0]] and "report/verdicts" in run["summary"]


def test_the_run_of_a_group_is_the_same_for_the_same_runs_and_another_for_others(tmp_path):
    one, settings = summary_run(study(tmp_path / "one", "a", "a"))
    assert summary_run(study(tmp_path / "two", "a"))[0] == one and settings.group == "a"
    assert settings.job_type == "report" and settings.project == "p"
    several, joined = summary_run(study(tmp_path / "three", "b", "a"))
    assert several != one and joined.group == "a+b"
    assert summary_run(study(tmp_path / "four", None))[1].group == "four"


def test_the_group_is_found_among_several_trackers_and_where_there_is_none(tmp_path):
    theirs = {"trackers": [{"name": "tensorboard"}, {"name": "wandb", "project": "p", "entity": None, "group": "g"}]}
    for name, tracking in (("a", theirs), ("b", {"name": "none"}), ("c", "wandb")):
        make_run(tmp_path / name, tracking=tracking)
    runs, _ = read_runs(sorted(tmp_path.iterdir()))
    assert groups_of(runs) == ["g"] and summary_run(runs)[1].group == "g"


def test_runs_of_several_projects_are_refused_in_a_line(tmp_path):
    runs = study(tmp_path / "a", "g", project="p") + study(tmp_path / "b", "g", project="q")
    with pytest.raises(UserError, match="several W&B projects \\(p, q\\)"):
        summary_run(runs)


def test_of_several_trackers_that_of_wandb_says_where_the_report_belongs(tmp_path):
    trackers = [{"name": "trackio", "project": "other", "group": "x"}, {"name": "none"}]
    trackers.insert(1, {"name": "wandb", "project": "p", "entity": None, "group": "a"})
    make_run(tmp_path / "run", tracking={"name": "several", "trackers": trackers})
    _, settings = summary_run(read_runs([tmp_path / "run"])[0])
    assert (settings.project, settings.group) == ("p", "a")
