"""Each flaw of the published code does what docs/method.md says of it, and is off unless it is asked for."""

from functools import partial

import pytest

from motif.rounds.carry import Summary
from motif.rounds.episode import Episode, Node, Tree
from motif.rounds.prompts import Prompts
from motif.system.errors import UserError
from motif.training.published import CHOICES, Flaws, accuracy, soft_format, strict_format, tag_count
from motif.training.rewards import Reward
from tests.support.toys import Words, question, reply

MULTI_LINE = "<reasoning>\nfirst\nsecond\n</reasoning>\n<answer>\nso\n\\boxed{2}\n</answer>\n"
ONE_LINE = "<reasoning>\nfirst\n</reasoning>\n<answer>\n\\boxed{2}\n</answer>\n"


def path(text, correct=True, prediction="2"):
    node = Node(1, 1, reply(text, Words()), True, Prompts().answer_of(text))
    node.correct, node.prediction = correct, prediction
    return (node,)


@pytest.mark.parametrize("term", [strict_format, soft_format])
def test_format_patterns_within_one_line_give_a_perfect_reply_of_several_lines_nothing(term):
    assert term(path(MULTI_LINE)) == 0.5 and term(path("none")) == 0
    assert term(path(MULTI_LINE), lines="single_line") == 0
    assert term(path(ONE_LINE), lines="single_line") == (0.5 if term is strict_format else 0)


def test_the_length_penalty_takes_a_perfect_reply_of_1071_characters_below_one_without_any_tag():
    text = "<reasoning>\n" + "x" * 1025 + "\n</reasoning>\n<answer>\n2\n</answer>"
    assert len(text) == 1071
    assert tag_count(path(text)) == 0.5
    assert tag_count(path(text), penalty="length_penalty") == pytest.approx(-0.57)
    assert tag_count(path("no tags at all"), penalty="length_penalty") == 0
    assert tag_count(path(text + "\n"), penalty="length_penalty") == pytest.approx(0.5)


def test_tiered_accuracy_gives_motif_half_for_a_box_outside_the_answer_tag():
    outside = "<reasoning>\\boxed{2}</reasoning><answer>2</answer>"
    assert accuracy(path(outside)) == 2 and accuracy(path(outside), scheme="tiered") == 1
    assert accuracy(path(ONE_LINE), scheme="tiered") == 2
    assert accuracy(path(ONE_LINE, correct=False), scheme="tiered") == 0


def graded(text, gold, dataset="toy"):
    asked = question(gold=gold)
    tree = Tree(type(asked)(f"{dataset}-1", asked.text, gold))
    tree.roots.append(path(text, False, None)[0])
    Flaws(grading="substring").grade([tree])
    return tree.roots[0].correct


def test_substring_grading_misses_equal_answers_and_on_aime_accepts_digits_inside_other_numbers():
    assert graded("so \\boxed{\\frac{1}{2}}", "\\frac{1}{2}")
    assert not graded("so \\boxed{\\dfrac{1}{2}}", "\\frac{1}{2}")
    assert not graded("it is 80", "80")
    assert graded("it is 1080", "80", dataset="aime24")


def test_the_whole_text_is_carried_only_where_asked():
    episode = Episode(rounds=2, tokens=9, carry=Summary(tokens=2))
    words = Words()
    cut_off = reply("a b c d e", words)
    assert episode.node(cut_off, (), words).carried is None
    assert Flaws(carry="whole_text").training_episode(episode).node(cut_off, (), words).carried == "a b c d e"


def test_unequal_sampling_concerns_later_rounds_of_training():
    episode = Flaws(sampling="unequal").training_episode(Episode(rounds=3, tokens=9, later={"tokens": 20}))
    assert (episode.sampling(1).temperature, episode.sampling(1).top_p) == (1.0, 1.0)
    assert (episode.sampling(2).temperature, episode.sampling(2).top_p, episode.sampling(2).tokens) == (0.8, 0.95, 20)


def test_the_system_prompt_is_dropped_for_the_trained_policy_on_aime_alone():
    flaws, episode = Flaws(system_prompt="dropped"), Episode(rounds=1, tokens=9)
    roles = {
        (policy, dataset): [
            message["role"]
            for message in flaws.measured_episode(episode, policy, dataset).conversation(question(), 1, None)
        ]
        for policy in ("base", "trained")
        for dataset in ("aime24", "math500")
    }
    assert roles.pop(("trained", "aime24")) == ["user"]
    assert all(found == ["system", "user"] for found in roles.values())


def test_every_flaw_is_off_by_default_and_named_when_on():
    assert Flaws().on() == []
    everything = Flaws(**{name: choices[1] for name, choices in CHOICES.items()})
    assert everything.on() == list(CHOICES)
    episode = Episode(rounds=3, tokens=9)
    assert Flaws().training_episode(episode) == episode == Flaws().measured_episode(episode, "trained", "aime24")


@pytest.mark.parametrize("name", CHOICES)
def test_a_flaw_has_two_values(name):
    with pytest.raises(UserError, match=f"flaws.{name} must be one of"):
        Flaws(**{name: "maybe"})


def test_a_reward_is_mended_of_the_flaws_that_are_on_and_of_no_others():
    terms = {
        "strict": partial(strict_format, lines="single_line"),
        "tag_count": partial(tag_count, penalty="length_penalty"),
        "own": len,
    }
    outcome = {"accuracy": partial(accuracy, scheme="tiered")}
    reward = Reward(outcome, terms, dict.fromkeys((*outcome, *terms), 1.0))
    mended = Flaws(format="single_line", accuracy="tiered").mended(reward)
    assert mended.reply["strict"](path(MULTI_LINE)) == 0.5
    assert mended.outcome["accuracy"](path("<answer>2</answer>")) == 2
    assert mended.reply["tag_count"] is terms["tag_count"] and mended.reply["own"] is len
    assert Flaws().mended(reward) == reward
