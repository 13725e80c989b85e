"""A measurement leaves records and a result, and one that was begun before is completed, its seconds included."""

import json

import pytest

from motif.evaluation.evaluate import Evaluation
from motif.evaluation.measure import Measurement, Measurer, seconds_of, title_of
from motif.policies.tiny import Tiny
from motif.rounds.episode import Episode, grade
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Reply
from motif.runs.ledger import Ledger
from tests.support.toys import good, question

QUESTIONS = [question(f"{n}+0", str(n)) for n in range(4)]
EPISODES = [Episode(rounds=rounds, tokens=44, prompts=Prompts(wording="countdown")) for rounds in (1, 2)]


@pytest.fixture(scope="module")
def policy():
    return Tiny().load()


class Writer:
    """Answers 1 to everything; `asked` counts the replies."""

    def __init__(self, policy):
        self.policy, self.asked = policy, 0

    def __call__(self, talks, sampling):
        self.asked += len(talks)
        text = good("\\boxed{1}")
        ids = self.policy.tokenizer(text)["input_ids"]
        return [Reply(text, ids, prompt, True) for prompt in self.policy.render(talks)]


def measured(folder, policy, ledger=None):
    asked = [Measurement("trained", "toy", episode, QUESTIONS) for episode in EPISODES]
    write = Writer(policy)
    measurer = Measurer(policy, write, Evaluation(), seed=0, marks=grade, ledger=ledger or Ledger())
    return measurer.measure_all(asked, folder, grader="g1", engine="e1"), write.asked


def test_each_measurement_has_a_result_and_its_records_beside_it(policy, tmp_path):
    results, asked = measured(tmp_path, policy)
    assert asked == 4 * (1 + 2)
    assert [(each["rounds"], each["n"], each["correct"], each["accuracy"]) for each in results] == [
        (1, 4, 1, 0.25), (2, 4, 1, 0.25)
    ]  # fmt: skip
    for each, episode in zip(results, EPISODES, strict=True):
        file = tmp_path / f"trained-toy-r{each['rounds']}.json"
        assert json.loads(file.read_text()) == json.loads(json.dumps({**each, "disagreeing": []}))
        assert len(file.with_suffix(".jsonl").read_text().splitlines()) == 4 and each["budget"] == episode.budget()
        assert (each["policy"], each["dataset"], each["split"], each["grader"]) == ("trained", "toy", "test", "g1")
        assert each["arithmetic"]["engine"] == "e1" and each["arithmetic"]["batch"] == 256
        assert each["compute"]["generated_tokens"] == each["tokens"] * 4 and each["compute"]["flops"] > 0
    assert results[0]["rows"] == results[1]["rows"]


def test_what_was_measured_before_is_not_asked_again_and_its_seconds_are_not_lost(policy, tmp_path):
    first, _ = measured(tmp_path, policy)
    file = tmp_path / "trained-toy-r1.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"compute": {"seconds": 1000.0}}))
    records = tmp_path / "trained-toy-r2.jsonl"
    records.write_text("".join(records.read_text().splitlines(keepends=True)[:3]))  # as a kill leaves them
    again, asked = measured(tmp_path, policy)
    assert asked == 2  # two rounds of the question that was missing
    assert [each["accuracy"] for each in again] == [each["accuracy"] for each in first]
    assert again[0]["compute"]["seconds"] >= 1000.0 and seconds_of(file) >= 1000.0
    assert again[1]["compute"]["seconds"] >= first[1]["compute"]["seconds"]


def test_seconds_count_as_the_phase_that_is_named(policy, tmp_path):
    ledger = Ledger()
    measured(tmp_path, policy, ledger)
    assert ledger.seconds["evaluation"] > 0 and set(ledger.seconds) == {"evaluation"}


def test_seconds_of_what_is_not_there_are_none_and_titles_count_rounds(tmp_path):
    assert seconds_of(tmp_path / "nowhere.json") == 0.0
    assert title_of("chain", 1, "base") == "base, chain, 1 round" and title_of("chain", 3) == "chain, 3 rounds"
