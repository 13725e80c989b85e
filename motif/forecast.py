"""What jobs will take, said before anything of them is begun: tokens, time, memory and FLOPs (`plan=true`).

Jobs that cost the same share one calibration: a short training and small evaluations, made by the code of a run in a
process of its own, and kept in `outputs/.plan`. It assumes that replies stay as long as they are at the beginning.
The names of a sweep's jobs are the business of `motif.planning`.
"""

import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from math import ceil
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from omegaconf import OmegaConf

from motif.evaluation import Measurer
from motif.evaluation.measure import Measurement
from motif.evaluation.terminal import new_table
from motif.experiment import Experiment
from motif.reporting.status import FINISHED, arm, status, step_seconds
from motif.reporting.status_screen import duration
from motif.rounds import Episode
from motif.runs.budget import COUNTED
from motif.runs.folder import Run
from motif.runs.ledger import measured_peak
from motif.system import UserError, console, explained, masked, processes, read_json, typed, write_json
from motif.system.config import OF_PROGRAMS, build
from motif.system.environment import gpus, machine
from motif.tasks.questions import Question

STEPS = 5  # of a calibration; the first one warms up and is not counted
EPISODES = 64  # at most, in each small evaluation
PLUMBING = (*OF_PROGRAMS, "name", "outputs", "overwrite", "preflight", "plan", "tracking")  # of the first level
SPENT = ("tokens", "seconds", "flops")  # what a cost counts
FREE = {  # settings of any level that change no cost at the beginning
    *("seed", "learning_rate", "lr_scheduler_type", "lr_scheduler_kwargs", "warmup_steps", "warmup_ratio"),
    *("weight_decay", "max_grad_norm", "adam_beta1", "adam_beta2", "adam_epsilon"),
}


@dataclass(frozen=True)
class Row:
    """Jobs that cost the same. `cost` is what is left of all of them: `tokens` generated in training and evaluation,
    `seconds`, `flops`. `memory` is the peak in bytes; `made` is when it was calibrated. Both are empty where all jobs
    are `done`."""

    name: str
    jobs: int
    done: int
    cost: dict[str, float]
    memory: int = 0
    made: str = ""


def forecast(configs: Sequence[Mapping[str, Any]]) -> list[Row]:
    """A row for each kind of job among these resolved configurations, each with a name.

    Raises:
        UserError: for a mistake in them, or where several processes are asked to plan.
    """
    if processes.count() > 1:
        raise UserError("plan=true calibrates in one process; plan without torchrun or accelerate launch")
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for config in configs:
        kinds.setdefault(digest(costly(config)), []).append(config)
    return [row(jobs, f"{number} of {len(kinds)}") for number, jobs in enumerate(kinds.values(), 1)]


def row(jobs: Sequence[Mapping[str, Any]], which: str) -> Row:
    """The row of `jobs` of one kind, of the kinds `which`; it is calibrated if it is not yet."""
    parts = [str(config["name"]).split("-") for config in jobs]
    name = arm("-".join(part for part in parts[0] if all(part in other for other in parts)))
    experiment: Experiment = build(OmegaConf.create(dict(jobs[0])))
    folders = [Run.open(Path(config["outputs"], config["name"]), config, config["overwrite"]) for config in jobs]
    open_ones = [run for run in folders if experiment.overwrite or status(run.folder).state not in FINISHED]
    done = len(jobs) - len(open_ones)
    if not open_ones:
        return Row(name, len(jobs), done, together([]))
    found = calibration(jobs[0], f"calibrating {which}: {name}")
    cost = together(left(run, experiment, found) for run in open_ones)
    return Row(name, len(jobs), done, cost, found["memory"], found["made"])


def left(run: Run, experiment: Experiment, found: Mapping[str, Any]) -> dict[str, float]:
    """What is left to spend in `run`, by the calibration `found`."""
    stands, limits = status(run.folder), experiment.budget.limits()
    begun = not experiment.overwrite and run.has_recorded()
    share = 1 - stands.step / stands.steps if begun and stands.steps else 1.0
    steps = experiment.budget.steps or experiment.algo.steps
    questions = steps * found["questions_a_step"]
    questions = share * min([questions, *(limit / found["question"][name] for name, limit in limits.items())])
    parts = [times(found["question"], questions), times(found["begin"])]
    ended = {file.name for file in run.evaluation.glob("*.json")} if begun else set()
    parts += [times(each) for name, each in found["evaluation"].items() if name not in ended]
    if every := experiment.validated_every:
        parts.append(times(found["validation"], int(questions / found["asked"]) // every))
    return together(parts)


def times(cost: Mapping[str, float], factor: float = 1.0) -> dict[str, float]:
    """Tokens, seconds and FLOPs of `factor` times what costs so much."""
    return {name: factor * cost.get(name, 0.0) for name in SPENT}


def together(costs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The sum of costs, by what is spent."""
    listed = list(costs)
    return {name: sum(cost[name] for cost in listed) for name in SPENT}


def costly(node: Any, first: bool = True) -> Any:
    """What of a resolved configuration changes what a run costs."""
    if isinstance(node, list):
        return [costly(item, False) for item in node]
    if not isinstance(node, Mapping):
        return node
    dropped = {*FREE, *PLUMBING} if first else FREE
    return {key: costly(value, False) for key, value in node.items() if key not in dropped}


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def shortened(config: Mapping[str, Any]) -> dict[str, Any]:
    """`config` with so many steps as a calibration has, unwatched. Its budget stays where it decides how many questions
    a step has."""
    passes = config["algo"]["trainer"].get("num_iterations") or 1
    budget = config["budget"] if config["budget"]["steps"] else {"_target_": config["budget"]["_target_"]}
    algo = {**config["algo"], "steps": STEPS * passes}
    silent = {"_target_": "motif.runs.tracking.base.Silent"}
    return {**config, "algo": algo, "budget": budget, "tracking": silent, "overwrite": False}


def calibration(config: Mapping[str, Any], words: str) -> dict[str, Any]:
    """The calibration of `config`, made now after a line of `words` unless one is kept; see `calibrate`."""
    place, short = Path(config["outputs"]) / ".plan", shortened(config)
    asked = {"config": costly(short), "machine": machine()}
    file = place / f"{digest(asked)}.json"
    if file.is_file():
        return read_json(file)
    console.say(words, style="dim")
    with explained(place, "or choose another outputs="):
        place.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=place) as outputs, ProcessPoolExecutor(1, get_context("spawn")) as pool:
            try:
                found = pool.submit(calibrate, {**short, "outputs": outputs}).result()
            except BrokenProcessPool:
                raise UserError("the calibration's process was killed, perhaps because memory ran out") from None
        write_json(file, masked({"made": time.strftime("%Y-%m-%d %H:%M"), **asked, **found}))
    return read_json(file)


def calibrate(config: Mapping[str, Any]) -> dict[str, Any]:
    """Train and evaluate a little, as a run of `config` does, in a process of its own.

    Returns:
        `question`: what a question costs in training; `questions_a_step` at most, and as many as were `asked`;
        `begin`: what comes before the first step, without loading, which may download; `evaluation`: what the whole of
        each costs, by the file of its result; `validation`: the same of one; `memory`: the peak in bytes.
    """
    if found := gpus():
        os.environ["CUDA_VISIBLE_DEVICES"] = found[0]
    console.quiet()
    console.console.quiet = True
    experiment: Experiment = build(OmegaConf.create(dict(config)))
    run = Run(experiment.folder)
    training = experiment.prepare(run, config, overwrite=False)
    ledger, arguments = training.ledger, training.trainer.args
    begin = time.monotonic() - training.started - ledger.seconds["load"]
    passes = arguments.num_iterations
    arguments.max_steps = min(arguments.max_steps, STEPS * passes)
    experiment.train(training, run, experiment.tracking.start(run.folder, run.id, experiment.name, config), 0)
    lines = run.metrics()[passes:] or run.metrics()
    spent = {name: sum(line[f"step/{count}"] for line in lines) for name, count in COUNTED.items()}
    spent["seconds"] = sum(map(step_seconds, lines))
    asked = sum(line["step/trained_questions"] for line in lines)
    settings = experiment.evaluation
    measurer = Measurer(training.policy, training.generate, settings, experiment.seed, experiment.flaws.marks(), ledger)

    def evaluated(questions: Sequence[Question], episode: Episode, name: str) -> dict[str, float]:
        """The cost of a whole evaluation, by two small ones: seconds grow with the calls and with the questions."""
        many, a_call = len(questions), max(1, settings.batch // settings.samples)
        few = min(ceil(many / 4), a_call, max(1, EPISODES // settings.samples))
        spread = questions[:: many // few][:few]
        some, all_ = (
            measurer.measure(part, episode, run.evaluation / f"{name}-part{number}.jsonl")["compute"]
            for number, part in enumerate((spread[::4], spread))
        )
        more = all_["seconds"] - some["seconds"]
        each = min(max(0.0, more / max(1, few - len(spread[::4]))), all_["seconds"] / few)
        seconds = ceil(many / a_call) * (all_["seconds"] - few * each) + many * each
        cost = {"tokens": all_["generated_tokens"] * many / few, "flops": all_["flops"] * many / few}
        return {**cost, "seconds": seconds}

    costs: dict[str, dict[str, float]] = {}
    known: list[Measurement] = []  # that others are like, but for the policy
    for policy in ["trained"] + ["base"] * settings.before:
        for each in experiment.measurements(policy, training.tests):
            like = next((one for one in known if one == each._replace(policy=one.policy)), None)
            costs[each.name] = costs[like.name] if like else evaluated(each.questions, each.episode, each.name)
            known.append(each)
    validation = training.validation
    return {
        "question": {name: value / asked for name, value in spent.items()},
        "questions_a_step": experiment.algo.questions / passes,
        "asked": asked / len(lines),
        "begin": {"seconds": begin},
        "evaluation": {f"{name}.json": cost for name, cost in costs.items()},
        "validation": evaluated(validation.questions, validation.episode, "v") if validation.questions else {},
        "memory": max(ledger.peak_memory, measured_peak()),
    }


def show(configs: Sequence[Mapping[str, Any]]) -> None:
    """Print what the jobs with these configurations will take, and the command that runs them."""
    rows = forecast(configs)
    table = new_table(None)
    for column in ("arm", "jobs", "done", "tokens", "time", "memory", "FLOPs"):
        table.add_column(column, justify="left" if column == "arm" else "right", overflow="fold")
    total = Row("in all", len(configs), sum(each.done for each in rows), together(each.cost for each in rows))
    for each in (*rows, total):
        memory = max(one.memory for one in rows) if each is total else each.memory
        cost = [f"{each.cost['tokens']:,.0f}", duration(each.cost["seconds"]), f"{memory / 1e9:.1f} GB"]
        console.add_row(table, each.name, str(each.jobs), str(each.done), *cost, f"{each.cost['flops']:.1e}")
        if each is rows[-1]:
            table.add_section()
    table.width = min(80, console.console.width)
    console.show(table)
    if made := min((each.made for each in rows if each.made), default=""):
        place = Path(configs[0]["outputs"]) / ".plan"
        console.say(f"by calibrations since {made}, kept in {place}; delete it to calibrate again", style="dim")
    command = [word for word in sys.argv if not word.lstrip("+").startswith("plan=")]
    console.say(f"next    {typed(masked(command))}")
