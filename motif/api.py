"""The programs as functions, for a notebook or a script: `motif.train("rounds=3", "algo=motif")`.

Each does what its program does, in the same folders: a run that is finished is returned and not trained again, one that
was stopped goes on. They end no process and leave no signal handler behind. They share random states with whoever calls
them, so one works at a time, also where threads call them.

A mistake raises `UserError`, with the line that the program would print. Ctrl-C lets a training step finish, writes a
checkpoint, and raises `KeyboardInterrupt`.
"""

import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from hydra.version import VersionBase
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from motif import cli, planning, sharing
from motif.api_results import EvaluateResult, ReportResult, SolvedRound, SolveResult, TrainResult
from motif.evaluation import program as evaluator
from motif.mistakes import composing
from motif.overrides import quoted, setting
from motif.reporting.folders import asked
from motif.reporting.frames import Frames
from motif.reporting.program import beside
from motif.reporting.program import build as build_report
from motif.reporting.recorded import RecordedRun
from motif.runs.folder import Run
from motif.system import Busy, Stopped, UserError, console, explained, failures, masked, shown
from motif.system.config import CONF, build

ONE_AT_A_TIME = threading.RLock()


def train(*overrides: str, steps: int | None = None, **settings: Any) -> TrainResult:
    """Train and evaluate one policy, as `motif-train` does: `train("rounds=3", "algo=motif", steps=20)`.

    Args:
        overrides: as on the command line, `KEY=VALUE` or `GROUP=OPTION`.
        steps: of training; the same as `algo.steps`.
        settings: more overrides, with Python values: `algo="grpo"`, `seed=1`, `**{"algo.k": 4}`.

    Returns:
        The finished run, also where it was finished before.

    Raises:
        UserError: for a mistake in what was asked, or a disk that is full.
        KeyboardInterrupt: after Ctrl-C. What is done is kept, and the same call goes on.
    """
    if steps is not None:
        settings["algo.steps"] = steps
    words = overrides_of("train", overrides, settings)
    with called("train", words):
        config, choices = composed("config", words)
        sharing.alone("a function of Python's", config)
        extra = [word for word in words if word.startswith("hydra.")]
        own = [word for word in words if word not in extra]
        experiment, plain = cli.experiment(config, choices, own, extra=extra)
        if experiment.plan:
            raise UserError("plan=true is of the command line; type: motif-train plan=true")
        summary = experiment.run(plain)
        return TrainResult(experiment.folder, Run(experiment.folder).summary() or summary)  # as JSON has it


def evaluate(policy: TrainResult | Path | str, *overrides: str, **settings: Any) -> EvaluateResult:
    """Measure a policy, as `motif-evaluate` does: `evaluate("outputs/RUN", dataset="math500", rounds=3)`.

    Args:
        policy: what `train` returned, the folder of a run or of a model, or a model of the hub.
        overrides: as on the command line.
        settings: more overrides, with Python values. A run's own data set, episode and rounds are the defaults.

    Returns:
        The result. What was measured before is read; `overwrite=True` measures again.

    Raises:
        UserError: for a mistake in what was asked.
    """
    words = overrides_of("evaluate", overrides, {"policy": policy, **settings})
    with called("evaluate", words):
        config, _ = composed("evaluate", words)
        sharing.alone("a function of Python's", config)
        evaluator.SHOWN.clear()
        evaluator.opened.cache_clear()  # a run of that name may have been trained again
        asked = cli.for_policy(config, words)
        with explained(asked.folder(), "or choose another outputs="):
            found = asked.run()
        return EvaluateResult(Path(found["records"]), found)


def solve(
    policy: TrainResult | Path | str, question: str, *overrides: str, gold: object = None, **settings: Any
) -> SolveResult:
    """Let a policy think about one question in rounds, as `motif-solve` does, and print what it writes.

    Args:
        policy: as for `evaluate`.
        question: any text.
        overrides: as on the command line.
        gold: the right answer, where the policy's is to be compared with it.
        settings: more overrides, with Python values. A run's own episode and rounds are the defaults.

    Returns:
        The answer, and each round.

    Raises:
        UserError: for a mistake in what was asked.
    """
    words = overrides_of("solve", overrides, {"policy": policy, **settings})
    with called("solve", words):
        config, _ = composed("solve", words)
        cli.take_for_solving(config, words)
        config.question = "as asked"  # text does not pass through Hydra's grammar
        solver = replace(build(config), question=question, **({} if gold is None else {"gold": str(gold)}))
        nodes = solver.run()
    rounds = (SolvedRound(n.reply.text, len(n.reply.token_ids), n.reply.finished, n.carried) for n in nodes)
    last = nodes[-1]
    return SolveResult(question, last.prediction, None if solver.gold is None else last.correct, tuple(rounds))


def report(
    *folders: TrainResult | Path | str,
    against: str = "grpo",
    to: Path | str | None = None,
    axes: Sequence[str] = (),
    wandb: bool = False,
) -> ReportResult:
    """Write the report on some runs, as `python -m motif.report` does: `report("outputs/*")`.

    Args:
        folders: runs, patterns of their folders, or folders in which runs lie. None: those in outputs.
        against: the arm that the others are compared with.
        to: the folder of the report; None: report/ beside the runs.
        axes: what pictures are drawn against besides steps and tokens, such as `flops` or `seconds`.
        wandb: whether to attach the report to the runs' group in W&B.

    Returns:
        The page, and the verdicts that it opens with.

    Raises:
        UserError: where there is no run, or the folder cannot be written.
    """
    with called("report", []):
        runs = runs_of(folders)
        folder = Path(to) if to is not None else beside(runs[0])
        verdicts: list[str] = []
        with explained(folder, "or choose another to="):
            page = build_report(
                runs, folder, against, axes=axes, wandb=wandb, say=lambda line: verdicts.append(line.strip())
            )
        return ReportResult(page, tuple(verdicts))


def load(*folders: TrainResult | Path | str) -> Frames:
    """What runs have left, as DataFrames of pandas: `load("outputs/*").evaluations`. It needs no torch.

    Args:
        folders: as of `report`. Runs that are not finished are read as far as they are.

    Returns:
        `metrics` (a row a step), `evaluations` (a row a result), `episodes` (a row a reply) and `settings` (a row a
        run). The class says what their columns are.

    Raises:
        UserError: where there is no run.
    """
    with called("load", []):
        return Frames(runs_of(folders))


def overrides_of(program: str, overrides: Sequence[str], settings: Mapping[str, Any]) -> list[str]:
    """All that was asked of a function, as overrides of Hydra's."""
    words = []
    for override in overrides:
        if not isinstance(override, str):
            raise UserError(f'settings are given as "KEY=VALUE" or KEY=VALUE, got {shown(override)}')
        if override.startswith("-"):
            raise UserError(f"{override} is an option of the command line; type it: motif-{program} {override} ...")
        words.append(quoted(override, several=False))
    for key, value in settings.items():
        value = value.folder if isinstance(value, TrainResult) else value
        words += [] if key == "name" and value is None else [setting(key, value)]  # null would be a name
    return words


def composed(name: str, words: Sequence[str]) -> tuple[DictConfig, Mapping[str, str]]:
    """The configuration that Hydra composes of conf/`name`.yaml and these overrides, and the choices it is made of."""
    parsed = OverridesParser.create().parse_overrides(list(words))
    swept = [str(each.input_line) for each in parsed if each.is_sweep_override()]
    if several := swept or [word for word in words if word.startswith("sweeps=")]:
        said = " ".join(several)
        raise UserError(f"{said} asks for several runs; call motif.train in a loop, or type: motif-train -m {said}")
    return planning.composed(words, name)


@contextmanager
def called(program: str, words: Sequence[str]) -> Iterator[None]:
    """Within the block Hydra composes from conf/, and `sys.argv` says what was asked. All that is as it was afterwards.

    Raises what went wrong as a caller understands it.
    """
    argv = sys.argv
    with ONE_AT_A_TIME, warnings.catch_warnings(), levels_kept():
        console.quiet()
        sys.argv = masked([f"motif.{program}", *words])
        try:
            with hydra_at_conf():
                yield
        except Stopped as stop:
            if stop.signal not in (None, signal.SIGINT):
                signal.raise_signal(stop.signal)  # whoever calls may have an own handler; else the process ends
            raise KeyboardInterrupt(str(stop)) from None
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(composing(error, "config" if program == "train" else program)) from None
        except Busy as error:
            raise UserError(str(error)) from None
        except Exception as error:
            if not (words_of_it := failures.mistake(error)):
                raise  # a fault of ours, with its traceback
            mistake = error if isinstance(error, UserError) else UserError(words_of_it)
            raise mistake.with_traceback(None) from None
        finally:
            sys.argv = argv


@contextmanager
def hydra_at_conf() -> Iterator[None]:
    """Within the block Hydra composes from conf/; what a caller has initialised is put back."""
    state, base = GlobalHydra.instance(), VersionBase.instance().getbase()
    hydra = state.hydra
    state.clear()
    try:
        with initialize_config_dir(str(CONF), job_name="motif", version_base="1.3"):
            yield
    finally:
        GlobalHydra.set_instance(state)
        state.hydra = hydra
        VersionBase.instance().version_base = base


@contextmanager
def levels_kept() -> Iterator[None]:
    """What is said by libraries is said again after the block."""
    before = {name: logging.getLogger(name).level for name in console.LIBRARIES}
    try:
        yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def runs_of(folders: Sequence[TrainResult | Path | str]) -> list[RecordedRun]:
    """The runs that `folders` mean; what cannot be read of them is said."""
    runs, _ = asked([each.folder if isinstance(each, TrainResult) else each for each in folders or ("outputs",)])
    for complaint in (line for run in runs for line in run.complaints):
        console.say(complaint, style="yellow")
    return runs
