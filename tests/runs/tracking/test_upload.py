"""What is uploaded, in which order, and what is said where it cannot be."""

import os
import platform

import pytest

from motif.runs.folder import Run
from motif.runs.tracking import upload
from motif.runs.tracking.base import WandB
from motif.system.locks import Lock
from tests.runs.tracking.test_wandb import CONFIG, SUMMARY, logs, steps


def part(folder, name, size=8, synced=False):
    place = folder / "wandb" / name
    place.mkdir(parents=True)
    file = place / f"run-{name.split('-')[-1]}.wandb"
    file.write_bytes(b"x" * size)
    if synced:
        file.with_suffix(".wandb.synced").touch()
    return place


def test_runs_are_in_the_order_in_which_they_began_and_parts_in_theirs(tmp_path):
    a2 = part(tmp_path / "a", "offline-run-20260103_000000-aa")
    b = part(tmp_path / "b", "offline-run-20260102_000000-bb")
    a1 = part(tmp_path / "a", "offline-run-20260101_000000-aa")
    part(tmp_path / "c", "offline-run-20260101_000000-cc", synced=True)
    part(tmp_path / "d", "offline-run-20260101_000000-dd", size=7)  # killed before anything was written
    part(tmp_path / "e", "run-20260101_000000-ee")  # online, and nothing is missing
    lost = part(tmp_path / "f", "run-20260104_000000-ff", synced=True)
    (lost / "unsent").touch()
    assert upload.pending(sorted(tmp_path.iterdir())) == [[a1, a2], [b], [lost]]


def test_nothing_to_upload_is_one_line(tmp_path, capsys):
    assert upload.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "Nothing to upload.\n"


def test_a_run_that_a_process_works_on_is_left_alone(tmp_path, capsys):
    part(tmp_path / "mine", "offline-run-20260101_000000-aa")
    with Lock(Run(tmp_path / "mine").lock):
        assert upload.main([str(tmp_path / "mine")]) == 0
    said = capsys.readouterr().out
    assert f"mine: left alone, it is being worked on by another process ({platform.node()}, pid {os.getpid()}" in said
    assert said.endswith("Nothing to upload.\n")


def test_no_key_is_one_line_that_says_how_to_have_one(tmp_path, capsys, monkeypatch):
    part(tmp_path, "offline-run-20260101_000000-aa")
    monkeypatch.setattr(WandB, "has_key", staticmethod(lambda: False))
    assert upload.main([str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and "wandb login" in said.err and not said.out


def offline(folder, id):
    folder.mkdir()
    tracker = WandB(mode="offline").start(folder, id, folder.name, CONFIG)
    logs(tracker, [1, 2])
    tracker.finish(SUMMARY, None)
    while not upload.pending([folder]):  # W&B's service closes its file in its own time
        pass


def test_offline_runs_are_uploaded_once_and_a_line_each(tmp_path, wandb_server, capsys):
    for name in ("one", "two"):
        offline(tmp_path / name, name)
    capsys.readouterr()
    folders = [str(tmp_path / name) for name in ("two", "one")]
    assert upload.main(folders) == 0
    assert capsys.readouterr().out.splitlines() == [f"{tmp_path / name}: uploaded, 1 part" for name in ("one", "two")]
    assert steps(wandb_server, "one") == steps(wandb_server, "two") == [1, 2]
    assert wandb_server.runs["one"]["config"]["algo"]["value"] == {"name": "motif"}
    assert upload.main(folders) == 0 and capsys.readouterr().out == "Nothing to upload.\n"


@pytest.mark.slow
def test_an_online_run_that_lost_its_server_is_uploaded_later(tmp_path, wandb_server, capsys):
    tracker = WandB().start(tmp_path, "id1", "name", CONFIG)
    wandb_server.status = 401
    logs(tracker, [1, 2])
    tracker.finish(SUMMARY, None)
    capsys.readouterr()
    assert upload.main([str(tmp_path)]) == 1  # it is refused still
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "uploaded" not in said
    wandb_server.status = 200
    assert upload.main([str(tmp_path)]) == 0
    assert steps(wandb_server) == [1, 2] and upload.pending([tmp_path]) == []
