"""The bridge to TRL, on the real trainer and the shipped tiny policy."""

import gzip
import hashlib
import json
import signal
from dataclasses import replace

import pytest
import torch
from trl import GRPOTrainer

from motif.generation.engines import Transformers
from motif.policies.tiny import Tiny
from motif.rounds.episode import Episode
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Reply
from motif.runs.budget import COUNTED
from motif.runs.checkpoints import Checkpoints
from motif.runs.folder import Run
from motif.runs.ledger import Ledger
from motif.runs.tracking.base import Nowhere
from motif.system.errors import UserError
from motif.system.signals import Stopped
from motif.tasks.chain import Chain
from motif.training.algorithms import GRPO, MOTIF, Broadcast, Discounted, Value
from motif.training.recorder import Recorder
from motif.training.rewards import Reward, accuracy, format
from motif.training.rollout import Rollout
from motif.training.trainer import make_trainer, train
from motif.training.trl_config import trainer_arguments
from tests.support.toys import good

TRAINER = {"learning_rate": 1e-4, "loss_type": "grpo", "beta": 0.0, "bf16": False, "gradient_checkpointing": False}
REWARD = Reward(outcome={"accuracy": accuracy}, reply={"format": format}, weights={"accuracy": 1.0, "format": 0.1})
EPISODE = Episode(rounds=3, tokens=44, temperature=1.5, prompts=Prompts(wording="terse"))


@pytest.fixture
def policy():
    return Tiny().load()


def small(cls, **settings):
    return cls(**{"steps": 2, "questions": 2, "m": 4, "trainer": TRAINER, **settings})


def run_training(policy, algorithm, folder, generate=None, seed=0, every=100, guard=None, **settings):
    """Train on chains in `folder`; returns the run."""
    config = {"folder": folder.name}
    run = Run.open(folder, config)
    episode = settings.get("episode", EPISODE).with_rounds(algorithm.rounds(3))
    run.begin(config)
    questions = Chain(train_size=16, longest=4).train()
    generate = generate or Transformers().generator(policy)
    check = guard.watch(episode.sampling, cut=False) if guard else None
    made = lambda trainer: generate  # noqa: E731
    rollout = Rollout(algorithm, episode, REWARD, questions, made, policy.tokenizer, Ledger(), seed, check=check)
    arguments = trainer_arguments(algorithm, episode, REWARD, seed, run.checkpoints, Checkpoints(every, 2))
    trainer = make_trainer(policy, arguments, rollout)
    tracker, report = settings.get("tracker", Nowhere()), settings.get("report", lambda *_: None)
    told = {key: settings[key] for key in ("limits", "watch") if key in settings}
    train(trainer, rollout, run, tracker, report, **told)
    return run


def weights(policy):
    digest = hashlib.sha256()
    for parameter in policy.model.parameters():
        digest.update(parameter.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


def without_times(run):
    return untimed(run.metrics())


def untimed(lines):
    measured = ("seconds/", "memory/")
    return [{key: value for key, value in line.items() if not key.startswith(measured)} for line in lines]


def planted(policy, answers):
    """A generator: first-round replies hand over `yes` or `no` in turn, and only `yes` leads to the right answer."""

    def generate(talks, sampling):
        replies = []
        for place, (talk, prompt) in enumerate(zip(talks, policy.render(talks), strict=True)):
            said = talk[-1]["content"]
            if said.startswith(("1/3", "1/1")):
                text = good("yes" if place % 2 else "no", reasoning="first")
            elif said.startswith("2/3"):
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
    answers = {question.text: question.gold for question in Chain(train_size=16, longest=4).train()}
    run = run_training(policy, small(MOTIF, k=2), tmp_path / "run", planted(policy, answers))
    assert len(seen) == 2 * 2 * 4
    for text, prompt, advantage in seen:
        assert text.startswith("<reasoning>first") and prompt.startswith("1/3")
        assert (advantage > 0.5) == (">yes<" in text) and (advantage < -0.5) == (">no<" in text)
    assert [line["train/accuracy"] for line in run.metrics()] == [0.5, 0.5]
    noted = [reply for tree in episodes(run) for reply in tree["replies"]]
    assert sorted(reply["advantage"] for reply in noted) == pytest.approx(
        sorted(advantage for *_, advantage in seen), abs=1e-4
    )


def by_rounds(policy, ends):
    """A generator of the terse wording: in round t every reply says `t` and whose it is, and the n-th
    trajectory ends in round ends[n], the first one with the right answer and the others with a wrong one."""
    golds = {question.text: question.gold for question in Chain(train_size=16, longest=4).train()}
    count = iter(range(10_000))

    def generate(talks, sampling):
        replies = []
        for talk, prompt in zip(talks, policy.render(talks), strict=True):
            said = talk[0]["content"]
            round, name = int(said[0]), said.split()[1].split("<")[0]
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
        for ids, mask, own, advantage in zip(
            *(inputs[name] for name in ("completion_ids", "completion_mask", "tool_mask", "advantages")), strict=True
        ):
            seen.append((policy.tokenizer.decode(ids[(mask * own).bool()]), advantage.item()))
        return compute(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(GRPOTrainer, "compute_loss", spy)
    ends = (2, 3, 3, 1)
    run = run_training(
        policy, small(algorithm), tmp_path / "run", by_rounds(policy, ends), episode=replace(EPISODE, stop="answered")
    )
    assert [line["train/optimiser_steps"] for line in run.metrics()] == [1, 2]  # as many as of one round
    assert len(seen) == 2 * 2 * 4 * 3
    if algorithm is not Value:  # of which continuations count too
        assert run.metrics()[0]["train/rounds_used"] == 2.25
    noted = {
        (reply["round"], reply["text"].split("of n")[1][0]): reply["advantage"]
        for tree in episodes(run)
        for reply in every(tree["replies"])
        if "advantage" in reply
    }
    assert {(round, n) for n, end in enumerate(ends) for round in range(1, end + 1)} == {
        (round, int(n)) for round, n in noted
    }
    filled = [(text, advantage) for text, advantage in seen if not text]
    assert len(filled) == 2 * 2 * (12 - sum(ends)) and all(advantage == 0 for _, advantage in filled)
    for text, advantage in seen:
        if text:
            round, n = text.split("round ")[1][0], text.split("of n")[1][0]
            weight = 3 / ends[int(n)]  # of a trajectory's rounds the weights add up to the same
            assert advantage == pytest.approx(weight * noted[int(round), n], abs=1e-5)


def every(replies):
    for reply in replies:
        yield reply
        yield from every(reply["children"])


def test_what_fills_a_short_trajectory_up_has_no_part_in_the_gradient(policy, tmp_path, monkeypatch):
    settings = {"episode": replace(EPISODE, stop="answered")}
    algorithm = small(Broadcast, steps=1)
    run_training(policy, algorithm, tmp_path / "one", by_rounds(policy, (2, 3, 3, 1)), **settings)
    plain = Rollout._nothing

    def other(self):
        return replace(plain(self), token_ids=[5], prompt_ids=[7, 8, 9])

    monkeypatch.setattr(Rollout, "_nothing", other)
    again = Tiny().load()
    run_training(again, algorithm, tmp_path / "two", by_rounds(again, (2, 3, 3, 1)), **settings)
    assert all(
        torch.allclose(one, two, atol=1e-7)
        for one, two in zip(policy.model.parameters(), again.model.parameters(), strict=True)
    )
    assert weights(policy) != weights(Tiny().load())


def test_aggregation_that_is_trls_is_refused_where_trl_makes_no_advantages(policy, tmp_path):
    algorithm = small(Broadcast, trainer={**TRAINER, "multi_objective_aggregation": "normalize_then_sum"})
    with pytest.raises(UserError, match="multi_objective_aggregation"):
        run_training(policy, algorithm, tmp_path / "run")


def episodes(run):
    with gzip.open(run.episodes_file, "rt") as file:
        return [json.loads(line) for line in file]


@pytest.mark.parametrize("algorithm", [small(GRPO), small(MOTIF, k=2)], ids=lambda algorithm: algorithm.name)
def test_a_second_identical_run_gives_identical_metrics_and_weights_that_moved(policy, tmp_path, algorithm):
    before = weights(policy)
    first = run_training(policy, algorithm, tmp_path / "first")
    again = Tiny().load()
    second = run_training(again, algorithm, tmp_path / "second")
    assert without_times(first) == without_times(second) and len(first.metrics()) == 2
    assert weights(policy) == weights(again) != before
    assert episodes(first) == episodes(second)


def test_another_seed_gives_another_run(policy, tmp_path):
    first = run_training(policy, small(GRPO, steps=1), tmp_path / "first", seed=0)
    second = run_training(Tiny().load(), small(GRPO, steps=1), tmp_path / "second", seed=1)
    assert episodes(first) != episodes(second)


def test_a_stopped_run_continues_where_it_was_and_ends_as_if_it_had_not_stopped(policy, tmp_path, monkeypatch):
    algorithm = small(MOTIF, steps=4, k=2)
    whole = run_training(policy, algorithm, tmp_path / "whole")
    recorders = []
    create = Recorder.__init__
    monkeypatch.setattr(Recorder, "__init__", lambda self, *a, **k: (create(self, *a, **k), recorders.append(self))[0])

    def stop_at_two(step, steps, metrics):
        recorders[-1].signal = signal.SIGTERM if step == 2 else recorders[-1].signal

    part = Tiny().load()
    with pytest.raises(Stopped, match="after step 3 of 4"):
        run_training(part, algorithm, tmp_path / "part", report=stop_at_two)
    again = Tiny().load()
    resumed = run_training(again, algorithm, tmp_path / "part")
    assert without_times(resumed) == without_times(whole) and episodes(resumed) == episodes(whole)
    assert weights(again) == weights(policy)


def test_a_stop_asked_for_during_the_last_step_is_not_forgotten(policy, tmp_path):
    def stop_at_the_end(step, steps, metrics):
        if step == steps:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Stopped, match="after step 2 of 2; a checkpoint is written"):
        run_training(policy, small(GRPO), tmp_path / "run", report=stop_at_the_end)
    again = Tiny().load()
    run = run_training(again, small(GRPO), tmp_path / "run")
    assert len(run.metrics()) == 2 and weights(again) == weights(policy)


def test_several_updates_on_the_same_replies_stop_between_generations_and_continue_exactly(policy, tmp_path):
    algorithm = small(MOTIF, steps=6, trainer={**TRAINER, "num_iterations": 2})
    whole = run_training(policy, algorithm, tmp_path / "whole")
    assert [tree["step"] for tree in episodes(whole)] == [1, 1, 3, 3, 5, 5]  # each once

    def stop_at_three(step, steps, metrics):
        if step == 3:
            signal.raise_signal(signal.SIGTERM)

    part, again = Tiny().load(), Tiny().load()
    with pytest.raises(Stopped, match="after step 4 of 6"):
        run_training(part, algorithm, tmp_path / "part", report=stop_at_three)
    resumed = run_training(again, algorithm, tmp_path / "part")
    assert without_times(resumed) == without_times(whole) and episodes(resumed) == episodes(whole)
    assert weights(again) == weights(policy)
    with pytest.raises(UserError, match=r"checkpoint.every=5 must be a multiple of algo.trainer.num_iterations=2"):
        run_training(Tiny().load(), algorithm, tmp_path / "odd", every=5)


def test_a_run_killed_after_its_last_step_trains_no_more(policy, tmp_path):
    algorithm = small(GRPO)
    before = run_training(policy, algorithm, tmp_path / "run").metrics()
    again = Tiny().load()
    run = run_training(again, algorithm, tmp_path / "run")
    assert run.metrics() == before and len(before) == 2
    assert weights(again) == weights(policy)


def test_lines_written_after_the_last_checkpoint_are_written_once(policy, tmp_path):
    algorithm = small(GRPO, steps=3)

    def die(step, steps, metrics):
        if step == 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        run_training(policy, algorithm, tmp_path / "run", every=2, report=die)
    run = run_training(Tiny().load(), algorithm, tmp_path / "run", every=2)
    assert [line["step"] for line in run.metrics()] == [1, 2, 3]
    assert [tree["step"] for tree in episodes(run)] == [1, 1, 2, 2, 3, 3]
    redone = json.loads((run.checkpoints / "redone.json").read_text())
    assert redone["optimiser_steps"] == 1 and redone["generated_tokens"] == run.metrics()[-1]["step/generated_tokens"]


def test_a_tracker_is_told_what_the_folder_holds_and_then_every_step_that_follows(policy, tmp_path):
    class Told(Nowhere):
        def __init__(self):
            self.held, self.logged = [], []

        def resume(self, lines):
            self.held += [line["step"] for line in lines]

        def log(self, metrics, step):
            self.logged.append(step)

    first, second = Told(), Told()
    run_training(policy, small(GRPO, steps=2), tmp_path / "run", every=2, tracker=first)
    run_training(Tiny().load(), small(GRPO, steps=3), tmp_path / "run", every=2, tracker=second)
    assert (first.held, first.logged) == ([], [1, 2]) and (second.held, second.logged) == ([1, 2], [3])


def test_metrics_say_what_continuations_did_and_where_time_went(policy, tmp_path):
    (line, _) = run_training(policy, small(MOTIF, k=2), tmp_path / "run").metrics()
    for name in ("accuracy", "unparsable", "truncated", "copied", "zero_spread", "reward/accuracy", "reward/format"):
        assert f"train/{name}" in line
    for round in (1, 2, 3):
        assert f"train/tokens/round_{round}" in line and f"train/accuracy/round_{round}" in line
    assert "train/progress/round_2" in line and "train/progress/round_3" not in line
    assert {"seconds/rollout", "seconds/future_rollout", "seconds/reward", "seconds/update"} <= set(line)
    assert line["train/first_round_replies"] == 8 and line["train/continuations"] == 32


def test_a_step_is_one_optimiser_step_whatever_the_micro_batch(policy, tmp_path):
    run = run_training(policy, small(GRPO, micro_batch=2), tmp_path / "run")
    assert [line["step"] for line in run.metrics()] == [1, 2]


@pytest.fixture(scope="module")
def unlimited(tmp_path_factory):
    """The lines of three steps without a budget."""
    return run_training(Tiny().load(), small(MOTIF, steps=3, k=2), tmp_path_factory.mktemp("run") / "run").metrics()


@pytest.mark.parametrize(("axis", "count"), COUNTED.items())
@pytest.mark.parametrize("more", [0, 1])
def test_training_stops_at_the_first_step_that_reaches_the_limit(policy, tmp_path, unlimited, axis, count, more):
    limits = {axis: unlimited[0][f"train/{count}"] + more}
    lines = run_training(policy, small(MOTIF, steps=3, k=2), tmp_path / "run", limits=limits).metrics()
    assert [line["step"] for line in lines] == [1, 2][: 1 + more]
    assert [line[f"train/{count}"] for line in lines] == [line[f"train/{count}"] for line in unlimited[: 1 + more]]


def test_seconds_of_training_stop_it(policy, tmp_path):
    assert len(run_training(policy, small(GRPO), tmp_path / "run", limits={"seconds": 1e-6}).metrics()) == 1


def test_a_run_killed_after_the_step_that_reached_its_limit_trains_no_more(policy, tmp_path, unlimited):
    algorithm, limits = small(MOTIF, steps=3, k=2), {"tokens": unlimited[1]["train/generated_tokens"]}
    before = run_training(policy, algorithm, tmp_path / "run", limits=limits).metrics()
    again = Tiny().load()
    run = run_training(again, algorithm, tmp_path / "run", limits=limits)
    assert run.metrics() == before and len(before) == 2 and weights(again) == weights(policy)


def test_a_run_that_continues_before_its_limit_stops_where_it_would_have_stopped(policy, tmp_path, unlimited):
    algorithm, limits = small(MOTIF, steps=3, k=2), {"responses": unlimited[1]["train/responses"]}

    def die(step, steps, metrics):
        if step == 2:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        run_training(policy, algorithm, tmp_path / "run", every=1, report=die, limits=limits)
    run = run_training(Tiny().load(), algorithm, tmp_path / "run", every=1, limits=limits)
    assert without_times(run) == untimed(unlimited[:2])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"trainer": {"learning_rte": 1.0}}, "did you mean learning_rate"),
        ({"trainer": {"max_steps": 3}}, "is set by algo.steps="),
        ({"trainer": {"use_vllm": True}}, "is set by generation="),
        ({"trainer": {"vllm_mode": "server"}}, "is set by generation.mode="),
        ({"micro_batch": 3}, "algo.micro_batch=3"),
        ({"trainer": {"loss_type": "gspo"}}, "algo.trainer.loss_type must be one of grpo, .*got 'gspo'"),
        ({"trainer": {"beta": "x"}}, "algo.trainer.beta must be a number"),
        ({"trainer": {"learning_rate": float("nan")}}, "algo.trainer.learning_rate must be a number"),
        ({"trainer": {"optim": "no such"}}, "algo.trainer: "),
    ],
)
def test_bad_trainer_arguments_are_refused_in_a_line(tmp_path, settings, words):
    with pytest.raises(UserError, match=words) as error:
        trainer_arguments(small(GRPO, **settings), EPISODE, REWARD, 0, tmp_path, Checkpoints())
    assert "\n" not in str(error.value)


def test_greedy_training_is_refused(tmp_path):
    with pytest.raises(UserError, match="temperature must be above 0"):
        trainer_arguments(small(GRPO), Episode(rounds=1, tokens=9, temperature=0.0), REWARD, 0, tmp_path, Checkpoints())
