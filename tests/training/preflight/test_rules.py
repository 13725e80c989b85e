"""Rewards that pay the wrong thing are found by what they pay; sound ones pass, however they are made."""

import re
from functools import partial

import pytest

from motif.rounds.episode import Episode, grade
from motif.training import published
from motif.training.algorithms import GRPO, MOTIF
from motif.training.preflight.reply_forms import pay
from motif.training.preflight.rules import RULES, rule_checks
from motif.training.rewards import Reward, accuracy, format
from tests.support.toys import Words, question

CURRENT = MOTIF()
QUESTIONS = [question(f"{n}+{n}", str(2 * n)) for n in range(30)]


def failing(outcome=accuracy, weight=1.0, accuracy_weight=1.0, algorithm=CURRENT, **reply):
    """The checks that fail, by name, where the terms of `reply` weigh `weight`."""
    weights = {"accuracy": accuracy_weight, **dict.fromkeys(reply, weight)}
    reward = Reward({"accuracy": outcome}, reply, weights)
    episode = Episode(rounds=algorithm.rounds(3), tokens=44)
    paid = pay(QUESTIONS, reward, algorithm, episode, grade, Words())
    return {check.name: check for check in rule_checks(paid, reward) if check.wrong}


def dotless(path):
    """A user's own format reward with the published flaw 2: the dot stops at a line's end."""
    return 0.5 * bool(re.match(r"^<reasoning>\n.*?\n</reasoning>\n<answer>\n.*?\n</answer>\n?$", path[-1].reply.text))


def counting(path):
    """A user's own tag count with the published flaw 3: what follows the last line end costs."""
    text = path[-1].reply.text
    score = 0.25 * text.count("<reasoning>\n") + 0.25 * text.count("\n<answer>\n")
    return score - 0.001 * len(text.split("\n</answer>\n")[-1]) * (text.count("\n<answer>\n") == 1)


def brief(path):
    return float(len(path[-1].reply.token_ids) <= 100)


def long_winded(path):
    return -0.001 * max(0, len(path[-1].reply.token_ids) - 100)


@pytest.mark.parametrize("algorithm", [GRPO(), MOTIF(), MOTIF(k=1), MOTIF(k=5)])
@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"format": format},
        {"brief": brief},
        {"format": format, "brief": brief},
        {"long_winded": long_winded},
        {"strict": published.strict_format, "soft": published.soft_format, "tag_count": published.tag_count},
    ],
    ids=lambda terms: "-".join(terms) or "accuracy",
)
def test_sound_rewards_pass(terms, algorithm):
    assert not failing(algorithm=algorithm, weight=0.3, **terms)


@pytest.mark.parametrize("algorithm", [GRPO(), MOTIF()])
@pytest.mark.parametrize("weight", [1.0, 0.01])
def test_published_flaw_2_in_a_reward_of_ones_own_is_found(algorithm, weight):
    found = failing(form=dotless, weight=weight, algorithm=algorithm)
    assert "reward.reply.form): 0 for 'right answer, perfect form, long" in found["line breaks cost nothing"].wrong
    assert "re.DOTALL" in found["line breaks cost nothing"].remedy


@pytest.mark.parametrize("weight", [1.0, 0.01])
def test_published_flaw_3_in_a_reward_of_ones_own_is_found(weight):
    found = failing(tags=counting, weight=weight)
    assert "(reward.reply.tags): -0" in found["tags cost nothing"].wrong
    assert "0 for 'right answer, no tags, long'" in found["tags cost nothing"].wrong


@pytest.mark.parametrize(
    ("term", "rule"),
    [
        (partial(published.strict_format, lines="single_line"), "line breaks cost nothing"),
        (partial(published.soft_format, lines="single_line"), "line breaks cost nothing"),
        (partial(published.tag_count, penalty="length_penalty"), "tags cost nothing"),
    ],
)
def test_the_published_terms_themselves_are_found(term, rule):
    assert rule in failing(term=term)


@pytest.mark.parametrize(
    ("rule", "outcome", "settings"),
    [
        ("right above wrong", lambda path: 1.0 - path[-1].correct, {}),
        ("right above wrong", accuracy, {"accuracy_weight": -1.0}),
        ("whole above cut off", lambda path: float(path[-1].correct) + 2.0 * (not path[-1].reply.finished), {}),
        ("form below accuracy", accuracy, {"form": format, "weight": 3.0}),
        ("hacks are not paid", lambda path: float("0" in re.findall(r"\d+", path[-1].reply.text)), {}),
        ("hacks are not paid", accuracy, {"tags": lambda path: 0.1 * path[-1].reply.text.count("<reasoning>")}),
        ("silence is not paid", lambda path: float(path[-1].correct) + 2.0 * (not path[-1].reply.text), {}),
        ("every term varies", accuracy, {"broken": lambda path: 0.0}),
        ("a reply can be worth more than another", accuracy, {"accuracy_weight": 0.0}),
    ],
)
def test_each_rule_stops_what_breaks_it(rule, outcome, settings):
    found = failing(outcome, **settings)
    assert rule in found and found[rule].severe and found[rule].remedy and "reward." in found[rule].wrong


def test_every_rule_has_a_reward_here_that_breaks_it():
    marks = test_each_rule_stops_what_breaks_it.pytestmark[0].args[1]
    found = {"line breaks cost nothing", "tags cost nothing", *(rule for rule, *_ in marks)}
    assert {rule.name for rule in RULES} <= found


def test_a_term_that_does_nothing_here_is_remarked_on_where_it_may_be_a_penalty_or_a_condition():
    (check,) = failing(english=lambda path: 1.0).values()
    assert not check.severe and "reward term english gives 1 to every probe" in check.wrong
    (check,) = failing(swearing=lambda path: 0.0, weight=-1.0).values()
    assert not check.severe
    assert not failing(metric=lambda path: 0.0, weight=0.0)
