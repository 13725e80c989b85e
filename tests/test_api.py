"""The functions for notebooks and scripts: what they return, what they leave as it was, and how they fail."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st

import motif
from motif import api, cli
from motif.reporting.folders import folders_of
from motif.runs.folder import Run
from motif.system.config import CONF
from motif.system.signals import SIGNALS
from tests.support import ROOT
from tests.support.run_folders import make_run

SMALL = {
    **{"algo.questions": 2, "algo.m": 2, "dataset.train_size": 16, "dataset.test_size": 4},
    **{"evaluation.before": False, "tracking": "none", "preflight": False},
}


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def run(outputs):
    return motif.train("rounds=2", "algo=motif", steps=2, outputs=outputs, **SMALL)


def surroundings():
    """What a call may not change of the process."""
    libraries = {name: logging.getLogger(name).level for name in ("transformers", "hydra", "wandb", "torch")}
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    return handlers, libraries, list(sys.argv), list(warnings.filters), GlobalHydra.instance().hydra


def test_training_returns_the_finished_run(run, outputs):
    assert run.folder.parent == outputs and run.summary["algo"] == "motif"
    assert run.result["rounds"] == 2 and run.result["policy"] == "trained" and run.accuracy == run.result["accuracy"]
    assert [line["step"] for line in run.metrics()] == [1, 2] and "train/reward" in run.metrics()[0]
    assert (run.policy / "model.safetensors").is_file()
    assert str(run.folder) in repr(run) and f"{run.accuracy:.1%}" in repr(run)
    assert run._repr_markdown_().count("| chain |") == 2  # in one round, and in two


def test_a_run_has_the_name_that_the_program_gives_it(run):
    words = ["rounds=2", *(api.setting(key, value) for key, value in {**SMALL, "algo.steps": 2}.items())]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("config", words)
        choices = {"algo": "motif", "dataset": "chain", "model": "tiny"}
        assert run.folder.name == cli.run_name(config, choices, words)


def test_a_finished_run_is_returned_and_nothing_of_the_process_is_changed(run, outputs, capsys):
    before, written = surroundings(), run.folder.stat().st_mtime_ns
    again = motif.train("rounds=2", "algo=motif", steps=2, outputs=outputs, **SMALL)
    assert again == run and run.folder.stat().st_mtime_ns == written
    assert "is finished already" in capsys.readouterr().out
    assert surroundings() == before


def test_a_policy_is_measured_and_what_was_measured_is_read(run, outputs):
    found = motif.evaluate(run, rounds=1, questions=3)
    assert found.result["n"] == 3 and found.result["rounds"] == 1 and found.result["dataset"] == "chain"
    assert found.interval[0] <= found.accuracy <= found.interval[1]
    assert len(found.records.read_text().splitlines()) == 3
    assert motif.evaluate(str(run.folder), "rounds=1", "questions=3") == found
    assert "| chain | 1 |" in found._repr_markdown_()


@pytest.mark.slow
def test_a_policy_that_was_trained_again_is_not_remembered(outputs):
    def trained(seed):
        return motif.train(steps=1, outputs=outputs, name="again", seed=seed, overwrite=True, rounds=1, **SMALL)

    first = motif.evaluate(trained(0), rounds=1, questions=2)
    second = motif.evaluate(trained(1), rounds=1, questions=2)
    assert first.result["policy"] != second.result["policy"] and second.records.is_file() != first.records.is_file()


def test_a_question_is_answered_round_by_round(run, capsys):
    found = motif.solve(run, "9a-5b", gold=9)
    assert found.question == "9a-5b" and len(found.rounds) == 2
    assert found.correct == (found.answer == "9")
    said = capsys.readouterr().out
    assert all(each.reply in said for each in found.rounds)
    assert found.rounds[0].tokens > 1 and found.rounds[-1].reply.endswith("</answer>")
    assert motif.solve(run, "9a-5b").correct is None


def test_a_report_is_written_on_the_runs_of_a_folder(run, outputs, tmp_path):
    found = motif.report(f"{outputs}/motif*", to=tmp_path / "report")
    assert found.page == tmp_path / "report/index.html" and found.page.is_file()
    assert found.verdicts and all(verdict == verdict.strip() for verdict in found.verdicts)
    assert found.verdicts[0] in repr(found) and str(found.page) in repr(found)


def test_a_report_is_asked_for_by_runs_patterns_and_folders(run, outputs):
    beside = [folder for folder in outputs.iterdir() if Run(folder).is_run()]
    assert folders_of(run.folder) == folders_of(str(run.folder)) == [run.folder]
    assert set(folders_of(outputs)) >= set(beside) and set(folders_of(f"{outputs}/*")) >= set(beside)
    assert folders_of("nothing/*") == [Path("nothing/*")]  # which is said not to be there


def test_runs_are_loaded_by_their_folders_patterns_and_the_folder_they_lie_in(tmp_path, monkeypatch):
    home = tmp_path / "outputs"
    made = [make_run(home / "grpo", "grpo"), make_run(home / "motif", finished=False)]
    (home / "report").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    ways = [(), ("outputs/*",), (home,), tuple(made), ("outputs/g*", made[1]), ("~/outputs",)]
    ways.append((api.TrainResult(made[0], {}), "outputs/motif"))
    for way in ways:
        assert list(motif.load(*way).settings.index) == ["grpo", "motif"], way
    assert list(motif.load(home / "motif").settings.index) == ["motif"]


def test_what_cannot_be_read_of_a_run_is_said_when_it_is_loaded(tmp_path, capsys):
    folder = make_run(tmp_path / "torn")
    (folder / "summary.json").write_text('{"evaluation": [')
    found = motif.load(folder)
    assert "summary.json cannot be read" in " ".join(capsys.readouterr().out.split())
    assert len(found.metrics) == 3 and len(found.evaluations) == 3


@pytest.mark.slow
def test_the_module_of_the_report_is_the_function_too(run, tmp_path):
    code = f"import motif.report, motif; print(motif.report({str(run.folder)!r}, to={str(tmp_path)!r}).page)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1] == str(tmp_path / "index.html"), done.stderr


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: motif.train("algo=motiff"), "algo must be one of .*, got 'motiff', did you mean motif"),
        (lambda: motif.train("algo.kk=3"), "unknown key algo.kk, did you mean k"),
        (lambda: motif.train("rounds=0"), "rounds must be a whole number from 1 to 100, got 0"),
        (lambda: motif.train("rounds"), "'rounds' is no KEY=VALUE"),
        (lambda: motif.train(3), '"KEY=VALUE" or KEY=VALUE, got 3'),
        (lambda: motif.train(steps="many"), "algo.steps must be a whole number"),
        (lambda: motif.train(seed={1, 2}), "seed must be text, a number, a list or a dict"),
        (lambda: motif.train("seed=0,1"), "seed=0,1 asks for several runs; call motif.train in a loop"),
        (lambda: motif.train("sweeps=baseline"), "sweeps=baseline asks for several runs"),
        (lambda: motif.train("-m", "seed=0,1"), "-m is an option of the command line; type it: motif-train -m"),
        (lambda: motif.train(name="a/b"), "name"),
        (lambda: motif.train(outputs=Path(__file__)), "cannot be written"),
        (lambda: motif.evaluate("nothing"), "dataset has no value|nothing"),
        (lambda: motif.solve("nothing", "9a"), "nothing"),
        (lambda: motif.report("nothing/*"), "nothing/\\* is not there"),
        (lambda: motif.load("nothing/*"), "nothing/\\* is not there"),
        (lambda: motif.load(ROOT / "motif/rounds"), "no run \\(run.json\\) in .*motif/rounds; try outputs/\\*$"),
        (lambda: motif.load(), "outputs is not there"),
    ],
)
def test_a_mistake_is_an_error_of_one_line_and_changes_nothing(call, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = surroundings()
    with pytest.raises(motif.UserError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value) and caught.value.__cause__ is None
    assert surroundings() == before and not list(tmp_path.iterdir())


def test_what_a_caller_composes_with_hydra_is_left_to_it(tmp_path):
    (tmp_path / "own.yaml").write_text("mine: 3\n")
    with initialize_config_dir(str(tmp_path), version_base="1.2"):
        with pytest.raises(motif.UserError):
            motif.train("rounds=0")
        assert compose("own").mine == 3
    assert not GlobalHydra.instance().is_initialized()


def test_ctrl_c_leaves_a_checkpoint_and_the_same_call_goes_on(tmp_path):
    def begun():
        return motif.train(rounds=1, steps=12, name="one", outputs=tmp_path, **SMALL)

    def interrupt():
        while not (lines := tmp_path / "one/metrics.jsonl").is_file() or not lines.read_bytes():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    before = surroundings()
    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt, match="stopped after step .* of 12; a checkpoint is written"):
        begun()
    assert surroundings() == before
    run = Run(tmp_path / "one")
    (last,) = [int(folder.name.split("-")[1]) for folder in run.checkpoints.glob("checkpoint-*")][-1:]
    assert last == len(run.metrics()) < 12 and run.summary() is None
    assert len(begun().metrics()) == 12


@pytest.mark.slow
def test_functions_work_in_threads_one_after_the_other(outputs):
    found = {}

    def call(seed):
        found[seed] = motif.train(rounds=1, steps=1, seed=seed, outputs=outputs, **SMALL)

    threads = [threading.Thread(target=call, args=(seed,)) for seed in (7, 8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {seed: run.summary["seed"] for seed, run in found.items()} == {7: 7, 8: 8}


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


@given(VALUES)
def test_a_python_value_reaches_hydra_as_it_is(value):
    assert OverridesParser.create().parse_override(api.setting("key", value)).value() == value


def test_names_that_look_like_something_else_stay_text():
    texts = [
        "20240101",
        "true",
        "null",
        "1e3",
        "a,b",
        "outputs/a=b",
        "${seed}",
        "[x]",
        "it's",
        'say "no"',
        "a b",
        "x\\",
    ]
    for text in texts:
        assert OverridesParser.create().parse_override(api.setting("name", text)).value() == text
    assert api.setting("outputs", Path("a/b")) == "outputs=a/b" and api.setting("algo", "grpo") == "algo=grpo"
    assert api.setting("x", {"a": 1, "b": [True, None]}) == "x={a:1,b:[true,null]}"


def test_motif_shows_its_functions_and_nothing_that_is_not_there():
    assert {"train", "evaluate", "solve", "report", "load", "UserError"} <= set(dir(motif))
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        _ = motif.trian
