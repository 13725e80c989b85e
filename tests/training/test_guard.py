"""Do the replies come from the policy that is trained?"""

import copy
import dataclasses

import pytest
import torch

from motif.generation.engines import Transformers
from motif.policies.pretrained import Policy
from motif.policies.tiny import Tiny
from motif.rounds.episode import Episode, Tree
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Sampling
from motif.system.errors import UserError
from motif.training.algorithms import GRPO, MOTIF
from motif.training.guard import Guard, differences, kept, logprobs
from tests.support.toys import question, random_qwen
from tests.support.training import run_training, small, weights, without_times

SAMPLING = Sampling(30, temperature=1.3)
TALKS = [[{"role": "user", "content": f"1/1 {n}a-5b*8"}] for n in range(4)]


@pytest.fixture(scope="module")
def base():
    return random_qwen()


@pytest.fixture
def policy(base):
    """With adapters that have moved."""
    return adapted(base, 0.02)


def adapted(base, size):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(0)
    model = get_peft_model(copy.deepcopy(base.model), LoraConfig(r=4, target_modules="all-linear"))
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=size)
    return Policy(model, base.tokenizer)


def tree(generators):
    """A chain of rounds below two first replies, each round written by its own generator."""
    episode = Episode(rounds=len(generators), tokens=30, prompts=Prompts(wording="countdown"))
    made = Tree(question())
    for generate in generators:
        levels = depth(made)
        before = tuple(level[0] for level in levels)
        nodes = [episode.node(reply, before, TOKENIZER) for reply in generate(TALKS, SAMPLING)]
        (levels[-1][0].children if levels else made.roots).extend(nodes)
    return made


TOKENIZER = Tiny().load().tokenizer


def depth(made):
    levels, nodes = [], made.roots
    while nodes:
        levels.append(nodes)
        nodes = nodes[0].children
    return levels


def writes(policy):
    return Transformers().generator(policy)


def check(policy, *generators, guard=None, **settings):
    return (guard or Guard()).check(policy.model, [tree(generators)], lambda round: SAMPLING, **settings)


def test_replies_of_the_policy_pass_and_the_difference_is_that_of_arithmetic(policy):
    found = check(policy, writes(policy), writes(policy))
    assert found["guard/difference"] < 1e-4 < 0.01 < found["guard/difference_base"]


def test_before_the_adapters_have_moved_base_and_policy_are_one(base):
    fresh = adapted(base, 0.0)
    found = check(fresh, writes(fresh))
    assert found["guard/difference"] == pytest.approx(found["guard/difference_base"], abs=1e-6)


def test_a_full_model_has_no_base(base):
    assert set(check(base, writes(base))) == {"guard/difference", "rounds/1/guard_difference"}


def test_continuations_written_without_the_adapters_stop_the_training_by_name(base, policy):
    with pytest.raises(UserError, match="replies of round 2 come from the base model") as error:
        check(policy, writes(policy), writes(base))
    assert "\n" not in str(error.value)
    assert check(policy, writes(policy), writes(base), rounds=(1,))["guard/difference"] < 1e-4


def test_adapters_that_are_left_out_are_found_below_the_tolerance(base):
    policy = adapted(base, 0.003)
    assert 0.002 < check(policy, writes(policy))["guard/difference_base"] < 0.1
    with pytest.raises(UserError, match="round 1 come from the base model"):
        check(policy, writes(base))


def test_replies_of_stale_weights_stop_the_training(base):
    stale = Policy(copy.deepcopy(base.model), base.tokenizer)
    with torch.no_grad():
        for parameter in stale.model.parameters():
            parameter.mul_(1 + 0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0)))
    with pytest.raises(UserError, match="round 1 come from another policy .*guard.tolerance=0.1") as error:
        check(base, writes(stale))
    assert "\n" not in str(error.value)
    assert check(base, writes(stale), guard=Guard(tolerance=9.0))["guard/difference"] > 0.1


@pytest.mark.parametrize("size", [0.0, *(pytest.param(size, marks=pytest.mark.slow) for size in (0.001, 0.003)), 0.02])
def test_noise_of_an_engine_in_half_precision_passes(base, size):
    policy = adapted(base, size)
    half = Policy(copy.deepcopy(policy.model).to(torch.bfloat16), policy.tokenizer)
    for seed in range(4):
        found = check(policy, writes(half), writes(half), seed=seed)
        assert 0.001 < found["guard/difference"] < 0.1


def test_a_policy_in_half_precision_passes(base):
    half = Policy(copy.deepcopy(base.model).to(torch.bfloat16), base.tokenizer)
    assert check(half, writes(half))["guard/difference"] < 0.1


def test_one_far_token_is_no_evidence(base):
    def written(talks, sampling):
        replies = writes(base)(talks, sampling)
        first = replies[0]
        off = [first.logprobs[0] - 20.0, *first.logprobs[1:]]
        return [dataclasses.replace(first, logprobs=off), *replies[1:]]

    assert check(base, written)["guard/difference"] > 0.1


def test_the_sample_is_spread_over_the_rounds(base, monkeypatch):
    seen = []
    monkeypatch.setattr(Guard, "_judge", lambda self, round, own, there: seen.append(round))
    monkeypatch.setattr("motif.training.guard.differences", lambda model, replies, *_: [0.0] * len(replies))
    guard = Guard(replies=4)
    guard.check(base.model, [tree([writes(base)] * 3)], lambda round: SAMPLING)
    assert seen == [1, 2, 3]
    taken = guard._sample([tree([writes(base)] * 3)], 0, None)
    assert {round: len(nodes) for round, nodes in taken.items()} == {1: 2, 2: 1, 3: 1}


def test_later_steps_compare_one_reply_of_the_rounds_in_turn(policy, base):
    made = [tree([writes(policy), writes(policy), writes(base)])]

    def shown(step):
        return Guard(tolerance=9.0).check(policy.model, made, lambda round: SAMPLING, step=step)

    for step, round in ((3, 1), (4, 2)):
        assert set(shown(step)) == {"guard/difference", f"rounds/{round}/guard_difference"}
    with pytest.raises(UserError, match="round 3 come from the base model"):
        shown(5)


def test_cut_log_probabilities_are_compared_as_such(base):
    sampling = Sampling(30, temperature=1.5, top_p=0.6, top_k=3)
    (reply,) = writes(base)(TALKS[:1], sampling)
    whole = torch.tensor(reply.logprobs)
    ids = torch.tensor([reply.prompt_ids + reply.token_ids])
    with torch.no_grad():
        scores = torch.log_softmax(base.model(ids).logits[0, len(reply.prompt_ids) - 1 : -1] / 1.5, -1)
    left = []
    for row, token in zip(scores.exp(), reply.token_ids, strict=True):
        chances, order = row.sort(descending=True)
        chances = chances[:3] / chances[:3].sum()
        keep = [place for place in range(3) if chances[:place].sum() < 0.6]
        share = chances[keep].sum()
        left.append((row[token] / (row[order[:3]].sum() * share)).log())
    expected = torch.stack(left)
    assert logprobs(base.model, reply, sampling, cut=True) == pytest.approx(expected.tolist(), abs=1e-4)
    assert logprobs(base.model, reply, sampling, cut=False) == pytest.approx(whole.tolist(), abs=1e-4)
    assert kept(scores, Sampling(9)).abs().max() < 1e-5


def test_it_leaves_modes_gradients_and_random_numbers_as_they_were(policy):
    policy.model.train()
    policy.model.base_model.model.gradient_checkpointing_enable()
    needed = [parameter.requires_grad for parameter in policy.model.parameters()]
    replies = tree([writes(policy)])
    before = torch.get_rng_state()
    Guard().check(policy.model, [replies], lambda round: SAMPLING)
    assert torch.equal(torch.get_rng_state(), before) and policy.model.training
    assert [parameter.requires_grad for parameter in policy.model.parameters()] == needed and any(needed)
    assert all(parameter.grad is None for parameter in policy.model.parameters())


def test_replies_without_log_probabilities_are_passed_over(base):
    def silent(talks, sampling):
        return [dataclasses.replace(reply, logprobs=None) for reply in writes(base)(talks, sampling)]

    assert check(base, silent) == {}
    (reply,) = writes(base)(TALKS[:1], SAMPLING)
    unknown = dataclasses.replace(reply, logprobs=[float("nan"), *reply.logprobs[1:]])
    assert len(differences(base.model, [unknown], SAMPLING, False)) == len(reply.token_ids) - 1


def test_nothing_is_watched_where_no_replies_are_asked_for():
    assert Guard(replies=0).watch(lambda round: SAMPLING, cut=False) is None


@pytest.mark.parametrize("settings", [{"replies": -1}, {"replies": 1.5}, {"tolerance": 0.0}])
def test_a_bad_setting_is_named(settings):
    with pytest.raises(UserError, match=f"guard.{next(iter(settings))} must be"):
        Guard(**settings)


@pytest.mark.program
@pytest.mark.parametrize("algorithm", [pytest.param(GRPO, marks=pytest.mark.slow), MOTIF], ids=lambda cls: cls.__name__)
def test_in_training_it_reports_at_every_step_and_changes_nothing(policy, tmp_path, algorithm):
    other = Policy(copy.deepcopy(policy.model), policy.tokenizer)
    algorithm = small(algorithm)
    plain = run_training(policy, algorithm, tmp_path / "plain")
    watched = run_training(other, algorithm, tmp_path / "watched", guard=Guard())
    first, *others = watched.metrics()
    assert first["guard/difference_base"] > 0.001 and others
    assert all(line["guard/difference"] < 1e-4 for line in (first, *others))
    assert all("guard/difference_base" not in line for line in others)  # nothing to explain
    kept_lines = [{key: value for key, value in line.items() if "guard" not in key} for line in without_times(watched)]
    assert kept_lines == without_times(plain) and weights(policy) == weights(other)


@pytest.mark.program
def test_a_training_whose_continuations_come_from_the_base_model_stops_and_keeps_its_checkpoint(base, policy, tmp_path):
    engines, calls = [writes(policy), writes(base)], []

    def flawed(talks, sampling):
        calls.append(len(talks))
        later = len(calls) > 3 and len(calls) % 3 != 1  # from the second step on
        return engines[later](talks, sampling)

    algorithm = small(MOTIF, steps=3, k=2)
    with pytest.raises(UserError, match="round 2 come from the base model"):
        run_training(policy, algorithm, tmp_path / "run", flawed, every=1, guard=Guard())
    run = run_training(policy, algorithm, tmp_path / "run", every=1, guard=Guard())
    assert [line["step"] for line in run.metrics()] == [1, 2, 3]


def test_dropout_of_adapters_is_measured_as_it_is_trained_and_leaves_random_numbers_alone(policy):
    assert "guard/difference_dropout" not in check(policy, writes(policy))
    for name, module in policy.model.named_modules():
        if name.endswith("lora_dropout"):
            module["default"] = torch.nn.Dropout(0.5)
    before = torch.random.get_rng_state()
    found = check(policy, writes(policy))
    assert found["guard/difference"] < 1e-4 < 0.001 < found["guard/difference_dropout"]
    assert torch.equal(torch.random.get_rng_state(), before) and found == check(policy, writes(policy))
