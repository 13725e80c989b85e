"""Reading folders: runs, finished or not, and what `evaluate.py` has measured of policies that are no runs.

It reads files, writes none, and needs no torch. A line that a kill tore is left out. A file that cannot be read is
named in a line, and the rest of its folder is read. A folder that is no run is counted, or passed over where its name
is known.
"""

import glob
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from motif.evaluation.results import RESULT_KEYS
from motif.reporting.recorded import BASE, RecordedRun, Result, choice, json_lines, question_records
from motif.runs import watchdogs
from motif.runs.metric_names import renamed
from motif.system import UserError, named, there
from motif.system.files import check_format, parsed_yaml
from motif.system.safe_text import all_visible

EVALUATIONS = "evaluations"  # where `evaluate.py` writes results of a policy that is no run
NO_RUNS = {EVALUATIONS, "report", "warm_starts"}  # other folders in outputs/


def read_runs(folders: Iterable[Path]) -> tuple[list[RecordedRun], int]:
    """The runs and the measured policies among `folders`, and the number of the other folders, known names aside.

    Of two folders of one name, each is called by its path.
    """
    runs, others = list[RecordedRun](), 0
    for folder in dict.fromkeys(Path(folder) for folder in folders):
        if (folder / "run.json").is_file() or (folder / "summary.json").is_file():
            runs.append(read_run(folder))
        elif measured := read_measured(folder):
            runs += measured
        elif folder.name not in NO_RUNS and not folder.name.startswith(".") and not folder.is_file():
            others += 1
    names = Counter(run.name for run in runs)
    return [run if names[run.name] == 1 else replace(run, name=str(run.folder)) for run in runs], others


def folders_of(folder: Path | str) -> list[Path]:
    """The folders of runs that are meant by a run's folder, a pattern, or a folder in which runs lie."""
    folder = Path(folder).expanduser()
    places = [Path(name) for name in sorted(glob.glob(str(folder)))] or [folder]
    groups = (sorted(place.glob("*")) if holds_runs(place) else [place] for place in places)
    return [path for group in groups for path in group]


def holds_runs(folder: Path) -> bool:
    """Whether `folder` is no run, and runs or measured policies lie in it. Those of warm starts are no runs."""
    if (folder / "run.json").is_file() or (folder / "summary.json").is_file():
        return False
    if folder.name in NO_RUNS and folder.name != EVALUATIONS:
        return False
    return any(next(folder.glob(f"*/{name}"), None) for name in ("run.json", "summary.json")) or (
        (folder / EVALUATIONS).is_dir()
    )


def asked(paths: Iterable[Path | str]) -> tuple[list[RecordedRun], int]:
    """What `read_runs` reads of the folders that a person has named: runs, patterns, or folders in which runs lie.

    Raises:
        UserError: one is not there, or none is of a run.
    """
    places = [Path(path) for path in paths]
    runs, others = read_runs(there([folder for path in places for folder in folders_of(path)]))
    if not runs:
        raise UserError(f"no run (run.json) in {named(places)}; try outputs/*")
    return runs, others


def read_run(folder: Path) -> RecordedRun:
    """What the run in `folder` has left so far; a `UserError` where its files are of a newer format."""
    complaints: list[str] = []
    summary = read_summary(folder / "summary.json", complaints)
    config = read_config(folder / "config.yaml", complaints)
    for file in (folder / "run.json", folder / "summary.json"):
        check_format(file, read_mapping(file))
    metrics_file = folder / "metrics.jsonl"
    lines = json_lines(metrics_file) if metrics_file.is_file() else ()
    run = RecordedRun(
        folder=folder,
        name=folder.name,
        config=config,
        summary=summary,
        metrics=[renamed(line) for line in lines if "step" in line],
        results=read_results(folder / "evaluation", config, summary, complaints),
        probes=read_probes(folder, complaints),
        complaints=complaints,
    )
    try:
        run.warnings = watchdogs.names(watchdogs.said(folder))
    except (OSError, ValueError, KeyError, TypeError):
        complaints.append(f"{folder / watchdogs.FILE} cannot be read: what the run warned of is not known")
    return run


def read_summary(file: Path, complaints: list[str]) -> dict[str, Any]:
    """The summary of a finished run; empty where there is none, or it lacks what training spent."""
    summary = read_mapping(file, complaints, "the run counts as unfinished")
    compute = summary.get("compute")
    if summary and not (isinstance(compute, Mapping) and isinstance(compute.get("training"), Mapping)):
        complaints.append(f"{file} does not say what training spent: the run counts as unfinished")
        return {}
    return summary


def read_config(file: Path, complaints: list[str]) -> dict[str, Any]:
    """The resolved configuration, its texts made visible; empty where it cannot be read."""
    try:
        config = parsed_yaml(text(file)) if file.is_file() else {}
    except yaml.YAMLError:
        complaints.append(f"{file} cannot be read: the run's settings are not known")
        return {}
    return all_visible(config) if isinstance(config, Mapping) else {}


def read_measured(folder: Path) -> list[RecordedRun]:
    """The policies that are no runs and of which `folder`, or a folder in evaluations/, holds results or probes."""
    folders = [folder]
    if folder.name == EVALUATIONS:
        folders = sorted(inner for inner in folder.iterdir() if inner.is_dir()) if folder.is_dir() else []
    policies = []
    for inner in folders:
        complaints: list[str] = []
        policy = RecordedRun(
            folder=inner,
            name=inner.name,
            config={},
            results=read_results(inner, None, {}, complaints),
            probes=read_probes(inner, complaints),
            complaints=complaints,
            measured=True,
        )
        if policy.results or policy.probes:
            policies.append(policy)
    return policies


def read_results(
    folder: Path, config: Mapping[str, Any] | None, summary: Mapping[str, Any], complaints: list[str]
) -> list[Result]:
    """The results in `folder`, those that the run itself measured first; of its `summary` where the folder has none.
    `config` is None for a policy that is no run."""
    files = sorted(folder.glob("*.json"), key=lambda file: (not file.name.startswith((f"{BASE}-", "trained-")), file))
    read = [(file, read_mapping(file, complaints, "its result is left out")) for file in files]
    complete = [(file, values) for file, values in read if is_result(values)]
    if not complete:
        complete = [(folder / "none", values) for values in summary.get("evaluation", []) if is_result(values)]
    results = []
    for file, values in complete:
        records = file.with_suffix(".jsonl")
        if records.is_file() and records.stat().st_size and next(question_records(records), None) is None:
            complaints.append(f"{records} holds no samples of questions: its result is left out")
            continue
        results.append(
            Result(
                folder=folder if config is None else folder.parent,
                policy=BASE if config is None or values.get("policy") == BASE else "trained",
                seed=values.get("seed", 0) if config is None else choice("seed", summary, config),
                values=values,
                settings=settings_of(values, config or {}, summary),
                records=records if records.is_file() else None,
            )
        )
    return results


def settings_of(values: Mapping[str, Any], config: Mapping[str, Any], summary: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a result, by the names that messages use."""
    of_run = config.get("evaluation")
    by_round = values.get("sampling") or summary.get("sampling", {}).get("evaluation")
    by_round = by_round or [of_run if isinstance(of_run, Mapping) else {}]
    by_round = by_round[: values["rounds"]]
    return {
        "dataset rows": values.get("rows"),
        "grader": values.get("grader"),
        "evaluation budget": values.get("budget"),
        "samples": values["samples"],
        "temperature": of_rounds([sampling.get("temperature") for sampling in by_round]),
        "top_p": of_rounds([sampling.get("top_p") for sampling in by_round]),
    }


def of_rounds(values: Sequence[Any]) -> Any:
    """One value where all rounds have it, else all of them."""
    return values[0] if all(value == values[0] for value in values) else ", then ".join(map(str, values))


def is_result(values: Any) -> bool:
    return isinstance(values, Mapping) and all(key in values for key in RESULT_KEYS)


def read_probes(folder: Path, complaints: list[str]) -> dict[str, Mapping[str, Any]]:
    """What `motif.probe` has written of the policy of `folder`, by the names of its files."""
    files = sorted((folder / "probes").glob("*.json"))
    read = {file.stem: read_mapping(file, complaints, "what it says of rounds is left out") for file in files}
    return {name: result for name, result in read.items() if "interventions" in result}


def read_mapping(file: Path, complaints: list[str] | None = None, consequence: str = "") -> dict[str, Any]:
    """The mapping in a JSON file, its texts made visible; empty where there is none.

    Of a file that is no JSON a line with the `consequence` is added to `complaints`.
    """
    try:
        value = json.loads(text(file)) if file.is_file() else {}
    except (OSError, ValueError):
        if complaints is not None:
            complaints.append(f"{file} cannot be read: {consequence}")
        return {}
    return all_visible(value) if isinstance(value, dict) else {}


def text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="replace")
