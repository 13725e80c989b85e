"""The ledger, on the trees of the measures' tests."""

import time

import pytest

from motif.evaluation.evaluate import record
from motif.runs.flops import Cost
from motif.runs.ledger import Ledger, altogether, of_evaluation
from tests.rounds.test_metrics import trees
from tests.support.toys import random_qwen

COST = Cost(blocks=1000, head=100, trained_blocks=10, trained_head=0, layers=2, width=8)


def stepped(ledger, found, together=lambda share: [share]):
    """A training step on `found`, all of whose first-round replies are trained."""
    ledger.begin_step()
    ledger.count(found)
    ledger.end_step([root.reply for tree in found for root in tree.roots], together)
    return ledger


def test_the_ledger_counts_prompts_once_for_all_replies_drawn_from_them():
    ledger = Ledger()
    found = trees()
    ledger.count(found)
    assert ledger.counts["questions"] == 2
    assert ledger.counts["first_round_replies"] == 4 and ledger.counts["continuations"] == 12
    assert ledger.counts["responses"] == 16
    generated = sum(len(node.reply.token_ids) for tree in found for node in tree.nodes())
    assert ledger.counts["generated_tokens"] == generated
    assert ledger.counts["generated_tokens_round_1"] + ledger.counts["generated_tokens_round_2"] == generated
    first = sum(len(tree.roots[0].reply.prompt_ids) for tree in found)
    second = sum(len(root.children[0].reply.prompt_ids) for tree in found for root in tree.roots)
    assert ledger.counts["prompt_tokens"] == first + second


@pytest.mark.parametrize("jump", [3600, -3600])
def test_a_clock_that_is_set_makes_no_seconds(monkeypatch, jump):
    ledger, real = Ledger(), time.time
    ledger.begin_step()
    with ledger.phase("rollout"):
        monkeypatch.setattr(time, "time", lambda: real() + jump)
    ledger.end_step([], lambda share: [share])
    found = {name: value for name, value in ledger.metrics().items() if name.startswith("seconds/")}
    assert {"seconds/rollout", "seconds/update"} <= set(found)
    assert all(0 <= value < 60 for value in found.values())


def test_a_ledger_comes_back_as_it_was_saved():
    ledger = Ledger()
    ledger.count(trees())
    with ledger.phase("rollout"):
        pass
    other = Ledger()
    other.restore(ledger.as_dict())
    assert other.counts == ledger.counts and other.as_dict() == ledger.as_dict()


def test_flops_are_those_of_each_prompt_read_once_and_each_reply_and_of_the_update():
    found = trees()
    ledger = stepped(Ledger(cost=COST), found)
    generation = sum(
        COST.generation(len(group[0].reply.prompt_ids), [len(node.reply.token_ids) for node in group])
        for tree in found
        for group in (tree.roots, *(root.children for root in tree.roots))
    )
    roots = [root.reply for tree in found for root in tree.roots]
    update = sum(COST.update(len(reply.prompt_ids), len(reply.token_ids)) for reply in roots)
    assert ledger.counts["flops"] == generation + update
    assert ledger.counts["trained_tokens"] == sum(len(reply.token_ids) for reply in roots)


def test_metrics_of_a_step_are_totals_so_far_and_the_steps_own():
    found = trees()
    ledger = stepped(stepped(Ledger(cost=COST), found), found)
    metrics = ledger.metrics()
    for name in ledger.names():
        assert metrics[f"total/{name}"] == 2 * metrics[f"step/{name}"] == ledger.counts[name]
    assert metrics["step/optimiser_steps"] == 1 and metrics["step/questions"] == 2
    assert 0 <= metrics["seconds/update"] <= metrics["total/seconds"]
    assert metrics["compute/peak_memory"] == ledger.peak_memory > 1e6
    assert Ledger().metrics()["total/continuations"] == 0


def test_time_of_a_step_outside_of_its_phases_is_the_updates_and_evaluation_is_no_training(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("motif.runs.ledger.time.perf_counter", lambda: clock[0])
    ledger = Ledger()
    for phase, seconds in (("evaluation", 100.0), ("rollout", 3.0)):
        if phase == "rollout":
            ledger.begin_step()
        with ledger.phase(phase):
            clock[0] += seconds
    clock[0] += 2.0
    ledger.end_step([])
    assert ledger.seconds == {"evaluation": 100.0, "rollout": 3.0, "update": 2.0}
    assert ledger.training_seconds() == 5.0


def test_seconds_are_the_first_processs_memory_that_of_the_neediest_and_each_counts_all():
    found = trees()
    alone = stepped(Ledger(cost=COST), found)
    first, other = {"seconds": {"update": 2.0}, "peak": 5}, {"seconds": {"update": 9.0}, "peak": 10**15}
    job = stepped(Ledger(cost=COST), found, lambda share: [first, other])
    assert job.counts == alone.counts and job.seconds["update"] == 2.0 and job.peak_memory == 10**15


def test_an_evaluation_is_counted_from_its_records_as_from_its_trees():
    found = trees()
    for tree in found:
        for root in tree.roots:
            del root.children[1:]
    grown, read = Ledger(cost=COST), Ledger(cost=COST)
    grown.count(found)
    read.count_records([record(tree, seed=0) for tree in found])
    assert read.counts == grown.counts and read.counts["continuations"] == 4


def test_evaluations_together_are_a_sum_and_the_highest_peak():
    parts = [{"responses": 2, "seconds": 0.5, "peak_memory": 7}, {"responses": 3, "continuations": 1, "peak_memory": 5}]
    assert altogether(parts) == {"responses": 5, "continuations": 1, "seconds": 0.5, "peak_memory": 7}


def test_what_was_lost_is_what_the_last_line_holds_beyond_the_checkpoint():
    found = trees()
    ledger = stepped(Ledger(cost=COST), found)
    saved = ledger.as_dict()
    assert ledger.beyond(ledger.metrics()) == {} == ledger.beyond({})
    step = stepped(ledger, found).metrics()
    again = Ledger()
    again.restore(saved)
    lost = again.beyond(step)
    assert lost["questions"] == 2 and lost["optimiser_steps"] == 1 and lost["flops"] == saved["counts"]["flops"]


def test_an_evaluation_in_one_round_says_that_it_took_no_continuations():
    one = {"prompt_tokens_by_round": [4], "tokens_by_round": [7]}
    spent = of_evaluation([{"samples": [one, one]}], random_qwen().model, 1.0)
    assert (spent["continuations"], spent["first_round_replies"], spent["generated_tokens"]) == (0, 2, 14)
    assert "trained_tokens" not in spent and "optimiser_steps" not in spent
