"""The specification of the workspace, and what is said where it cannot be made or saved."""

import json
import subprocess
import sys

import pytest

from motif.runs.ledger import AXES
from motif.runs.tracking import dashboard
from motif.runs.tracking.dashboard import Dashboard, main, specification
from motif.system.errors import UserError
from tests.runs.tracking.test_wandb import server  # noqa: F401
from tests.support import ROOT

SECTIONS = {
    "Results": {"Bar Chart": 2, "Scatter Plot": 2},
    "Training, by training step": {"Run History Line Plot": 6},
    "Training, by tokens generated in training": {"Run History Line Plot": 6},
    "Training by round": {"Run History Line Plot": 3},
    "Sweeps": {"Parallel Coordinates Plot": 1},
    "Episodes": {"Weave": 1},
}


def spec(**choices):
    return specification(Dashboard(**choices).workspace("e", "p"))


def panels(found, kind=None):
    """Panels by section."""
    sections = found["spec"]["section"]["panelBankConfig"]["sections"]
    return {
        section["name"]: [panel for panel in section["panels"] if kind in (None, panel["viewType"])]
        for section in sections
    }


def named(panel):
    """The metrics, axes and keys of the configuration that a panel shows."""
    config = panel["config"]
    found = [*config.get("metrics", []), config.get("xAxis"), config.get("yAxis"), config.get("groupBy")]
    found += [column["accessor"] for column in config.get("columns", [])]
    if panel["viewType"] == "Weave":
        found.append(config["panel2Config"]["exp"]["fromOp"]["inputs"]["key"]["val"])
    return {name.removeprefix("summary:").removeprefix("config:") for name in found if name}


def test_every_section_has_its_panels():
    counts = {
        name: {kind: sum(panel["viewType"] == kind for panel in own) for kind in {panel["viewType"] for panel in own}}
        for name, own in panels(spec()).items()
    }
    assert counts == SECTIONS


def test_curves_are_means_with_the_range_of_the_seeds_by_algorithm_against_steps_and_tokens():
    found = panels(spec(), "Run History Line Plot")
    for section, axis in (("by training step", "train/global_step"), ("by tokens generated", "total/generated_tokens")):
        (own,) = [plots for name, plots in found.items() if section in name]
        for panel in own:
            config = panel["config"]
            assert config["xAxis"] == axis and axis in AXES
            assert (config["groupBy"], config["groupAgg"], config["groupArea"]) == ("algo.value.name", "mean", "minmax")
    assert {name for panel in found["Training by round"] for name in panel["config"]["metrics"]} >= {
        f"rounds/{t}/correct" for t in (1, 2, 3)
    }


def test_runs_are_grouped_by_a_plain_key_and_are_those_of_the_study():
    (runs,) = spec(group="baseline", by="dataset.name")["spec"]["section"]["runSets"]
    assert runs["grouping"] == [{"section": "config", "name": "dataset.value.name"}]
    assert '"baseline"' in json.dumps(runs["filters"]) and '"train"' in json.dumps(runs["filters"])
    for key, name in (("seed", "seed.value"), ("rounds", "rounds.value")):
        (panel,) = panels(spec(by=key))["Sweeps"]
        assert f"{name}" in named(panel)
        assert panels(spec(by=key), "Run History Line Plot")["Training by round"][0]["config"]["groupBy"] == name


def test_accuracy_against_tokens_is_of_the_data_sets_and_rounds_asked_for():
    found = panels(spec(datasets=["math500", "aime24"], rounds=[1, 3]), "Scatter Plot")["Results"]
    shown = {(panel["config"]["xAxis"], panel["config"]["yAxis"]) for panel in found}
    assert shown == {
        (
            f"summary:evaluation/{name}/rounds_{r}/trained/tokens",
            f"summary:evaluation/{name}/rounds_{r}/trained/accuracy",
        )
        for name in ("math500", "aime24")
        for r in (1, 3)
    }


def test_the_specification_is_printed_without_a_server_or_a_key(tmp_path):
    call = [sys.executable, "-m", "motif.dashboard", "--print", "--group", "baseline"]
    env = {"PATH": "", "HOME": str(tmp_path), "WANDB_BASE_URL": "http://127.0.0.1:9"}
    done = subprocess.run(call, capture_output=True, text=True, env=env, cwd=ROOT, timeout=100)
    assert done.returncode == 0 and done.stderr == ""
    assert json.loads(done.stdout)["displayName"] == "motif: baseline"


def test_a_dashboard_is_saved_and_its_address_shown(server, capsys):  # noqa: F811
    assert main(["--entity", "us", "--project", "p"]) == 0
    (view,) = server.views
    assert view["entityName"] == "us" and view["projectName"] == "p"
    assert "total/generated_tokens" in view["spec"] and "algo.value.name" in view["spec"]
    assert "/us/p?nw=" in capsys.readouterr().out


def refused(capsys, *arguments):
    assert main([*arguments]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "Traceback" not in said.err
    return said.err


def test_a_project_that_wandb_refuses_is_one_line(server, capsys):  # noqa: F811
    server.status = 404
    assert "us/no-such" in refused(capsys, "--entity", "us", "--project", "no-such")


def test_no_network_is_one_line(server, capsys, monkeypatch):  # noqa: F811
    monkeypatch.setattr("wandb.apis.public.Api._HTTP_TIMEOUT", 1)
    server.stop()
    assert "W&B did not take" in refused(capsys, "--entity", "us")


def test_no_key_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr(dashboard.WandB, "has_key", staticmethod(lambda: False))
    assert "wandb login" in refused(capsys, "--entity", "us")


def test_no_wandb_workspaces_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    with pytest.raises(UserError, match="motif-rounds\\[dashboard\\]"):
        spec()


@pytest.mark.parametrize("arguments", [[], ["--entity", "us", "--rounds", "0"], ["--entity", "us", "--rounds", "x"]])
def test_bad_arguments_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "error: " in capsys.readouterr().err
