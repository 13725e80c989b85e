"""Experiments from the command line to the last screen, a few steps long."""

import json
import signal
import subprocess
import sys
import time

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from motif.policies.tiny import Tiny
from motif.reporting.folders import read_runs
from tests.support import FEW, ROOT

SIGNALS = [signal.SIGINT, *(pytest.param(each, marks=pytest.mark.slow) for each in (signal.SIGTERM, signal.SIGUSR2))]
SMALL = ["experiment=smoke", *FEW, "evaluation.questions=8", "algo.m=2", "checkpoint.every=1"]


@pytest.fixture(scope="session")
def train(forks):
    """Runs `python train.py` to its end; returns its status and what it said."""
    return lambda folder, *arguments: forks.train(folder, *arguments, *SMALL).wait()


@pytest.fixture(scope="module", params=["motif", pytest.param("grpo", marks=pytest.mark.slow)])
def finished(request, tmp_path_factory, train):
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
    for words in ("base", "trained", "95 % interval", "outputs/one", "tokens generated"):
        assert words in said
    proposed = said[said.index("\nnext    ") :].splitlines()[1:]
    assert proposed == [  # the others are too long to be typed, with all that was typed here
        "next    python -m motif.report outputs/*",
        "        motif-evaluate policy=outputs/one",
    ]
    assert "Traceback" not in said and "Warning" not in said and "\r" not in said
    assert len(said.splitlines()) < 40


def test_wandb_is_told_every_metric_and_key_that_the_dashboard_shows(finished):
    from motif.runs.tracking.dashboard import Dashboard, specification
    from tests.runs.tracking.test_dashboard import named, panels

    folder, _ = finished
    (part,) = (folder / "outputs/one/wandb").glob("offline-run-*")
    call = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(part)]
    told = json.loads(subprocess.run(call, capture_output=True, text=True, check=True, timeout=100).stdout)
    names, config = {*told["summary"]}, told["config"]
    keys = {*config, *(f"{key}.{name}" for key in config if isinstance(config[key], dict) for name in config[key])}
    assert {"algo.name", "dataset.name", "rounds", "seed"} <= keys
    asked_for = {"train/kl", "held_out/accuracy"}  # algo.trainer.beta above 0, watch.every
    for own in panels(specification(Dashboard().workspace("e", "p"))).values():
        for name in {name for panel in own for name in named(panel)}:
            later = name.startswith(("rounds/2/", "rounds/3/")) or name.endswith("algo.value.k")
            if later and config["algo"]["name"] == "grpo":
                continue  # it trains on one round, without futures
            if name in asked_for:
                assert f"| `{name}` |" in (ROOT / "docs/metrics.md").read_text(), "it has that name"
                continue
            assert name in names or (".value" in name and name.replace(".value", "") in keys), name


def test_the_same_command_again_shows_the_result_and_does_nothing(finished, train):
    folder, _ = finished
    algorithm = json.loads((folder / "outputs/one/summary.json").read_text())["algo"]
    before = (folder / "outputs/one/metrics.jsonl").stat().st_mtime_ns
    status, again = train(folder, f"algo={algorithm}", "name=one")
    assert status == 0 and "finished already" in again and "trained" in again
    assert (folder / "outputs/one/metrics.jsonl").stat().st_mtime_ns == before


@pytest.mark.program
def test_two_trackers_are_told_of_a_run_which_is_finished_for_any_other(tmp_path, train):
    few = ["name=two", "algo.steps=1", "algo=grpo", "evaluation.before=false", "evaluation.rounds=[1]"]
    status, said = train(tmp_path, *few, "tracking=[tensorboard,wandb]", "tracking.mode=offline")
    assert status == 0, said
    folder = tmp_path / "outputs/two"
    assert list(folder.glob("wandb/offline-run-*/*.wandb")) and list(folder.glob("tensorboard/events*"))
    for other in ("tracking=none", "tracking=[wandb,none]"):
        status, said = train(tmp_path, *few, other)
        assert status == 0 and "finished already" in said


def test_the_same_name_with_another_configuration_is_refused(finished, train):
    folder, _ = finished
    status, said = train(folder, "name=one", "seed=5")
    assert status == 1 and "seed" in said and "overwrite=true" in said and "Traceback" not in said


def test_a_finished_run_is_evaluated_with_its_own_data_episode_and_rounds_or_with_what_is_typed(finished, forks):
    folder, _ = finished

    def program(name, folder, *words):
        status, said = forks.begin(name, folder, *words).wait()
        assert status == 0 and "Traceback" not in said, said
        return said

    said = program("evaluate.py", folder, "policy=outputs/one", "questions=4")
    assert "chain" in said and "132" in said  # three rounds of 44 tokens
    said = program("evaluate.py", folder, "-m", "policy=outputs/one", "questions=4", "rounds=1,2", "episode.tokens=40")
    assert "stopped after round 2" in said
    results = [json.loads(file.read_text()) for file in (folder / "outputs/one/evaluation").glob("chain-r*.json")]
    assert sorted((found["rounds"], found["budget"]) for found in results) == [(1, 40), (2, 80), (3, 132)]
    said = program("evaluate.py", folder, "policy=outputs/one", "questions=4")
    assert "measured before" in said


@pytest.mark.parametrize("finished", ["motif"], indirect=True)
def test_a_finished_runs_rounds_are_probed_and_stand_in_its_report(finished, forks):
    folder, _ = finished
    words = ("policy=outputs/one", "questions=3", "k=1", "episode.tokens=40")
    status, said = forks.begin("motif.probe", folder, *words).wait()
    assert status == 0, said
    assert "one on chain in 3 rounds, n = 3" in said and "next    python -m motif.report outputs/*" in said
    (file,) = (folder / "outputs/one/probes").glob("chain-r3-*.json")
    found = json.loads(file.read_text())
    assert found["episode"]["tokens"] == 40 and len(found["interventions"]) == 14  # the run's own, and as typed
    (run,), _ = read_runs([folder / "outputs/one"])
    assert run.probes == {file.stem: found} and not run.complaints


def test_a_finished_run_can_be_watched(finished):
    """By a process that is not forked, as a person begins one."""
    folder, _ = finished
    call = [sys.executable, str(ROOT / "solve.py"), "policy=outputs/one", "rounds=2", "9a-5b*8c+7"]
    done = subprocess.run(call, capture_output=True, text=True, cwd=folder, timeout=200)
    assert done.returncode == 0 and "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert all(words in done.stdout for words in ("round 2 of 2", "handed on", "answer"))


def until_steps_are_taken(folder):
    metrics, deadline = folder / "outputs/two/metrics.jsonl", time.monotonic() + 100
    while time.monotonic() < deadline:
        if metrics.exists() and metrics.read_text():
            return metrics
        time.sleep(0.02)
    raise AssertionError("no step was taken")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_after_the_step_with_a_checkpoint_and_the_same_command_continues(tmp_path, forks, train, number):
    words = ["name=two", "algo.steps=8", "tracking=none", "evaluation.before=false"]
    run = forks.train(tmp_path, *words, "checkpoint.every=100", *SMALL[:-1])
    metrics = until_steps_are_taken(tmp_path)
    run.signal(number)
    status, said = run.wait()
    assert status == 128 + number and "same command continues" in said and "Traceback" not in said
    assert said.count("finishing this step; Ctrl-C again ends at once\n") == (number == signal.SIGINT)
    done = len(metrics.read_text().splitlines())
    assert 1 <= done < 8 and f"stopped after step {done} of 8; a checkpoint is written" in said
    assert (tmp_path / f"outputs/two/checkpoints/checkpoint-{done}/motif.json").is_file()
    status, said = train(tmp_path, *words)
    steps = [json.loads(line)["step"] for line in metrics.read_text().splitlines()]
    assert status == 0 and steps == list(range(1, 9))


@pytest.mark.slow
def test_a_second_ctrl_c_stops_at_once(tmp_path, forks):
    words = ["name=two", *FEW, "experiment=smoke", "evaluation.before=false", "algo.steps=1000", "algo.questions=24"]
    run = forks.train(tmp_path, *words, "tracking=none")
    metrics = until_steps_are_taken(tmp_path)
    run.signal(signal.SIGINT)  # within a step, which takes most of a second
    time.sleep(0.1)
    run.signal(signal.SIGINT)
    status, said = run.wait()
    assert status == 130 and "stopped; the same command continues" in said and "Traceback" not in said
    assert said.index("finishing this step; Ctrl-C again ends at once\n") < said.index("stopped; the same command")
    assert len(metrics.read_text().splitlines()) < 4


def test_a_second_process_leaves_what_the_first_is_writing(tmp_path, forks):
    words = ["name=two", "algo.steps=100", "tracking=none", "evaluation.before=false", *SMALL[:-1]]
    run = forks.train(tmp_path, *words)
    until_steps_are_taken(tmp_path)
    draft = tmp_path / "outputs/two/checkpoints/writing/checkpoint-9"
    draft.mkdir(parents=True)
    status, said = forks.train(tmp_path, *words).wait()
    assert status == 1 and "outputs/two" in said and "Traceback" not in said and draft.is_dir()
    run.signal(signal.SIGTERM)
    assert run.wait()[0] == 143


def test_a_signal_during_an_evaluation_stops_at_once_and_what_is_measured_is_kept(tmp_path, forks):
    words = ["name=two", "evaluation.batch=2", *SMALL, "evaluation.questions=24", "evaluation.rounds=[3]"]
    words += ["tracking=none", "algo.steps=1", "algo=grpo"]
    run, records = forks.train(tmp_path, *words), tmp_path / "outputs/two/evaluation/base-chain-r3.jsonl"
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and not (records.exists() and records.read_text()):
        time.sleep(0.02)
    run.signal(signal.SIGTERM)
    status, said = run.wait()
    assert status == 143 and "the same command continues" in said and "Traceback" not in said
    kept = records.read_text()
    assert 2 <= len(kept.splitlines()) < 24
    status, said = forks.train(tmp_path, *words).wait()
    assert status == 0 and records.read_text().startswith(kept) and len(records.read_text().splitlines()) == 24


def stopped(run, number, shows):
    """The status of `run` and what it said, sent a signal once `shows` is true; its last line alone is of the stop."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline and not shows():
        time.sleep(0.02)
    run.signal(number)
    status, said = run.wait()
    assert "Traceback" not in said
    return status, said.splitlines()


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("program", ["evaluate.py", "motif.probe"])
def test_measuring_that_is_stopped_says_that_the_same_command_goes_on_and_it_does(tmp_path, forks, program, number):
    words = [
        f"policy={Tiny().folder()}",
        "dataset=chain",
        "dataset.test_size=160",
        "batch=2",
        "episode.prompts.wording=countdown",
    ]
    words += ["k=0"] if program == "motif.probe" else []

    def records():
        return next(iter(tmp_path.rglob("*.jsonl")), None)

    run = forks.begin(program, tmp_path, *words)
    status, said = stopped(run, number, lambda: records() and records().read_text().count("\n") >= 2)
    assert status == 128 + number and said[-1] == "stopped; the same command goes on after the questions that are done"
    kept = records().read_text()
    assert 2 <= kept.count("\n") < 160 and kept.endswith("\n") and not list(tmp_path.rglob("chain-*.json"))
    run = forks.begin(program, tmp_path, *words)
    stopped(run, number, lambda: records().read_text().count("\n") > kept.count("\n"))
    assert records().read_text().startswith(kept)


@pytest.mark.parametrize("number", SIGNALS)
def test_solving_that_is_stopped_says_that_nothing_is_kept(tmp_path, forks, number):
    run = forks.begin("solve.py", tmp_path, f"policy={Tiny().folder()}", "rounds=100", "9a-5b*8c+7")
    status, said = stopped(run, number, lambda: "round 3 of 100" in run.said)
    assert status == 128 + number and said[-1].endswith("stopped; nothing is kept of it")
    assert [path.name for path in tmp_path.iterdir()] == ["said-" + run.output.name.removeprefix("said-")]


def test_a_sweep_runs_every_combination_into_folders_of_their_own(tmp_path, train):
    few = ["evaluation.before=false", "evaluation.rounds=[1]", "tracking=none", "algo.steps=1"]
    status, said = train(tmp_path, "-m", "rounds=1,2", "algo=grpo,motif", *few)
    assert status == 0, said
    summaries = [json.loads(path.read_text()) for path in (tmp_path / "outputs").glob("*/summary.json")]
    assert sorted((found["algo"], found["rounds"]) for found in summaries) == [
        ("grpo", 1), ("grpo", 2), ("motif", 1), ("motif", 2)
    ]  # fmt: skip
