"""Accuracy on validation questions in the midst of training: it changes nothing, and is measured once."""

import json
import shutil
from types import SimpleNamespace

import pytest
from hydra import compose, initialize_config_dir

from motif.evaluation.validation import validation_questions
from motif.system.config import CONF, build
from motif.system.errors import UserError
from tests.support import FEW
from tests.support.training import untimed

SMALL = [
    *("experiment=smoke", "algo.m=4", "tracking=none", *FEW),
    *("evaluation.questions=4", "evaluation.before=false", "evaluation.rounds=[3]"),
]
WATCHED = [*SMALL, "watch.every=2", "watch.questions=12", "episode.temperature=1.5", "checkpoint.keep=5"]


@pytest.fixture(scope="module")
def watched(tmp_path_factory, forks):
    folder = tmp_path_factory.mktemp("watched")
    status, said = forks.train(folder, *WATCHED, "name=run").wait()
    assert status == 0, said
    return folder / "outputs/run"


def lines(run):
    return untimed([json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()])


@pytest.mark.slow
def test_it_is_measured_every_so_many_steps_in_as_many_rounds_as_are_trained(watched):
    measured = {line["step"]: line["held_out/accuracy"] for line in lines(watched) if "held_out/accuracy" in line}
    assert list(measured) == [2, 4]
    summary = json.loads((watched / "summary.json").read_text())
    for each in summary["held_out"]:
        records = (watched / f"held_out/step-{each['step']:06d}-n12.jsonl").read_text().splitlines()
        samples = [json.loads(line)["samples"][0] for line in records]
        assert sum(sample["correct"] for sample in samples) / 12 == each["accuracy"] == measured[each["step"]]
        assert {len(sample["tokens_by_round"]) for sample in samples} == {3} and each["n"] == 12
        assert each["compute"]["generated_tokens"] > 0
    assert summary["seconds"]["held_out"] > 0


@pytest.mark.slow
def test_none_of_its_questions_is_trained_on_or_tested(watched):
    from motif.tasks.chain import Chain

    chain = Chain(train_size=64, validation_size=32, test_size=32)
    records = (watched / "held_out/step-000002-n12.jsonl").read_text().splitlines()
    asked = {json.loads(line)["id"] for line in records}
    assert len(asked) == 12 and asked <= {question.id for question in chain.validation()}
    assert not asked & {question.id for question in (*chain.train(), *chain.test())}


def test_training_is_that_of_a_run_without_it_in_every_bit(watched, tmp_path, forks):
    plain = [word for word in WATCHED if not word.startswith("watch.")]
    status, said = forks.train(tmp_path, *plain, "name=run").wait()
    assert status == 0, said
    other = tmp_path / "outputs/run"
    assert [{k: v for k, v in line.items() if not k.startswith("held_out/")} for line in lines(watched)] == lines(other)
    for file in ("episodes.jsonl.gz", "policy/model.safetensors"):
        assert (watched / file).read_bytes() == (other / file).read_bytes()
    assert not (other / "held_out").exists()


@pytest.mark.slow
def test_a_run_that_continues_measures_only_what_is_missing(watched, tmp_path, forks):
    """As after a kill in the evaluation of step 4, half of which was kept."""
    run = tmp_path / "outputs/run"
    shutil.copytree(watched, run)
    for file in (run / "summary.json", run / "held_out/step-000004-n12.json", *run.glob("evaluation/*")):
        file.unlink()
    shutil.rmtree(run / "checkpoints/checkpoint-4")
    records = run / "held_out/step-000004-n12.jsonl"
    kept = records.read_bytes().split(b"\n")[:5]
    records.write_bytes(b"\n".join(kept) + b'\n{"torn')
    before = (run / "held_out/step-000002-n12.json").stat().st_mtime_ns
    status, said = forks.train(tmp_path, *WATCHED, "name=run").wait()
    assert status == 0, said
    assert lines(run) == lines(watched) and records.read_bytes() == (watched / records.relative_to(run)).read_bytes()
    assert (run / "held_out/step-000002-n12.json").stat().st_mtime_ns == before


def test_a_data_set_without_such_questions_is_refused_where_they_are_asked_for():
    toy = SimpleNamespace(name="toy", validation=list)
    with pytest.raises(UserError, match="watch.every=2: toy has no validation questions; watch.every=0"):
        validation_questions(toy, every=2, most=8)


@pytest.fixture
def made():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield lambda *words: build(compose("config", [*words, "name=x"]))


LONG = ["algo.steps=200", "algo.questions=2", "watch.questions=40"]


def test_unasked_measurements_generate_at_most_a_twentieth_of_what_training_may(made):
    long = made(*LONG)
    once = 40 * 3 * 44  # questions, rounds, tokens of a round
    step = 2 * (8 + 16 + 16) * 44  # questions, replies by round, tokens
    assert 0.045 < once / (long.validated_every * step) <= 0.05
    assert made(*LONG, "algo=grpo", "rounds=1").validated_every == 50  # 40 against 2 x 8 episodes of one round
    assert made(*LONG, "evaluation.samples=2", "evaluation.temperature=1").validated_every == 2 * long.validated_every


@pytest.mark.parametrize("words", [["algo.steps=20"], ["watch.every=0"], ["budget.tokens=10000", "budget.steps=200"]])
def test_nothing_is_measured_unasked_where_two_measurements_cost_more_or_nothing_is_wanted(made, words):
    assert made(*LONG, *words).validated_every == 0


def test_nothing_is_measured_unasked_where_there_are_no_validation_questions(made, monkeypatch):
    monkeypatch.setattr("motif.tasks.generated.Generated.validation", lambda self: [])
    assert made(*LONG).validated_every == 0 and made(*LONG, "watch.every=7").validated_every == 7
