"""One comparison: an arm against another on one data set, in numbers and in a sentence.

What was not measured alike is not compared. The difference, its interval and its p value are those of
`motif.evaluation.significance`; what another study would see is said by `motif.evaluation.power`. Where there are so
few seeds that nothing could have been decided, there is no verdict, and the sentence says how many seeds it takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, NamedTuple

from motif.evaluation import power, significance
from motif.evaluation.statistics import LEVEL, over_seeds
from motif.evaluation.statistics import outcome as outcome_of
from motif.evaluation.wording import in_rounds, p_value, percent, plural, points
from motif.reporting.arms import Arm, as_key
from motif.reporting.pairing import (
    computed_otherwise,
    confounded,
    left_out,
    pairs,
    share_seeds,
    single_seeds,
    why_not_paired,
)
from motif.reporting.recorded import Result
from motif.runs.identity import differing
from motif.system.errors import UserError


class BudgetRatio(NamedTuple):
    """Tokens that the arm generated divided by those of the baseline: per question in evaluation, and in training."""

    evaluation: float | None
    training: float | None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One comparison. Accuracies, effect, interval (95 %) and `detectable` are shares, not points.

    Pairs are of the arm and of the baseline: `seeds` (0 where nothing was trained), `spread` (the standard deviation of
    accuracy over several seeds), `accuracy`. `needed_n` questions or `needed_seeds` would see such an effect in 80 % of
    cases; `detectable` is the smallest effect that this study would see. `least_p` is the smallest p that so many seeds
    can give, 0 where nothing was trained. `p_holm` is p as one of the `family` of comparisons with one baseline on one
    data set; None for a comparison alone, and where there is no verdict. With one seed an arm, interval, test, p,
    `needed_n` and `detectable` are of these two policies.
    """

    arm: str
    baseline: str
    dataset: str
    rounds: int
    baseline_rounds: int
    samples: int
    n: int
    seeds: tuple[int, int]
    spread: tuple[float | None, float | None]
    accuracy: tuple[float, float]
    effect: float
    interval: tuple[float, float]
    test: str
    p: float
    budget_ratio: BudgetRatio
    needed_n: int | None
    needed_seeds: int | None
    detectable: float | None
    least_p: float = 0.0
    p_holm: float | None = None
    family: int = 1
    warnings: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """`no verdict` where so few seeds could not decide; else `better`, `worse` or `not distinguishable`: two-sided
        at 5 %, after Holm's correction."""
        if self.least_p >= LEVEL:
            return "no verdict"
        return outcome_of(self.effect, self.p if self.p_holm is None else self.p_holm)

    @property
    def sentence(self) -> str:
        """The comparison in words: effect, interval, test, p, n, seeds, budgets, and what would be needed."""
        where = f"on {self.dataset}, decoded in {in_rounds(self.rounds)}"
        if self.baseline_rounds != self.rounds:
            where += f" against {in_rounds(self.baseline_rounds)}"
        than = "from" if self.outcome == "not distinguishable" else "than"
        says = f"{self.arm} is {self.outcome} {than} {self.baseline}"
        if self.outcome == "no verdict":
            says = f"No verdict on {self.arm} against {self.baseline}"
        low, high = map(points, self.interval)
        alone, corrected = "", ""
        if self.p_holm is not None and self.family > 1:
            alone, corrected = " of this comparison alone", f", {p_value(self.p_holm)} as one of {self.family} (Holm)"
        over = "seeds" if max(self.seeds) > 1 else "questions"
        samples = f" × {self.samples} samples" if self.samples > 1 else ""
        accuracies = " against ".join(map(percent, self.accuracy))
        sentences = [
            f"{says} {where}:",
            f"{points(self.effect)} points (95 % interval over {over}{alone} {low} to {high}; {accuracies}),",
            f"{self.test}{' of these policies' * (over == 'questions')}, {p_value(self.p)}{corrected},",
            f"n = {self.n:,} questions{samples}, training seeds: {self._seeds()}.",
            self._budget(),
            self._fewest_seeds(),
            self._needed(),
            *(f"{warning[0].upper()}{warning[1:]}." for warning in self.warnings),
        ]
        return " ".join(filter(None, sentences))

    def _seeds(self) -> str:
        sides = []
        for count, spread in zip(self.seeds, self.spread, strict=True):
            spread_words = "" if spread is None else f" (spread {100 * spread:.1f} points)"
            sides.append((str(count) if count else "untrained") + spread_words)
        return " against ".join(sides)

    def _budget(self) -> str:
        tokens = {"tokens per question": self.budget_ratio.evaluation, "training tokens": self.budget_ratio.training}
        times = [f"{ratio:.2f} times the {of_what}" for of_what, ratio in tokens.items() if ratio is not None]
        return f"It took {' and '.join(times)}." if times else "Token budgets are not known."

    def _fewest_seeds(self) -> str:
        """How many seeds it takes to decide at all; nothing where there are enough."""
        if self.least_p * self.family < LEVEL:
            return ""
        sides = [seeds for seeds in self.seeds if seeds]
        takes = (
            f"it takes at least {plural(significance.fewest_seeds(len(sides)), 'seed')} an arm for a p below {LEVEL}"
        )
        if self.family > 1:
            takes += f", {significance.fewest_seeds(len(sides), self.family)} as the surest of {self.family} (Holm)"
        if max(sides) == 1:
            return f"One seed{' each' * (len(sides) > 1)} says nothing about training; {takes}."
        return f"So few seeds can give no p below {self.least_p:.2g}; {takes}."

    def _needed(self) -> str:
        if self.seeds in ((1, 1), (1, 0), (0, 1)):
            return ""
        detectable = "no difference, however large"
        if self.detectable is not None:
            detectable = f"{100 * self.detectable:.1f} points or more"
        sees = f"this study would see {detectable}" + ", before Holm's correction" * (self.family > 1)
        sees += ", if other seeds vary as these do" * (max(self.seeds) > 1)
        if not self.effect:
            return f"In 80 % of cases {sees}."
        if self.needed_n is not None:
            return f"To see such a difference in 80 % of cases takes n = {self.needed_n:,}; {sees}."
        seeds = f"{self.needed_seeds} seeds an arm" if self.needed_seeds else "more seeds than are practical"
        return f"No n would see such a difference in 80 % of cases with these seeds: it takes {seeds}; {sees}."


def compare(
    arm: Arm, baseline: Arm, dataset: str, rounds: int, baseline_rounds: int | None = None, samples: int | None = None
) -> Verdict:
    """`arm` against `baseline` on `dataset`, decoded in `rounds` (`baseline_rounds`, if it is another number).

    Of several evaluations that both arms have, with `samples` a question (None: any), the one of most seeds, questions
    and samples is taken.

    Raises:
        UserError: where they have none in common. It says what differs: dataset rows, grader, evaluation budget or
            sampling.
    """
    arms, rounds_of = (arm, baseline), (rounds, baseline_rounds or rounds)
    measured = [side.at(dataset, count, samples) for side, count in zip(arms, rounds_of, strict=True)]
    for side, results, count in zip(arms, measured, rounds_of, strict=True):
        if not results:
            with_samples = f" with {plural(samples, 'sample')} a question" if samples else ""
            raise UserError(f"{side.name} was not measured on {dataset} in {in_rounds(count)}{with_samples}")
    compared = best_pair(arms, measured, dataset)
    one, other = tables_of(*compared)
    fixed, paired = (not arm.trained, not baseline.trained), share_seeds(arms, compared)
    difference = significance.difference(one, other, fixed, paired)
    seeds = (len(one) if arm.trained else 0, len(other) if baseline.trained else 0)
    drawn = [count for count in seeds if count][paired:]
    tokens = [fmean(result.tokens for result in results) for results in compared]
    missing = [line for side in zip(arms, measured, compared, strict=True) for line in left_out(*side)]
    return Verdict(
        arm=arm.name,
        baseline=baseline.name,
        dataset=dataset,
        rounds=rounds,
        baseline_rounds=rounds_of[1],
        samples=compared[0][0].samples,
        n=difference.n,
        seeds=seeds,
        spread=(seed_spread(one) if arm.trained else None, seed_spread(other) if baseline.trained else None),
        accuracy=(fmean(map(fmean, one)), fmean(map(fmean, other))),
        effect=difference.effect,
        interval=difference.interval,
        test=difference.test,
        p=difference.p,
        budget_ratio=BudgetRatio(
            evaluation=ratio(tokens[0], tokens[1]), training=ratio(arm.training_tokens, baseline.training_tokens)
        ),
        needed_n=power.needed_n(difference),
        needed_seeds=power.needed_seeds(difference),
        detectable=power.detectable(difference),
        least_p=significance.least_p(drawn) if drawn else 0.0,
        warnings=(*single_seeds(arms, seeds), *confounded(arm, baseline), *computed_otherwise(compared), *missing),
    )


def best_pair(
    arms: tuple[Arm, Arm], measured: Sequence[Sequence[Result]], dataset: str
) -> tuple[list[Result], list[Result]]:
    """The results of both arms that share their settings: those of most seeds, questions and samples. A `UserError`
    names the two results that differ least where there are none."""
    one, other = measured
    if choices := pairs(one, other):
        return max(choices, key=size_of)
    mine, theirs = min(
        ((first, second) for first in one for second in other),
        key=lambda pair: len(differing(pair[0].settings, pair[1].settings)),
    )
    raise UserError(
        f"{arms[0].name} ({mine.folder}) and {arms[1].name} ({theirs.folder}) cannot be compared on {dataset}: "
        f"{why_not_paired(mine, theirs)}"
    )


def size_of(pair: tuple[list[Result], list[Result]]) -> tuple[Any, ...]:
    """Sorts pairs of results by seeds, questions and samples, then by their settings: never by their order."""
    one = pair[0][0]
    return min(map(len, pair)), one.n, one.samples, as_key(one.settings)


def tables_of(one: Sequence[Result], other: Sequence[Result]) -> tuple[list[list[float]], list[list[float]]]:
    """The shares of right samples of both arms, (seeds, questions), the questions in the same order. A `UserError` says
    where records lack questions, or hold different ones."""
    first = one[0].shares.whole
    for result in (*one, *other):
        shares = result.shares.whole
        if len(shares) != result.n:
            raise UserError(f"{result.records} holds {len(shares)} of {result.n} questions")
        if shares.keys() != first.keys():
            raise UserError(f"{result.records} and {one[0].records} hold different questions (dataset rows)")
    one_table, other_table = (
        [[result.shares.whole[id] for id in first] for result in results] for results in (one, other)
    )
    return one_table, other_table


def seed_spread(table: Sequence[Sequence[float]]) -> float | None:
    """The standard deviation of accuracy over seeds; None for one seed."""
    return over_seeds([fmean(row) for row in table]).spread if len(table) > 1 else None


def ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None
