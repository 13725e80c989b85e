"""Which results of two arms may be compared, and what a comparison must say: what differs, what is left out.

Results pair where all their settings are known and the same.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from motif.reporting.arm_names import independent, is_private, short
from motif.reporting.arms import Arm, seed_order
from motif.reporting.recorded import MISSING, Result
from motif.runs.identity import differing

NEEDED = ("dataset rows", "grader")  # settings of a result without which it can be compared with nothing
MOST_DIFFERENCES = 4  # in a warning
PAIRED_SEEDS = 10  # with fewer, sign flips of pairs can decide less than permutations of seeds (Holm, up to 25 arms)
SUBJECT = ("algo.name", "rounds", "budget.match", "budget.on")  # what a comparison of two algorithms is about


def pairs(one: Sequence[Result], other: Sequence[Result]) -> list[tuple[list[Result], list[Result]]]:
    """The results of two arms with the same settings, one of each seed; a pair of lists for each settings."""
    paired = []
    for settings in {json.dumps(result.settings): result.settings for result in one if not unknown(result)}.values():
        first, second = one_per_seed(one, settings), one_per_seed(other, settings)
        if first and second:
            paired.append((first, second))
    return paired


def one_per_seed(results: Sequence[Result], settings: Mapping[str, Any]) -> list[Result]:
    """The first result of each seed that has these `settings`."""
    by_seed = {result.seed: result for result in reversed(results) if result.settings == settings}
    return [by_seed[seed] for seed in sorted(by_seed, key=seed_order)]


def why_not_paired(one: Result, other: Result) -> str:
    """In which settings two results differ, and how; or which are not known."""
    if lacking := [key for key in NEEDED if key in (*unknown(one), *unknown(other))]:
        return f"unknown: {', '.join(lacking)}"
    keys = differing(one.settings, other.settings)
    values = "; ".join(f"{key} {one.settings[key]} against {other.settings[key]}" for key in keys)
    return f"they differ in {' and '.join(keys)} ({values})"


def unknown(result: Result) -> list[str]:
    return [key for key in NEEDED if result.settings[key] is None]


def left_out(arm: Arm, measured: Sequence[Result], compared: Sequence[Result]) -> list[str]:
    """Lines on the runs of an arm that a comparison leaves out, and why; of the results that it was `measured` with,
    some are `compared`."""
    lines = arm.warnings
    for seed in arm.seeds:
        if seed not in [result.seed for result in compared]:
            others = [result for result in measured if result.seed == seed]
            why = why_not_paired(others[0], compared[0]) if others else "it was not measured"
            lines.append(f"seed {seed} of {arm.name} is left out: {why}")
    return lines


def share_seeds(arms: tuple[Arm, Arm], compared: Sequence[Sequence[Result]]) -> bool:
    """Whether two arms are compared seed by seed: they have the same PAIRED_SEEDS or more, and each means the same."""
    one, other = ([result.seed for result in results] for results in compared)
    return same_start(arms) and one == other and len(one) >= PAIRED_SEEDS


def same_start(arms: tuple[Arm, Arm]) -> bool:
    """Whether a seed means the same policy at the start of both arms, and the same training questions in the same
    order."""
    differ = any(key.startswith(("model.", "dataset.")) for key in differing(arms[0].settings, arms[1].settings))
    return all(arm.trained for arm in arms) and not differ


def single_seeds(arms: tuple[Arm, Arm], seeds: tuple[int, int]) -> list[str]:
    """That a single training seed is compared with several, of arms that were compared on so many seeds each."""
    single = [arm.name for arm, count in zip(arms, seeds, strict=True) if count == 1 and max(seeds) > 1]
    return [f"one training seed of {name}, taken to vary from seed to seed as the other arm does" for name in single]


def computed_otherwise(compared: Sequence[Sequence[Result]]) -> list[str]:
    """That the results which are compared were not all computed in the same arithmetic, where they say in which."""
    said = [result.values["arithmetic"] for results in compared for result in results if "arithmetic" in result.values]
    keys = dict.fromkeys(key for each in said for key in differing(said[0], each))
    words = [f"{key} {' and '.join(sorted({str(each.get(key)) for each in said}))}" for key in keys]
    return [f"computed in different arithmetic: {'; '.join(words)}"] if words else []


def confounded(arm: Arm, baseline: Arm) -> list[str]:
    """In what two trained arms differ besides the subject of their comparison.

    Between two algorithms the subject is the algorithm, with the settings that only one of them has, its rounds and
    its budget's match. Within one algorithm it is the one setting that differs. A pair of words that repeats another
    setting's is left out.
    """
    if not (arm.trained and baseline.trained):
        return []
    one, other, same_algo = arm.settings, baseline.settings, arm.algo == baseline.algo
    differences: dict[Any, str] = {}
    for key in sorted(independent(differing(one, other), except_group="algo")):
        of_algo = key.startswith("algo.") and not key.startswith("algo.trainer.") and (key in one) != (key in other)
        if is_private(key) or (not same_algo and (of_algo or key in SUBJECT)):
            continue
        values = one.get(key, MISSING), other.get(key, MISSING)
        words = all(isinstance(value, str) and value != MISSING for value in values)
        differences.setdefault(values if words else key, f"{key} {short(values[0])} against {short(values[1])}")
    if not differences or (same_algo and len(differences) == 1):
        return []
    more = len(differences) - MOST_DIFFERENCES
    shown = "; ".join([*differences.values()][:MOST_DIFFERENCES]) + f" and {more} more" * (more > 0)
    return [f"the arms {'differ in' if same_algo else 'also differ in:'} {shown}"]
