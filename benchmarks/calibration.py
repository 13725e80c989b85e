"""Verdicts, calibrated: `python -m benchmarks.calibration` simulates studies and counts what verdicts say of them.

First studies of equal arms, where every "better" and every "worse" is false: at most 5 % may say either. Then studies
in which the arm is better, where the share of "better" is the power. Last what verdicts say would be seen in 80 % of
cases: pilot studies name an n for the difference that they found, and a difference for their own n, and others are
simulated in which it is so. Each study passes through the functions that decide in `motif.reporting.verdicts`.

A question's difficulty is beta-distributed and shared by all policies, so answers are correlated by question; a
training seed shifts the log-odds of all questions together (`between`) and of each question alone (0.5), and every
sample is a draw. Or seeds `arrive` or not: a run ends with 99.5 % right, or stays at 36 %.
"""

import argparse
import os
import platform
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import Any

import numpy as np

from motif.evaluation.power import detectable, needed_n
from motif.evaluation.significance import Difference, difference
from motif.evaluation.statistics import holm, outcome, wilson

QUESTIONWISE = 0.5  # standard deviation of what a training seed adds to the log-odds of one question
PILOTS, MOST = 20, 20_000  # studies that name an n, and the n up to which that is tried
STAYS, ARRIVES = 0.36, 0.995  # accuracies of runs that arrive or not
PEERS = 1.0  # a + b of the beta distribution of difficulties; small: questions are easy or hard


@dataclass(frozen=True)
class Study:
    """`arms` that meet one baseline, each of `seeds` trained policies, on `n` questions with `samples` each.

    `between` is the spread of training seeds in log-odds, of the arms and of the baseline; 0 and one seed: two given
    policies are compared, and nothing is said of others. `arrive`: the chances that a run of the arms, and one of the
    baseline, arrives. `base`: the baseline is one untrained policy. `share`: of the variance between seeds, how much
    the arms have in common, as they are `paired` by seed or not.
    """

    name: str
    n: int = 500
    samples: int = 1
    seeds: int = 1
    accuracy: float = 0.45
    between: tuple[float, float] = (0.0, 0.0)
    arms: int = 1
    arrive: tuple[float, float] | None = None
    base: bool = False
    share: float = 0.0
    paired: bool = False
    effect: float = 0.0
    corrected: bool = True  # Holm
    nested: bool = True  # else seeds are averaged and questions alone are counted

    def answers(self, generator: np.random.Generator, difficulty: Any, arm: bool, shared: Any, effect: float) -> Any:
        """The shares of right samples, by seed and question, of an `arm` or the baseline. `shared` is what the seeds
        of all arms have in common; `effect` the share of wrong answers that are made right."""
        one_policy = self.base and not arm
        seeds, between = 1 if one_policy else self.seeds, self.between[not arm]
        own = generator.normal(0, between * (1 - self.share) ** 0.5, (seeds, 1))
        own = own + between * self.share**0.5 * shared[:seeds]
        shift = own + generator.normal(0, QUESTIONWISE, (seeds, len(difficulty)))
        chance = 1 / (1 + np.exp(-(np.log(difficulty / (1 - difficulty)) + shift)))
        if self.arrive:
            arrives = generator.random((seeds, 1)) < self.arrive[not arm]
            chance = np.where(arrives, 1 - (1 - chance) * (1 - ARRIVES) / (1 - STAYS), chance)
        chance += effect * (1 - chance)
        return generator.binomial(self.samples, chance) / self.samples

    def difficulties(self, generator: np.random.Generator, n: int) -> Any:
        return generator.beta(self.accuracy * PEERS, (1 - self.accuracy) * PEERS, n).clip(1e-9, 1 - 1e-9)

    def differences(self, generator: np.random.Generator, missed: float) -> list[Difference]:
        """Of the arms of one simulated study to its baseline; `missed` is the expected share of wrong answers."""
        difficulty, shared = self.difficulties(generator, self.n), generator.normal(0, 1, (self.seeds, 1))
        baseline = self.answers(generator, difficulty, False, shared, 0.0)
        effect = min(1.0, self.effect / missed)  # so that the mean rises by self.effect
        arms = [self.answers(generator, difficulty, True, shared, effect) for _ in range(self.arms)]
        fixed = (not self.nested, self.base or not self.nested)
        return [difference(arm, baseline, fixed, self.paired) for arm in arms]

    def missed(self, generator: np.random.Generator) -> float:
        """The share of wrong answers to expect of equal policies."""
        plain = replace(self, seeds=1, samples=1000, between=(0.0, 0.0), arrive=None)
        none = np.zeros((1, 1))
        return 1 - float(plain.answers(generator, self.difficulties(generator, 20000), True, none, 0.0).mean())

    def difference(self, generator: np.random.Generator) -> Difference:
        """What one simulated study of one arm finds."""
        return self.differences(generator, self.missed(generator))[0]

    def rates(self, pairs: int, seed: int) -> Counter[str]:
        """In how many of `pairs` studies at least one verdict says `better`, `worse`, or `either`, and in how many the
        interval of the first arm `holds` the true difference."""
        generator = np.random.default_rng(seed)
        missed, truth = self.missed(generator), self.effect
        if self.arrive:
            truth = (ARRIVES - STAYS) * (self.arrive[0] - self.arrive[1])
        counts = Counter[str]()
        for _ in range(pairs):
            found = self.differences(generator, missed)
            ps = [item.p for item in found]
            corrected = holm(ps) if self.corrected else ps
            words = {outcome(item.effect, p) for item, p in zip(found, corrected, strict=True)}
            counts.update(words & {"better", "worse"})
            counts["either"] += bool(words & {"better", "worse"})
            counts["holds"] += found[0].interval[0] <= truth <= found[0].interval[1]
        return counts


SIXTEEN = {"n": 30, "samples": 16}
SEEDS = (2, 3, 5, 8)
EQUAL = (
    Study("two given policies, greedy, n = 500"),
    Study("two given policies, greedy, n = 30", n=30),
    Study("two given policies, 16 samples, n = 30", **SIXTEEN),
    Study("two given policies, 16 samples, n = 30, 5 % right", **SIXTEEN, accuracy=0.05),
    Study("3 given policies meet one baseline, n = 500", arms=3),
    Study("4 seeds of spread 0.2, greedy, n = 500", seeds=4, between=(0.2, 0.2)),
    Study("5 seeds of spread 0.1, greedy, n = 500", seeds=5, between=(0.1, 0.1)),
    Study("5 seeds of spread 0.2, greedy, n = 500", seeds=5, between=(0.2, 0.2)),
    Study("5 seeds of spread 0.3 against 0, greedy, n = 500", seeds=5, between=(0.3, 0.0)),
    Study("5 seeds of spread 0.1, greedy, n = 30", n=30, seeds=5, between=(0.1, 0.1)),
    Study("5 seeds of spread 0.2, 16 samples, n = 30", **SIXTEEN, seeds=5, between=(0.2, 0.2)),
    Study("8 seeds of spread 0.3 against 0, greedy, n = 500", seeds=8, between=(0.3, 0.0)),
    Study("6 seeds of spread 0.2 against the base policy, n = 500", seeds=6, between=(0.2, 0.0), base=True),
    Study("3 arms meet one baseline, 5 seeds of spread 0.15", arms=3, seeds=5, between=(0.15, 0.15)),
    Study("10 seeds of spread 0.3, half of it shared, paired", seeds=10, between=(0.3, 0.3), share=0.5, paired=True),
    Study("10 seeds of spread 0.3, half of it shared, not paired", seeds=10, between=(0.3, 0.3), share=0.5),
)
ARRIVING = tuple(
    Study(
        f"{arms} arm{'s' * (arms > 1)}, {seeds} seeds, {chance:.0%} arrive",
        **{"n": 200, "accuracy": STAYS, "arms": arms, "seeds": seeds, "arrive": (chance, chance)},
    )
    for arms in (1, 5)
    for seeds in SEEDS
    for chance in (0.3, 0.5, 0.7)
)
UNGUARDED = (
    Study("one seed of spread 0.15 each, taken for the algorithm", between=(0.15, 0.15)),
    Study("5 seeds of spread 0.15 averaged, questions alone counted", seeds=5, between=(0.15, 0.15), nested=False),
    Study("3 seeds averaged, 50% arrive", n=200, accuracy=STAYS, seeds=3, arrive=(0.5, 0.5), nested=False),
    Study("3 given policies meet one baseline, no Holm", arms=3, corrected=False),
)
BETTER = (
    Study("two given policies, greedy, n = 500, +4 points", effect=0.04),
    Study("two given policies, 16 samples, n = 500, +4 points", samples=16, effect=0.04),
    *(
        Study(f"{seeds} seeds of spread 0.1, n = 500, +4 points", seeds=seeds, between=(0.1, 0.1), effect=0.04)
        for seeds in (*SEEDS, 12)
    ),
    *(
        Study(f"{seeds} seeds of spread 0.2, n = 500, +10 points", seeds=seeds, between=(0.2, 0.2), effect=0.1)
        for seeds in (2, 3, 4, 5, 8)
    ),
    *(
        Study(f"{seeds} seeds, 90% arrive against 30%", n=200, accuracy=STAYS, seeds=seeds, arrive=(0.9, 0.3))
        for seeds in (2, 3, 4, 5, 8, 12)
    ),
    *(
        Study(f"{seeds} seeds, 90% arrive against 10%", n=200, accuracy=STAYS, seeds=seeds, arrive=(0.9, 0.1))
        for seeds in (3, 4, 5, 8)
    ),
    *(
        Study(
            f"{seeds} seeds of spread 0.3, {share:.0%} shared, {'' if paired else 'not '}paired, +5 points",
            **{"seeds": seeds, "between": (0.3, 0.3), "share": share, "paired": paired, "effect": 0.05},
        )
        for seeds in (6, 10)
        for share in (0.0, 0.5)
        for paired in (False, True)
    ),
)
PROMISED = (
    Study("two given policies, greedy, n = 500", effect=0.08),
    Study("two given policies, greedy, n = 30", n=30, effect=0.4),
    Study("two given policies, 16 samples, n = 30", **SIXTEEN, effect=0.1),
    Study("two given policies, 4 samples, n = 100", n=100, samples=4, effect=0.08),
    Study("5 seeds of spread 0.1, greedy, n = 500", seeds=5, between=(0.1, 0.1), effect=0.1),
    Study("8 seeds of spread 0.2, greedy, n = 500", seeds=8, between=(0.2, 0.2), effect=0.1),
    Study("7 seeds of spread 0.2 against the base policy, n = 500", seeds=7, between=(0.2, 0.0), base=True, effect=0.1),
)


def promises(studies: Sequence[Study], pairs: int) -> None:
    """Print a row a study: what PILOTS of it say would be seen, and the power of studies in which it is so."""
    print("\n| said to be seen in 80 % of cases | n | seen | points at its own n | seen |\n|---|---:|---:|---:|---:|")
    each = max(1, pairs // PILOTS)
    for place, study in enumerate(studies):
        generator = np.random.default_rng(place)
        pilots = [study.difference(generator) for _ in range(PILOTS)]
        named = [(pilot.effect, n) for pilot in pilots if pilot.effect > 0 and (n := needed_n(pilot)) and n <= MOST]
        seen = [(effect, study.n) for pilot in pilots if (effect := detectable(pilot))]
        rates = [
            [
                replace(study, effect=effect, n=n).rates(each, seed)["better"] / each
                for seed, (effect, n) in enumerate(told)
            ]
            for told in (named, seen)
        ]
        ns, points = [n for _, n in named], [100 * effect for effect, _ in seen]
        silent = f" ({PILOTS - len(ns)} of {PILOTS}: none up to {MOST:,})" if len(ns) < PILOTS else ""
        said = f"{median(ns):,.0f} ({min(ns):,} – {max(ns):,}){silent}"
        said += f" | {fmean(rates[0]):.0%} ({min(rates[0]):.0%} – {max(rates[0]):.0%})"
        said += f" | {median(points):.1f} ({min(points):.1f} – {max(points):.1f})"
        print(
            f"| {study.name} | {said} | {fmean(rates[1]):.0%} ({min(rates[1]):.0%} – {max(rates[1]):.0%}) |", flush=True
        )


def table(title: str, studies: Sequence[Study], pairs: int, shown: str = "either") -> float:
    """Print a row a study, with the interval of the share `shown`; returns the largest such share."""
    print(f'\n| {title} | "better" | "worse" | {shown} | 95 % interval | true difference in the interval |')
    print("|---|---:|---:|---:|---:|---:|")
    rates = []
    for seed, study in enumerate(studies):
        counts = study.rates(pairs, seed)
        low, high = wilson(counts[shown], pairs)
        better, worse, rate, holds = (counts[key] / pairs for key in ("better", "worse", shown, "holds"))
        share = f"{rate:.1%} | {low:.1%} – {high:.1%}"
        print(f"| {study.name} | {better:.1%} | {worse:.1%} | {share} | {holds:.1%} |", flush=True)
        rates.append(rate)
    return max(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pairs", type=int, default=2000, help="studies a row, half as many where the arm is better (2000)"
    )
    pairs = parser.parse_args().pairs
    most = max(table("equal arms", EQUAL, pairs), table("equal arms whose runs arrive or not", ARRIVING, pairs))
    table("equal arms, guards off", UNGUARDED, pairs)
    table("the arm is better", BETTER, pairs // 2, "better")
    promises(PROMISED, pairs // 2)
    print(f"\nLargest share of false verdicts: {most:.1%}, of at most 5 %.")
    print(
        f"{pairs:,} studies a row, {time.process_time():.0f} s of processor time on {platform.machine()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}."
    )


if __name__ == "__main__":
    main()
