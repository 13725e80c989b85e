import random

import pytest

from motif.policies.tiny import NOTE, SHIPPED, Tiny
from motif.policies.tiny_tokenizer import build_tokenizer
from motif.rounds.prompts import Prompts
from motif.system.errors import UserError
from motif.tasks.chain import Chain


def test_the_shipped_policy_is_of_the_present_recipe_and_small():
    folder = Tiny().folder()
    assert folder.parent == SHIPPED and folder.is_dir()
    assert (folder / "model.safetensors").stat().st_size < 5_000_000


def test_the_recipe_depends_on_what_is_imitated_and_not_on_the_rate_of_reinforcement():
    assert Tiny().recipe_hash() == Tiny(learning_rate=1.0, name="other").recipe_hash()
    others = [Tiny(useful_replies=0.5), Tiny(modulus=7), Tiny(longest=5), Tiny(width=80), Tiny(seed=1)]
    assert len({tiny.recipe_hash() for tiny in [Tiny(), *others]}) == 6


def demonstrations(count=3000, **settings):
    source, questions = random.Random(3), Chain().draws("train", 3)
    for _ in range(count):
        yield Tiny(**settings).demonstration(next(questions), source)


def test_replies_hand_over_useful_progress_about_one_time_in_five_and_onward_four_in_five():
    useful = {True: [], False: []}
    for conversation, reply in demonstrations():
        said = conversation[0]["content"]
        answer = Prompts().answer_of(reply)
        if not answer.startswith("\\boxed"):
            handed = "<progress>" in said and f">{NOTE}<" not in said
            useful[handed].append(answer != NOTE)
    shares = {handed: sum(found) / len(found) for handed, found in useful.items()}
    assert 0.15 < shares[False] < 0.25 and 0.75 < shares[True] < 0.85


def test_contexts_mostly_hold_useful_progress():
    later = [talk[0]["content"] for talk, _ in demonstrations() if not talk[0]["content"].startswith("1/")]
    assert 0.75 < sum("<progress>" in said and f">{NOTE}<" not in said for said in later) / len(later) < 0.85


def test_a_reply_before_the_last_round_does_four_steps_at_most_and_fits_the_window():
    tokenizer = build_tokenizer()
    for conversation, reply in demonstrations(300):
        round, rounds = conversation[0]["content"].split()[0].split("/")
        if round != rounds:
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
