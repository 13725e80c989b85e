"""What finished runs say of each other: `python -m motif.verdicts outputs/* [--against grpo]` prints it in sentences.

A verdict holds one arm against another on one data set. What was not measured alike is not compared, and one seed is
never made more of than one seed. Reads folders, needs no torch.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from motif.evaluation import power
from motif.evaluation.significance import difference
from motif.evaluation.statistics import holm, outcome, over_seeds
from motif.reporting.arms import Arm, alike, arms, before_training, confounded, finished, left_out, of_seeds, unlike
from motif.reporting.folders import read_runs
from motif.runs.identity import differing
from motif.system import failures
from motif.system.errors import UserError
from motif.system.files import named, there
from motif.system.safe_text import visible


class BudgetRatio(NamedTuple):
    """Tokens that the arm generated over those that the baseline did: per question in evaluation, and in training."""

    evaluation: float | None
    training: float | None


@dataclass(frozen=True)
class Verdict:
    """One comparison. Accuracies, effect, interval (95 %) and `detectable` are shares, not points.

    `seeds` are those of the arm and of the baseline, 0 for a policy that was not trained, and `spread` the standard
    deviation of accuracy over several of them. `p_holm` is p as a member of its `family`, the arms that meet one
    baseline on one data set; None for a comparison alone.
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
    p_holm: float | None = None
    family: int = 1
    warnings: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """`better`, `worse` or `not distinguishable`: two-sided at 5 %, after Holm's correction."""
        return outcome(self.effect, self.p if self.p_holm is None else self.p_holm)

    @property
    def sentence(self) -> str:
        """The comparison in words: effect, interval, test, p, n, seeds, budgets, and what would be needed."""
        link = {"better": "than", "worse": "than"}.get(self.outcome, "from")
        where = f"on {self.dataset}, decoded in {in_rounds(self.rounds)}"
        if self.baseline_rounds != self.rounds:
            where += f" against {in_rounds(self.baseline_rounds)}"
        low, high = self.interval
        alone = " of this comparison alone" * (self.family > 1)
        corrected = (
            f", {probability(self.p_holm)} as one of {self.family} (Holm)"
            if self.p_holm is not None and self.family > 1
            else ""
        )
        samples = f" × {self.samples} samples" if self.samples > 1 else ""
        return " ".join(
            [
                f"{self.arm} is {self.outcome} {link} {self.baseline} {where}:",
                f"{100 * self.effect:+.1f} points (95 % interval{alone} {100 * low:+.1f} to {100 * high:+.1f};",
                f"{self.accuracy[0]:.1%} against {self.accuracy[1]:.1%}),",
                f"{self.test}, {probability(self.p)}{corrected},",
                f"n = {self.n:,} questions{samples}, training seeds: {self._seeds()}.",
                self._budget(),
                self._needed(),
                *(f"{warning[0].upper()}{warning[1:]}." for warning in self.warnings),
            ]
        )

    def _seeds(self) -> str:
        spreads = ["" if spread is None else f" (spread {100 * spread:.1f} points)" for spread in self.spread]
        counts = [str(count) if count else "untrained" for count in self.seeds]
        return f"{counts[0]}{spreads[0]} against {counts[1]}{spreads[1]}"

    def _budget(self) -> str:
        evaluation, training = (None if ratio is None else f"{ratio:.2f}" for ratio in self.budget_ratio)
        spent = [f"{evaluation} times the tokens per question"] if evaluation else []
        spent += [f"{training} times the training tokens"] if training else []
        return f"It took {' and '.join(spent)}." if spent else "Token budgets are not known."

    def _needed(self) -> str:
        points = self.detectable
        least = "no difference, however large" if points is None else f"{100 * points:.1f} points or more"
        sees = f"this study would see {least}" + ", before Holm's correction" * (self.family > 1)
        if not self.effect:
            return f"In 80 % of cases {sees}."
        if self.needed_n is not None:
            return f"To see such a difference in 80 % of cases takes n = {self.needed_n:,}; {sees}."
        seeds = f"{self.needed_seeds} seeds an arm" if self.needed_seeds else "more seeds than are practical"
        return f"No n would see such a difference in 80 % of cases with these seeds, it takes {seeds}; {sees}."


def compare(
    arm: Arm,
    baseline: Arm,
    dataset: str,
    rounds: int,
    baseline_rounds: int | None = None,
    samples: int | None = None,
) -> Verdict:
    """`arm` against `baseline` on `dataset`, decoded in `rounds` (`baseline_rounds`, if it is another number).

    Of several evaluations that both arms have, the one of the most seeds, questions and samples. Raises `UserError`
    where they have none in common, and says what differs: dataset rows, grader, evaluation budget or sampling.
    """
    other_rounds = baseline_rounds or rounds
    sides = (arm, baseline)
    found = arm.at(dataset, rounds, samples), baseline.at(dataset, other_rounds, samples)
    for side, measured, count in zip(sides, found, (rounds, other_rounds), strict=True):
        if not measured:
            several = f" with {samples} sample{'s' * (samples > 1)} a question" if samples else ""
            raise UserError(f"{side.name} was not measured on {dataset} in {in_rounds(count)}{several}")
    choices = alike(*found)
    if not choices:
        mine, theirs = min(
            ((one, other) for one in found[0] for other in found[1]),
            key=lambda pair: len(differing(pair[0].settings, pair[1].settings)),
        )
        raise UserError(
            f"{arm.name} ({mine.folder}) and {baseline.name} ({theirs.folder}) cannot be compared on {dataset}: "
            f"{unlike(mine, theirs)}"
        )
    chosen = max(choices, key=lambda pair: (min(map(len, pair)), pair[0][0].n, pair[0][0].samples))
    tables = [[item.shares for item in measured] for measured in chosen]
    ids = list(tables[0][0])
    for measured, table in zip(chosen, tables, strict=True):
        for item, row in zip(measured, table, strict=True):
            if len(row) != item.n:
                raise UserError(f"{item.records} holds {len(row)} of {item.n} questions")
            if row.keys() != tables[0][0].keys():
                raise UserError(f"{item.records} and {chosen[0][0].records} hold different questions (dataset rows)")
    one, other = [[[row[id] for id in ids] for row in table] for table in tables]
    result = difference(one, other, fixed=(not arm.trained, not baseline.trained))
    seeds = (len(one) if arm.trained else 0, len(other) if baseline.trained else 0)
    tokens = [fmean(item.tokens for item in measured) for measured in chosen]
    missing = [line for parts in zip(sides, found, chosen, strict=True) for line in left_out(*parts)]
    return Verdict(
        arm=arm.name,
        baseline=baseline.name,
        dataset=dataset,
        rounds=rounds,
        baseline_rounds=other_rounds,
        samples=chosen[0][0].samples,
        n=result.n,
        seeds=seeds,
        spread=(seed_spread(one) if arm.trained else None, seed_spread(other) if baseline.trained else None),
        accuracy=(fmean(map(fmean, one)), fmean(map(fmean, other))),
        effect=result.effect,
        interval=result.interval,
        test=result.test,
        p=result.p,
        budget_ratio=BudgetRatio(ratio(*tokens), ratio(arm.training_tokens, baseline.training_tokens)),
        needed_n=power.needed_n(result),
        needed_seeds=power.needed_seeds(result),
        detectable=power.detectable(result),
        warnings=(*of_seeds(sides, seeds), *confounded(arm, baseline), *missing),
    )


def seed_spread(table: Sequence[Sequence[float]]) -> float | None:
    return over_seeds([fmean(row) for row in table])[1] if len(table) > 1 else None


def ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def survey(found: Sequence[Arm], against: str = "grpo") -> tuple[list[Verdict], list[str]]:
    """All sensible comparisons of arms as far as they are finished, most important first, and what was refused, a line
    each.

    Every arm meets the baseline, an arm that is called `against` (the most similar one; where all are, the one of just
    that name), on every data set in equal numbers of rounds, and in unequal ones where the evaluation budget is the
    same. Then every trained arm meets the policy that it began from. p values are corrected (Holm) over the arms that
    meet one baseline on one data set in one number of rounds. As many rounds as an arm was trained with come first.
    """
    found, refused = finished(found), list[str]()
    baselines = [arm for arm in found if arm.is_called(against)]
    if found and not baselines:
        refused.append(f"no arm is called {against}; arms: {', '.join(arm.name for arm in found)}")
    trained, bases = [arm for arm in found if arm.trained], [arm for arm in found if not arm.trained and arm.settings]
    if len(baselines) > 1 and all(arm in baselines for arm in trained):
        names = ", ".join(arm.name for arm in baselines)
        baselines = [arm for arm in baselines if arm.name == against]
        if not baselines:
            refused.append(f"all trained arms are {against}; hold them --against one of {names}")
    pairs = [(arm, nearest(arm, baselines)) for arm in found if arm not in [*baselines, *bases]]
    met = [(id(arm), id(baseline)) for arm, baseline in pairs]  # where the baseline is what they began from
    pairs += [
        (arm, base)
        for arm in trained
        for base in bases
        if base.settings == before_training(arm.settings) and (id(arm), id(base)) not in met
    ]
    for passed in baselines:
        if pairs and all(baseline is not passed for _, baseline in pairs) and passed in trained:
            refused.append(f"{passed.name}, for every arm is more like another baseline")
    families, as_trained = dict[tuple[Any, ...], list[Verdict]](), set[tuple[Any, ...]]()
    for arm, baseline in ((one, other) for one, other in pairs if other):
        for dataset, rounds, other_rounds, samples in meetings(arm, baseline):
            try:
                verdict = compare(arm, baseline, dataset, rounds, other_rounds, samples)
            except UserError as error:
                refused.append(str(error))
                continue
            order = (not baseline.trained, baseline.name, dataset, rounds != other_rounds)
            family = (*order, -rounds, other_rounds, samples)
            families.setdefault(family, []).append(verdict)
            if arm.settings.get("rounds") == rounds:
                as_trained.add(family)
    ranked: list[Verdict] = []
    for _, members in sorted(families.items(), key=lambda item: (*item[0][:4], item[0] not in as_trained, item[0])):
        adjusted = holm([verdict.p for verdict in members])
        corrected = [replace(v, p_holm=p, family=len(members)) for v, p in zip(members, adjusted, strict=True)]
        ranked += sorted(corrected, key=lambda verdict: (verdict.p_holm, -abs(verdict.effect)))
    return ranked, refused


def nearest(arm: Arm, baselines: Sequence[Arm]) -> Arm | None:
    """The baseline that differs from `arm` in the fewest settings, or None where there is none."""
    return min(baselines, key=lambda baseline: len(differing(arm.settings, baseline.settings)), default=None)


def meetings(arm: Arm, baseline: Arm) -> list[tuple[str, int, int, int]]:
    """Data sets, numbers of rounds of both, and samples, at which the two should be compared: all that the arm was
    measured at, so that what lacks in the baseline is told; with an untrained policy, what both were measured at."""
    there = {(item.dataset, item.rounds, item.samples) for item in baseline.comparable}
    equal = {
        (item.dataset, item.rounds, item.rounds, item.samples)
        for item in arm.comparable
        if baseline.trained or (item.dataset, item.rounds, item.samples) in there
    }
    unequal = {
        (one.dataset, one.rounds, other.rounds, one.samples)
        for one in arm.comparable
        for other in baseline.comparable
        if baseline.trained and one.rounds > other.rounds
        if (one.dataset, one.settings) == (other.dataset, other.settings)
    }
    return [*sorted(equal), *sorted(unequal)]


def in_rounds(rounds: int) -> str:
    return f"{rounds} round{'s' * (rounds > 1)}"


def probability(p: float) -> str:
    return "p < 0.0001" if p < 0.0001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"


@failures.program
def main(arguments: Sequence[str] | None = None) -> None:
    parser = failures.Parser(prog="python -m motif.verdicts", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders; what is unfinished is passed by")
    parser.add_argument("--against", default="grpo", help="the baseline: an algorithm or an arm (grpo)")
    given = parser.parse_args(arguments)
    runs, _ = read_runs(there(given.runs))
    if not runs:
        raise UserError(f"no run (run.json) in {named(given.runs)}; try outputs/*")
    known = arms(runs)
    for complaint in (line for run in runs for line in run.complaints):
        print(visible(complaint), file=sys.stderr)
    found, refused = survey(known, given.against)
    for verdict in found:
        print(visible(f"{verdict.sentence}\n"))
    for line in dict.fromkeys(refused):
        print(visible(f"Not compared: {line}."))
    if not found and not refused:
        alone = ", ".join(arm.name for arm in finished(known))
        print(visible(f"Nothing to compare: {f'{alone} alone' if alone else 'no finished run in these folders'}."))
