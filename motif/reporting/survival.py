"""How long the right state of a question survives, by round: what a round hands over, held against the states.

A question may know the right intermediate states on its way (`states` of its facts). Nothing here knows how a state is
written: what is handed over is right if it equals one of them. Which sample is right is counted in `Shares`.
"""

from collections.abc import Sequence

from motif.evaluation.statistics import Interval
from motif.evaluation.wording import percent, percent_interval
from motif.reporting.markup import Table
from motif.reporting.pooled import Pooled, of_shares
from motif.reporting.recorded import MISSING

RIGHT, SURVIVED = 0, 1  # of the shares after a round


def handed_over(one: Pooled, which: int) -> list[tuple[float, Interval]]:
    """After each round but the last: the share of episodes, a mean over seeds, whose state is right (RIGHT), or was
    right after each round so far (SURVIVED); and its interval. Empty where no question knows its states, or the seeds
    were measured on others."""
    import numpy as np

    of_seeds = [result.shares.states for result in one.results]
    ids = of_seeds[0].keys()
    if not ids or any(states.keys() != ids for states in of_seeds):
        return []
    nothing = [(0.0, 0.0)] * (one["rounds"] - 1)  # of an episode that ended before
    table = np.array([[[*states[id], *nothing][: len(nothing)] for id in ids] for states in of_seeds])
    return [of_shares(table[:, :, t, which], one["samples"]) for t in range(len(nothing))]


def survival_table(pooled: Sequence[Pooled]) -> Table:
    """A result a row, a round a column."""
    known = [(one, found) for one in pooled if (found := handed_over(one, SURVIVED))]
    most = max((len(found) for _, found in known), default=0)
    rows = []
    for one, found in known:
        cells = [
            f"{percent(survived)} ({percent_interval(interval)}; alone {percent(right)})"
            for (survived, interval), (right, _) in zip(found, handed_over(one, RIGHT), strict=True)
        ] + [MISSING] * (most - len(found))
        rows.append(
            {
                "data set": one["dataset"],
                "arm": one.arm.name,
                "decoded in": str(one["rounds"]),
                "n questions": str(len(one.results[0].shares.states)),
                "seeds": str(len(one.results)) if one.arm.trained else MISSING,
            }
            | {f"round {t}": cell for t, cell in enumerate(cells, 1)}
        )
    note = (
        "The share of episodes in which each round up to this one handed over a right intermediate state of its "
        "question, none earlier than that of the round before, with its 95 % interval (over seeds where there are "
        "several, else over questions). Alone: the share in which this round handed over a right state, whatever came "
        "before. An episode that has ended, or carries nothing, hands over none."
    )
    right = frozenset(("decoded in", "n questions", "seeds"))
    return Table("survival", "Right states handed over, by round", rows, note, right)
