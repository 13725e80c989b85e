"""Accuracy by a whole-number fact of the questions, such as the length of a chain, and where one arm overtakes another.

Facts are those that the records of an evaluation hold; none is known here by its name. Results are compared question by
question where they share their settings, the budget of tokens among them, as verdicts do.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from motif.evaluation.wording import in_rounds, percent, percent_interval
from motif.reporting.arms import as_key
from motif.reporting.markup import Table
from motif.reporting.pooled import Pooled, of_shares

MOST_VALUES = 40  # of a fact by which results are split
DRAWS = 2000  # of a bootstrap
COLUMNS = 6  # results side by side in a table


@dataclass(frozen=True)
class ByFact:
    """Results on the same questions of a data set, by the `values` of a `fact`: `ids` are the questions of each."""

    dataset: str
    fact: str
    ids: dict[int, list[str]]
    results: Sequence[Pooled]

    def accuracy(self, one: Pooled, value: int) -> tuple[float, tuple[float, float]]:
        """Of the questions of a value: accuracy, a mean over seeds, and its interval as in the table of results."""
        return of_shares(self.table(one, value), one["samples"])

    def table(self, one: Pooled, value: int) -> Any:
        """The share of right samples, (seeds, questions)."""
        import numpy as np

        return np.array([[result.shares.whole[id] for id in self.ids[value]] for result in one.results])


def by_facts(pooled: Sequence[Pooled]) -> list[ByFact]:
    """For each data set and each fact that is a whole number of 2 to MOST_VALUES values: the results whose records have
    it, on the same questions."""
    groups: dict[tuple[str, frozenset[str]], list[Pooled]] = {}
    for one in pooled:
        questions = {frozenset(result.shares.whole) for result in one.results}
        if len(questions) == 1 and len(ids := questions.pop()) == one["n"]:
            groups.setdefault((one["dataset"], ids), []).append(one)
    found = []
    for (dataset, ids), results in groups.items():
        numbers = results[0].results[0].shares.numbers
        for fact in dict.fromkeys(fact for of_question in numbers.values() for fact in of_question):
            by_value: dict[int, list[str]] = {}
            for id in sorted(ids):
                if fact in numbers[id]:
                    by_value.setdefault(numbers[id][fact], []).append(id)
            if 1 < len(by_value) <= min(MOST_VALUES, len(ids) // 2):
                found.append(ByFact(dataset, fact, dict(sorted(by_value.items())), results))
    return found


def decoded(one: Pooled) -> str:
    """`motif, 3 rounds of 44 tokens` where all windows are alike, else `motif, 3 rounds`."""
    rounds, budget = one["rounds"], one["budget"]
    window = f" of {budget // rounds} tokens" if budget and budget % rounds == 0 else ""
    return f"{one.arm.name}, {in_rounds(rounds)}{window}"


def tables_by_fact(facts: Sequence[ByFact]) -> Iterator[Table]:
    """A value a row, a result a column."""
    note = (
        "Accuracy, mean over seeds, with its 95 % interval (over seeds where there are several, else over questions)."
    )
    for number, one in enumerate(facts, 1):
        for start in range(0, len(one.results), COLUMNS):
            rows = []
            for value, ids in one.ids.items():
                row = {one.fact: str(value), "n questions": str(len(ids))}
                for result in one.results[start : start + COLUMNS]:
                    accuracy, interval = one.accuracy(result, value)
                    row[decoded(result)] = f"{percent(accuracy)} ({percent_interval(interval)})"
                rows.append(row)
            part = f" ({start // COLUMNS + 1})" if len(one.results) > COLUMNS else ""
            title = f"Accuracy by {one.fact} on {one.dataset}{part}"
            yield Table(f"by-fact-{number}-{start}", title, rows, note, frozenset((one.fact, "n questions")))


def crossovers(facts: Sequence[ByFact], against: str) -> list[Table]:
    """Where results overtake those of the arms called `against`, and those of their own arm in fewer rounds."""
    rows = []
    for one in facts:
        for first, second in pairs(one.results, against):
            mine, theirs = ([one.table(side, value) for value in one.ids] for side in (first, second))
            at, (low, high) = crossover(mine, theirs)
            values = [*one.ids]

            def shown(place: float, last: int = values[-1], values: Sequence[int] = values) -> str:
                return f"beyond {last}" if place == inf else str(values[int(place)])

            rows.append(
                {
                    "data set": one.dataset,
                    "result": decoded(first),
                    "against": decoded(second),
                    "above from": f"no crossover up to {one.fact} {values[-1]}"
                    if at == inf
                    else f"{one.fact} {shown(at)}" + ", the smallest" * (at == 0),
                    "95 % interval": f"{shown(low)} – {shown(high)}",
                    "n questions": str(first["n"]),
                    "seeds": " against ".join(str(len(side.results)) for side in (first, second)),
                }
            )
    note = (
        "The value from which on a result lies above the other: its lead in right answers, added up over this value "
        "and all larger ones, is largest there. The interval is a bootstrap over the questions of each value, and over "
        "seeds where there are several; a few seeds make it too narrow."
    )
    return [Table("crossovers", "Where results overtake each other", rows, note, frozenset(("n questions", "seeds")))]


def pairs(results: Sequence[Pooled], against: str) -> Iterator[tuple[Pooled, Pooled]]:
    """Results of the same settings: the other one is of an arm called `against`, or of the same arm, in no more rounds
    than the first."""
    for first in results:
        for second in results:
            same = as_key(first.results[0].settings) == as_key(second.results[0].settings)
            fewer = second["rounds"] < first["rounds"]
            other_arm = second.arm.is_called(against) and not first.arm.is_called(against)
            if same and ((first.arm is second.arm and fewer) or (other_arm and second["rounds"] <= first["rounds"])):
                yield first, second


def crossover(first: Sequence[Any], second: Sequence[Any], seed: int = 0) -> tuple[float, tuple[float, float]]:
    """The place of the value from which `first` is above `second`, `inf` where there is none, and its 95 % interval.

    With D(v) the sum over questions of value v of the difference in right answers, it is the v that has the largest
    Σ_{w ≥ v} D(w), the last of several; there is none where no such sum is above 0. This is the place of a single
    change of sign that fits the differences best. A draw of the bootstrap has other questions of each value and other
    seeds of each arm.

    Args:
        first, second: for each value (seeds, questions), the questions of both in the same order.
        seed: of the bootstrap.
    """
    import numpy as np

    generator = np.random.default_rng(seed)

    def weights(size: int, drawn: bool) -> Any:
        """How often each of so many was drawn, (draws, size); the first draw is the data."""
        counts = generator.multinomial(size, [1 / size] * size, DRAWS) if drawn else np.ones((DRAWS, size))
        return np.concatenate([np.ones((1, size)), counts])

    of_seeds = [weights(len(side[0]), len(side[0]) > 1) / len(side[0]) for side in (first, second)]
    ahead = []
    for one, other in zip(first, second, strict=True):
        differences = of_seeds[0] @ one - of_seeds[1] @ other
        ahead.append((weights(one.shape[1], True) * differences).sum(1))
    tails = np.cumsum(np.array(ahead)[::-1], axis=0)  # from the last value on
    best = tails.argmax(0)  # the first of several, which is the largest value
    places = np.where(tails.max(0) > 1e-9, len(tails) - 1.0 - best, inf)
    low, high = np.sort(places[1:])[[int(0.025 * DRAWS), int(0.975 * DRAWS) - 1]]
    return float(places[0]), (float(low), float(high))
