"""Folders as whoever reports on them sees them: runs, finished or not, and what `evaluate.py` measured without one.

Reads files, writes none and needs no torch. A line that a kill tore is left out; a file that cannot be read is named
and the rest of its folder read; a folder that is no run is counted or, where its name is known, passed over.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from motif.evaluation.results import RESULT_KEYS as RESULT
from motif.system.files import check_format, parsed_line
from motif.system.safe_text import all_visible
from motif.training.watchdogs import FILE, names, said

BASE = "base"  # the policy before training, as results and arms name it
MISSING = "–"
EVALUATIONS = "evaluations"  # where `evaluate.py` puts what it measures of a policy that is no run
NO_RUNS = {EVALUATIONS, "report"}  # what else lies in outputs/
PHASES = ("load", "rollout", "future_rollout", "guard", "reward", "update", "evaluation", "held_out")


@dataclass(eq=False)
class Result:
    """One evaluation of a `policy`, base or trained: `found` as its JSON has it, and its `records`, a JSONL, if any.

    `seed` is that of the training, or of the draws where nothing was trained. `settings` are what two results must
    share to be averaged or compared. `shares_by_round` are as `shares`, had the episode been stopped after each round,
    once `motif.reporting.episodes` has read the records.
    """

    folder: Path
    policy: str
    seed: Any
    found: Mapping[str, Any]
    settings: Mapping[str, Any]
    records: Path | None = None
    shares_by_round: list[dict[str, float]] = field(default_factory=list)

    @property
    def dataset(self) -> str:
        return self.found["dataset"]

    @property
    def rounds(self) -> int:
        return self.found["rounds"]

    @property
    def n(self) -> int:
        return self.found["n"]

    @property
    def samples(self) -> int:
        return self.found["samples"]

    @property
    def tokens(self) -> float:
        """Generated per question, in all rounds and samples; a mean."""
        return self.found["tokens"] * self.samples

    @cached_property
    def shares(self) -> dict[str, float]:
        """The share of right samples of each question, by its id."""
        found = answered(self.records) if self.records else ()
        return {str(item["id"]): fmean(bool(sample["correct"]) for sample in item["samples"]) for item in found}


@dataclass(eq=False)
class Recorded:
    """What a run has left so far; `summary` is empty until it is finished. Or what was `measured` of a policy that is
    no run, which has results alone. `complaints` are lines on files that cannot be read, `warned` names what the
    watchdogs have warned of, `probes` are what `motif.probe` found, by the names of its files."""

    folder: Path
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    metrics: Sequence[Mapping[str, Any]]
    results: Sequence[Result]
    complaints: Sequence[str] = ()
    measured: bool = False
    name: str = ""
    warned: str = ""
    probes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.name = self.name or self.folder.name

    @property
    def finished(self) -> bool:
        return self.measured or bool(self.summary)

    @property
    def seed(self) -> Any:
        return self.choice("seed")

    def choice(self, name: str) -> Any:
        """`algo`, `model`, `dataset`, `rounds` or `seed`, of the summary or else of the configuration."""
        found = self.summary.get(name, self.config.get(name, MISSING))
        return found.get("name", MISSING) if isinstance(found, Mapping) else found

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
        total: Counter[str] = Counter()
        for line in self.metrics:
            total.update({phase: line.get(f"seconds/{phase}", 0.0) for phase in PHASES})
        return {phase: spent for phase, spent in total.items() if spent}

    @cached_property
    def spent(self) -> Mapping[str, Any]:
        """The ledger of training, by `motif.runs.ledger`'s names: of the summary, or of the steps so far."""
        compute = self.summary.get("compute")
        if isinstance(compute, Mapping) and isinstance(compute.get("training"), Mapping):
            return compute["training"]
        last = self.metrics[-1] if self.metrics else {}
        counts = {key.removeprefix("train/"): value for key, value in last.items() if key.startswith("train/")}
        return {**counts, "seconds": last.get("seconds/training"), "peak_memory": last.get("memory/peak")}


def read_runs(folders: Iterable[Path]) -> tuple[list[Recorded], int]:
    """The runs and the measured policies among `folders`, and how many of the others are neither files nor of a known
    name. Of two folders of one name, each is called by its path."""
    runs, others = [], 0
    for folder in dict.fromkeys(Path(folder) for folder in folders):
        if (folder / "run.json").is_file() or (folder / "summary.json").is_file():
            runs.append(read_run(folder))
        elif found := [run for inner in measured_in(folder) if (run := read_measured(inner)).results or run.probes]:
            runs += found
        elif folder.name not in NO_RUNS and not folder.name.startswith(".") and not folder.is_file():
            others += 1
    names = Counter(run.name for run in runs)
    for run in runs:
        run.name = run.name if names[run.name] == 1 else str(run.folder)
    return runs, others


def read_run(folder: Path) -> Recorded:
    """What the run in `folder` has left so far."""
    bad: list[str] = []
    summary = load(folder / "summary.json", bad, "the run counts as unfinished")
    spent = summary.get("compute")
    if summary and not (isinstance(spent, Mapping) and isinstance(spent.get("training"), Mapping)):
        bad.append(f"{folder / 'summary.json'} does not say what training spent: the run counts as unfinished")
        summary = {}
    config: Any = None
    try:
        config = yaml.safe_load(text(folder / "config.yaml")) if (folder / "config.yaml").is_file() else {}
    except yaml.YAMLError:
        bad.append(f"{folder / 'config.yaml'} cannot be read: the run's settings are not known")
    config = all_visible(config) if isinstance(config, Mapping) else {}
    for file in (folder / "run.json", folder / "summary.json"):
        check_format(file, load(file, [], ""))
    run = Recorded(folder, config, summary, [line for line in lines(folder / "metrics.jsonl") if "step" in line], [])
    run.results = list(results(folder / "evaluation", bad, run))
    run.probes = probes(folder, bad)
    try:
        run.warned = names(said(folder))
    except (OSError, ValueError, KeyError, TypeError):
        bad.append(f"{folder / FILE} cannot be read: what the run warned of is not known")
    run.complaints = bad
    return run


def measured_in(folder: Path) -> list[Path]:
    """The folders in which `evaluate.py` may have measured a policy that is no run: `folder`, or those in it."""
    if folder.name == EVALUATIONS:
        return sorted(inner for inner in folder.iterdir() if inner.is_dir()) if folder.is_dir() else []
    return [folder]


def read_measured(folder: Path) -> Recorded:
    """What was measured of the policy that `folder` is called after."""
    bad: list[str] = []
    run = Recorded(folder, {}, {}, [], [], bad, measured=True)
    run.results = list(results(folder, bad, run))
    run.probes = probes(folder, bad)
    return run


def results(folder: Path, bad: list[str], run: Recorded) -> Iterator[Result]:
    """The results in `folder`, what a run itself measured first; of its summary where that folder has none."""
    files = sorted(folder.glob("*.json"), key=lambda file: (not file.name.startswith((f"{BASE}-", "trained-")), file))
    found = [(file, load(file, bad, "its result is left out")) for file in files]
    if not (kept := [(file, result) for file, result in found if whole(result)]):
        kept = [(folder / "none", result) for result in run.summary.get("evaluation", []) if whole(result)]
    settings, sampling = run.config.get("evaluation"), run.summary.get("sampling", {})
    own = settings if isinstance(settings, Mapping) else {}
    for file, result in kept:
        drawn = (result.get("sampling") or sampling.get("evaluation") or [own])[: result["rounds"]]
        records = file.with_suffix(".jsonl")
        if records.is_file() and records.stat().st_size and next(answered(records), None) is None:
            bad.append(f"{records} holds no samples of questions: its result is left out")
            continue
        yield Result(
            folder=run.folder,
            policy=BASE if run.measured or result.get("policy") == BASE else "trained",
            seed=result.get("seed", 0) if run.measured else run.seed,
            found=result,
            settings={
                **{"dataset rows": result.get("rows"), "grader": result.get("grader")},
                **{"evaluation budget": result.get("budget"), "samples": result["samples"]},
                **{key: of_rounds([each.get(key) for each in drawn]) for key in ("temperature", "top_p")},
            },
            records=records if records.is_file() else None,
        )


def probes(folder: Path, bad: list[str]) -> dict[str, Mapping[str, Any]]:
    """What was found of the rounds of the policy that `folder` is of, by the names of its files."""
    files = sorted((folder / "probes").glob("*.json"))
    found = {file.stem: load(file, bad, "what it says of rounds is left out") for file in files}
    return {name: result for name, result in found.items() if "interventions" in result}


def of_rounds(values: Sequence[Any]) -> Any:
    """One value where all rounds have it, else all of them."""
    return values[0] if all(value == values[0] for value in values) else ", then ".join(map(str, values))


def whole(result: Any) -> bool:
    return isinstance(result, Mapping) and all(key in result for key in RESULT)


def load(file: Path, bad: list[str], so: str) -> dict[str, Any]:
    """The mapping in a JSON file, its texts made visible; nothing where there is none. Of one that is no JSON a line
    is added to `bad`."""
    try:
        found = json.loads(text(file)) if file.is_file() else {}
    except (OSError, ValueError):
        bad.append(f"{file} cannot be read: {so}")
        return {}
    return all_visible(found) if isinstance(found, dict) else {}


def lines(file: Path) -> Iterator[dict[str, Any]]:
    """The mappings of a JSONL file, torn lines left out."""
    if file.is_file():
        for line in text(file).splitlines():
            if (found := parsed_line(line)) is not None:
                yield found


def answered(file: Path) -> Iterator[dict[str, Any]]:
    """The questions of an evaluation's records that have samples; other lines are left out."""
    with file.open("rb") as stream:
        for line in stream:
            item = parsed_line(line) or {}
            samples = item.get("samples")
            samples = samples if isinstance(samples, list) and "id" in item else []
            if samples and all(isinstance(sample, Mapping) and "correct" in sample for sample in samples):
                yield item


def text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
