"""The programs with Hydra's grammar: train, warm_start, evaluate, solve, probe.

`train.py` and `motif-train` are the same. What they do stands in `motif.cli`, which `motif.api` shares.
"""

import os
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from motif import cli, forecast, sharing, sweeps
from motif.overrides import arguments
from motif.reporting import study
from motif.reporting.status import objective, result_line
from motif.reporting.study import Job
from motif.runs.folder import Run
from motif.system import UserError, console, group, masked
from motif.system.config import CONF, build, resolved
from motif.system.environment import DISTRIBUTION, as_installed, first_word, is_installed

GOES_ON = "the same command goes on after the questions that are done"
asked: str | None = None  # the question of `solve` as typed; it does not pass through Hydra's grammar


def program(name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], Any]]:
    """A program of Hydra's whose settings are conf/`name`.yaml."""
    return hydra.main(version_base="1.3", config_path=str(CONF), config_name=name)


def begin(config: DictConfig) -> None:
    """Prepare this process for the work of `config`, before anything heavy is loaded."""
    group.follow()
    sharing.join_tasks()
    sharing.take_gpus(config)
    console.quiet(cli.verbose())
    sys.argv = masked(sys.argv)  # which W&B and others note down


@program("config")
def _train(config: DictConfig) -> float | None:
    begin(config)
    job = cli.job()
    return cli.guarded(lambda: training(config, job), job, config=config)


def training(config: DictConfig, job: Job | None) -> float | None:
    """Run what `config` describes. The accuracy on validation questions, where these are what it is measured on."""
    choices = HydraConfig.get().runtime.choices
    experiment, plain = cli.experiment(config, choices, cli.overrides(), cli.study())
    if experiment.plan:
        forecast.show([plain])
        return None
    if cli.optimised() and experiment.evaluation.split != "validation":
        raise UserError("an optimiser must not see test questions: evaluation.split=validation")

    def run(*how: Any) -> dict[str, Any]:
        if sharing.together("train", config):
            return Run(experiment.folder).summary() or {}
        return experiment.run(plain, *how)

    if job is None:
        return objective(run())
    where = {"name": experiment.name, "folder": str(experiment.folder.absolute())}
    hydra = HydraConfig.get()
    which = study.place(job, hydra.sweeper.get("n_trials") or 0)
    if not experiment.overwrite and (found := Run.open(experiment.folder, plain).summary()):
        console.say(f"{which} is finished already: {result_line(found)}", style="yellow")
        job.note("skipped", **where, result=result_line(found))
        return objective(found)
    job.note("begun", **where)
    sys.argv = masked([first_word("train"), "-m", *job.overrides])  # in a process of a launcher it is something else
    title = study.heading(job, experiment.name, hydra.sweeper.get("n_trials") or 0, cli.beside_each_other(hydra))
    summary = run(title, lambda found, folder: console.say(f"{which} is done: {result_line(found)}"))
    job.note("done", result=result_line(summary))
    return objective(summary)


@program("warm_start")
def _warm_start(config: DictConfig) -> None:
    begin(config)

    def run() -> None:
        warm_start = build(config)
        sharing.alone("a warm start", config)
        warm_start.run(masked(resolved(config)))

    cli.guarded(run, config=config)


def measuring(program: str, config: DictConfig) -> None:
    asked = cli.for_policy(config, cli.overrides())
    if not sharing.together(program, config, GOES_ON):
        asked.run()


@program("evaluate")
def _evaluate(config: DictConfig) -> None:
    begin(config)
    cli.guarded(lambda: measuring("evaluate", config), on=GOES_ON, config=config)


@program("probe")
def _probe(config: DictConfig) -> None:
    begin(config)
    cli.guarded(lambda: measuring("probe", config), on=GOES_ON, config=config)


@program("solve")
def _solve(config: DictConfig) -> None:
    console.quiet(cli.verbose())
    cli.guarded(lambda: solution(config), on="nothing is kept of it", config=config)


def solution(config: DictConfig) -> None:
    cli.take_for_solving(config, cli.overrides())
    if asked is None:
        build(config).run()
    else:
        config.question = "as typed"
        replace(build(config), question=asked).run()


def command_line() -> None:
    """Read the command line as Hydra does, and note a program that pip installed by the name it is typed by."""
    if "--version" in sys.argv:
        print(f"motif {version(DISTRIBUTION)}")
        sys.exit()
    threads = os.environ.get("OMP_NUM_THREADS") or "1"
    if not re.fullmatch(r"\s*[1-9]\d*(\s*,\s*[1-9]\d*)*\s*", threads):
        sys.exit(f"error: the variable OMP_NUM_THREADS must be a whole number of at least 1, got {threads!r}")
    program = Path(sys.argv[0]).name if is_installed(sys.argv[0]) else sys.argv[0]
    sys.argv = [program, *arguments(sys.argv[1:])]
    sharing.typed[:] = sys.argv


def start(main: Callable[[], Any], config: str) -> None:
    """Run a program of Hydra's on the command line. Its page of help names the programs as this one was typed."""
    command_line()
    if not {"--help", "-h"} & {*sys.argv} or not is_installed(sys.argv[0]):
        return sweeps.start(main, config)
    page = StringIO()
    try:
        with redirect_stdout(page):
            sweeps.start(main, config)
    finally:
        print(as_installed(page.getvalue()), end="")


def train() -> None:
    """Be `train.py`."""
    start(_train, "config")


def warm_start() -> None:
    """Be `python -m motif.warm_start`."""
    start(_warm_start, "warm_start")


def evaluate() -> None:
    """Be `evaluate.py`."""
    start(_evaluate, "evaluate")


def probe() -> None:
    """Be `python -m motif.probe`."""
    start(_probe, "probe")


def solve() -> None:
    """Be `solve.py`."""
    global asked
    sys.argv, asked = cli.split_question(sys.argv, "solve")
    start(_solve, "solve")
