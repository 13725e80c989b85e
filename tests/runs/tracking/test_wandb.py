"""What W&B is told, online and off, and what becomes of a run when W&B fails: nothing. Against a server of our own."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from motif.runs.tracking import wandb
from motif.runs.tracking.base import Nowhere, WandB
from tests.support import ROOT, thinned

CONFIG = {"rounds": 3, "seed": 1, "algo": {"name": "motif"}, "dataset": {"name": "chain"}}
SUMMARY = {"evaluation": [], "compute": {"training": {"generated_tokens": 5}}}


def metrics(step):
    return {"train/reward": step / 2, "total/generated_tokens": 100.0 * step}


def logs(tracker, steps):
    for step in steps:
        tracker.log(metrics(step), step)


def steps(wandb_server, run="id1"):
    return [line["train/global_step"] for line in wandb_server.history(run) if "train/reward" in line]


def core():
    return [child for child in psutil.Process().children() if child.name() == "wandb-core"]


def test_an_online_run_is_told_every_step_its_plain_config_keys_and_its_result(tmp_path, wandb_server, capsys):
    tracker = WandB(project="p", group="study").start(tmp_path, "id1", "the-name", CONFIG)
    tracker.resume([])
    logs(tracker, range(1, 6))
    tracker.table("episodes", ["question"], [["q"]], 1)
    tracker.finish(SUMMARY, None)
    run = wandb_server.runs["id1"]
    assert steps(wandb_server) == [1, 2, 3, 4, 5] and run["exit"] == 0
    assert {key: run["config"][key]["value"] for key in CONFIG} == CONFIG  # nested ones as {algo: {name: …}}
    assert run["upserts"][0]["groupName"] == "study" and run["upserts"][0]["displayName"] == "the-name"
    assert any("episodes/step_000001" in line for line in wandb_server.history("id1")) and wandb_server.artifacts
    assert run["summary"]["compute"] == SUMMARY["compute"]
    assert capsys.readouterr().out.strip() == f"W&B: {tracker.url}"
    assert not list(tmp_path.rglob("unsent"))


def alerts(wandb_server):
    return [variables for name, variables in wandb_server.queries if name == "NotifyScriptableRunAlert"]


def test_an_alert_is_sent_once_online(tmp_path, wandb_server):
    tracker = WandB(project="p").start(tmp_path, "id1", "name", CONFIG)
    tracker.resume([])
    tracker.alert("entropy collapse", "step 3: it is low", 3)
    tracker.finish(SUMMARY, None)
    (sent,) = alerts(wandb_server)
    assert (sent["title"], sent["text"], sent["severity"]) == ("entropy collapse", "step 3: it is low", "WARN")
    tracker = WandB(project="p").start(tmp_path, "id1", "name", CONFIG)
    tracker.last_step = 3  # as after a kill, when the steps that W&B has are done again
    tracker.alert("entropy collapse", "step 3: it is low", 3)
    tracker.alert("answers copied", "step 4: too", 4)
    tracker.finish(SUMMARY, None)
    assert [each["title"] for each in alerts(wandb_server)] == ["entropy collapse", "answers copied"]


def test_an_alert_is_not_sent_offline_and_one_that_fails_stops_nothing(tmp_path, wandb_server, capsys):
    tracker = WandB(project="p", mode="offline").start(tmp_path / "off", "id1", "name", CONFIG)
    tracker.alert("entropy collapse", "step 3: it is low", 3)
    tracker.finish(SUMMARY, None)
    assert alerts(wandb_server) == []
    tracker = WandB(project="p").start(tmp_path / "on", "id2", "name", CONFIG)
    tracker.run.alert = lambda **_: 1 / 0
    tracker.alert("entropy collapse", "step 3: it is low", 3)
    logs(tracker, [1, 2])
    tracker.finish(SUMMARY, None)
    assert steps(wandb_server, "id2") == [1, 2] and alerts(wandb_server) == []
    assert "W&B has not got all: division by zero" in capsys.readouterr().out


def dies(wandb_server):
    wandb_server.stop()


def revokes(wandb_server):
    wandb_server.status = 401


def fails(wandb_server):
    wandb_server.status = 500


def loses_its_service(wandb_server):
    for process in core():
        process.kill()


@pytest.mark.parametrize("fault", thinned([dies, revokes, fails, loses_its_service], 2))
def test_wandb_lost_in_the_middle_is_one_line_and_nothing_else(tmp_path, wandb_server, capsys, monkeypatch, fault):
    for name, value in (("PATIENCE", 1.0), ("GRACE", 6.0)):
        monkeypatch.setattr(wandb, name, value)
    monkeypatch.setattr("motif.runs.tracking.base.FINISH", 2.0)
    monkeypatch.setattr("wandb.apis.public.Api._HTTP_TIMEOUT", 1)
    tracker = WandB().start(tmp_path, "id1", "name", CONFIG)
    logs(tracker, [1])
    while not tracker.sender._errands.empty():
        pass
    fault(wandb_server)
    logs(tracker, range(2, 30))
    for step in (10, 20):
        tracker.table("episodes", ["question"], [["q"]], step)
    tracker.finish(SUMMARY, None)
    first, *said = capsys.readouterr().out.splitlines()
    print(said)
    assert first.startswith("W&B: http") and len(said) == 1
    assert said[0].startswith("W&B has not got all: ") and str(tmp_path) in said[0] and "make sync" in said[0]
    assert fault is not revokes or "credentials" in said[0]
    assert len(list(tmp_path.rglob("unsent"))) == 1


def test_a_key_revoked_when_no_table_is_told_is_found_at_the_end(tmp_path, wandb_server, capsys):
    """W&B's service then gives up without a word."""
    tracker = WandB().start(tmp_path, "id1", "name", CONFIG)
    wandb_server.status = 401
    logs(tracker, [1, 2])
    tracker.finish(SUMMARY, None)
    _, said = capsys.readouterr().out.splitlines()
    assert "401 Unauthorized" in said and "make sync" in said and not steps(wandb_server)


HANGING = """
import sys
from pathlib import Path
import psutil
from motif.runs.tracking import wandb
from motif.runs.tracking.base import WandB

wandb.PATIENCE, wandb.GRACE = 1.0, 2.0
tracker = WandB(mode="offline").start(Path(sys.argv[1]), "id1", "name", {})
for child in psutil.Process().children():
    child.suspend()
for step in range(20_000):
    tracker.log({f"train/{name}": 1.0 for name in range(50)}, step)
print("trained")
tracker.finish({"evaluation": []}, None)
print("finished")
"""


@pytest.mark.slow
def test_a_service_that_hangs_stops_neither_training_nor_the_end_of_the_process(tmp_path):
    """In a process of its own, whose end is a part of the claim."""
    call = [sys.executable, "-c", HANGING, str(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert done.returncode == 0 and done.stderr == ""
    said = [line for line in done.stdout.splitlines() if "sync" in line and "has not got all" in line]
    assert "trained" in done.stdout and "finished" in done.stdout and len(said) == 1


def test_a_mistake_of_our_own_in_what_is_told_is_said_once_and_stops_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_MODE", "offline")
    tracker = WandB().start(tmp_path, "id1", "name", CONFIG)
    for step in (1, 2):
        tracker.table("episodes", ["one", "two"], [["too few"]], step)
    logs(tracker, [3])
    tracker.finish(SUMMARY, None)
    said = capsys.readouterr().out.splitlines()
    assert len([line for line in said if "has not got all" in line]) == 1
    assert wandb.last_step(tmp_path / "wandb" / "another-id1") == 3


def test_a_wandb_that_cannot_even_start_is_one_line_and_no_tracker(tmp_path, monkeypatch, capsys):
    import wandb

    def init(**_):
        raise OSError("no service\nmore")

    monkeypatch.setattr(wandb, "init", init)
    tracker = WandB(mode="online").start(tmp_path, "id1", "name", CONFIG)
    assert isinstance(tracker, Nowhere)
    assert capsys.readouterr().out.splitlines() == [
        f"W&B: no service; the run goes on without; everything lies in {tmp_path}"
    ]


PART = """
import os, sys, time
from pathlib import Path
from tests.runs.tracking.test_wandb import metrics
from tests.support import ROOT
from motif.runs.tracking.base import WandB

folder, mode, checkpoint, first, last, how, wait = sys.argv[1:]
tracker = WandB(project="p", mode=mode).start(Path(folder), "id1", "name", {})
tracker.resume([{"step": step, **metrics(step)} for step in range(1, int(checkpoint) + 1)])
for step in range(int(first), int(last) + 1):
    tracker.log(metrics(step), step)
if how == "kill":
    time.sleep(float(wait))
    os.kill(os.getpid(), 9)
tracker.finish({"evaluation": [], "compute": {}}, None)
"""


def part(folder, mode, checkpoint, first, last, how="finish", wait=0.0):
    call = [sys.executable, "-c", PART, str(folder), mode, *map(str, (checkpoint, first, last, how, wait))]
    done = subprocess.run(call, capture_output=True, text=True, timeout=200, cwd=ROOT)
    assert done.returncode == (-9 if how == "kill" else 0), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.0, 3.0])
def test_offline_a_kill_and_a_continuation_upload_as_one_run_with_every_step_once(tmp_path, wandb_server, wait):
    """The checkpoint is of step 5; the kill comes before W&B has written anything, or after it has written 8 steps."""
    folder = tmp_path / "run"
    folder.mkdir()
    part(folder, "offline", 0, 1, 8, "kill", wait)
    part(folder, "offline", 5, 6, 12)
    assert not wandb_server.runs
    call = [sys.executable, "-m", "motif.uploads", str(folder)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=200, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(wandb_server.runs) == ["id1"] and steps(wandb_server) == list(range(1, 13))


@pytest.mark.slow
@pytest.mark.parametrize("wait", [0.0, 18.0])
def test_online_a_kill_and_a_continuation_are_one_run_with_every_step_once(tmp_path, wandb_server, wait):
    """W&B's service sends every 15 seconds, so that a kill leaves the server with nothing, or with 8 steps."""
    part(tmp_path, "online", 0, 1, 8, "kill", wait)
    assert steps(wandb_server) == ([*range(1, 9)] if wait else [])
    part(tmp_path, "online", 5, 6, 12)
    assert list(wandb_server.runs) == ["id1"] and steps(wandb_server) == list(range(1, 13))
    assert wandb_server.runs["id1"]["exit"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["offline", "online"])
def test_the_command_killed_and_given_again_is_one_wandb_run_with_every_step_once(tmp_path, wandb_server, forks, mode):
    words = ["experiment=smoke", "algo.steps=6", "evaluation.questions=8", "evaluation.before=false", "algo.m=2"]
    words += ["checkpoint.every=2", f"outputs={tmp_path}", "name=one"]
    names = ("WANDB_BASE_URL", "WANDB_API_KEY")
    environment = {"WANDB_MODE": mode, **{name: os.environ[name] for name in names}}
    metrics_file = tmp_path / "one" / "metrics.jsonl"
    killed = forks.train(tmp_path, *words, environment=environment)
    until = time.monotonic() + 200
    while not metrics_file.is_file() or metrics_file.read_text().count("\n") < 3:
        assert time.monotonic() < until, killed.said
        time.sleep(0.02)
    killed.signal(signal.SIGKILL)
    assert killed.wait()[0] == -signal.SIGKILL
    status, said = forks.train(tmp_path, *words, environment=environment).wait()
    assert status == 0, said
    if mode == "offline":
        upload = [sys.executable, "-m", "motif.uploads", str(tmp_path / "one")]
        assert subprocess.run(upload, cwd=ROOT, timeout=200).returncode == 0
    (run,) = wandb_server.runs
    assert steps(wandb_server, run) == [1, 2, 3, 4, 5, 6]
    assert run == json.loads((tmp_path / "one/run.json").read_text())["id"]
    held = [json.loads(line) for line in metrics_file.read_text().splitlines()]
    told = [line for line in wandb_server.history(run) if "train/reward" in line]
    for name in ("train/reward", "episode/accuracy", "total/generated_tokens", "total/flops"):
        assert [line[name] for line in told] == [line[name] for line in held]


def test_the_last_step_of_parts_that_cannot_be_read_is_none(tmp_path):
    torn = tmp_path / "wandb" / "offline-run-20260101_000000-id1"
    torn.mkdir(parents=True)
    (torn / "run-id1.wandb").write_bytes(b"")
    assert wandb.last_step(tmp_path / "wandb" / "offline-run-20260101_000001-id1") == 0


def test_only_a_refusal_to_take_data_is_read_from_the_services_log(tmp_path):
    log = tmp_path / "log"
    log.write_text(json.dumps({"level": "ERROR", "msg": "api: HTTP error"}) + "\n")
    assert wandb.refused(str(log)) is None and wandb.refused(os.devnull) is None
