"""What must hold of the rewards of probes: which replies are worth more than which. A new rule is a line of `RULES`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from motif.training.preflight.reply_forms import (
    BOXES,
    EMPTY,
    FORMS,
    LAYOUTS,
    LENGTHS,
    ONLY_FORM,
    REPEATED,
    STUFFED,
    Check,
    Paid,
    cut_off,
    one_line,
    plain,
    right,
    wrong,
)
from motif.training.rewards import Reward

SLACK = 0.05  # of the range of what is compared: a token more or less is no difference


@dataclass(frozen=True)
class Rule:
    """The first of each pair of probes is worth more than the second, or at least as much; `by_term` in every term's
    own share of the reward."""

    name: str
    says: str  # where it is broken
    remedy: str
    pairs: Sequence[tuple[str, str]]
    more: bool = False
    by_term: bool = False


WEIGHTS = "reward.weights"
SHORT = ("short", "tags on lines")
RULES = (
    Rule(
        "right above wrong",
        "a right answer is worth no more than a wrong one",
        "see reward.weights and reward.outcome",
        [(right(*form), wrong(*form)) for form in FORMS],
        more=True,
    ),
    Rule(
        "whole above cut off",
        "a perfect reply is worth no more than one that was cut off",
        "see reward.weights and reward.outcome",
        [(right(*form), cut_off(form[0])) for form in FORMS],
        more=True,
    ),
    Rule(
        "line breaks cost nothing",
        "line breaks within the reasoning cost reward",
        "let its pattern match across lines (re.DOTALL)",
        [(right("long", layout), one_line(layout)) for layout in LAYOUTS],
        by_term=True,
    ),
    Rule(
        "tags cost nothing",
        "a perfect reply gets less than the same without tags",
        "let it take nothing off for tags, for what follows them or for length",
        [(right(*form), plain(form[0])) for form in FORMS],
        by_term=True,
    ),
    Rule(
        "form below accuracy",
        "form outweighs a right answer",
        "lower the weights of form in reward.weights",
        [
            *((plain(form[0]), wrong(*form)) for form in FORMS),
            *((plain(each), plain(each, "wrong")) for each in LENGTHS),
        ],
    ),
    Rule(
        "hacks are not paid",
        "a hack is paid",
        "let grader and terms count one answer in one form",
        [*((wrong(*SHORT), hack) for hack in (STUFFED, BOXES)), (right(*SHORT), REPEATED), (plain("short"), ONLY_FORM)],
    ),
    Rule(
        "silence is not paid",
        "an empty reply is worth more than an attempt",
        "let nothing earn less than an empty reply",
        [(attempt, EMPTY) for attempt in (wrong(*SHORT), plain("short", "wrong"), cut_off("short"))],
    ),
)


def rule_checks(paid: Sequence[Paid], reward: Reward) -> list[Check]:
    """Whether what the probes got has spread, in all and in each term, and keeps the rules."""
    totals = {each.probe.name: each.total for each in paid}
    first = Check("a reply can be worth more than another")
    if spread(totals) == 0:
        words = f"every probe is worth {paid[0].total:.3g}, so that no group has spread (reward.weights)"
        return [Check(first.name, words, "give a term that tells replies apart a weight")]
    shares = {
        name: {each.probe.name: weight * each.terms[name] for each in paid} for name, weight in reward.weights.items()
    }
    checks = [first, varies(paid, [name for name, values in shares.items() if spread(values) == 0], reward)]
    for rule in RULES:
        sums = {key(name, reward): values for name, values in shares.items()} if rule.by_term else {WEIGHTS: totals}
        found = (broken(rule, values, where) for where, values in sums.items())
        checks.append(Check(rule.name, next(filter(None, found), ""), rule.remedy))
    return checks


def varies(paid: Sequence[Paid], constant: Sequence[str], reward: Reward) -> Check:
    """Whether every term that has a weight tells probes apart. One that never gives anything is broken; another may be
    for what no probe does, as a penalty is."""
    found = []
    for name in constant:
        weight, value = reward.weights[name], paid[0].terms[name]
        words = f"reward term {name} gives {value:.3g} to every probe, perfect or empty ({key(name, reward)})"
        if weight:
            remedy = f"mend it, or leave it out (reward.weights.{name}=0)"
            found.append(Check("every term varies", words, remedy, severe=weight > 0 and value == 0))
    found.sort(key=lambda each: not each.severe)
    return found[0] if found else Check("every term varies")


def broken(rule: Rule, values: Mapping[str, float], where: str) -> str:
    """How `values` of the probes break the rule, by the pair that does so most; '' where they do not."""
    slack = 1e-9 if rule.more else SLACK * spread(values) + 1e-9
    gap, pair = max((values[less] - values[more], (more, less)) for more, less in rule.pairs)
    if gap < -slack if rule.more else gap <= slack:
        return ""
    more, less = pair
    return f"{rule.says} ({where}): {values[more]:.3g} for '{more}', {values[less]:.3g} for '{less}'"


def spread(values: Mapping[str, float]) -> float:
    return max(values.values()) - min(values.values())


def key(term: str, reward: Reward) -> str:
    return f"reward.{'outcome' if term in reward.outcome else 'reply'}.{term}"
