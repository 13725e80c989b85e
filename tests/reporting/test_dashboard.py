"""`python -m motif.dashboard`: the view or the report that W&B is sent, and what is said where W&B does not take it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from motif.reporting.dashboard import main
from motif.runs.tracking.base import WandB
from motif.runs.tracking.wandb import LATEST
from tests.reporting.test_attach import study
from tests.support import ROOT

GROUP = "k=4, it's <ours>"


def test_the_specification_is_printed_without_a_server_or_a_key(tmp_path):
    call = [sys.executable, "-m", "motif.dashboard", "--print", "--group", "baseline"]
    env = {"PATH": "", "HOME": str(tmp_path), "WANDB_BASE_URL": "http://127.0.0.1:9"}
    done = subprocess.run(call, capture_output=True, text=True, env=env, cwd=ROOT, timeout=100)
    assert done.returncode == 0 and done.stderr == ""
    assert json.loads(done.stdout)["displayName"] == "motif: baseline"


def test_a_dashboard_is_saved_and_its_address_shown(wandb_server, capsys):
    assert main(["--entity", "us", "--project", "p"]) == 0
    (view,) = wandb_server.views
    assert view["entityName"] == "us" and view["projectName"] == "p"
    assert "total/generated_tokens" in view["spec"] and "algo.value.name" in view["spec"]
    assert "/us/p?nw=" in capsys.readouterr().out


def refused(capsys, *arguments):
    assert main([*arguments]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "Traceback" not in said.err
    return said.err


def test_a_project_that_wandb_refuses_is_one_line(wandb_server, capsys):
    wandb_server.status = 404
    assert "us/no-such" in refused(capsys, "--entity", "us", "--project", "no-such")


def test_no_network_is_one_line(wandb_server, capsys, monkeypatch):
    monkeypatch.setattr("wandb.apis.public.Api._HTTP_TIMEOUT", 1)
    wandb_server.stop()
    assert "W&B did not take" in refused(capsys, "--entity", "us")


def test_no_key_is_one_line(capsys, monkeypatch):
    monkeypatch.setattr(WandB, "has_key", staticmethod(lambda: False))
    assert "wandb login" in refused(capsys, "--entity", "us")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A study of two arms."""
    home = tmp_path_factory.mktemp("study") / "outputs"
    return [str(run.folder) for run in study(home, GROUP, GROUP, GROUP)]


def blocks(specification):
    """The kinds of the blocks under each heading, by the heading; those before the first one are under ''."""
    found, heading = {"": []}, ""
    for block in specification["blocks"]:
        if block["type"] == "heading":
            heading = block["children"][0]["text"]
            found[heading] = []
        elif block["type"] != "paragraph":
            found[heading].append(block)
    return found


def runs_of(grid):
    """The job type, the group and the grouping of a grid's runs."""
    (runs,) = grid["metadata"]["runSets"]
    filters = {each["key"]["name"]: each["value"] for each in runs["filters"]["filters"]}
    return filters["jobType"], filters["group"], tuple(key["name"] for key in runs["grouping"])


@pytest.mark.slow
def test_a_report_is_printed_without_a_server_or_a_key_and_holds_what_the_folders_say(folders, capsys, monkeypatch):
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(WandB, "has_key", staticmethod(lambda: False))
    assert main(["--print", "--report", *folders]) == 0
    found = json.loads(capsys.readouterr().out)
    shown = blocks(found["spec"])
    assert found["displayName"] == "Report on outputs" and found["project"]["name"] == "p"
    (words,) = (block["content"] for block in shown[""])
    assert (
        "Which arm answers most questions of sums?" in words and "- No verdict on motif against grpo on sums" in words
    )
    assert "| motif | 3 rounds | 50.0% (" in words and "| grpo | " in words
    sections = ["Results", "Training, by training step", "Training, by tokens generated in training"]
    assert [*shown][1:] == ["Pictures", *sections, "Training by round", "Sweeps", "Episodes"]
    assert runs_of(shown["Pictures"][0]) == ("report", GROUP, ())
    assert {runs_of(grid) for heading, (grid,) in [*shown.items()][2:]} == {("train", GROUP, ("algo.value.name",))}
    assert "evaluation/sums/rounds_3/trained/accuracy" in json.dumps(shown["Results"])
    assert LATEST in json.dumps(shown["Episodes"])
    assert not list(Path(folders[0]).parent.glob("report"))


@pytest.mark.slow
def test_a_report_is_saved_over_the_pictures_that_it_attaches(folders, wandb_server, capsys):
    assert main(["--entity", "us", "--report", *folders]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"{wandb_server.url}/us/p/reports/Report-on-outputs--v")
    (view,) = wandb_server.views
    assert (view["type"], view["entityName"], view["projectName"]) == ("runs", "us", "p")
    shown = blocks(json.loads(view["spec"]))
    (grid,) = shown["Pictures"]
    names = grid["metadata"]["panelBankSectionConfig"]["panels"][0]["config"]["mediaKeys"]
    (run,) = wandb_server.runs.values()
    assert names and set(names) <= run["summary"].keys()
    assert (run["upserts"][0]["jobType"], run["upserts"][0]["groupName"]) == runs_of(grid)[:2]
    assert {each["project"]["id"] for (grid,) in [*shown.values()][1:] for each in grid["metadata"]["runSets"]} == {
        "17"
    }


@pytest.mark.slow
def test_a_report_for_a_project_that_is_not_there_is_one_line_and_attaches_nothing(folders, wandb_server, capsys):
    said = refused(capsys, "--entity", "us", "--project", "mistyped", "--report", *folders)
    assert "W&B did not take the report for us/mistyped" in said and "not found" in said
    assert not wandb_server.runs and not wandb_server.views


@pytest.mark.parametrize("arguments", [[], ["--entity", "us", "--rounds", "0"], ["--entity", "us", "--rounds", "x"]])
def test_bad_arguments_are_refused(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "error: " in capsys.readouterr().err
