from io import StringIO
from pathlib import Path

from rich.console import Console

from motif.evaluation.terminal import by_round_lines, cost_lines, next_commands, results_table, sample_lines


def found(**changes):
    base = {
        **{"dataset": "math500", "rounds": 3, "policy": "trained", "accuracy": 0.25, "interval": (0.1, 0.4), "n": 500},
        **{"samples": 1, "truncated": 0.5, "unparsable": 0.125, "copied": 0.0, "tokens": 70.4, "budget": 96},
        **{"accuracy_by_round": [{"value": 0.0, "interval": (0, 0.1)}, {"value": 0.25, "interval": (0.1, 0.4)}]},
        **{"tokens_by_round": [30.0, 40.4]},
    }
    return {**base, **changes}


def printed(results):
    console = Console(width=120, record=True, file=StringIO())
    console.print(results_table("title", results))
    return console.export_text()


def test_every_accuracy_stands_with_interval_n_rates_tokens_and_budget():
    lines = printed([found()]).splitlines()
    header = next(line for line in lines if "accuracy" in line).split()
    row = next(line for line in lines if "math500" in line).split()
    columns = "dataset rounds policy accuracy 95 % interval n truncated unparsable copied tokens budget"
    assert (
        " ".join(header) == columns
        and " ".join(row) == "math500 3 trained 25.0% 10.0% – 40.0% 500 50.0% 12.5% 0.0% 70 96"
    )


def test_several_samples_add_pass_and_majority_and_count_all_tokens():
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


def test_what_is_next_keeps_what_was_typed():
    first, second, table = next_commands("motif", ["rounds=4", "algo=motif", "name=x", "model=local", "model.path=a b"])
    assert first == "python train.py rounds=4 model=local 'model.path=a b' algo=grpo"
    assert second == "python train.py -m rounds=4 model=local 'model.path=a b' algo=grpo,motif seed=0,1,2,3,4"
    assert table == "python -m motif.report outputs/*"
    assert next_commands("grpo", ["-m", "seed=0,1"]) == [table]
    assert next_commands("grpo", ["-m", "outputs=my runs"], Path("my runs")) == ["python -m motif.report 'my runs'/*"]


def test_the_cost_of_training_is_stated_on_every_axis():
    counts = {"optimiser_steps": 4, "questions": 32, "responses": 1280, "generated_tokens": 34567, "flops": 1.234e15}
    training = {**counts, "peak_memory": 3 * 2**30, "seconds": 61.7}
    compute = {"training": training, "peak_memory_of": "process"}
    first, second = cost_lines({"compute": compute, "seconds": {"load": 2.0, "rollout": 60.0}})
    assert first == (
        "trained 4 steps on 32 questions: 1,280 responses, 34,567 tokens generated, 1.2e+15 FLOPs (estimated), "
        "3.0 GiB of the process, 62 s"
    )
    assert second == "seconds of the run: load 2, rollout 60"
