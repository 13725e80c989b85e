"""The result of a probe: the effect of each intervention against the untouched episode on the same questions.

Differences are paired and have their 95 % intervals; p values are corrected (Holm) over all interventions; each effect
is also said in a sentence. Reads plain records and knows no policy.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any, NamedTuple

from motif.evaluation import significance
from motif.evaluation.results import Records, share
from motif.evaluation.significance import Difference
from motif.evaluation.statistics import holm, outcome
from motif.evaluation.wording import points


class Kind(NamedTuple):
    """The words for a kind of intervention: what was `done`, and what it means that accuracy falls, that it rises, or
    that neither can be told."""

    done: str
    falls: str
    rises: str
    unclear: str


KINDS = {
    "early": Kind(
        done="with the answer asked for",
        falls="the rounds after that matter",
        rises="the rounds after that do harm",
        unclear="no sign that the rounds after matter",
    ),
    "without": Kind(
        done="without its progress",
        falls="{what} matters",
        rises="{what} does harm",
        unclear="no sign that {what} matters",
    ),
    "swapped": Kind(
        done="with another question's progress",
        falls="it matters that {what} is of the question itself",
        rises="{what} is worth less than another question's",
        unclear="no sign that it matters whose progress it is",
    ),
    "half": Kind(
        done="with half of its progress",
        falls="half of {what} is worse than all of it",
        rises="half of {what} is better than all of it",
        unclear="no sign that it takes more than half of {what}",
    ),
    "true": Kind(
        done="with the true progress",
        falls="the policy goes on better from its own",
        rises="better progress would help",
        unclear="no sign that better progress would help",
    ),
}


def effects(records: Records) -> dict[str, Any]:
    """What at least one record of `interventions.Probing` comes to: the accuracy of the `untouched` episode, an entry
    for each of `interventions`, for the value of each state (`values`) and for what each round has `carried`, and the
    share of answers that are `copied` from an earlier round. Shares have a `value` and a 95 % `interval`."""
    untouched = [float(record["samples"][0]["correct"]) for record in records]
    names = records[0]["interventions"]
    changed = {name: [float(record["interventions"][name]["correct"]) for record in records] for name in names}
    differences = [significance.difference([shares], [untouched]) for shares in changed.values()]
    corrected = holm([difference.p for difference in differences])
    return {
        "n": len(records),
        "untouched": share(untouched),
        "interventions": [
            {**effect(name, difference, p_holm, family=len(changed)), "accuracy": share(changed[name])}
            for name, difference, p_holm in zip(changed, differences, corrected, strict=True)
        ],
        "values": state_values([record["values"] for record in records], untouched),
        "copied": share([float(record["samples"][0]["copied"]) for record in records]),
        "carried": carried_lengths([record["carried_tokens"] for record in records]),
    }


def effect(name: str, difference: Difference, p_holm: float, family: int) -> dict[str, Any]:
    """The effect of the intervention called `name`, in numbers and in a sentence; one of a `family` of so many."""
    kind, place = name.split("-")
    after = None if place == "every" else int(place)
    place = {None: "after every round", 0: "in a single round"}.get(after, f"after round {after}")
    label = f"{KINDS[kind].done} {place}"
    verdict = outcome(difference.effect, p_holm)
    low, high = difference.interval
    unclear = KINDS[kind].unclear if low <= 0 <= high else "more questions would tell"
    meaning = {"worse": KINDS[kind].falls, "better": KINDS[kind].rises}.get(verdict, unclear)
    meaning = meaning.format(what="what rounds hand over" if after is None else f"what round {after} hands over")
    sentence = f"{label[0].upper()}{label[1:]}, accuracy {movement(difference, verdict, family)}: {meaning}."
    named = {"name": name, "kind": kind, "after": after, "label": label}
    numbers = {"effect": difference.effect, "interval": list(difference.interval), "p": difference.p, "p_holm": p_holm}
    return {**named, **numbers, "test": difference.test, "outcome": verdict, "sentence": sentence}


def movement(difference: Difference, verdict: str, family: int) -> str:
    """`falls by 63.1 points (58.2 to 67.7; n = 512)`, or that it cannot be told from no change."""
    effect, (low, high), n = 100 * difference.effect, difference.interval, f"n = {difference.n}"
    if verdict == "worse":
        return f"falls by {-effect:.1f} points ({-100 * high:.1f} to {-100 * low:.1f}; {n})"
    if verdict == "better":
        return f"rises by {effect:.1f} points ({100 * low:.1f} to {100 * high:.1f}; {n})"
    among = f", as one of {family} compared," if family > 1 else ""
    difference_in_words = f"{effect:+.1f} points, {points(low)} to {points(high)}"
    return f"is{among} not distinguishable from the untouched ({difference_in_words}; {n})"


def sentences(interventions: Sequence[Mapping[str, Any]]) -> list[str]:
    """The sentences on early answers and on changes after every round. Where an episode has two rounds there is one
    round to change something after, and all sentences are given."""
    main = [item["sentence"] for item in interventions if item["after"] is None or item["kind"] == "early"]
    return main or [item["sentence"] for item in interventions]


def state_values(outcomes: Sequence[Sequence[Sequence[bool]]], untouched: Sequence[float]) -> list[dict[str, Any]]:
    """The value of the state before round 1 and after each round but the last.

    It is the mean outcome of the state's `k` continuations; `against` is its difference from the untouched episode, and
    `settled` the share of questions whose continuations all end alike. Over all draws the mean value is the same after
    every round. Where it rises or falls, greedy rounds are better or worse than drawn ones. What rounds contribute
    shows in how many questions they settle. `outcomes` are (questions, states, continuations).
    """
    values = []
    for after, state in enumerate(zip(*outcomes, strict=True)):
        shares, k = [fmean(continuations) for continuations in state], max(map(len, state))
        against = significance.difference([shares], [untouched])
        difference = {"effect": against.effect, "interval": list(against.interval)}
        settled = share([float(len(set(continuations)) == 1) for continuations in state])
        values.append({"after": after, "k": k, **share(shares, k), "against": difference, "settled": settled})
    return values


def carried_lengths(lengths: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    """After each round: the share of the `n` episodes that go on which carry something, and its mean length in tokens.
    `lengths` are the tokens carried after each round, a list a question."""
    rounds = []
    for round in range(1, max(map(len, lengths)) + 1):
        own = [by_round[round - 1] for by_round in lengths if len(by_round) >= round]
        carried = [length for length in own if length]
        tokens = fmean(carried) if carried else 0.0
        rounds.append({"after": round, "n": len(own), **share([float(n > 0) for n in own]), "tokens": tokens})
    return rounds
