"""Held-out accuracy at budgets of generated tokens, and the area under its curve: `python -m motif.report --at 20000`.

The points are the lines of metrics.jsonl that have `held_out/accuracy`, which `watch.every` measures. Between two
points the curve is a straight line. Long before the first point and long after the last one nothing is said.
"""

from collections.abc import Sequence
from typing import Any

from motif.evaluation import power
from motif.evaluation.significance import Difference, least_p, over_seeds_alone
from motif.evaluation.statistics import LEVEL, holm, over_seeds
from motif.evaluation.wording import p_value, percent, percent_interval, plural, points
from motif.reporting.arms import Arm
from motif.reporting.markup import Table
from motif.reporting.pairing import same_start
from motif.reporting.recorded import MISSING, RecordedRun
from motif.reporting.verdicts import against_baselines, choose_baselines
from motif.system.errors import UserError, whole

TOKENS, ACCURACY = "total/generated_tokens", "held_out/accuracy"  # of a line of metrics
NEAR = 1.05  # steps end near a count, not at it: so many times more or less than what was measured has its accuracy
Points = Sequence[tuple[float, float]]


def tables(arms: Sequence[Arm], counts: Sequence[int], against: str) -> list[Table]:
    """Accuracy of each arm at each count of tokens, and the difference of the area of each arm and its baseline.

    Args:
        arms: trained ones; those without held-out accuracy are left out.
        counts: of generated tokens; none gives no tables.
        against: names the baseline, as in `motif.reporting.verdicts`.

    Raises:
        UserError: where a count is no whole number of at least 0, or no run has held-out accuracy.
    """
    counts = sorted({whole("--at", count, at_least=0) for count in counts})
    measured = [arm for arm in arms if any(map(points_of, arm.runs))]
    if counts and not measured:
        raise UserError(f"--at: no run has {ACCURACY}; train with watch.every=5")
    return [at_counts(measured, counts), differences(measured, counts, against)] if counts else []


def points_of(run: RecordedRun) -> Points:
    """(tokens generated so far, held-out accuracy) of each step that was measured."""
    return [(line[TOKENS], line[ACCURACY]) for line in run.metrics if line.get(ACCURACY) is not None and TOKENS in line]


def mean_accuracy(points: Points, first: float, last: float) -> float | None:
    """The area under the curve from `first` to `last` tokens, divided by the tokens between them: the mean accuracy.

    Of one count it is the accuracy there. None where an end lies outside the points.
    """
    import numpy as np

    if not points or NEAR * first < points[0][0] or last > NEAR * points[-1][0]:
        return None
    x = np.array([first, *(tokens for tokens, _ in points if first < tokens < last), last])
    tokens_so_far, accuracies = np.array(points).T
    y = np.interp(x, tokens_so_far, accuracies)
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / (last - first) if last > first else y[0])


def means(arm: Arm, first: float, last: float) -> dict[Any, float]:
    """`mean_accuracy` of each seed that has come so far."""
    found = {run.seed: mean_accuracy(points_of(run), first, last) for run in arm.runs}
    return {seed: value for seed, value in found.items() if value is not None}


def at_counts(arms: Sequence[Arm], counts: Sequence[int]) -> Table:
    """An arm a row, a count a column, and the mean accuracy from the first to the last count."""
    spans = {f"at {count:,}": (count, count) for count in counts}
    spans |= {f"mean of {counts[0]:,} – {counts[-1]:,}": (counts[0], counts[-1])} if len(counts) > 1 else {}
    rows = [
        {"trained on": str(arm.settings.get("dataset.name", MISSING)), "arm": arm.name}
        | {name: cell([*means(arm, *span).values()]) for name, span in spans.items()}
        for arm in arms
    ]
    note = (
        "Greedy accuracy on validation questions after so many tokens generated in training, mean over the seeds that "
        "have come so far, with its 95 % t interval over seeds. Between two measurements it is interpolated; up to 5 % "
        "before the first and after the last one it is theirs. The mean is the area under this curve from the first to "
        "the last count, divided by the tokens between them."
    )
    return Table("at-tokens", "Held-out accuracy at token budgets", rows, note)


def cell(values: Sequence[float]) -> str:
    """`45.0% (40.1% – 49.9%; n = 3 seeds)`."""
    if not values:
        return MISSING
    mean, _, (low, high) = over_seeds(values)
    interval = f"{percent_interval((max(0.0, low), min(1.0, high)))}; " if len(values) > 1 else ""
    return f"{percent(mean)} ({interval}n = {plural(len(values), 'seed')})"


def compared(arm: Arm, baseline: Arm, first: float, last: float) -> Difference | None:
    """The difference of two arms' mean accuracies, seed by seed where so many pairs can decide; None where they are not
    measured on the same questions, or have one seed each."""
    mine, theirs = means(arm, first, last), means(baseline, first, last)
    if not mine or not theirs or len(mine) + len(theirs) < 3 or questions(arm) != questions(baseline):
        return None
    shared = [seed for seed in mine if seed in theirs and same_start((arm, baseline))]
    by_seed = bool(shared) and least_p([len(shared)]) < LEVEL
    return over_seeds_alone(
        [[mine[seed] - theirs[seed] for seed in shared]] if by_seed else [[*mine.values()], [*theirs.values()]]
    )


def questions(arm: Arm) -> Any:
    """What decides on which questions held-out accuracy is measured: the settings of the data set, and their number."""
    of_data = {key: value for key, value in arm.settings.items() if key.startswith("dataset.")}
    return of_data, {str((run.config.get("watch") or {}).get("questions")) for run in arm.runs}


def differences(arms: Sequence[Arm], counts: Sequence[int], against: str) -> Table:
    """Each arm against its baseline, by `mean_accuracy`."""
    first, last = counts[0], counts[-1]
    met = against_baselines(arms, choose_baselines(arms, against)[0])
    studies = [(*pair, study) for pair in met if (study := compared(*pair, first, last))]
    family = [study for *_, study in studies if least_p([sample.seeds for sample in study.samples]) < LEVEL]
    corrected = dict(zip(map(id, family), holm([study.p for study in family]), strict=True))
    rows = []
    for arm, baseline, study in studies:
        seen, p_holm = power.detectable(study), corrected.get(id(study))
        rows.append(
            {
                "arm": arm.name,
                "against": baseline.name,
                "difference": f"{points(study.effect)} points",
                "95 % interval": " to ".join(map(points, study.interval)),
                "seeds": " against ".join(str(sample.seeds) for sample in study.samples)
                + " in pairs" * (len(study.samples) == 1),
                "p": p_value(study.p),
                "Holm": MISSING if p_holm is None else f"{p_value(p_holm)} of {len(family)}",
                "would see": MISSING if seen is None else f"{100 * seen:.1f} points",
            }
        )
    note = (
        f"The difference of the mean accuracies from {first:,} to {last:,} generated tokens. Arms that share six seeds "
        "or more, with the same start and the same questions in the same order, are compared seed by seed. p is the "
        "larger of a t test over seeds and of the exact permutations: all sign flips of the differences by seed, or "
        "all ways to divide the seeds. A pair of arms whose seeds cannot give a p below 0.05 is not counted in Holm's "
        "correction. The last column is the smallest difference that such a study sees in 80 % of cases, before the "
        "correction, if other seeds vary as these do. All this holds for these validation questions."
    )
    return Table("at-tokens-pairs", "Difference of the mean held-out accuracy", rows, note)
