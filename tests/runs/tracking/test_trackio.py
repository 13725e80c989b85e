"""What Trackio is told, read back from its own database; and several trackers at once."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from motif.runs.tracking.base import Several, Silent, TensorBoard, Trackio, WandB
from motif.runs.tracking.trackio import Logged
from motif.system.errors import UserError
from tests.runs.tracking.test_base import SUMMARY
from tests.support import ROOT

BEGIN = """
import os, socket, sys, time
from pathlib import Path
from motif.runs.tracking.base import Trackio

asked = []

def refuse(*where, **how):
    asked.append(where[:2])
    raise OSError("no network here")

socket.getaddrinfo = socket.socket.connect = refuse
config = {"_target_": "motif.experiment.Experiment", "rounds": 3, "api_key": "planted"}
tracker = Trackio(project="p", group="study").start(Path("."), "id1234567890", "the-name", config)
lines = [{"step": step, "train/reward": step / 4} for step in (1, 2, 3, 4)]
"""
KILLED = """
for line in lines[:3]:
    tracker.log({"train/reward": line["train/reward"]}, line["step"])
    tracker.alert("flat", f"at step {line['step']}", line["step"])
from trackio.sqlite_storage import SQLiteStorage
while SQLiteStorage.get_max_step_for_run("p", "the-name-id1234") != 3 or len(SQLiteStorage.get_alerts("p")) < 3:
    time.sleep(0.05)
os._exit(9)
"""
CONTINUED = """
tracker.resume(lines[:2])
for line in lines[2:]:
    tracker.log({"train/reward": line["train/reward"]}, line["step"])
    tracker.alert("flat", f"at step {line['step']}", line["step"])
"""
READ = f"""
tracker.finish({SUMMARY!r}, None)
import json, trackio
from trackio.sqlite_storage import SQLiteStorage
(run,) = trackio.Api().runs("p")
logs = SQLiteStorage.get_logs("p", run.name, run_id=run.id)
print(json.dumps([run.name, run.config, logs, sorted(each["text"] for each in run.alerts()), asked]))
"""


def in_process(folder, code):
    """What a process prints that tells Trackio of a run, in a database and with a token of the hub of its own."""
    places = {"TRACKIO_DIR": str(folder / "trackio"), "HF_HOME": str(folder / "hub"), "HF_TOKEN": "hf_planted"}
    call = [sys.executable, "-c", BEGIN + code]
    return subprocess.run(call, cwd=ROOT, env=os.environ | places, capture_output=True, text=True, timeout=300)


@pytest.mark.program
@pytest.mark.skipif(
    find_spec("trackio") is None, reason="Trackio is not installed: pip install 'motif-rounds[trackio]'"
)
def test_a_run_that_is_killed_and_continued_is_one_run_of_trackio_with_each_step_once_and_no_network(tmp_path):
    assert in_process(tmp_path, KILLED).returncode == 9
    done = in_process(tmp_path, CONTINUED + READ)
    said, read = done.stdout.splitlines()
    assert said == "Trackio: trackio show --project p" and done.stderr == ""
    name, config, logs, alerts, asked = json.loads(read)
    assert name == "the-name-id1234" and config["rounds"] == 3 and config["_Group"] == "study" and asked == []
    assert "planted" not in json.dumps(config) and "_target_" not in config
    rewards = [(each["step"], each["train/reward"]) for each in logs if "train/reward" in each]
    assert rewards == [(1, 0.25), (2, 0.5), (3, 0.75), (4, 1.0)]
    assert [(each["step"], each[key]) for each in logs for key in each if "accuracy" in key] == [(4, 0.5)]
    assert alerts == [f"at step {step}" for step in (1, 2, 3, 4)]


@pytest.mark.parametrize(("choice", "package"), [(Trackio(), "trackio"), (TensorBoard(), "tensorboard")])
def test_without_the_package_a_line_says_what_to_install_alone_and_among_several(choice, package, monkeypatch):
    monkeypatch.setattr("motif.runs.tracking.base.find_spec", lambda name: None)
    for asked in (choice, Several([Silent(), choice])):
        with pytest.raises(UserError, match=rf"^tracking={package} needs: pip install 'motif-rounds\[{package}\]'$"):
            asked.check()
    Several([Silent(), WandB()]).check()


def test_where_a_tracker_cannot_begin_what_has_begun_is_ended(tmp_path):
    ended = []

    class Begun(Silent):
        def start(self, *_):
            tracker = super().start(*_)
            tracker.finish = lambda *given: ended.append(given)
            return tracker

    class Refused(Silent):
        def start(self, *_):
            raise UserError("no place")

    with pytest.raises(UserError, match="no place"):
        Several([Begun(), Refused()]).start(tmp_path, "id", "name", {})
    assert ended == [({}, None)]


@pytest.mark.parametrize("variable", ["TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL", "TRACKIO_WEBHOOK_URL"])
def test_a_variable_that_would_send_the_run_elsewhere_is_refused(variable, monkeypatch):
    monkeypatch.setenv(variable, "somewhere")
    with pytest.raises(UserError, match=f"stays on this machine: unset the variable {variable}"):
        Trackio()


def test_a_fault_of_trackio_is_one_line_and_nothing_is_told_any_more(monkeypatch, capsys):
    class Broken:
        calls = 0

        def log(self, *_, **__):
            self.calls += 1
            print("a word of its own")
            raise OSError("database is locked")

    run = Broken()
    monkeypatch.setattr(Logged, "_begin", lambda tracker, begin: setattr(tracker, "run", begin()))
    tracker = Logged(lambda: run)
    for step in (1, 2):
        tracker.log({"train/reward": 0.5}, step)
    tracker.alert("flat", "words", 2)
    tracker.finish(SUMMARY, None)
    assert run.calls == 1
    assert capsys.readouterr().out == "Trackio: database is locked; the run goes on without\n"


def test_several_trackers_are_told_the_same_and_each_is_ended(tmp_path):
    told = []

    class Noted(Silent):
        def start(self, *_):
            tracker = super().start(*_)
            for word in ("log", "table", "alert", "resume", "finish"):
                setattr(tracker, word, lambda *given, word=word: told.append((word, *given)))
            return tracker

    several = Several([Noted(), Noted(episodes_every=3), TensorBoard()])
    assert several.episodes_every == 20
    tracker = several.start(tmp_path, "id", "name", {})
    lines = [{"step": 1}]
    tracker.resume(lines)
    tracker.log({"train/reward": 0.5}, 2)
    tracker.table("episodes", ("reply",), [["x"]], 2)
    tracker.alert("flat", "words", 2)
    tracker.finish(SUMMARY, None)
    calls = [
        *(("resume", lines), ("log", {"train/reward": 0.5}, 2), ("table", "episodes", ("reply",), [["x"]], 2)),
        *(("alert", "flat", "words", 2), ("finish", SUMMARY, None)),
    ]
    assert told == [call for call in calls for _ in range(2)] and list((tmp_path / "tensorboard").iterdir())
