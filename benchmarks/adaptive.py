"""Adaptive k: `python -m benchmarks.adaptive outputs/RUN` asks what it saves of a policy's continuations.

It draws m first-round replies of each of N training questions, and many continuations of each reply. Their share of
right ends is a reply's value V, and V(1 − V) the variance of one outcome. The variance of a group's values follows
exactly for a fixed k. For adaptive k it is the mean over pilots that are drawn anew
(`motif.training.algorithms.MOTIF`). Values of a group are uncorrelated, so the variances of advantages have the same
ratios. Intervals are of the bootstrap over questions. The bound is that of an allocation which knows V before it draws
(Neyman 1934).
"""

import argparse
from pathlib import Path
from random import Random

import numpy as np

from motif.evaluation.credit.gradients import Lab
from motif.evaluation.credit.program import experiment_of, load_policy, training_episode, which_policy
from motif.rounds.episode import continuations
from motif.runs.folder import Run
from motif.system import console
from motif.training.allocation import allocation


def adaptive(values: np.ndarray, p: int, times: int, random: np.random.Generator) -> np.ndarray:
    """The variance of each reply's value over V(1 − V), (m,), where p outcomes of each allot the second half."""
    shares, known = np.zeros(len(values)), dict[tuple[int, ...], np.ndarray]()
    for _ in range(times):
        right = tuple(random.binomial(p, values).tolist())
        if right not in known:
            known[right] = 1 / np.array(allocation([[1.0] * x + [0.0] * (p - x) for x in right]))
        shares += known[right]
    return (1 / p + shares / times) / 4


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.adaptive", description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--policy", choices=("trained", "base"), default="trained")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--continuations", type=int, default=32, help="of each first-round reply")
    parser.add_argument("--pilots", type=int, nargs="+", default=[2, 4, 8])
    parser.add_argument("--times", type=int, default=1000, help="that pilots are drawn anew")
    given = parser.parse_args()
    console.quiet_bars()
    experiment = experiment_of(given.run)
    name = which_policy(Run(given.run), given.policy)
    policy = load_policy(Run(given.run), experiment, name, lambda *_: None)
    lab = Lab(policy, training_episode(experiment), experiment.reward, experiment.algo, experiment.flaws.marks())
    questions = Random(0).sample(experiment.dataset.train(), given.questions)
    m, k = experiment.algo.m, given.continuations
    trees = lab.trees(questions, [m, k, *[1] * lab.episode.rounds][: lab.episode.rounds])
    right = [
        [[path[-1].correct for path in continuations((root,))] for root in tree.roots]  # one of a reply that ended
        for tree in trees
    ]
    values = np.array([[np.mean(of_reply) for of_reply in tree] for tree in right])
    one, random = values * (1 - values) * k / (k - 1), np.random.default_rng(0)
    print(f"{name} policy of {given.run.name}: {given.questions} questions, m {m}, {k} continuations a reply")
    print(f"replies of which all continuations end alike: {np.mean(one == 0):.0%}")
    within = values.var(1, ddof=1) - one.mean(1) / k
    print(
        f"mean of V {values.mean():.3f}, of V(1 - V) {one.mean():.4f}; variance of V within a group {within.mean():.4f}"
    )
    tokens = [(node.round > 1, len(node.reply.token_ids)) for tree in trees for node in tree.nodes()]
    first, later = (sum(n for after, n in tokens if after == which) / len(trees) for which in (False, True))
    for fixed in (1, 2, 4, 8, 16):
        cost = first + fixed * later / k
        told = f"variance of a value {one.mean() / fixed:.5f}, tokens a question {cost:,.0f}"
        print(f"fixed k {fixed:2}: {told}, product {one.mean() / fixed * cost:.1f}")
    draws = random.integers(len(one), size=(2000, len(one)))
    for p in given.pilots:
        ours = [(row * adaptive(value, p, given.times, random)).sum() for row, value in zip(one, values, strict=True)]
        bound, fixed_sums = np.sqrt(one).sum(1) ** 2 / (2 * p * m), one.sum(1) / (2 * p)
        for what, sums in (("adaptive", np.array(ours)), ("values known", bound)):
            low, high = np.quantile(sums[draws].sum(1) / fixed_sums[draws].sum(1), [0.025, 0.975])
            ratio = f"{sums.sum() / fixed_sums.sum():.3f} [{low:.3f}, {high:.3f}]"
            print(f"{what}, {2 * p} in the mean: variance over that of fixed k {2 * p}, at equal tokens: {ratio}")


if __name__ == "__main__":
    main()
