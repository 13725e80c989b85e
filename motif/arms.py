"""Arms: which finished runs differ in their training seed only, and what each was measured at.

Reads the folders of runs, and what `evaluate.py` left in `outputs/evaluations`; never a live process, and nothing
that is unfinished. Whether arms may be compared, and what comes of it, is for `verdicts`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from motif.runs import differing, identity

BASE = "base"  # the policy before training, as results and arms name it
GROUPS = ("model", "dataset", "reward", "episode", "algo")  # choices, which have a name


@dataclass(frozen=True)
class Measurement:
    """One policy on one data set in one number of rounds: a result file, and the records beside it.

    `settings` are what two measurements must share to be compared; `tokens` were generated per question.
    """

    run: Path
    seed: int
    dataset: str
    rounds: int
    n: int
    samples: int
    settings: Mapping[str, Any]
    tokens: float
    records: Path

    def shares(self) -> dict[str, float]:
        """The share of right samples of each question, by its id."""
        return read_shares(self.records, self.records.stat().st_mtime_ns)


@dataclass(frozen=True)
class Arm:
    """Runs that differ in the seed only, or one policy that was not trained here (`trained` is false).

    `config` is what can change a policy and is the same in all its runs; `training_tokens` the mean number that a run
    generated in training.
    """

    name: str
    algo: str | None
    trained: bool
    config: Mapping[str, Any]
    measurements: tuple[Measurement, ...]
    training_tokens: float | None = None
    warnings: tuple[str, ...] = ()

    @property
    def seeds(self) -> tuple[int, ...]:
        """Its training seeds; none where nothing was trained."""
        return tuple(sorted({item.seed for item in self.measurements})) if self.trained else ()

    def at(self, dataset: str, rounds: int, samples: int | None = None) -> list[Measurement]:
        """Its measurements on `dataset` in `rounds` rounds, with `samples` episodes a question (None: any)."""
        found = (item for item in self.measurements if (item.dataset, item.rounds) == (dataset, rounds))
        return [item for item in found if samples in (None, item.samples)]


@lru_cache(maxsize=256)
def read_shares(records: Path, changed: int) -> dict[str, float]:
    """The share of right samples by question, read once for each state of the file."""
    lines = (json.loads(line) for line in records.read_text().splitlines())
    return {item["id"]: fmean(sample["correct"] for sample in item["samples"]) for item in lines}


def arms(folders: Sequence[Path]) -> list[Arm]:
    """The arms among finished runs in `folders`: the trained ones, then the untrained policies that they began from,
    then policies that `evaluate.py` measured elsewhere. Folders of anything else are passed by."""
    grouped: dict[str, list[tuple[Path, dict[str, Any], dict[str, Any]]]] = {}
    for folder in dict.fromkeys(map(Path, folders)):
        if (folder / "summary.json").is_file() and (folder / "config.yaml").is_file():
            config = trained_by(yaml.safe_load((folder / "config.yaml").read_text()))
            summary = json.loads((folder / "summary.json").read_text())
            grouped.setdefault(json.dumps(config, sort_keys=True), []).append((folder, config, summary))
    trained: list[Arm] = []
    bases: dict[str, Arm] = {}
    for runs in grouped.values():
        by_seed: dict[int, tuple[Path, dict[str, Any], dict[str, Any]]] = {}
        repeated = [run for run in runs if by_seed.setdefault(run[2]["seed"], run) is not run]
        warnings = tuple(f"{run} repeats seed {summary['seed']} and is left out" for run, _, summary in repeated)
        kept = list(by_seed.values())
        _, config, first = kept[0]
        measured = [found for run, _, summary in kept for found in measurements(run, summary["seed"], summary)]
        tokens = [summary["compute"]["training"].get("generated_tokens") for _, _, summary in kept]
        own = tuple(item for policy, item in measured if policy != BASE)
        mean = fmean(tokens) if None not in tokens else None
        trained.append(Arm(first["algo"], first["algo"], True, config, own, mean, warnings))
        before = before_training(config)
        base = bases.setdefault(json.dumps(before, sort_keys=True), Arm(BASE, None, False, before, ()))
        more = tuple(item for policy, item in measured if policy == BASE)
        bases[json.dumps(before, sort_keys=True)] = replace(base, measurements=base.measurements + more)
    untrained = [base for base in bases.values() if base.measurements]
    return [*named(trained), *named(untrained), *elsewhere(map(Path, folders))]


def elsewhere(folders: Iterator[Path]) -> Iterator[Arm]:
    """The policies that `evaluate.py` measured without a run, in a folder called `evaluations`."""
    for folder in folders:
        for inner in sorted(folder.iterdir()) if folder.name == "evaluations" and folder.is_dir() else ():
            if found := measurements(inner, None, {}):
                yield Arm(inner.name, None, False, {}, tuple(item for _, item in found))


def measurements(folder: Path, seed: int | None, summary: Mapping[str, Any]) -> list[tuple[str, Measurement]]:
    """Every finished evaluation in a `folder`, with the policy it is of; what a run itself measured comes first.

    `seed` is that of the training; without one, an evaluation's own seed tells its draws from others'.
    """
    found = []
    for file in sorted((folder / "evaluation" if summary else folder).glob("*.json")):
        result, records = json.loads(file.read_text()), file.with_suffix(".jsonl")
        if not isinstance(result, dict) or "accuracy" not in result or not records.is_file():
            continue
        drawn = (result.get("sampling") or summary.get("sampling", {}).get("evaluation") or [{}])[0]
        settings = {
            "dataset rows": result.get("rows"),
            "grader": result.get("grader"),
            "evaluation budget": result.get("budget"),
            "samples": result["samples"],
            "temperature": drawn.get("temperature"),
            "top_p": drawn.get("top_p"),
        }
        about = (result["dataset"], result["rounds"], result["n"], result["samples"])
        whose = result.get("seed", 0) if seed is None else seed
        tokens = result["tokens"] * result["samples"]
        found.append((result["policy"], Measurement(folder, whose, *about, settings, tokens, records)))
    return sorted(found, key=lambda pair: pair[0] not in (BASE, "trained"))


def alike(
    one: Sequence[Measurement], other: Sequence[Measurement]
) -> list[tuple[list[Measurement], list[Measurement]]]:
    """The measurements of two arms that share their settings, for each settings, one of each seed."""
    pairs = []
    for settings in {json.dumps(item.settings): item.settings for item in one}.values():
        first, second = (
            {item.seed: item for item in reversed(side) if item.settings == settings} for side in (one, other)
        )
        if first and second:
            pairs.append(([first[seed] for seed in sorted(first)], [second[seed] for seed in sorted(second)]))
    return pairs


def unlike(one: Measurement, other: Measurement) -> str:
    """In which settings two measurements differ, and how."""
    keys = differing(one.settings, other.settings)
    values = "; ".join(f"{key} {one.settings[key]} against {other.settings[key]}" for key in keys)
    return f"they differ in {' and '.join(keys)} ({values})"


def left_out(arm: Arm, measured: Sequence[Measurement], kept: Sequence[Measurement]) -> list[str]:
    """The runs of an arm that a comparison of what was `kept` among the `measured` does without, and why."""
    lines = list(arm.warnings)
    for seed in sorted({*arm.seeds} - {item.seed for item in kept}):
        others = [item for item in measured if item.seed == seed]
        why = unlike(others[0], kept[0]) if others else "it was not measured"
        lines.append(f"seed {seed} of {arm.name} is left out: {why}")
    return lines


def of_seeds(sides: tuple[Arm, Arm], seeds: tuple[int, int]) -> list[str]:
    """What a single training seed leaves open."""
    single = [side.name for side, count in zip(sides, seeds, strict=True) if count == 1]
    if not single:
        return []
    if max(seeds) > 1:
        return [f"one training seed of {single[0]}, taken to vary from seed to seed as the other arm does"]
    return [f"one training seed of {' and of '.join(single)}: this says nothing about other seeds"]


def confounded(arm: Arm, baseline: Arm) -> list[str]:
    """What two trained arms of different algorithms differ in besides."""
    if not (arm.trained and baseline.trained) or arm.algo == baseline.algo:
        return []
    found = telling(differing(arm.config, baseline.config))
    keys = [key for key in found if not key.startswith("algo.") and key not in ("rounds", "episode.rounds")]
    more = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
    return [f"the arms differ in more than the algorithm: {', '.join(keys[:4])}{more}"] if keys else []


def trained_by(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a run's configuration that can change its trained policy, but for the seed."""
    return {key: value for key, value in identity(config).items() if key not in ("seed", "evaluation")}


def before_training(config: Mapping[str, Any]) -> dict[str, Any]:
    """The part that can change what the untrained policy answers in a given number of rounds."""
    episode = {key: value for key, value in config.get("episode", {}).items() if key != "rounds"}
    return {"model": config.get("model"), "episode": episode, "flaws": config.get("flaws")}


def named(found: Sequence[Arm]) -> list[Arm]:
    """The same arms, each called by its algorithm and, among several of that algorithm, by what sets it apart."""
    result = []
    for arm in found:
        others = [other for other in found if other.algo == arm.algo and other is not arm]
        keys = sorted({key for other in others for key in differing(arm.config, other.config)})
        labels = [label(key, arm.config) for key in telling(keys)]
        result.append(replace(arm, name=" ".join([arm.name, *labels])))
    return result


def telling(keys: Sequence[str]) -> list[str]:
    """`keys` without those that follow from another: of a group whose name differs, and an episode's rounds."""
    groups = [group for group in GROUPS if f"{group}.name" in keys]
    follow = {"episode.rounds"} if "rounds" in keys else set()
    return [key for key in keys if key not in follow and (key.split(".")[0] not in groups or key.endswith(".name"))]


def label(key: str, config: Mapping[str, Any]) -> str:
    """`k=4` for algo.k, `model=tiny` for model.name."""
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    *groups, last = key.split(".")
    return f"{groups[-1] if last == 'name' and groups else last}={value}"
