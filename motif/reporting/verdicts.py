"""Verdicts on finished runs: `python -m motif.verdicts outputs/* [--against grpo]` prints them in sentences.

`survey` chooses which arm meets which baseline and corrects p values over each family; `motif.reporting.comparison`
makes one comparison, with its interval. One seed is never taken for more than one seed. Reads folders, needs no torch.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple

from motif.evaluation.statistics import LEVEL, holm
from motif.reporting.arms import Arm, arms_of, finished, settings_before_training
from motif.reporting.comparison import Verdict, compare
from motif.reporting.cores import parallel_map
from motif.reporting.folders import asked
from motif.runs.identity import differing
from motif.system import UserError, console, failures, hint, visible

USUAL = "grpo"  # baseline
Pair = tuple[Arm, Arm]  # an arm and its baseline


class Meeting(NamedTuple):
    """Where two arms are compared: the arguments of `compare`."""

    dataset: str
    rounds: int
    baseline_rounds: int
    samples: int


def survey(arms: Sequence[Arm], against: str = USUAL) -> tuple[list[Verdict], list[str]]:
    """All sensible comparisons of the finished runs of arms.

    Every arm meets a baseline: of those that are called `against`, the most similar one. Then every trained arm meets
    the policy that it began from. They meet on every data set in equal numbers of rounds, and in unequal ones where the
    evaluation budget is the same. p values are corrected (Holm) over the arms that meet one baseline in one place.

    Returns:
        The verdicts, most important first, and a line on everything that was not compared.
    """
    known = finished(arms)
    baselines, refused = choose_baselines(known, against)
    with_baseline = against_baselines(known, baselines)
    all_pairs = with_baseline + against_bases(known, with_baseline)
    refused += [
        f"{baseline.name}, for every arm is more like another baseline"
        for baseline in baselines
        if baseline.trained and all_pairs and all(met is not baseline for _, met in all_pairs)
    ]
    families: dict[tuple[Arm, Meeting], list[Verdict]] = defaultdict(list)
    as_trained = set[tuple[Arm, Meeting]]()
    to_meet = [(arm, baseline, meeting) for arm, baseline in all_pairs for meeting in meetings(arm, baseline)]
    for (arm, baseline, meeting), found in zip(to_meet, parallel_map(lambda one: meet(*one), to_meet), strict=True):
        if isinstance(found, str):
            refused.append(found)
            continue
        families[baseline, meeting].append(found)
        if arm.settings.get("rounds") == meeting.rounds:
            as_trained.add((baseline, meeting))
    ranked = sorted(families, key=lambda family: importance(family[0], family[1], family in as_trained))
    return [verdict for family in ranked for verdict in corrected(families[family])], refused


def meet(arm: Arm, baseline: Arm, meeting: Meeting) -> Verdict | str:
    """Their comparison, or why there is none."""
    try:
        return compare(arm, baseline, *meeting)
    except UserError as error:
        return str(error)


def choose_baselines(known: Sequence[Arm], against: str) -> tuple[list[Arm], list[str]]:
    """The arms that are called `against`; where all trained arms are, the one of just that name. And a line where there
    is none."""
    baselines = [arm for arm in known if arm.is_called(against)]
    choose = "give one of these with --against ARM: "
    if known and not baselines:
        return [], [f"no arm is called {against}; {choose}{', '.join(quote(arm.name) for arm in known)}"]
    if len(baselines) > 1 and all(arm in baselines for arm in known if arm.trained):
        exact = [arm for arm in baselines if arm.name == against]
        names = ", ".join(quote(arm.name) for arm in baselines)
        return exact, [] if exact else [f"all trained arms are {against}; {choose}{names}"]
    return baselines, []


def against_baselines(known: Sequence[Arm], baselines: Sequence[Arm]) -> list[Pair]:
    """Every arm with the baseline that differs from it in the fewest settings; policies that runs began from are no
    arms here."""
    return [
        (arm, min(baselines, key=lambda baseline: len(differing(arm.settings, baseline.settings))))
        for arm in known
        if baselines and arm not in baselines and (arm.trained or not arm.settings)
    ]


def against_bases(known: Sequence[Arm], met: Sequence[Pair]) -> list[Pair]:
    """Every trained arm with the policy that it began from, where they have not `met` already."""
    bases = [arm for arm in known if not arm.trained and arm.settings]
    return [
        (arm, base)
        for arm in known
        for base in bases
        if arm.trained and base.settings == settings_before_training(arm.settings) and (arm, base) not in met
    ]


def meetings(arm: Arm, baseline: Arm) -> list[Meeting]:
    """Where two arms are compared: wherever `arm` was measured, so that what the baseline lacks is said. With an
    untrained policy, wherever both were measured. In more rounds than the baseline where that is decoded as it was
    trained."""
    theirs = {(result.dataset, result.rounds, result.samples) for result in baseline.comparable}
    equal = {
        Meeting(result.dataset, result.rounds, result.rounds, result.samples)
        for result in arm.comparable
        if baseline.trained or (result.dataset, result.rounds, result.samples) in theirs
    }
    unequal = {
        Meeting(one.dataset, one.rounds, other.rounds, one.samples)
        for one in arm.comparable
        for other in baseline.comparable
        if baseline.trained and one.rounds > other.rounds == baseline.trained_rounds
        if (one.dataset, one.settings) == (other.dataset, other.settings)
    }
    return [*sorted(equal), *sorted(unequal)]


def importance(baseline: Arm, meeting: Meeting, as_trained: bool) -> tuple[Any, ...]:
    """Sorts first what matters most: trained baselines, both decoded as they were trained, equal rounds, the
    rounds that an arm was trained with."""
    dataset, rounds, baseline_rounds, samples = meeting
    both = as_trained and baseline_rounds == baseline.trained_rounds
    first = (not baseline.trained, baseline.name, dataset, not both, rounds != baseline_rounds, not as_trained)
    return (*first, -rounds, baseline_rounds, samples)


def corrected(family: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts of a family with their corrected p values, the smallest first. Comparisons that so few seeds could
    not decide count for none of the others (Tarone 1990), and come last."""
    decided = [one for one in family if one.least_p < LEVEL]
    ps = holm([one.p for one in decided])
    verdicts = [replace(one, p_holm=p, family=len(decided)) for one, p in zip(decided, ps, strict=True)]
    verdicts += [replace(one, family=len(family)) for one in family if one.least_p >= LEVEL]
    return sorted(verdicts, key=lambda one: (one.p_holm is None, one.p_holm or 0.0, -abs(one.effect)))


def check_against(known: Sequence[Arm], against: str | None) -> None:
    """A `UserError` where a baseline was asked for, and no arm is called so."""
    if against is not None and not any(arm.is_called(against) for arm in known):
        names = dict.fromkeys(name for arm in known for name in (arm.name, arm.algo) if name)
        raise UserError(f"no arm is called {against}{hint(against, names)} (arms: {', '.join(map(quote, names))})")


def not_compared(refused: Iterable[str]) -> list[str]:
    """The lines on what was not compared, each once, as they are shown."""
    return [f"Not compared: {line}." for line in dict.fromkeys(refused)]


@failures.program
def main(arguments: Sequence[str] | None = None) -> None:
    description = "What finished runs say of each other, in sentences."
    parser = failures.Parser(prog="python -m motif.verdicts", description=description)
    parser.add_argument("runs", nargs="+", type=Path, help="run folders; what is unfinished is passed by")
    parser.add_argument("--against", help="the baseline: an algorithm or an arm (grpo)")
    given = parser.parse_args(arguments)
    runs, _ = asked(given.runs)
    for complaint in (line for run in runs for line in run.complaints):
        print(visible(complaint), file=sys.stderr)
    known = arms_of(runs)
    check_against(known, given.against)
    verdicts, refused = survey(known, given.against or USUAL)
    for verdict in verdicts:
        console.paragraph(f"{verdict.sentence}\n")
    for line in not_compared(refused):
        console.paragraph(line)
    if not verdicts and not refused:
        alone = ", ".join(arm.name for arm in finished(known))
        console.paragraph(f"Nothing to compare: {f'{alone} alone' if alone else 'no finished run in these folders'}.")
