"""Run folders as the report sees them, finished or not. Reads files and never writes one.

A line that a kill tore is left out, a folder that is no run is counted or, where its name is known, passed over.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

NO_RUNS = {"evaluations", "report"}  # what else lies in outputs/
RESULT = ("dataset", "rounds", "n", "samples", "accuracy", "interval", "truncated", "tokens")
PHASES = ("load", "rollout", "future_rollout", "guard", "reward", "update", "evaluation")


@dataclass
class Result:
    """One evaluation: `policy` is base or trained, `found` the result as its JSON has it, `records` its JSONL if any.

    `shares` and `shares_by_round` are each question's share of right episodes, by question id, once
    `motif.report.episodes` has read the records: at the end, and if the episode had been stopped after each round.
    """

    policy: str
    found: Mapping[str, Any]
    records: Path | None = None
    shares: dict[str, float] = field(default_factory=dict)
    shares_by_round: list[dict[str, float]] = field(default_factory=list)

    @property
    def setting(self) -> tuple[Any, ...]:
        """What has to be equal for two results to be averaged over seeds."""
        found = self.found
        return (
            *(self.policy, found["dataset"], found["rounds"], found["samples"]),
            *(found.get("budget"), found.get("temperature"), found.get("rows"), found.get("grader"), found["n"]),
        )

    @property
    def value(self) -> tuple[Any, ...]:
        """What a result came to: two base policies of one value are one."""
        return (*self.setting, self.found["accuracy"], self.found["tokens"], self.found["truncated"])


@dataclass
class Recorded:
    """What a run has left so far. `summary` is empty until it is finished."""

    folder: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    results: Sequence[Result]

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def finished(self) -> bool:
        return bool(self.summary)

    def choice(self, name: str) -> Any:
        """`algo`, `model`, `dataset`, `rounds` or `seed`, of the summary or else of the configuration."""
        found = self.summary.get(name, self.config.get(name, "–"))
        return found.get("name", "–") if isinstance(found, Mapping) else found

    @property
    def steps(self) -> tuple[int, int | None]:
        """Steps taken, and steps asked for (None where the configuration does not say)."""
        algo = self.config.get("algo")
        asked = algo.get("steps") if isinstance(algo, Mapping) else None
        return (int(self.metrics[-1]["step"]) if self.metrics else 0), asked

    @cached_property
    def seconds(self) -> dict[str, float]:
        """Seconds by phase: of the summary, or of the steps so far."""
        if self.summary.get("seconds"):
            return dict(self.summary["seconds"])
        total: dict[str, float] = {}
        for line in self.metrics:
            for key, value in line.items():
                if key.startswith("seconds/"):
                    total[key[8:]] = total.get(key[8:], 0.0) + value
        return total

    @property
    def generated(self) -> int:
        """Tokens generated in training so far."""
        return int(self.metrics[-1].get("train/generated_tokens", 0)) if self.metrics else 0


def read_runs(folders: Iterable[Path]) -> tuple[list[Recorded], int]:
    """The runs among `folders`, and how many of the others are neither files nor of a known name."""
    runs, others = [], 0
    for folder in dict.fromkeys(Path(folder) for folder in folders):
        if (folder / "run.json").is_file() or (folder / "summary.json").is_file():
            runs.append(read_run(folder))
        elif folder.name not in NO_RUNS and not folder.name.startswith(".") and not folder.is_file():
            others += 1
    return sorted(runs, key=lambda run: (str(run.choice("algo")), str(run.choice("rounds")), run.name)), others


def read_run(folder: Path) -> Recorded:
    """What the run in `folder` has left so far."""
    config = yaml.safe_load(text(folder / "config.yaml")) if (folder / "config.yaml").is_file() else {}
    summary = load(folder / "summary.json")
    metrics = [line for line in lines(folder / "metrics.jsonl") if "step" in line]
    return Recorded(folder, config or {}, summary, metrics, list(results(folder, config or {}, summary)))


def results(folder: Path, config: Mapping[str, Any], summary: Mapping[str, Any]) -> Iterator[Result]:
    """The results in the run's evaluation/, `evaluate.py`'s included; of the summary where that folder has none."""
    settings = config.get("evaluation")
    own = {"temperature": settings.get("temperature", 0.0) if isinstance(settings, Mapping) else 0.0}
    found = [(file, load(file)) for file in sorted((folder / "evaluation").glob("*.json"))]
    kept = [(file, result) for file, result in found if all(key in result for key in RESULT)]
    if not kept:
        for result in summary.get("evaluation", []):
            yield Result(result["policy"], {"samples": 1, **own, **result})
    for file, result in kept:
        drawn = {"temperature": result["sampling"][0]["temperature"]} if result.get("sampling") else own
        records = file.with_suffix(".jsonl")
        policy = "base" if result.get("policy") == "base" else "trained"
        yield Result(policy, {**drawn, **result}, records if records.is_file() else None)


def load(file: Path) -> dict[str, Any]:
    """The mapping in a JSON file; nothing where there is none, or not a whole one."""
    try:
        found = json.loads(text(file))
    except (OSError, json.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}


def lines(file: Path) -> Iterator[dict[str, Any]]:
    """The mappings of a JSONL file, torn lines left out."""
    if file.is_file():
        for line in text(file).splitlines():
            if (found := parsed(line)) is not None:
                yield found


def parsed(line: str | bytes) -> dict[str, Any] | None:
    """The mapping that a line of JSON holds, or None. NaN and infinities, which browsers' JSON lacks, become None."""
    try:
        found = json.loads(line, parse_constant=lambda _: None)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
