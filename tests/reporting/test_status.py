"""Runs at every stage, made of files alone."""

import os
import time

import pytest
import yaml

from motif.reporting.status import Status, arm, last_lines, objective, status, with_guesses
from motif.runs.folder import Run, write_json
from motif.system.locks import Lock

RESULT = {"policy": "trained", "dataset": "chain", "rounds": 3, "accuracy": 0.5, "interval": (0.2, 0.8), "n": 8}


def run_folder(tmp_path, name, lines=0, finished=False, budget=None):
    """A run of 10 steps of two seconds and 100 tokens each, of which `lines` are done."""
    run = Run(tmp_path / name)
    write_json(run.folder / "run.json", {"format": 1, "id": name, "identity": "x"})
    (run.folder / "config.yaml").write_text(yaml.safe_dump({"algo": {"steps": 10}, "budget": budget or {}}))
    for step in range(1, lines + 1):
        spent = {"total/seconds": 2.0 * step, "total/generated_tokens": 100 * step}
        run.record({"step": step, "seconds/rollout": 1.5, "seconds/update": 0.5, **spent})
    if finished:
        compute = {"training": {"seconds": 2.0 * lines}, "evaluation": {"seconds": 7.0}}
        run.finish({"rounds": 3, "evaluation": [RESULT], "compute": compute})
    return run


def measured(run, name, seconds=None, done=8):
    """An evaluation of which `done` questions lie there; finished where it took `seconds`."""
    run.evaluation.mkdir(exist_ok=True)
    (run.evaluation / f"{name}.jsonl").write_text("{}\n" * done)
    if seconds is not None:
        write_json(run.evaluation / f"{name}.json", {"n": done, "compute": {"seconds": seconds}})


def test_a_run_is_finished_running_stopped_or_not_begun_and_what_is_left_is_told(tmp_path):
    done = status(run_folder(tmp_path, "done", lines=10, finished=True).folder)
    assert (done.state, done.result) == ("finished", "50.0% (20.0% – 80.0%, n = 8) on chain in 3 rounds")
    held = run_folder(tmp_path, "held", lines=4)
    with Lock(held.lock):
        running = status(held.folder)
        assert running.state == "running" and f"pid {os.getpid()}" in running.detail
        assert (running.step, running.steps, running.left) == (4, 10, pytest.approx(12.0))
    assert status(held.folder).state == "stopped"
    (tmp_path / "nothing").mkdir()
    assert status(tmp_path / "nothing").state == "not begun"


def test_a_half_written_line_of_metrics_does_not_matter(tmp_path):
    run = run_folder(tmp_path, "half", lines=3)
    with run.metrics_file.open("a") as file:
        file.write('{"step": 4, "sec')
    assert status(run.folder).step == 3


def test_of_a_long_run_the_end_of_its_metrics_is_read(tmp_path, monkeypatch):
    run = run_folder(tmp_path, "long", lines=3)
    first = run.metrics_file.read_bytes().splitlines(keepends=True)
    run.metrics_file.write_bytes(b"not JSON\n" * 1000 + b"".join(first))
    assert [line["step"] for line in last_lines(run.metrics_file, 2)] == [2, 3]
    monkeypatch.setattr("motif.reporting.status.BLOCK", 7)  # so that a line is read in parts
    assert [line["step"] for line in last_lines(run.metrics_file, 3)] == [1, 2, 3]
    run.metrics_file.write_bytes(b"".join(first) + b'{"st')
    assert [line["step"] for line in last_lines(run.metrics_file, 20)] == [1, 2, 3]
    run.metrics_file.write_bytes(b'{"st')
    assert last_lines(run.metrics_file, 20) == [] and last_lines(tmp_path / "none", 1) == []


def test_an_arm_is_a_run_without_its_seed_and_its_hash():
    names = ("motif-chain-tiny-r3-s0-k=4-0123ab", "motif-chain-tiny-r3-s12-k=4-abcdef", "motif-chain-tiny-r3-s7-k=4")
    assert {arm(name) for name in names} == {"motif-chain-tiny-r3-k=4"} and arm("mine") == "mine"


def test_an_optimiser_sees_validation_questions_only():
    assert objective({"rounds": 3, "evaluation": [RESULT]}) is None
    assert objective({"rounds": 3, "evaluation": [RESULT | {"split": "validation"}]}) == 0.5


def test_what_is_left_includes_the_evaluations_that_follow_and_shrinks_as_they_are_made(tmp_path):
    run = run_folder(tmp_path, "run", lines=4)
    measured(run, "base-chain-r1", 10.0)
    measured(run, "base-chain-r3", 30.0)
    assert status(run.folder).left == pytest.approx(12 + 40) and status(run.folder).spent == pytest.approx(8 + 40)
    measured(run, "trained-chain-r1", 11.0)
    measured(run, "trained-chain-r3", done=2)
    with Lock(run.lock):
        found = status(run.folder)
    assert found.left == pytest.approx(12 + 30 * 6 / 8)
    assert found.detail.startswith("measuring trained-chain-r3, 2 done, on ")


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        ({"tokens": 550}, 6),
        ({"tokens": 5000}, 10),
        ({"seconds": 9.0, "tokens": 900}, 5),
        ({"responses": 9}, 10),  # which these lines do not tell
        ({"tokens": 100}, 4),
        ({"match": "nowhere", "on": "tokens"}, 10),
    ],
)
def test_a_budget_ends_training_before_the_steps_do(tmp_path, budget, steps):
    found = status(run_folder(tmp_path, "run", lines=4, budget=budget).folder)
    assert (found.step, found.steps, found.left) == (4, steps, pytest.approx(2.0 * (steps - 4)))


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_that_jumps_changes_no_estimate_and_no_state(tmp_path, monkeypatch, jump):
    run = run_folder(tmp_path, "run", lines=4)
    measured(run, "base-chain-r1", 10.0)
    with Lock(run.lock):
        before, real = status(run.folder), time.time
        for file in [*run.folder.rglob("*"), *run.lock.rglob("*")]:
            os.utime(file, (real() + jump, real() + jump))
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        assert status(run.folder) == before
    assert before.state == "running" and before.left > 0


def test_a_run_that_nothing_is_known_of_takes_as_long_as_the_likest_did_or_will():
    known = [
        Status("grpo-chain-tiny-r3-s0", "done", spent=100),  # as a job of a sweep says it
        Status("motif-chain-tiny-r3-s0", "running", spent=200, left=100),
        Status("motif-chain-tiny-r1-s0", "finished", spent=50),
        Status("motif-chain-tiny-r3-s2", "killed"),  # before anything was measured
    ]
    waiting = [Status(f"{name}-chain-tiny-r3-s1", "not begun") for name in ("motif", "grpo")]
    found = [each.left for each in with_guesses([*known, *waiting])]
    assert found == [None, 100, None, 300, 300, 100]
    assert [each.left for each in with_guesses(waiting)] == [None, None]


@pytest.mark.parametrize("broken", ["config.yaml", "summary.json", "metrics.jsonl"])
def test_a_run_whose_files_cannot_be_read_is_shown_as_that(tmp_path, broken):
    run = run_folder(tmp_path, "run", lines=2)
    (run.folder / broken).write_text("[1, {\n")
    found = status(run.folder)
    assert found.state == "unreadable" and found.detail and "\n" not in found.detail


def test_a_lock_of_another_machine_that_is_silent_is_not_called_dead_for_certain(tmp_path):
    run = run_folder(tmp_path, "run", lines=2)
    told = {"host": "node7", "pid": 1, "since": "then", "machine": "node7 x", "process": "5"}
    write_json(run.lock / "1", told)
    assert status(run.folder).state == "running"
    os.utime(run.lock / "1", (0, 0))
    found = status(run.folder)
    assert (found.state, found.detail) == ("killed", "not heard of any more, was on node7, pid 1, since then")


def test_what_a_run_warned_of_is_told_each_trouble_once(tmp_path):
    run = run_folder(tmp_path, "run", lines=3)
    assert status(run.folder).warned == ""
    names = ("replies cut off", "entropy collapse", "replies cut off")
    write_json(run.folder / "warnings.json", [{"step": 1, "name": name, "words": "..."} for name in names])
    assert status(run.folder).warned == "replies cut off, entropy collapse"
    (run.folder / "warnings.json").write_text("[")
    assert status(run.folder).state == "unreadable"
