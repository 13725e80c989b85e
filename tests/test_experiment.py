"""Experiments from the command line to the last screen, a few steps long."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

TRAIN = Path(__file__).parent.parent / "train.py"
SMALL = ["experiment=smoke", "evaluation.questions=8", "algo.m=2", "checkpoint.every=1"]


def environment():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WANDB")}
    return {**kept, "WANDB_MODE": "offline"}


def start(folder, *arguments):
    call = [sys.executable, str(TRAIN), *arguments, *SMALL]
    return subprocess.Popen(
        call, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, env=environment()
    )


def train(folder, *arguments):
    process = start(folder, *arguments)
    said, _ = process.communicate(timeout=200)
    return process.returncode, said


@pytest.fixture(scope="module", params=["motif", "grpo"])
def finished(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    status, said = train(folder, f"algo={request.param}", "name=one")
    assert status == 0, said
    return folder, said


def test_a_run_leaves_everything_in_its_folder(finished):
    folder, _ = finished
    run = folder / "outputs/one"
    for name in (
        "config.yaml",
        "environment.json",
        "metrics.jsonl",
        "episodes.jsonl.gz",
        "summary.json",
        "wandb",
        "checkpoints",
    ):
        assert (run / name).exists(), name
    assert {path.name for path in (run / "evaluation").iterdir()} >= {
        f"{policy}-chain-r{rounds}.{kind}"
        for policy in ("base", "trained")
        for rounds in (1, 3)
        for kind in ("json", "jsonl")
    }
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 4
    told = json.loads((run / "environment.json").read_text())
    assert told["seed"] == 0 and told["packages"]["trl"] and told["device"]


def test_the_summary_states_every_accuracy_with_interval_and_n(finished):
    folder, _ = finished
    summary = json.loads((folder / "outputs/one/summary.json").read_text())
    assert summary["rounds"] == 3 and summary["seed"] == 0
    assert [(found["policy"], found["rounds"]) for found in summary["evaluation"]] == [
        ("base", 1), ("base", 3), ("trained", 1), ("trained", 3)
    ]  # fmt: skip
    for found in summary["evaluation"]:
        low, high = found["interval"]
        assert found["n"] == 8 and low <= found["accuracy"] == found["correct"] / 8 <= high
        assert {"truncated", "unparsable", "tokens", "dataset"} <= set(found)
    spent = summary["compute"]["training"]
    assert spent["questions"] == 8 and spent["first_round_replies"] == 16
    assert spent.get("continuations", 0) == (64 if summary["algo"] == "motif" else 0)
    assert {"rollout", "reward", "update", "evaluation"} <= set(summary["seconds"])


def test_the_trained_policy_loads_with_transformers(finished):
    folder, _ = finished
    policy = AutoModelForCausalLM.from_pretrained(folder / "outputs/one/policy")
    tokenizer = AutoTokenizer.from_pretrained(folder / "outputs/one/policy")
    assert tokenizer.apply_chat_template([{"role": "user", "content": "x"}], tokenize=False) == "<|user|>x"
    assert policy.num_parameters() > 1e6


def test_the_last_screen_says_what_happened_where_it_lies_and_what_is_next(finished):
    _, said = finished
    for words in ("base", "trained", "95 % interval", "outputs/one", "next", "python train.py", "tokens generated"):
        assert words in said
    assert "Traceback" not in said and "Warning" not in said and "\r" not in said
    assert len(said.splitlines()) < 40


def test_wandb_is_told_every_metric_and_key_that_the_dashboard_shows(finished):
    from motif.dashboard import Dashboard, specification
    from tests.test_dashboard import named, panels

    folder, _ = finished
    (part,) = (folder / "outputs/one/wandb").glob("offline-run-*")
    call = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(part)]
    told = json.loads(subprocess.run(call, capture_output=True, text=True, check=True, timeout=100).stdout)
    names, config = {*told["summary"]}, told["config"]
    keys = {*config, *(f"{key}.{name}" for key in config if isinstance(config[key], dict) for name in config[key])}
    assert {"algo.name", "dataset.name", "rounds", "seed"} <= keys
    for own in panels(specification(Dashboard().workspace("e", "p"))).values():
        for name in {name for panel in own for name in named(panel)}:
            if config["algo"]["name"] == "grpo" and name.endswith(("algo.value.k", "round_2", "round_3")):
                continue  # it trains on one round, without futures
            assert name in names or (".value" in name and name.replace(".value", "") in keys), name


def test_the_same_command_again_shows_the_result_and_does_nothing(finished):
    folder, _ = finished
    algorithm = json.loads((folder / "outputs/one/summary.json").read_text())["algo"]
    before = (folder / "outputs/one/metrics.jsonl").stat().st_mtime_ns
    status, again = train(folder, f"algo={algorithm}", "name=one")
    assert status == 0 and "finished already" in again and "trained" in again
    assert (folder / "outputs/one/metrics.jsonl").stat().st_mtime_ns == before


def test_the_same_name_with_another_configuration_is_refused(finished):
    folder, _ = finished
    status, said = train(folder, "name=one", "seed=5")
    assert status == 1 and "seed" in said and "overwrite=true" in said and "Traceback" not in said


def program(name, folder, *arguments):
    call = [sys.executable, str(TRAIN.with_name(name)), *arguments]
    done = subprocess.run(call, capture_output=True, text=True, cwd=folder, timeout=200, env=environment())
    assert done.returncode == 0 and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done.stdout


def test_a_finished_run_is_evaluated_with_its_own_data_episode_and_rounds_or_with_what_is_typed(finished):
    folder, _ = finished
    said = program("evaluate.py", folder, "policy=outputs/one", "questions=4")
    assert "chain" in said and "132" in said  # three rounds of 44 tokens
    said = program("evaluate.py", folder, "-m", "policy=outputs/one", "questions=4", "rounds=1,2", "episode.tokens=40")
    assert "stopped after round 2" in said
    results = [json.loads(file.read_text()) for file in (folder / "outputs/one/evaluation").glob("chain-r*.json")]
    assert sorted((found["rounds"], found["budget"]) for found in results) == [(1, 40), (2, 80), (3, 132)]
    said = program("evaluate.py", folder, "policy=outputs/one", "questions=4")
    assert "measured before" in said


def test_a_finished_run_can_be_watched(finished):
    folder, _ = finished
    said = program("solve.py", folder, "policy=outputs/one", "rounds=2", "9a-5b*8c+7")
    assert "round 2 of 2" in said and "handed on" in said and "answer" in said


def test_ctrl_c_ends_cleanly_and_the_same_command_continues(tmp_path):
    process = start(tmp_path, "name=two", "algo.steps=40")
    metrics, deadline = tmp_path / "outputs/two/metrics.jsonl", time.monotonic() + 100
    while time.monotonic() < deadline and not (metrics.exists() and metrics.read_text()):
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=100)
    assert process.returncode == 130 and "same command continues" in said and "Traceback" not in said
    done = len(metrics.read_text().splitlines())
    assert 1 <= done < 40
    status, said = train(tmp_path, "name=two", "algo.steps=40")
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert status == 0 and steps == list(range(1, 41))


def test_a_sweep_runs_every_combination_into_folders_of_their_own(tmp_path):
    status, said = train(tmp_path, "-m", "rounds=1,2", "algo=grpo,motif", "evaluation.before=false", "tracking=none")
    assert status == 0, said
    summaries = [json.loads(path.read_text()) for path in (tmp_path / "outputs").glob("*/summary.json")]
    assert sorted((found["algo"], found["rounds"]) for found in summaries) == [
        ("grpo", 1), ("grpo", 2), ("motif", 1), ("motif", 2)
    ]  # fmt: skip
