"""Verdicts, calibrated: `python -m benchmarks.calibration` simulates studies and counts what verdicts say of them.

First studies of equal policies, where every "better" is false: at most 5 % may say it. Then studies in which the arm
is better by 4 points, where the share of "better" is the power. Last what verdicts say would be seen in 80 % of cases:
pilot studies name an n for the difference that they found, and a difference for their own n, and others are simulated
in which it is so. Each study passes through the functions that decide in `motif.reporting.verdicts`.

A question's difficulty is beta-distributed and shared by all policies, so answers are correlated by question; a
training seed shifts the log-odds of all questions together (`between`) and of each question alone (0.5), and every
sample is a draw.
"""

import argparse
import os
import platform
import time
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
PEERS = 1.0  # a + b of the beta distribution of difficulties; small: questions are easy or hard


@dataclass(frozen=True)
class Study:
    """`arms` that meet one baseline, each of `seeds` trained policies, on `n` questions with `samples` each.

    `between` is the spread of training seeds in log-odds, of the arms and of the baseline; 0 and one seed: two given
    policies are compared, and nothing is said of others. `base`: the baseline is one untrained policy.
    """

    name: str
    n: int = 500
    samples: int = 1
    seeds: int = 1
    accuracy: float = 0.45
    between: tuple[float, float] = (0.0, 0.0)
    arms: int = 1
    base: bool = False
    effect: float = 0.0
    corrected: bool = True  # Holm
    nested: bool = True  # else seeds are averaged and questions alone are counted

    def chances(self, generator: np.random.Generator, difficulty: Any, between: float, seeds: int) -> Any:
        """The chance of a right answer, by seed and question."""
        shift = generator.normal(0, between, (seeds, 1)) + generator.normal(0, QUESTIONWISE, (seeds, len(difficulty)))
        return 1 / (1 + np.exp(-(np.log(difficulty / (1 - difficulty)) + shift)))

    def difficulties(self, generator: np.random.Generator, n: int) -> Any:
        return generator.beta(self.accuracy * PEERS, (1 - self.accuracy) * PEERS, n).clip(1e-9, 1 - 1e-9)

    def says(self, generator: np.random.Generator, missed: float) -> list[str]:
        """What the verdicts on the arms of one simulated study say; `missed` is the expected share of wrong answers."""
        found = self.differences(generator, missed)
        ps = [item.p for item in found]
        return [outcome(item.effect, p) for item, p in zip(found, holm(ps) if self.corrected else ps, strict=True)]

    def differences(self, generator: np.random.Generator, missed: float) -> list[Difference]:
        """Of the arms of one simulated study to its baseline."""
        difficulty = self.difficulties(generator, self.n)
        baseline = self.chances(generator, difficulty, self.between[1], 1 if self.base else self.seeds)
        baseline = generator.binomial(self.samples, baseline) / self.samples
        found = []
        for _ in range(self.arms):
            chance = self.chances(generator, difficulty, self.between[0], self.seeds)
            chance += min(1.0, self.effect / missed) * (1 - chance)  # so that the mean rises by the effect
            answers = generator.binomial(self.samples, chance) / self.samples
            found.append(difference(answers, baseline, (not self.nested, self.base or not self.nested)))
        return found

    def missed(self, generator: np.random.Generator) -> float:
        """The share of wrong answers to expect of equal policies."""
        return 1 - float(self.chances(generator, self.difficulties(generator, 20000), 0.0, 1).mean())

    def difference(self, generator: np.random.Generator) -> Difference:
        """What one simulated study of one arm finds."""
        return self.differences(generator, self.missed(generator))[0]

    def rates(self, pairs: int, seed: int) -> dict[str, int]:
        """In how many of `pairs` studies at least one verdict says `better`, and `worse`."""
        generator = np.random.default_rng(seed)
        missed = self.missed(generator)
        said = [self.says(generator, missed) for _ in range(pairs)]
        return {word: sum(word in words for words in said) for word in ("better", "worse")}


SIXTEEN = {"n": 30, "samples": 16}
EQUAL = (
    Study("one seed, greedy, n = 500"),
    Study("one seed, greedy, n = 30", n=30),
    Study("one seed, 16 samples, n = 30", **SIXTEEN),
    Study("one seed, 16 samples, n = 30, 5 % right", **SIXTEEN, accuracy=0.05),
    Study("3 seeds of spread 0.1, greedy, n = 500", seeds=3, between=(0.1, 0.1)),
    Study("3 seeds of spread 0.2, greedy, n = 500", seeds=3, between=(0.2, 0.2)),
    Study("3 seeds of spread 0.3 against 0, greedy, n = 500", seeds=3, between=(0.3, 0.0)),
    Study("3 seeds of spread 0.1, greedy, n = 30", n=30, seeds=3, between=(0.1, 0.1)),
    Study("3 seeds of spread 0.2, 16 samples, n = 30", **SIXTEEN, seeds=3, between=(0.2, 0.2)),
    Study("3 seeds of spread 0.2 against the base policy, n = 500", seeds=3, between=(0.2, 0.0), base=True),
    Study("5 seeds of spread 0.2, greedy, n = 500", seeds=5, between=(0.2, 0.2)),
    Study("3 arms meet one baseline, one seed, n = 500 (any)", arms=3),
    Study("3 arms meet one baseline, 3 seeds of spread 0.15 (any)", arms=3, seeds=3, between=(0.15, 0.15)),
)
UNGUARDED = (
    Study("one seed of spread 0.15 each, taken for the algorithm", between=(0.15, 0.15)),
    Study("3 seeds of spread 0.15 averaged, questions alone counted", seeds=3, between=(0.15, 0.15), nested=False),
    Study("3 arms meet one baseline, one seed, no Holm (any)", arms=3, corrected=False),
)
BETTER = (
    Study("one seed, greedy, n = 500", effect=0.04),
    Study("one seed, 16 samples, n = 500", samples=16, effect=0.04),
    Study("3 seeds of spread 0.1, greedy, n = 500", seeds=3, between=(0.1, 0.1), effect=0.04),
    Study("5 seeds of spread 0.1, greedy, n = 500", seeds=5, between=(0.1, 0.1), effect=0.04),
    Study("10 seeds of spread 0.1, greedy, n = 500", seeds=10, between=(0.1, 0.1), effect=0.04),
)
PROMISED = (
    Study("one seed, greedy, n = 500", effect=0.08),
    Study("one seed, greedy, n = 30", n=30, effect=0.4),
    Study("one seed, 16 samples, n = 30", **SIXTEEN, effect=0.1),
    Study("one seed, 4 samples, n = 100", n=100, samples=4, effect=0.08),
    Study("3 seeds without spread, n = 500, +60 points", seeds=3, accuracy=0.36, effect=0.6),
    Study("3 seeds of spread 0.1, greedy, n = 500", seeds=3, between=(0.1, 0.1), effect=0.1),
    Study("5 seeds of spread 0.2, greedy, n = 500", seeds=5, between=(0.2, 0.2), effect=0.1),
    Study("3 seeds of spread 0.2 against the base policy, n = 500", seeds=3, between=(0.2, 0.0), base=True, effect=0.1),
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


def table(title: str, studies: Sequence[Study], pairs: int) -> float:
    """Print a row a study; returns the largest rate of "better"."""
    print(f'\n| {title} | "better" | 95 % interval | "worse" |\n|---|---:|---:|---:|')
    rates = []
    for seed, study in enumerate(studies):
        said = study.rates(pairs, seed)
        low, high = wilson(said["better"], pairs)
        rates.append(said["better"] / pairs)
        print(f"| {study.name} | {rates[-1]:.1%} | {low:.1%} – {high:.1%} | {said['worse'] / pairs:.1%} |", flush=True)
    return max(rates)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1000, help="simulated studies a row (1000)")
    pairs = parser.parse_args().pairs
    most = table("equal policies", EQUAL, pairs)
    table("equal policies, guards off", UNGUARDED, pairs)
    table("the arm is better by 4 points", BETTER, pairs)
    promises(PROMISED, pairs)
    print(f'\nLargest share of false "better": {most:.1%}, of at most 5 %.')
    print(
        f"{pairs:,} studies a row, {time.process_time():.0f} s of processor time on {platform.machine()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}."
    )


if __name__ == "__main__":
    main()
