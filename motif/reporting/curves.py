"""Held-out accuracy at budgets of generated tokens, and the area under its curve: `python -m motif.report --at 20000`.

The points are the lines of metrics.jsonl that have `held_out/accuracy`, which `watch.every` measures. Between two
points the curve is a straight line. Before the first point and after the last one nothing is said.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

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

TOKENS, ACCURACY = "train/generated_tokens", "held_out/accuracy"  # of a line of metrics
BEYOND = 1.05  # a count that is at most so many times the last one measured has its accuracy
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


def accuracy_at(points: Points, count: float) -> float | None:
    """Held-out accuracy after `count` tokens, between two points by linear interpolation; None outside the points."""
    import numpy as np

    if not points or not points[0][0] <= count <= BEYOND * points[-1][0]:
        return None
    return float(np.interp(count, *zip(*points, strict=True)))


def mean_accuracy(points: Points, counts: Sequence[int]) -> float | None:
    """The area under the curve from the first to the last of `counts`, divided by the tokens between them: the mean
    accuracy. Of one count it is the accuracy there; None where an end lies outside the points."""
    import numpy as np

    first, last = counts[0], counts[-1]
    ends = accuracy_at(points, first), accuracy_at(points, last)
    if first == last or None in ends:
        return ends[0] if first == last else None
    x = [first, *(tokens for tokens, _ in points if first < tokens < last), last]
    y = np.interp(x, *zip(*points, strict=True))
    return float((np.diff(x) * (y[1:] + y[:-1]) / 2).sum() / (last - first))


def means(arm: Arm, counts: Sequence[int]) -> dict[Any, float]:
    """`mean_accuracy` of each seed that has been so far."""
    found = {run.seed: mean_accuracy(points_of(run), counts) for run in arm.runs}
    return {seed: value for seed, value in found.items() if value is not None}


def span(counts: Sequence[int]) -> str:
    return " – ".join(f"{count:,}" for count in dict.fromkeys((counts[0], counts[-1])))


def at_counts(arms: Sequence[Arm], counts: Sequence[int]) -> Table:
    """An arm a row, a count a column, and the mean accuracy from the first to the last count."""
    rows = []
    for arm in arms:
        curves = [points_of(run) for run in arm.runs]
        row = {"trained on": str(arm.settings.get("dataset.name", MISSING)), "arm": arm.name}
        for count in counts:
            row[f"at {count:,}"] = cell([found for each in curves if (found := accuracy_at(each, count)) is not None])
        rows.append(row | {f"mean of {span(counts)}": cell([*means(arm, counts).values()])})
    note = (
        "Greedy accuracy on validation questions after so many tokens generated in training, mean over the seeds that "
        "have come so far, with its 95 % t interval over seeds. Between two measurements it is interpolated. The mean "
        "is the area under this curve from the first to the last count, divided by the tokens between them."
    )
    return Table("at-tokens", "Held-out accuracy at token budgets", rows, note)


def cell(values: Sequence[float]) -> str:
    """`45.0% (40.1% – 49.9%; n = 3 seeds)`."""
    if not values:
        return MISSING
    mean, _, (low, high) = over_seeds(values)
    interval = f"{percent_interval((max(0.0, low), min(1.0, high)))}; " if len(values) > 1 else ""
    return f"{percent(mean)} ({interval}n = {plural(len(values), 'seed')})"


class Pair(NamedTuple):
    """An arm and its baseline: their mean accuracies in one sample of differences by seed, or in a sample of each; and
    their difference, None where there is one seed each."""

    arm: Arm
    baseline: Arm
    samples: Sequence[Sequence[float]]
    study: Difference | None

    @property
    def decides(self) -> bool:
        """Whether so many seeds can give a p below 5 %."""
        return self.study is not None and least_p([*map(len, self.samples)]) < LEVEL


def paired(arm: Arm, baseline: Arm, counts: Sequence[int]) -> Pair | None:
    """An arm and its baseline, seed by seed where both begin alike; None where they cannot be compared."""
    mine, theirs = means(arm, counts), means(baseline, counts)
    if not (mine and theirs) or questions(arm) != questions(baseline):
        return None
    shared = [seed for seed in mine if seed in theirs and same_start((arm, baseline))]
    several = len(shared) > 1
    samples = [[mine[seed] - theirs[seed] for seed in shared]] if several else [[*mine.values()], [*theirs.values()]]
    return Pair(arm, baseline, samples, over_seeds_alone(samples) if max(map(len, samples)) > 1 else None)


def questions(arm: Arm) -> Any:
    """What decides on which questions held-out accuracy is measured: the settings of the data set, and their number."""
    of_data = {key: value for key, value in arm.settings.items() if key.startswith("dataset.")}
    return of_data, {str((run.config.get("watch") or {}).get("questions")) for run in arm.runs}


def differences(arms: Sequence[Arm], counts: Sequence[int], against: str) -> Table:
    """Each arm against its baseline, by `mean_accuracy`."""
    met = against_baselines(arms, choose_baselines(arms, against)[0])
    pairs = [pair for one, other in met if (pair := paired(one, other, counts))]
    family = [pair for pair in pairs if pair.decides]
    corrected = dict(zip(map(id, family), holm([pair.study.p for pair in family if pair.study]), strict=True))
    note = (
        f"The difference of the mean accuracies over {span(counts)} generated tokens. Arms of the same start and data "
        "are compared seed by seed. p is the larger of a t test over seeds and of the exact permutations: all sign "
        "flips of the differences by seed, or all ways to divide the seeds. Five pairs of seeds or fewer can give no p "
        "below 0.05; such a comparison is not counted in Holm's correction. The last column is the smallest difference "
        "that such a study sees in 80 % of cases, before the correction, if other seeds vary as these do. All this "
        "holds for these validation questions."
    )
    rows = [pair_row(pair, corrected.get(id(pair)), len(family)) for pair in pairs]
    return Table("at-tokens-pairs", "Difference of the mean held-out accuracy", rows, note)


def pair_row(pair: Pair, p_holm: float | None, family: int) -> dict[str, str]:
    arm, baseline, samples, study = pair
    seen = power.detectable(study) if study else None
    effect = fmean(samples[0]) - sum(map(fmean, samples[1:]))
    return {
        "arm": arm.name,
        "against": baseline.name,
        "difference": f"{points(effect)} points",
        "95 % interval": " to ".join(map(points, study.interval)) if study else MISSING,
        "seeds": " against ".join(str(len(sample)) for sample in samples) + " in pairs" * (len(samples) == 1),
        "p": p_value(study.p) if study else MISSING,
        "Holm": MISSING if p_holm is None else f"{p_value(p_holm)} of {family}",
        "would see": MISSING if seen is None else f"{100 * seen:.1f} points",
    }
