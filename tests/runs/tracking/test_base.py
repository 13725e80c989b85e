"""What W&B is told, read back from an offline run with the official reader."""

import json
import subprocess
import sys

import pytest

from motif.runs.ledger import AXES
from motif.runs.tracking.base import Silent, TensorBoard, WandB

SUMMARY = {
    "evaluation": [
        {"policy": "trained", "dataset": "chain", "rounds": 3, "accuracy": 0.5, "interval": (0.4, 0.6), "n": 9}
        | {"truncated": 0.1, "unparsable": 0.2, "tokens": 7.0}
    ],
    "compute": {"training": {"generated_tokens": 5, "optimiser_steps": 2}},
}
CONFIG = {"rounds": 3, "seed": 1, "algo": {"name": "motif", "trainer": {"beta": 0.0}}}


def told(tracker):
    for step in (1, 2):
        tracker.log({"train/reward": step / 2, AXES[1]: step * 100.0}, step)
        tracker.table("episodes", ("question", "reply"), [["q", f"reply {step}"]], step)


@pytest.fixture
def offline_run(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "weights").write_text("w")
    settings = WandB(project="p", group="study", tags=["a", "b"], artifact=True)
    tracker = settings.start(tmp_path, "id123", "the-name", CONFIG)
    told(tracker)
    tracker.finish(SUMMARY, tmp_path / "policy")
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    call = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(folder)]
    read = subprocess.run(call, capture_output=True, text=True, check=True, timeout=100).stdout
    return [json.loads(line) for line in read.splitlines() if line.startswith("{")]


def test_an_offline_run_holds_config_identity_axes_tables_summary_and_policy(offline_run):
    text = json.dumps(offline_run)
    (run,) = [record for record in offline_run if "run" in record][:1]
    run = run["run"]
    print(json.dumps(run)[:3000])
    assert run["run_id"] == "id123" and run["display_name"] == "the-name" and run["project"] == "p"
    assert run["run_group"] == "study" and run["job_type"] == "train" and run["tags"] == ["a", "b"]
    assert "episodes/step_000001" in text and "episodes/step_000002" in text
    assert "evaluation/chain/rounds_3/trained/accuracy" in text
    assert "policy-id123" in text
    for axis in AXES:
        assert axis in text


def test_nobody_is_asked_and_nothing_blocks_without_a_key(tmp_path, monkeypatch, capsys):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    tracker = WandB().start(tmp_path, "id1", "name", CONFIG)
    told(tracker)
    tracker.finish(SUMMARY, None)
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "make sync" in said


def test_keys_that_cannot_be_read_are_no_key(monkeypatch):
    import wandb

    def login(**_):
        raise OSError("a folder in place of a file")

    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setattr(wandb, "login", login)
    assert not WandB.has_key()


def test_an_unreachable_server_means_offline_and_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("WANDB_MODE", raising=False)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    tracker = WandB(init_timeout=1).start(tmp_path, "id2", "name", CONFIG)
    told(tracker)
    tracker.finish(SUMMARY, None)
    said = capsys.readouterr().out
    assert "tracking offline" in said and said.count("\n") == 1
    assert list((tmp_path / "wandb").glob("offline-run-*"))


def test_the_mode_of_the_environment_is_honoured(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    tracker = WandB().start(tmp_path, "id3", "name", CONFIG)
    told(tracker)
    tracker.finish(SUMMARY, None)
    assert not list(tmp_path.glob("wandb/*run-*"))


def test_tensorboard_gets_scalars_and_episodes(tmp_path):
    tracker = TensorBoard().start(tmp_path, "id", "name", CONFIG)
    told(tracker)
    tracker.finish(SUMMARY, None)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [event.value for event in events.Scalars("train/reward")] == [0.5, 1.0]
    (accuracy,) = events.Scalars("evaluation/chain/rounds_3/trained/accuracy")
    assert (accuracy.step, accuracy.value) == (2, 0.5)
    (settings,) = events.Tensors("config/text_summary")
    assert b"trainer:\n        beta: 0.0" in settings.tensor_proto.string_val[0]
    assert "episodes/text_summary" in events.Tags()["tensors"]


def test_tracking_none_writes_nothing(tmp_path):
    tracker = Silent().start(tmp_path, "id", "name", CONFIG)
    told(tracker)
    tracker.finish(SUMMARY, None)
    assert not list(tmp_path.iterdir())


def test_tensorboard_takes_any_text(tmp_path):
    tracker = TensorBoard().start(tmp_path, "id", "name", CONFIG)
    tracker.table("episodes", ("reply",), [["a\ud800\r\x1b[31m\u202e"]], 1)
    tracker.finish({}, None)
    (file,) = (tmp_path / "tensorboard").iterdir()
    assert "reply: a‹U+D800›‹U+000D›‹U+001B›[31m‹U+202E›".encode() in file.read_bytes()
