import random
import re
from collections import Counter

import pytest

from motif.policies.tiny import NOTE, SHIPPED, SHIPPED_SEEDS, Tiny
from motif.policies.tiny_tokenizer import build_tokenizer
from motif.rounds.prompts import Prompts
from motif.system.errors import UserError
from motif.tasks.chain import OPERATIONS, Chain


@pytest.mark.parametrize("seed", SHIPPED_SEEDS)
def test_the_shipped_policies_are_of_the_present_recipe_and_small(seed):
    folder = Tiny(seed=seed).folder()
    assert folder.parent == SHIPPED and folder.is_dir()
    assert (folder / "model.safetensors").stat().st_size < 5_000_000


def test_the_recipe_depends_on_what_is_imitated_and_not_on_the_rate_of_reinforcement():
    assert Tiny().recipe_hash() == Tiny(learning_rate=1.0, name="other").recipe_hash()
    others = [
        Tiny(useful_replies=0.5),
        Tiny(modulus=7),
        Tiny(longest=5),
        Tiny(unsure=0.3),
        Tiny(width=80),
        Tiny(seed=1),
    ]
    assert len({tiny.recipe_hash() for tiny in [Tiny(), *others]}) == 7


def demonstrations(count=3000, **settings):
    source, questions = random.Random(3), Chain(longest=30).draws("train", 3)
    for _ in range(count):
        yield Tiny(**settings).demonstration(next(questions), source)


def told(conversation):
    """Rounds that follow, the chain, and what was handed over."""
    left, chain, handed = re.fullmatch(
        r"(\d+) ([^<]+)(?:<progress>(.*)</progress>)?", conversation[0]["content"]
    ).groups()
    return int(left), chain, None if handed == NOTE else handed


def written(reply):
    """The states that a reply writes."""
    return [f"{label}{value}" for label, value in re.findall(r"([a-zA-Z])\d[-+*]\d=(\d);", reply)]


def test_a_reply_hands_over_the_state_that_it_reached_an_earlier_one_a_wrong_value_or_nothing():
    kinds = {True: Counter(), False: Counter()}
    for conversation, reply in demonstrations():
        left, _, handed = told(conversation)
        answer, states = Prompts().answer_of(reply), [*filter(None, [handed]), *written(reply)]
        if left and len(states) > 1:
            kind = {states[-1]: "reached", NOTE: "none"}.get(answer, "stale" if answer in states else "off by one")
            assert kind != "off by one" or answer[0] == states[-1][0]
            kinds[handed is not None][kind] += 1
    for handed, share in ((False, 0.2), (True, 0.8)):
        shares = {kind: count / kinds[handed].total() for kind, count in kinds[handed].items()}
        assert shares["reached"] == pytest.approx(share, abs=0.04)
        others = {"none": 0.6, "stale": 0.2, "off by one": 0.2}
        assert all(shares[kind] == pytest.approx((1 - share) * of_them, abs=0.04) for kind, of_them in others.items())


def test_a_reply_goes_on_from_the_state_that_it_was_handed_to_the_end_in_the_last_round():
    for conversation, reply in demonstrations(500):
        left, chain, handed = told(conversation)
        labels = re.findall(r"[a-zA-Z]", chain)
        rest = labels[labels.index(handed[0]) + 1 :] if handed else labels
        assert [state[0] for state in written(reply)] == (rest[:4] if left else rest)
        assert left or Prompts().answer_of(reply) == f"\\boxed{{{[*filter(None, [handed]), *written(reply)][-1][1:]}}}"


def test_some_facts_are_shown_wrong_sometimes_which_ones_depends_on_the_seed():
    facts = [(value, sign, operand) for value in range(10) for sign in "+-*" for operand in range(1, 10)]
    doubts = {seed: [Tiny(seed=seed).doubt(*fact) for fact in facts] for seed in (0, 1)}
    assert doubts[0] == [Tiny().doubt(*fact) for fact in facts] != doubts[1]
    for found in doubts.values():
        assert 0.1 < sum(map(bool, found)) / len(facts) < 0.2 and 0.1 < min(filter(None, found)) < max(found) < 0.6
    wrong = Counter()
    for _, reply in demonstrations():
        for value, sign, operand, result in re.findall(r"[a-zA-Z](\d)([-+*])(\d)=(\d);", reply):
            fact = int(value), sign, int(operand)
            right = OPERATIONS[sign](fact[0], fact[2]) % 10
            assert int(result) in (right, (right + 1) % 10)
            wrong[Tiny().doubt(*fact) > 0, int(result) != right] += 1
    assert wrong[False, True] == 0 and 0.2 < wrong[True, True] / (wrong[True, True] + wrong[True, False]) < 0.5


def test_a_reply_before_the_last_round_does_four_steps_at_most_and_fits_the_window():
    tokenizer = build_tokenizer()
    for conversation, reply in demonstrations(300):
        if told(conversation)[0]:
            assert reply.count(";") <= 4 and len(tokenizer(reply)["input_ids"]) < Chain().tokens_per_round


def test_a_policy_is_made_on_first_use_kept_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setenv("MOTIF_CACHE", str(tmp_path))
    tiny, seen = Tiny(imitation_steps=2, imitation_batch=4, layers=1, width=16, heads=2), []
    policy = tiny.load(lambda step, steps, metrics: seen.append((step, steps)))
    assert tiny.folder().parent == tmp_path and (tiny.folder() / "warm_start.json").is_file()
    again = tiny.load(lambda *_: pytest.fail("made again"))
    assert seen == [(2, 2)]
    assert all(
        (one == other).all() for one, other in zip(policy.model.parameters(), again.model.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"layers": 0},
        {"width": 7},
        {"width": 162},
        {"useful_replies": 1.1},
        {"useful_onward": -0.1},
        {"wording": "x"},
        {"longest": 40},
    ],
)
def test_impossible_recipes_are_refused(bad):
    with pytest.raises(UserError):
        Tiny(**bad)
