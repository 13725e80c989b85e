"""What the page's scripts show, as plain data: standings, curves, runs."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np

from motif.evaluation.wording import in_rounds
from motif.reporting.arm_names import differing_keys, independent, is_private
from motif.reporting.arms import Arm, flat
from motif.reporting.comparison import Verdict
from motif.reporting.factors import main_effects, value_of
from motif.reporting.folders import read_mapping
from motif.reporting.pictures.training import averaged, episode_tokens
from motif.reporting.recorded import BASE, RecordedRun, Result
from motif.reporting.standings import Place
from motif.reporting.tables import state
from motif.system.config import CONF
from motif.system.safe_text import masked

MOST_POINTS = 150  # of a curve of one run; more are averaged
MOST_COLUMNS = 5  # of settings
AXES = {"steps": "step", "tokens": "total/generated_tokens", "flops": "total/flops", "hours": "total/seconds"}
METRICS = {  # by their names in metrics.jsonl: title, factor
    "train/reward": ("reward", 1),
    "episode/accuracy": ("accuracy in training (%)", 100),
    "held_out/accuracy": ("held-out accuracy (%)", 100),
    "train/loss": ("loss", 1),
    "train/kl": ("KL to the untrained policy (nats a token)", 1),
    "train/entropy": ("entropy (nats a token)", 1),
    "train/grad_norm": ("gradient norm", 1),
    "train/clip_ratio/region_mean": ("clipped tokens (%)", 100),
    "train/learning_rate": ("learning rate", 1),
    "episode/truncated": ("cut-off episodes (%)", 100),
    "episode/unparsable": ("episodes without an answer (%)", 100),
    "tokens": ("tokens an episode", 1),
    "groups/zero_advantage": ("groups of equal reward (%)", 100),
    "episode/copied": ("episodes with a copied answer (%)", 100),
    "train/reward_std": ("standard deviation of rewards", 1),
    "guard/difference": ("engine against policy (nats a token)", 1),
}


def page_data(
    runs: Sequence[RecordedRun], arms: Sequence[Arm], places: Sequence[Place], verdicts: Sequence[Any]
) -> dict[str, Any]:
    """All of it. `arms` are all that there are, `verdicts` may hold lines that are no verdicts."""
    trained = [arm for arm in arms if arm.trained]
    numbers = {arm.name: place for place, arm in enumerate(trained)}
    questions: dict[tuple[str, ...], int] = {}  # sets of questions, by their places
    shown = [(run, place, run in arm.repeated) for place, arm in enumerate(trained) for run in both(arm)]
    shown += [(run, -1, False) for run in runs if run.measured]
    settings = [{key: masked(str(value)) for key, value in flat(run.config) if key != "outputs"} for run, *_ in shown]
    first = settings[0] if settings else {}
    common = {key: value for key, value in first.items() if all(own.get(key) == value for own in settings)}
    names = [arm.name for arm in trained]
    return {
        "arms": names,
        "places": [place_data(place, numbers) for place in places],
        "sentences": [
            [one.arm, one.baseline, one.dataset, one.rounds, one.baseline_rounds, one.samples, one.sentence]
            for one in verdicts
            if isinstance(one, Verdict)
        ],
        "metrics": {key: title for key, (title, _) in METRICS.items()},
        "common": common,
        "varied": varied(trained),
        "runs": [
            run_data(run, names[number] if number >= 0 else run.name, number, repeated, questions)
            | {"settings": {key: value for key, value in own.items() if common.get(key) != value}}
            for (run, number, repeated), own in zip(shown, settings, strict=True)
        ],
        "questions": [list(ids) for ids in questions],
    }


def varied(arms: Sequence[Arm]) -> list[str]:
    """The settings that the table of runs has a column for: the first ones in which arms differ."""
    keys = independent(differing_keys([arm.settings for arm in arms]))
    return [key for key in keys if not is_private(key) and key != "algo.name"][:MOST_COLUMNS]


def both(arm: Arm) -> Sequence[RecordedRun]:
    return (*arm.runs, *arm.repeated)


def place_data(place: Place, numbers: Mapping[str, int]) -> dict[str, Any]:
    """A place of the standings, in percent and points."""
    varied_together = list(dict.fromkeys(each["key"] for view in place.views for each in main_effects(view.rows)))
    return {
        "title": place.title,
        "others": place.others,
        "views": [
            {
                "name": view.name,
                "reference": view.reference,
                "factors": main_effects(view.rows),
                "rows": [
                    {
                        "arm": one.arm.name,
                        "settings": {key: value_of(one.arm, key) for key in varied_together} if one.arm.trained else {},
                        "number": numbers.get(one.arm.name, -1),
                        "dataset": one["dataset"],
                        "rounds": one["rounds"],
                        "accuracy": tenths(one.mean("accuracy")),
                        "interval": [tenths(end) for end in one.interval],
                        "tokens": few(one.cost("generated_tokens")),
                        "training": few(one.arm.training_tokens),
                        "seeds": len(one.results) if one.arm.trained else 0,
                        "n": one["n"],
                        "samples": one["samples"],
                    }
                    for one in view.rows
                ],
                "against": {
                    f"{i},{j}": [
                        tenths(found.effect),
                        *(tenths(end) for end in found.interval),
                        few(found.p),
                        few(found.corrected),
                        found.family,
                        found.outcome,
                        found.test,
                        *found.seeds,
                    ]
                    for (i, j), found in view.against.items()
                },
            }
            for view in place.views
        ],
    }


def run_data(
    run: RecordedRun, arm: str, number: int, repeated: bool, questions: dict[tuple[str, ...], int]
) -> dict[str, Any]:
    """A run as the page's table has it, with its curves and its command; sets of questions are added to `questions`."""
    trained = 1 if run.choice("algo") == "grpo" else run.choice("rounds")
    ordered = sorted(run.results, key=lambda result: (result.policy == BASE, result.rounds != trained, -result.rounds))
    return {
        "name": run.name,
        "arm": arm,
        "number": number,
        "seed": run.seed,
        "state": "repeats a seed" if repeated else "measured" if run.measured else state(run),
        "steps": run.steps[0],
        "of": run.steps[1],
        "warned": run.warnings,
        "tokens": run.spent.get("generated_tokens"),
        "seconds": run.spent.get("seconds"),
        "flops": run.spent.get("flops"),
        "command": masked(" ".join(command_of(run))),
        "results": [result_data(result, questions, run.measured) for result in ordered if result.records],
        "curves": [*curves(run)],
    }


def command_of(run: RecordedRun) -> list[str]:
    """What was typed, as the run has written it down."""
    command = read_mapping(run.folder / "environment.json").get("command")
    return [str(word) for word in command] if isinstance(command, list) else []


def result_data(result: Result, questions: dict[tuple[str, ...], int], measured: bool) -> dict[str, Any]:
    """An evaluation, with a digit a question: tenths of its samples that are right. 5 and more are at least half."""
    assert result.records
    ids = sorted(result.shares.whole)
    return {
        "id": result.records.stem,
        "title": f"{result.policy} on {result.dataset}, {in_rounds(result.rounds)}",
        "accuracy": tenths(result.values["accuracy"]),
        "base": result.policy == BASE and not measured,
        "settings": json.dumps(result.settings),
        "right": "".join(str(min(9, int(10 * result.shares.whole[id]))) for id in ids),
        "ids": questions.setdefault(tuple(ids), len(questions)),
    }


def curves(run: RecordedRun) -> Iterator[dict[str, dict[str, list[float | None]]]]:
    """The curves of a run: metrics that the same steps have share their `x`, by axis; `y` is by metric."""
    rows: dict[tuple[int, ...], dict[str, list[float]]] = {}
    for key, (_, scale) in METRICS.items():
        values = [episode_tokens(line) if key == "tokens" else line.get(key) for line in run.metrics]
        known = {at: scale * value for at, value in enumerate(values) if isinstance(value, int | float)}
        finite = {at: value for at, value in known.items() if isfinite(value)}
        if finite:
            rows.setdefault(tuple(finite), {})[key] = [*finite.values()]
    for there, of_metrics in rows.items():
        lines = [run.metrics[place] for place in there]
        x = {name: [line.get(key) for line in lines] for name, key in AXES.items()}
        whole = {name: values for name, values in x.items() if None not in values}
        yield {"x": {name: thinned(values, name == "hours") for name, values in whole.items()},
               "y": {key: thinned(values) for key, values in of_metrics.items()}}  # fmt: skip


def thinned(values: Sequence[Any], seconds: bool = False) -> list[float | None]:
    """At most MOST_POINTS means of consecutive values; `seconds` become hours."""
    table = np.array(values, dtype=float)[:, None] / (3600 if seconds else 1)
    return [few(value) for value in averaged(table, -(-len(table) // MOST_POINTS))[:, 0]]


def tenths(share: float) -> float:
    """A share in percent, or a difference in points, rounded as texts of the report are."""
    return round(100 * share, 1)


def few(value: float | None) -> float | None:
    """A number in five digits; None for what is none."""
    return float(f"{value:.5g}") if value is not None and isfinite(value) else None


def question_of(runs: Sequence[RecordedRun]) -> str:
    """The question of the runs' study, or else of their experiment, as its YAML says it; nothing where they are of
    several, or of none."""
    found = set()
    for run in runs:
        words = dict(word.split("=", 1) for word in command_of(run) if "=" in word)
        names = [f"{group}/{words[group]}.yaml" for group in ("sweeps", "experiment") if group in words]
        files = [CONF / name for name in names if (CONF / name).is_file()]
        found.add(question_in(files[0].read_text()) if files else "")
    return found.pop() if len(found) == 1 else ""


def question_in(text: str) -> str:
    """What follows `# Question:` in the comments of a YAML, up to its question mark or the end of its sentence."""
    comments = " ".join(line.lstrip("# ") for line in text.splitlines() if line.startswith("#"))
    match = re.search(r"Question: (.+?[?])(?= |$)|Question: (.+?[.])(?= |$)", comments)
    words = (match[1] or match[2]) if match else ""
    return words[:1].upper() + words[1:]
