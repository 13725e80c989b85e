"""The specification of the workspace, and what is said where it cannot be made."""

import json
import sys

import pytest

from motif.runs.ledger import AXES
from motif.runs.tracking.dashboard import Dashboard, specification
from motif.system.errors import UserError

SECTIONS = {
    "Results": {"Bar Chart": 2, "Scatter Plot": 2},
    "Training, by training step": {"Run History Line Plot": 11},
    "Training, by tokens generated in training": {"Run History Line Plot": 11},
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


def test_a_group_is_named_as_it_is_whatever_signs_it_has():
    name = "k=4 it's \\ <ours> \" or é"
    (runs,) = spec(group=name)["spec"]["section"]["runSets"]
    assert name in [each["value"] for each in runs["filters"]["filters"]]


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


def test_no_wandb_workspaces_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb_workspaces.workspaces", None)
    with pytest.raises(UserError, match="motif-rounds\\[dashboard\\]"):
        spec()
