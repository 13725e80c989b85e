"""summary.json says what a run came to: its evaluations, how tokens were drawn, what was spent, what ended it."""

import json

import pytest

from motif.rounds.replies import Sampling
from motif.runs.budget import Budget
from motif.runs.ledger import Ledger
from motif.runs.summary import stated, summary_of

RESULTS = [
    {"policy": "base", "accuracy": 0.25, "compute": {"generated_tokens": 10, "seconds": 1.5}},
    {"policy": "trained", "accuracy": 0.5, "compute": {"generated_tokens": 14, "seconds": 0.5}},
]


def summary(counts, limits=None, **changed):
    ledger = Ledger()
    ledger.restore({"counts": counts, "seconds": {"rollout": 2.0}, "peak_memory": 0})
    told = {
        **{
            "trained": lambda round: Sampling(44 // round, temperature=1.5),
            "measured": lambda round: Sampling(44, temperature=0.0),
        },
        **{"flaws": ["carry"], "budget": Budget(), "limits": limits or {}, "elapsed": 12.345},
    }
    return summary_of({"name": "x", "algo": "motif"}, RESULTS, ledger=ledger, **told, **changed)


def test_it_holds_labels_evaluations_and_what_was_spent_on_training_and_on_measuring():
    found = summary({"generated_tokens": 100, "optimiser_steps": 3})
    assert (found["name"], found["algo"], found["flaws"], found["elapsed"]) == ("x", "motif", ["carry"], 12.3)
    assert found["evaluation"] == RESULTS and found["seconds"] == {"rollout": 2.0}
    assert found["compute"]["training"]["generated_tokens"] == 100
    assert found["compute"]["evaluation"]["generated_tokens"] == 24 and found["compute"]["evaluation"]["seconds"] == 2.0
    assert json.loads(json.dumps(found)) == found


def test_how_tokens_are_drawn_is_said_of_the_first_and_of_later_rounds_without_seeds():
    found = summary({})["sampling"]
    assert [each["tokens"] for each in found["training"]] == [44, 22]
    assert [each["temperature"] for each in found["training"] + found["evaluation"]] == [1.5, 1.5, 0.0, 0.0]
    assert "keys" not in stated(Sampling(44).keyed([7]))


@pytest.mark.parametrize(("tokens", "ended"), [(99, "algo.steps"), (100, "budget.tokens"), (150, "budget.tokens")])
def test_it_says_what_ended_the_training(tokens, ended):
    found = summary({"generated_tokens": tokens}, {"tokens": 100})
    assert found["stopped_by"] == ended
