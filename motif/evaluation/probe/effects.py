"""Effects: what the records of interventions come to, each against the untouched episode on the same questions.

Paired differences with their 95 % intervals, p after Holm's correction over all that was done, and a sentence each.
Reads plain records and knows no policy.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

from motif.evaluation.scores import Records, share
from motif.evaluation.significance import Difference, difference
from motif.evaluation.statistics import holm, outcome

DONE = {  # by kind: what was done
    "early": "with the answer asked for",
    "without": "without its progress",
    "swapped": "with another question's progress",
    "half": "with half of its progress",
    "true": "with the true progress",
}
SAYS = {  # by kind: what it means that accuracy falls, that it rises, that it cannot be told to do either
    "early": ("the rounds after that matter", "the rounds after that do harm", "no sign that the rounds after matter"),
    "without": ("{what} matters", "{what} does harm", "no sign that {what} matters"),
    "swapped": (
        "it matters that {what} is of the question itself",
        "{what} is worth less than another question's",
        "no sign that it matters whose progress it is",
    ),
    "half": (
        "half of {what} is worse than all of it",
        "half of {what} is better than all of it",
        "no sign that it takes more than half of {what}",
    ),
    "true": (
        "the policy goes on better from its own",
        "better progress would help",
        "no sign that better progress would help",
    ),
}


def effects(records: Records) -> dict[str, Any]:
    """Accuracy untouched, each intervention's effect, the value of each state, the share of copied answers, and how
    much was handed over."""
    untouched = [float(item["samples"][0]["correct"]) for item in records]
    names = list(records[0]["interventions"])
    done = {name: [float(item["interventions"][name]["correct"]) for item in records] for name in names}
    compared = {name: difference([shares], [untouched]) for name, shares in done.items()}
    adjusted = holm([found.p for found in compared.values()])
    return {
        "n": len(records),
        "untouched": share(untouched),
        "interventions": [
            {**of_intervention(name, found, p, len(done)), "accuracy": share(done[name])}
            for (name, found), p in zip(compared.items(), adjusted, strict=True)
        ],
        "values": of_values([item["values"] for item in records], untouched),
        "copied": share([float(item["samples"][0]["copied"]) for item in records]),
        "carried": of_carried([item["carried_tokens"] for item in records]),
    }


def of_intervention(name: str, found: Difference, p_holm: float, family: int) -> dict[str, Any]:
    kind, place = name.split("-")
    after = None if place == "every" else int(place)
    reached = outcome(found.effect, p_holm)
    place = {None: "after every round", 0: "in a single round"}.get(after, f"after round {after}")
    done = f"{DONE[kind]} {place}"
    what = "what rounds hand over" if after is None else f"what round {after} hands over"
    falls, rises, neither = (words.format(what=what) for words in SAYS[kind])
    meaning = {"worse": falls, "better": rises}.get(reached, neither)
    moves = moved(found, reached, f"n = {found.n}", family)
    return {
        **{"name": name, "kind": kind, "after": after, "label": done},
        **{"effect": found.effect, "interval": list(found.interval)},
        **{"p": found.p, "p_holm": p_holm, "test": found.test, "outcome": reached},
        "sentence": f"{done[0].upper()}{done[1:]}, accuracy {moves}: {meaning}.",
    }


def of_values(outcomes: Sequence[Sequence[Sequence[bool]]], untouched: Sequence[float]) -> list[dict[str, Any]]:
    """The value of the state before round 1 and after each round but the last: the mean outcome of its continuations,
    less that of the untouched episode; and the share of questions that are `settled`, whose continuations end alike.

    Over all draws the mean value is the same after every round. Where it rises or falls, greedy rounds are better or
    worse than drawn ones; what rounds contribute shows in how many questions they settle.
    """
    found = []
    for after, state in enumerate(zip(*outcomes, strict=True)):
        shares, k = [fmean(own) for own in state], max(map(len, state))
        against = difference([shares], [untouched])
        found.append(
            {
                **{"after": after, "k": k, **share(shares, k)},
                "against": {"effect": against.effect, "interval": list(against.interval)},
                "settled": share([float(len({*own}) == 1) for own in state]),
            }
        )
    return found


def moved(found: Difference, reached: str, n: str, family: int) -> str:
    """`falls by 63.1 points (58.2 to 67.7; n = 512)`, or that it cannot be told from standing still."""
    low, high = (100 * bound for bound in found.interval)
    if reached == "not distinguishable":
        among = f", as one of {family} compared," if family > 1 else ""
        untouched = "not distinguishable from the untouched"
        return f"is{among} {untouched} ({100 * found.effect:+.1f} points, {low:+.1f} to {high:+.1f}; {n})"
    if reached == "worse":
        return f"falls by {-100 * found.effect:.1f} points ({-high:.1f} to {-low:.1f}; {n})"
    return f"rises by {100 * found.effect:.1f} points ({low:.1f} to {high:.1f}; {n})"


def of_carried(tokens: Sequence[Sequence[int]]) -> list[dict[str, Any]]:
    """After each round that was not an episode's last: the share of those that handed something over, and its mean
    length in tokens."""
    found = []
    for place in range(max(map(len, tokens))):
        lengths = [own[place] for own in tokens if len(own) > place]
        handed = [length for length in lengths if length]
        found.append(
            {
                **{"after": place + 1, "n": len(lengths), **share([float(length > 0) for length in lengths])},
                "tokens": fmean(handed) if handed else 0.0,
            }
        )
    return found
