"""The bridge to TRL, on the real trainer and the shipped tiny policy."""

from dataclasses import replace

import pytest
import torch
from trl import GRPOTrainer

from motif.policies.tiny import Tiny
from motif.rounds.replies import Reply
from motif.training import rollout
from motif.training.algorithms import GRPO, MOTIF, Broadcast, Discounted, Value
from tests.support.toys import good
from tests.support.training import EPISODE, episodes, motif, questions, result, run_training, small, weights

pytestmark = pytest.mark.program


@pytest.fixture
def policy():
    return Tiny().load()


def planted(policy, answers):
    """A generator: first-round replies hand over `yes` or `no` in turn, and only `yes` leads to the right answer."""

    def generate(talks, sampling):
        replies = []
        for place, (talk, prompt) in enumerate(zip(talks, policy.render(talks), strict=True)):
            said = talk[-1]["content"]
            if said.startswith("2 "):
                text = good("yes" if place % 2 else "no", reasoning="first")
            elif said.startswith("1 "):
                text = good("yes" if ">yes<" in said else "no", reasoning="second")
            else:
                gold = answers[said.split()[1].split("<")[0]]
                text = good(f"\\boxed{{{gold if '>yes<' in said else 'wrong'}}}", reasoning="third")
            ids = policy.tokenizer(text)["input_ids"] + [policy.tokenizer.eos_token_id]
            replies.append(Reply(text, ids, prompt, True))
        return replies

    return generate


def test_the_first_reply_that_helps_gets_the_higher_advantage_and_only_first_round_tokens_are_trained(
    policy, tmp_path, monkeypatch
):
    seen = []
    compute = GRPOTrainer.compute_loss

    def spy(self, model, inputs, *args, **kwargs):
        for ids, mask, prompt, advantage in zip(
            inputs["completion_ids"], inputs["completion_mask"], inputs["prompt_ids"], inputs["advantages"], strict=True
        ):
            text = policy.tokenizer.decode(ids[mask.bool()])
            seen.append((text, policy.tokenizer.decode(prompt, skip_special_tokens=True), advantage.item()))
        return compute(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(GRPOTrainer, "compute_loss", spy)
    answers = {question.text: question.gold for question in questions()}
    run = run_training(policy, small(MOTIF, k=2), tmp_path / "run", planted(policy, answers))
    assert len(seen) == 2 * 2 * 4
    for text, prompt, advantage in seen:
        assert text.startswith("<reasoning>first") and prompt.startswith("2 ")
        assert (advantage > 0.5) == (">yes<" in text) and (advantage < -0.5) == (">no<" in text)
    assert [line["episode/accuracy"] for line in run.metrics()] == [0.5, 0.5]
    noted = [reply for tree in episodes(run) for reply in tree["replies"]]
    assert sorted(reply["advantage"] for reply in noted) == pytest.approx(
        sorted(advantage for *_, advantage in seen), abs=1e-4
    )


def by_rounds(policy, ends):
    """A generator of the countdown of three rounds: in round t every reply says `t` and whose it is, and the n-th
    trajectory ends in round ends[n], the first one with the right answer and the others with a wrong one."""
    golds = {question.text: question.gold for question in questions()}
    count = iter(range(10_000))

    def generate(talks, sampling):
        replies = []
        for talk, prompt in zip(talks, policy.render(talks), strict=True):
            said = talk[0]["content"]
            round, name = 3 - int(said[0]), said.split()[1].split("<")[0]
            n = int(said.split(">n")[1][0]) if "<progress>" in said else next(count) % len(ends)
            box = f"\\boxed{{{golds[name] if n == 0 else 'wrong'}}}"
            text = good(box if round == ends[n] else f"n{n}", reasoning=f"round {round} of n{n}")
            ids = policy.tokenizer(text)["input_ids"] + [policy.tokenizer.eos_token_id]
            replies.append(Reply(text, ids, prompt, True))
        return replies

    return generate


@pytest.mark.parametrize("algorithm", [Broadcast, Discounted, Value], ids=lambda kind: kind.name)
def test_advantages_land_on_the_tokens_of_their_own_round(policy, tmp_path, monkeypatch, algorithm):
    seen, compute = [], GRPOTrainer.compute_loss

    def spy(self, model, inputs, *args, **kwargs):
        names = ("completion_ids", "completion_mask", "tool_mask", "advantages", "row_weight")
        for ids, mask, own, advantage, weight in zip(*(inputs[name] for name in names), strict=True):
            seen.append((policy.tokenizer.decode(ids[(mask * own).bool()]), advantage.item(), weight.item()))
        return compute(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(GRPOTrainer, "compute_loss", spy)
    ends = (2, 3, 3, 1)
    run = run_training(
        policy, small(algorithm), tmp_path / "run", by_rounds(policy, ends), episode=replace(EPISODE, stop="answered")
    )
    assert [line["total/optimiser_steps"] for line in run.metrics()] == [1, 2]  # as many as of one round
    assert len(seen) == 2 * 2 * 4 * 3
    if algorithm is not Value:  # of which continuations count too
        assert run.metrics()[0]["episode/rounds_used"] == 2.25
    noted = {
        (reply["round"], reply["text"].split("of n")[1][0]): reply["advantage"]
        for tree in episodes(run)
        for reply in every(tree["replies"])
        if "advantage" in reply
    }
    assert {(round, n) for n, end in enumerate(ends) for round in range(1, end + 1)} == {
        (round, int(n)) for round, n in noted
    }
    filled = [numbers for text, *numbers in seen if not text]
    assert filled == [[0.0, 0.0]] * (2 * 2 * (12 - sum(ends)))
    for text, advantage, weight in seen:
        if text:
            round, n = text.split("round ")[1][0], text.split("of n")[1][0]
            assert weight == pytest.approx(3 / ends[int(n)])  # of a trajectory's rows they add up to the same
            assert advantage == pytest.approx(noted[int(round), n], abs=1e-5)


def every(replies):
    for reply in replies:
        yield reply
        yield from every(reply["children"])


def test_what_fills_a_short_trajectory_up_has_no_part_in_the_gradient(policy, tmp_path, monkeypatch):
    settings = {"episode": replace(EPISODE, stop="answered")}
    algorithm = small(Broadcast, steps=1)
    run_training(policy, algorithm, tmp_path / "one", by_rounds(policy, (2, 3, 3, 1)), **settings)
    plain = rollout.padded

    def other(groups, slots, questions):
        strange = {"token_ids": [5], "prompt_ids": [7, 8, 9]}
        rows = plain(groups, slots, questions)
        assert not all(row.weight for row in rows)
        return [row if row.weight else row._replace(reply=replace(row.reply, **strange)) for row in rows]

    monkeypatch.setattr(rollout, "padded", other)
    again = Tiny().load()
    run_training(again, algorithm, tmp_path / "two", by_rounds(again, (2, 3, 3, 1)), **settings)
    assert all(
        torch.allclose(one, two, atol=1e-7)
        for one, two in zip(policy.model.parameters(), again.model.parameters(), strict=True)
    )
    assert weights(policy) != weights(Tiny().load())


def test_a_second_identical_run_gives_identical_metrics_episodes_and_weights_that_moved(policy, tmp_path, reference):
    before = weights(policy)
    run = run_training(policy, motif(), tmp_path / "run")
    assert result(policy, run) == reference.result and weights(policy) != before
    assert [line["step"] for line in run.metrics()] == [1, 2, 3]


def test_the_same_holds_for_grpo_and_another_seed_gives_another_run(policy, tmp_path):
    before, again, other = weights(policy), Tiny().load(), Tiny().load()
    found = result(policy, run_training(policy, small(GRPO), tmp_path / "one"))
    assert result(again, run_training(again, small(GRPO), tmp_path / "two")) == found and weights(policy) != before
    run = run_training(other, small(GRPO, steps=1), tmp_path / "other", seed=1)
    assert episodes(run) != [each for each in found["episodes"] if each["step"] == 1]


def test_a_step_is_one_optimiser_step_whatever_the_micro_batch(policy, tmp_path):
    run = run_training(policy, small(GRPO, micro_batch=2), tmp_path / "run")
    assert [line["step"] for line in run.metrics()] == [1, 2]
