import shlex
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from motif.evaluation.terminal import (
    LONGEST,
    NEEDED,
    by_round_lines,
    cost_lines,
    next_commands,
    sample_lines,
    say_next,
    show_results,
)
from motif.system import console
from motif.system.config import CONF, build
from tests.support import thinned


def found(**changes):
    base = {
        **{"dataset": "math500", "rounds": 3, "policy": "trained", "accuracy": 0.25, "interval": (0.1, 0.4), "n": 500},
        **{"samples": 1, "truncated": 0.5, "unparsable": 0.125, "copied": 0.0, "tokens": 70.4, "budget": 96},
        **{"accuracy_by_round": [{"value": 0.0, "interval": (0, 0.1)}, {"value": 0.25, "interval": (0.1, 0.4)}]},
        **{"tokens_by_round": [30.0, 40.4]},
    }
    return {**base, **changes}


@pytest.fixture
def printed(monkeypatch, capsys):
    """What is shown on a terminal of so many columns."""

    def show(results, width=120):
        monkeypatch.setattr(console.console, "_width", width)
        show_results(results)
        return capsys.readouterr().out

    return show


def test_every_accuracy_stands_with_interval_n_rates_tokens_and_budget(printed):
    lines = printed([found()]).splitlines()
    header = next(line for line in lines if "accuracy" in line).split()
    row = next(line for line in lines if "math500" in line).split()
    columns = "dataset rounds policy accuracy 95 % interval n truncated unparsable copied tokens budget"
    assert (
        " ".join(header) == columns
        and " ".join(row) == "math500 3 trained 25.0% 10.0% – 40.0% 500 50.0% 12.5% 0.0% 70 96"
    )


def test_several_samples_add_pass_and_majority_and_count_all_tokens(printed):
    score = {"value": 0.5, "interval": (0.25, 0.75)}
    several = found(samples=4, pass_at={"1": score, "4": score}, maj_at={"4": score})
    text = printed([found(), several])
    assert "500 × 4" in text and "282" in text and "384" in text
    assert sample_lines(several)[1:] == ["pass@4: 50.0% (25.0% – 75.0%)", "maj@4: 50.0% (25.0% – 75.0%)"]
    assert sample_lines(found()) == []


def test_the_result_of_stopping_after_each_round_is_said():
    first, second = by_round_lines(found())
    assert (
        first == "stopped after round 1, by that round's own box: 0.0% (0.0% – 10.0%), 30 tokens in that round"
        and "25.0%" in second
    )
    assert by_round_lines(found(accuracy_by_round=[{"value": 0, "interval": (0, 1)}])) == []


@pytest.mark.parametrize("width", [80, 100])
@pytest.mark.parametrize("dataset", ["chain", "my_questions_of_2025"])
def test_what_matters_is_shown_whole_however_narrow_a_terminal_is(printed, width, dataset):
    results = [found(dataset=dataset), found(dataset=dataset, policy="base", n=512, samples=16)]
    head, *lines = (line.split() for line in printed(results, width).splitlines() if line.strip() and "─" not in line)
    assert all(column in " ".join(head) for column in NEEDED) and len(lines) == 2
    assert lines[0][:7] == [dataset, "3", "trained", "25.0%", "10.0%", "–", "40.0%"] and "50.0%" in lines[0]
    assert max(map(len, printed(results, width).splitlines())) <= width


def test_where_a_table_has_no_room_its_cells_stand_in_lines_whole(printed):
    said = printed([found(dataset="my_own_questions_of_the_last_year")], 50)
    assert said == (
        "dataset my_own_questions_of_the_last_year,\n"
        "rounds 3, policy trained, accuracy 25.0%,\n"
        "95 % interval 10.0% – 40.0%, truncated 50.0%\n"
    )


@pytest.fixture
def hydra():
    """Hydra as it is in a program."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def test_what_is_next_keeps_what_was_typed(hydra):
    typed = ["rounds=4", "algo=motif", "name=x", "model=local", "model.path=a b", "seed=3"]
    first, second, report, evaluate = next_commands("motif", typed, Path("outputs/x"))
    assert first == "python train.py rounds=4 model=local 'model.path=a b' algo=grpo"
    assert second == "python train.py -m rounds=4 model=local 'model.path=a b' algo=grpo,motif seed=0,1,2,3,4"
    assert (report, evaluate) == ("python -m motif.report outputs/*", "python evaluate.py policy=outputs/x")
    assert next_commands("grpo", ["-m", "seed=0,1"], Path("outputs/x")) == [report, evaluate]
    assert next_commands("grpo", ["-m"], Path("my runs/x"))[0] == "python -m motif.report 'my runs'/*"
    here = Path.cwd() / "outputs/x"
    assert next_commands("grpo", ["-m"], here) == [report, evaluate]


def test_the_arguments_of_a_program_of_ones_own_are_not_proposed():
    commands = next_commands("motif", ["seed=3", "data.json"], Path("outputs/x"))
    assert commands == ["python -m motif.report outputs/*", "python evaluate.py policy=outputs/x"]


def test_what_the_other_algorithm_does_not_know_is_not_proposed_for_it(hydra):
    first, second, *_ = next_commands("motif", ["algo.k=4", "algo.m=4"], Path("outputs/x"))
    assert (
        first == "python train.py algo.m=4 algo=grpo"
        and second == "python train.py -m algo.k=4 algo.m=4 seed=0,1,2,3,4"
    )
    (only,) = (each for each in next_commands("motif", ["experiment=laptop_real"], Path("o/x")) if "train.py" in each)
    assert only == "python train.py -m experiment=laptop_real seed=0,1,2,3,4"  # whose preset sets algo.k


PRESETS = sorted(each.stem for each in (CONF / "experiment").glob("*.yaml"))


@pytest.mark.parametrize("preset", thinned(PRESETS, 6))
def test_what_is_proposed_after_a_preset_makes_an_experiment(hydra, preset):
    algo = compose("config", [f"experiment={preset}"]).algo.name
    commands = [each for each in next_commands(algo, [f"experiment={preset}"], Path("o/x")) if "train.py" in each]
    assert commands
    for command in commands:
        words = [word.split(",")[0] for word in shlex.split(command)[2:] if "=" in word]
        assert build(compose("config", [*words, "name=x"]))


def test_a_command_that_is_too_long_to_be_typed_is_not_shown(capsys):
    say_next(["x" * (LONGEST + 1), "one", "two"])
    assert capsys.readouterr().out == "next    one\n        two\n"


def test_the_cost_of_training_is_stated_on_every_axis():
    counts = {"optimiser_steps": 4, "questions": 32, "responses": 1280, "generated_tokens": 34567, "flops": 1.234e15}
    training = {**counts, "peak_memory": 3 * 2**30, "seconds": 61.7}
    compute = {"training": training, "peak_memory_of": "process"}
    first, second = cost_lines({"compute": compute, "seconds": {"load": 2.0, "rollout": 60.0}})
    assert first == (
        "trained 4 steps on 32 questions: 1,280 responses, 34,567 tokens generated, 1.2e+15 FLOPs (estimated), "
        "3.0 GiB of the process, 62 s"
    )
    assert second == "seconds of the run: load\u00a02, rollout\u00a060", "a number stays beside its word"
    one = {**training, "optimiser_steps": 1, "idle_steps": 1}
    first, _ = cost_lines({"compute": {**compute, "training": one}, "seconds": {}})
    assert first.startswith("trained 1 step (1 taught nothing) on 32 questions")
