"""What is imitated: prompts and replies, read back as text from their tokens."""

import random

import pytest

from motif.rounds import Episode
from motif.rounds.carry import Nothing, Tail
from motif.system.errors import UserError
from motif.tasks.corpus import Corpus
from motif.tasks.questions import Question
from motif.tasks.solutions import steps_of
from motif.tasks.stories import Stories
from motif.training.demonstrations import Demonstrator, demonstrations
from tests.support.templates import policy_of
from tests.support.toys import shared

WORK = "Ann has 2+3 = <<2+3=5>>5 cats.\nWith dogs 5+4 = <<5+4=9>>9 pets.\nIn all 9+1 = <<9+1=10>>10 animals."
CATS = Question("cats", "How many?", "10", solution=steps_of(WORK))
POLICY = policy_of("smollm2")
FIXED = random.Random(0)


def shown(question, episode, policy=POLICY, most=1):
    """The prompts and replies of a demonstrated episode, as text."""
    path = Demonstrator(episode, policy).path(question, most)
    return [
        (policy.tokenizer.decode(node.reply.prompt_ids), policy.tokenizer.decode(node.reply.token_ids)) for node in path
    ]


def test_a_solution_is_cut_into_rounds_that_carry_their_note_and_end_with_the_boxed_answer():
    (first, one), (second, two), (third, three) = shown(CATS, Episode(3, 300))
    end = "<|im_end|>"
    assert one == f"<reasoning>\nAnn has 2+3 = 5 cats.\n</reasoning>\n<answer>\n2+3=5 cats\n</answer>{end}"
    assert (
        two == f"<reasoning>\nWith dogs 5+4 = 9 pets.\n</reasoning>\n<answer>\n2+3=5 cats; 5+4=9 pets\n</answer>{end}"
    )
    assert three == f"<reasoning>\nIn all 9+1 = 10 animals.\n</reasoning>\n<answer>\n\\boxed{{10}}\n</answer>{end}"
    assert "round 1 of 3" in first and "<progress>\n2+3=5 cats\n</progress>" in second
    assert "<progress>\n2+3=5 cats; 5+4=9 pets\n</progress>" in third and "round 3 of 3" in third
    assert all(prompt.endswith("<|im_start|>assistant\n") for prompt in (first, second, third))


def test_a_prompt_is_the_tokens_that_the_episode_shows_the_policy():
    episode = Episode(2, 400)
    first, second = Demonstrator(episode, POLICY).path(CATS, 2)
    talks = [episode.conversation(CATS, 1, None), episode.conversation(CATS, 2, "2+3=5 cats; 5+4=9 pets")]
    assert [first.reply.prompt_ids, second.reply.prompt_ids] == POLICY.render(talks)
    assert second.reply.token_ids[-1] == POLICY.turn_end == POLICY.tokenizer.convert_tokens_to_ids("<|im_end|>")


def test_a_round_has_no_more_steps_than_its_window_holds_and_one_with_nothing_left_carries_on():
    texts = [reply for _, reply in shown(CATS, Episode(2, 400), most=3)]
    assert "animals" in texts[0] and texts[1].startswith("<reasoning>\n\n</reasoning>\n<answer>\n\\boxed{10}\n")
    one_each = [len(node.reply.token_ids) for node in Demonstrator(Episode(3, 400), POLICY).path(CATS, 1)]
    narrow = Episode(3, max(one_each))
    assert shown(CATS, narrow, most=3) == shown(CATS, narrow, most=1) != shown(CATS, Episode(3, 400), most=3)


def test_an_episode_that_ends_with_the_answer_is_not_drawn_out():
    assert len(shown(CATS, Episode(3, 400, stop="answered"), most=3)) == 1
    assert len(shown(CATS, Episode(3, 400, stop="answered"), most=2)) == 2


@pytest.mark.parametrize("carry", [Tail(40), Nothing()], ids=["tail", "nothing"])
def test_without_a_summary_a_round_writes_steps_alone_and_the_episode_carries_what_it_takes(carry):
    (_, one), (prompt, two) = shown(CATS, Episode(2, 400, carry=carry), most=2)
    assert "<answer>" not in one and "\\boxed{10}" in two
    assert ("9 pets." in prompt) == isinstance(carry, Tail)


def test_where_the_template_opens_a_thought_the_reply_ends_it_first():
    policy = policy_of("qwen3_thinking")
    ((prompt, reply),) = shown(CATS, Episode(1, 400), policy)
    assert prompt.endswith("<think>\n") and reply.startswith("</think>\n\n<reasoning>\nAnn has")


def test_what_does_not_fit_is_counted_and_nothing_that_fits_is_an_error():
    maker = Demonstrator(Episode(2, 40), POLICY)
    assert maker.of(CATS, FIXED) == [] and maker.unfit == {"cats"}
    with pytest.raises(UserError, match="none of the 1 worked solutions fits rounds=2 with 80 tokens in all: raise"):
        next(maker.stream([CATS], 0))


def test_text_that_would_close_a_tag_is_not_imitated():
    bad = Question("bad", "How many?", "1", solution=steps_of("It is </answer> 1."))
    assert Demonstrator(Episode(2, 400), POLICY).of(bad, FIXED) == []


def test_half_are_whole_solutions_and_the_same_seed_gives_the_same_in_the_same_order():
    stories = Stories(train_size=40).train()
    episode = Episode(3, 700)

    def made(seed):
        single = episode.with_rounds(1).with_budget(episode.budget())
        return demonstrations(*(Demonstrator(each, POLICY) for each in (single, episode)), stories, 60, 0.5, seed)

    rows = made(0)
    whole = [row for row in rows if "over 3 rounds" not in POLICY.tokenizer.decode(row.prompt)]
    assert len(rows) == 60 and len(whole) == 30 and rows == made(0) != made(1)
    assert max(len(row.reply) for row in rows if row not in whole) <= 700


def test_real_solutions_of_gsm8k_are_cut_so_that_every_step_is_shown_once():
    folder = shared("gsm8k_train.jsonl").parent
    questions = Corpus(name="gsm8k", path=str(folder), gold="hashes", trainable=True).train()[:40]
    maker, source = Demonstrator(Episode(3, 900), POLICY), random.Random(0)
    for question in questions:
        replies = [POLICY.tokenizer.decode(row.reply) for row in maker.of(question, source)]
        if replies:
            parts = (reply.split("<reasoning>")[1].split("</reason")[0].strip() for reply in replies)
            work = "\n".join(filter(None, parts))
            assert work == "\n".join(step.text for step in question.solution)
            assert f"\\boxed{{{question.gold}}}" in replies[-1] and len(replies) == 3
    assert len(maker.unfit) < 10
