"""The top of the page: which arm is how good, on which questions, and how much better than another one.

A *place* has results that were measured on the same questions in the same way; only these stand beside each other. A
*view* of a place has one row an arm: as each was trained, or all decoded in one number of rounds. Each row is compared
with each other one, so that a person may choose the reference.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from motif.evaluation import significance
from motif.evaluation.statistics import LEVEL, holm, outcome
from motif.evaluation.wording import in_rounds, p_value, percent, percent_interval, plural, points
from motif.reporting.arms import Arm, finished, seed_order
from motif.reporting.comparison import tables_of
from motif.reporting.cores import parallel_map
from motif.reporting.pairing import share_seeds, unknown, why_not_paired
from motif.reporting.pooled import Pooled, pool
from motif.runs.identity import differing
from motif.system.errors import UserError

MOST_ROWS = 40  # of a view in which each row meets each other one; of more rows, each meets the reference
WORTH_FORKING = 50  # pairs
MOST_NAMED = 3  # arms in a part of the answer
AS_TRAINED = "as each was trained"


@dataclass(frozen=True)
class Against:
    """A row against another one: shares, 95 % interval over seeds (over questions where there is one seed each), p
    alone and `corrected` (Holm) over the trained rows that meet this reference, of which there are `family`."""

    effect: float
    interval: tuple[float, float]
    p: float
    test: str
    least_p: float
    seeds: tuple[int, int]
    corrected: float | None = None
    family: int = 1

    @property
    def outcome(self) -> str:
        """As of a verdict."""
        p = self.p if self.corrected is None else self.corrected
        return "no verdict" if self.least_p >= LEVEL else outcome(self.effect, p)


@dataclass(frozen=True)
class View:
    """Rows to stand beside each other. `against[i, j]` is row i against row j; `reference` is the row that is chosen at
    first."""

    name: str
    rows: Sequence[Pooled]
    reference: int = 0
    against: Mapping[tuple[int, int], Against] = field(default_factory=dict)


@dataclass(frozen=True)
class Place:
    """Results on the same questions: its views, and a line on each arm that is not among them."""

    title: str
    views: Sequence[View]
    others: Sequence[str]


def places(arms: Sequence[Arm], against: str) -> list[Place]:
    """The places in which finished runs of `arms` were measured, that of most arms first; `against` names the
    reference."""
    known, groups = finished(arms), dict[str, list[Pooled]]()
    for one in pool(known):
        first = one.results[0]
        if all(result.records for result in one.results) and not unknown(first):
            groups.setdefault(json.dumps([first.dataset, first.settings]), []).append(one)
    ordered = sorted(groups.values(), key=worth, reverse=True)
    found = [Place(title_of(group), views(group, against), others(group, known)) for group in ordered]
    return [place for place in found if place.views]


def worth(group: Sequence[Pooled]) -> tuple[int, ...]:
    """Sorts places: by their trained arms, by those that were decoded as they were trained, by questions and rounds."""
    trained = {one.arm for one in group if one.arm.trained}
    as_trained = sum(one.arm.trained and away(one) == 0 for one in group)
    return len(trained), as_trained, group[0]["n"], max(one["rounds"] for one in group)


def title_of(group: Sequence[Pooled]) -> str:
    """`chain, 512 questions, up to 132 tokens`: what the results of a place share."""
    one = group[0]
    samples = f" × {one['samples']} samples" if one["samples"] > 1 else ""
    temperature = group[0].results[0].settings["temperature"]
    drawn = f", temperature {temperature}" if temperature else ""
    budget = f", up to {one['budget']} tokens each" if one["budget"] else ""
    return f"{one['dataset']}, {plural(one['n'], 'question')}{samples}{budget}{drawn}"


def views(group: Sequence[Pooled], against: str) -> list[View]:
    """As each arm was trained, or as near to it as it was measured; then each number of rounds that is another
    selection."""
    found: dict[tuple[int, ...], View] = {}
    nearest: dict[Arm, Pooled] = {}
    for one in group:
        if one.arm.trained and (one.arm not in nearest or away(one) < away(nearest[one.arm])):
            nearest[one.arm] = one
    trained = [*nearest.values()]
    as_decoded = {one["rounds"] for one in trained}
    own = [one for one in group if one in trained or (not one.arm.trained and one["rounds"] in as_decoded)]
    candidates = {AS_TRAINED: own} if len(trained) > 1 else {}
    for rounds in sorted({one["rounds"] for one in group}, reverse=True):
        candidates[f"all in {in_rounds(rounds)}"] = [one for one in group if one["rounds"] == rounds]
    for name, rows in candidates.items():
        if rows:
            found.setdefault(tuple(map(id, rows)), View(name, rows))
    met: dict[tuple[int, int], Against | None] = {}  # of all views, by the ids of their rows
    return [compared(view, against, met) for view in found.values()]


def away(one: Pooled) -> float:
    """How many rounds lie between a result and the training of its arm."""
    trained = one.arm.trained_rounds
    return abs(one["rounds"] - trained) if isinstance(trained, int) else 0


def reference_of(rows: Sequence[Pooled], against: str) -> int:
    """The row of the arm called `against`; where there is none, or several, that whose settings are the most usual."""
    trained = [place for place, one in enumerate(rows) if one.arm.trained] or [*range(len(rows))]
    called = [place for place in range(len(rows)) if rows[place].arm.is_called(against)]
    exact = [place for place in called if rows[place].arm.name == against]

    def unusual(place: int) -> int:
        return sum(len(differing(rows[place].arm.settings, rows[other].arm.settings)) for other in trained)

    return min(exact or called or trained, key=unusual)


def compared(view: View, against: str, met: dict[tuple[int, int], Against | None]) -> View:
    """The view with each pair of its rows compared; `met` has pairs that were compared before, and gets the others."""
    rows, reference = view.rows, reference_of(view.rows, against)
    asked = list(combinations(range(len(rows)), 2))
    if len(rows) > MOST_ROWS:
        asked = [pair for pair in asked if reference in pair]
    pairs: dict[tuple[int, int], Against] = {}
    new = [(rows[i], rows[j]) for i, j in asked if (id(rows[i]), id(rows[j])) not in met]
    found_now = parallel_map(lambda pair: meet(*pair), new, WORTH_FORKING)
    met |= {(id(one), id(other)): found for (one, other), found in zip(new, found_now, strict=True)}
    for i, j in asked:
        found = met[id(rows[i]), id(rows[j])]
        if found:
            low, high = found.interval
            turned = replace(
                found, effect=0.0 - found.effect, interval=(0.0 - high, 0.0 - low), seeds=found.seeds[::-1]
            )
            pairs |= {(i, j): found, (j, i): turned}
    for j in {j for _, j in pairs}:
        own = [(i, j) for i in range(len(rows)) if (i, j) in pairs and rows[i].arm.trained]
        family = [pair for pair in own if pairs[pair].least_p < LEVEL]
        for pair, p in zip(family, holm([pairs[pair].p for pair in family]), strict=True):
            pairs[pair] = replace(pairs[pair], corrected=p, family=len(family))
    return View(view.name, rows, reference, pairs)


def meet(one: Pooled, other: Pooled) -> Against | None:
    """One row against another; None where their records do not hold the same questions."""
    both = [sorted(side.results, key=lambda result: seed_order(result.seed)) for side in (one, other)]
    arms = (one.arm, other.arm)
    try:
        first, second = tables_of(*both)
    except UserError:
        return None
    fixed, paired = (not one.arm.trained, not other.arm.trained), share_seeds(arms, both)
    found = significance.difference(first, second, fixed, paired)
    seeds = (len(first) if one.arm.trained else 0, len(second) if other.arm.trained else 0)
    drawn = [count for count in seeds if count][paired:]
    least = significance.least_p(drawn) if drawn else 0.0
    return Against(found.effect, found.interval, found.p, found.test, least, seeds)


def others(group: Sequence[Pooled], arms: Sequence[Arm]) -> list[str]:
    """A line on each result that does not stand in a place, and why; and on seeds that are missing there."""
    lines, here = [], group[0].results[0]
    for arm in arms:
        seeds = {result.seed for one in group if one.arm is arm for result in one.results}
        results = [result for result in arm.comparable if result.dataset == here.dataset]
        away = [result for result in results if result.settings != here.settings]
        if not seeds:
            why = why_not_paired(away[0], here) if away else f"it was not measured on {here.dataset}"
            lines.append(f"{arm.name}: {why}")
        elif missing := [str(seed) for seed in arm.seeds if seed not in seeds]:
            lines.append(f"{arm.name}: seed {', '.join(missing)} was not measured here")
    return lines


def answer(place: Place | None) -> str:
    """The answer in one sentence: which arms are better than the reference of the first view, which are worse, and of
    which so many seeds do not say."""
    if place is None:
        return "Nothing is measured yet."
    view = place.views[0]
    reference = view.rows[view.reference]
    trained = [one for one in (*view.rows, reference) if one.arm.trained]
    alike = len({one["rounds"] for one in trained}) == 1

    def named(one: Pooled) -> str:
        return one.arm.name if alike else f"{one.arm.name} in {in_rounds(one['rounds'])}"

    parts: dict[str, list[tuple[float, str]]] = {}
    for row, one in enumerate(view.rows):
        if one.arm.trained and (found := view.against.get((row, view.reference))):
            p = "" if found.outcome == "no verdict" else f", {p_value(found.corrected or found.p)}"
            words = f"{named(one)} ({points(found.effect)} points{p})"
            parts.setdefault(found.outcome, []).append((-abs(found.effect), words))
    if not parts:
        share = f"{percent(reference.mean('accuracy'))} ({percent_interval(reference.interval)})"
        return f"{reference.arm.name} answers {share}; there is no other arm to compare it with here."
    says = {
        "better": "{arms} {are} better than {reference}",
        "worse": "{arms} {are} worse than {reference}",
        "not distinguishable": "{arms} {are} not distinguishable from {reference}",
        "no verdict": "too few seeds to say whether {arms} {differ} from {reference}",
    }
    sentences = []
    for kind, words in says.items():
        if own := [text for _, text in sorted(parts.get(kind, []))]:
            some = own[:MOST_NAMED] + [f"{len(own) - MOST_NAMED} more"] * (len(own) > MOST_NAMED)
            arms = " and ".join(filter(None, (", ".join(some[:-1]), some[-1])))
            are, differ = ("are", "differ") if len(own) > 1 else ("is", "differs")
            sentences.append(words.format(arms=arms, are=are, differ=differ, reference=named(reference)))
    text = "; ".join(sentences)
    return f"{text[0].upper() if text.startswith('too few') else text[0]}{text[1:]}."
