"""Evaluation as a program, on the shipped tiny policy."""

import json
import os

import pytest

from motif.evaluation import program
from motif.evaluation.program import Evaluator
from motif.evaluation.statistics import wilson
from motif.generation.engines import Transformers
from motif.policies.tiny import Tiny
from motif.rounds.episode import Episode
from motif.rounds.prompts import Prompts
from motif.system.errors import UserError
from motif.system.locks import Busy, Lock
from motif.tasks.chain import Chain


def measuring(tmp_path, **changes):
    settings = {
        "policy": str(Tiny().folder()),
        "dataset": Chain(test_size=12),
        "episode": Episode(rounds=3, tokens=44, prompts=Prompts(wording="countdown")),
        "generation": Transformers(),
        "rounds": 2,
        "outputs": str(tmp_path),
    }
    return Evaluator(**{**settings, **changes})


def files(tmp_path):
    return sorted(path.name for path in tmp_path.rglob("*.jsonl"))


def test_a_result_stands_beside_its_records_and_is_read_the_second_time(tmp_path, monkeypatch, capsys):
    result = measuring(tmp_path).run()
    (file,) = tmp_path.rglob("*.jsonl")
    records = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(records) == result["n"] == 12 and result["budget"] == 88 and result["rounds"] == 2
    right = sum(item["samples"][0]["correct"] for item in records)
    assert result["interval"] == list(wilson(right, 12)) and len(result["accuracy_by_round"]) == 2
    assert {**json.loads(file.with_suffix(".json").read_text()), "records": str(file)} == result
    monkeypatch.setattr(program, "Measurer", lambda *_: pytest.fail("measured again"))
    assert measuring(tmp_path).run() == result
    assert "measured before" in capsys.readouterr().out


def test_other_settings_are_another_measurement(tmp_path):
    first = measuring(tmp_path, questions=4).run()
    for more in ({"batch": 1}, {"deterministic": True}):
        again = measuring(tmp_path, questions=4, **more).run()
        assert again["accuracy"] == first["accuracy"] and again["arithmetic"] != first["arithmetic"]
    assert len(files(tmp_path)) == 3
    measuring(tmp_path, questions=4, rounds=1).run()
    measuring(tmp_path, questions=4, budget=60).run()
    measuring(tmp_path, questions=4, samples=2).run()
    names = files(tmp_path)
    assert len(names) == 6 and any("-x2-" in name for name in names) and first["n"] == 4


def test_the_policy_is_loaded_once_for_all_jobs(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(program, "open_policy", lambda *a, **k: opened.append(a) or Tiny().load())
    program.opened.cache_clear()
    for rounds in (1, 2, 3):
        measuring(tmp_path, questions=2, rounds=rounds).run()
    program.opened.cache_clear()
    assert len(opened) == 1


def test_a_budget_gives_every_number_of_rounds_the_same_tokens(tmp_path):
    budgets = [measuring(tmp_path, questions=2, rounds=rounds, budget=120).run()["budget"] for rounds in (1, 2, 3)]
    assert budgets == [120, 120, 120]


def test_several_samples_are_drawn_warm_and_give_pass_and_majority(tmp_path):
    result = measuring(tmp_path, questions=6, samples=4, rounds=1).run()
    assert set(result["pass_at"]) == {"1", "2", "4"} and set(result["maj_at"]) == {"4"}
    assert result["pass_at"]["1"]["value"] == pytest.approx(result["accuracy"])
    assert result["pass_at"]["1"]["value"] <= result["pass_at"]["4"]["value"]
    assert result["sampling"][0]["temperature"] == 0.6


def test_an_interrupted_evaluation_goes_on(tmp_path):
    whole = measuring(tmp_path, batch=5).run()
    (file,) = tmp_path.rglob("*.jsonl")
    text = file.read_bytes()
    file.with_suffix(".json").unlink()
    file.write_bytes(text[: len(text) // 2])
    again = measuring(tmp_path, batch=5).run()
    for result in (again, whole):
        spent = result["compute"]
        assert spent["generated_tokens"] == round(result["tokens"] * result["n"]) and spent["flops"] > 0
        del spent["seconds"], spent["peak_memory"]
    assert again == whole and file.read_bytes() == text


def test_weights_that_changed_in_their_folder_are_another_policy_whatever_their_time(tmp_path):
    import shutil

    folder = tmp_path / "policy"
    shutil.copytree(Tiny().folder(), folder)
    before, weights = program.policy_id(str(folder)), folder / "model.safetensors"
    weights.touch()
    assert program.policy_id(str(folder)) == before
    times, content = weights.stat(), bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert program.policy_id(str(folder)) != before


def test_a_runs_flaws_are_measured_with_its_grader(tmp_path):
    from motif.training.published import Flaws

    fair, flawed = (
        measuring(tmp_path, questions=4, flaws=Flaws(grading=kind)).run() for kind in ("mathematical", "substring")
    )
    assert flawed["grader"] == "substring" != fair["grader"] and len(files(tmp_path)) == 2


def test_overwrite_measures_again(tmp_path):
    measuring(tmp_path, questions=2).run()
    (file,) = tmp_path.rglob("*.jsonl")
    file.write_text("")
    assert measuring(tmp_path, questions=2, overwrite=True).run()["n"] == 2 and file.read_text()


def test_records_can_be_handed_on_in_the_shape_of_lm_evaluation_harness(tmp_path):
    result = measuring(tmp_path, questions=4, format="lm_eval").run()
    (file,) = tmp_path.rglob("lm_eval/*/samples_chain_*.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["doc_id"] for line in lines] == [0, 1, 2, 3]
    assert set(lines[0]) >= {"doc", "target", "arguments", "resps", "filtered_resps", "doc_hash", "exact_match"}
    assert sum(line["exact_match"] for line in lines) == result["correct"]
    (scores,) = file.parent.glob("results_*.json")
    assert json.loads(scores.read_text())["results"]["chain"]["exact_match,none"] == result["accuracy"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"samples": 0}, "samples must be"),
        ({"samples": 4, "temperature": 0.0}, "samples=4 needs temperature above 0"),
        ({"format": "csv"}, "format must be one of jsonl, lm_eval"),
        ({"rounds": 0}, "rounds must be"),
        ({"policy": ""}, "policy must be"),
        ({"dataset": None}, "dataset must be chosen"),
    ],
)
def test_a_bad_value_is_refused_before_anything_is_loaded(tmp_path, changes, words):
    with pytest.raises(UserError, match=words):
        measuring(tmp_path, **changes)


def test_two_processes_do_not_make_the_same_evaluation(tmp_path):
    result = measuring(tmp_path).run()
    (file,) = tmp_path.rglob("*.jsonl")
    (lock,) = file.parent.glob(".locks/*")
    file.with_suffix(".json").unlink()
    with Lock(lock), pytest.raises(Busy, match=f"{file} is being worked on by another process .*pid {os.getpid()}"):
        measuring(tmp_path, overwrite=True).run()
    assert measuring(tmp_path).run()["accuracy"] == result["accuracy"]


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda file: file.with_suffix(".json").write_text('{"n": '), "torn or no JSON"),
        (lambda file: file.with_suffix(".json").write_text("{}"), "does not say dataset, .*overwrite=true"),
        (lambda file: (file.with_suffix(".json").unlink(), file.write_text("{}\n")), "line 1 of .* is no record"),
        (lambda file: (file.with_suffix(".json").unlink(), file.write_bytes(b"\xff\n")), "line 1 of .* is no record"),
    ],
)
def test_what_was_measured_and_cannot_be_read_is_a_line(tmp_path, harm, words):
    measuring(tmp_path, questions=2).run()
    (file,) = tmp_path.rglob("*.jsonl")
    harm(file)
    with pytest.raises(UserError, match=words) as error:
        measuring(tmp_path, questions=2).run()
    assert str(file.with_suffix("")) in str(error.value)
