"""Private parts of Hydra that this package touches: all of them, and nothing else.

pyproject.toml holds Hydra to the minor version they were read in. `tests/test_layers.py` finds such touches elsewhere.
"""

import argparse
import os
import re
from collections.abc import Sequence
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser import overrides_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.overrides_visitor import HydraOverrideVisitor
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.sweeper import Sweeper

REAL = ("budget.flops", "budget.seconds")  # settings whose 1e15 is no whole number
TEXT = {  # settings that are text, whatever was typed: 007, 1e5 and true are words there
    *("name", "outputs", "policy", "question", "gold", "options.base", "options.revision", "budget.match"),
    *(f"dataset.{key}" for key in ("name", "hub", "config", "revision", "path", "question", "answer", "facts", "id")),
    *(f"dataset.{key}" for key in ("licence", "citation", "url", "solution")),
    *(f"model.{key}" for key in ("name", "path", "revision", "license")),
    *(f"tracking.{key}" for key in ("project", "entity", "group", "job_type", "tags")),
    *(f"episode.prompts.{key}" for key in ("reasoning", "answer", "progress")),
    *("evaluation.path", "evaluation.datasets", "algo.name", "reward.name", "episode.name"),
}


class Typed(QuotedString):
    """Text that Hydra would have read as a number, a truth or nothing. It is spelled as it was typed."""

    def with_quotes(self) -> str:
        return self.text


class Visitor(HydraOverrideVisitor):
    """Hydra's reader of overrides, for which the value of a setting of `TEXT` is text.

    `null` is the name of a run too, which otherwise is left out; elsewhere it is null. `1e3` is 1000.
    """

    key: str | None = None

    def visitOverride(self, ctx: Any) -> Any:
        self.key = ctx.getText().lstrip("+").partition("=")[0]  # with its ~ where it is taken out
        return super().visitOverride(ctx)

    def visitFunction(self, ctx: Any) -> Any:
        key, self.key = self.key, self.key if ctx.getChild(0).getText() == "choice" else None
        try:
            return super().visitFunction(ctx)
        finally:
            self.key = key

    def _createPrimitive(self, ctx: Any) -> Any:
        found = super()._createPrimitive(ctx)
        if isinstance(found, float) and self.key not in (*TEXT, *REAL):
            return int(found) if re.fullmatch(r"[+-]?\d+[eE]\+?\d\d?", ctx.getText()) else found
        if self.key not in TEXT or isinstance(found, str | QuotedString) or (found is None and self.key != "name"):
            return found
        return Typed(ctx.getText().strip(), Quote.double)


overrides_parser.HydraOverrideVisitor = Visitor  # type: ignore[misc]
PARSER = OverridesParser.create()  # once, since that takes as long as to parse a word


def jobs(words: Sequence[str]) -> list[list[str]]:
    """The jobs of a grid: for each its overrides, as Hydra's own sweeper spells them."""
    found: list[list[str]] = BasicSweeper.split_arguments(PARSER.parse_overrides(list(words)), None)[0]
    return found


COMPOSE_ALL = Sweeper.validate_batch_is_legal


def compose_only(jobs: Sequence[Sequence[str]]) -> None:
    """Of a sweep's jobs, let Hydra's own sweeper compose these alone before it launches the first. It would compose all
    of them, to find mistakes early."""
    wanted = {tuple(job) for job in jobs}

    def compose(sweeper: Sweeper, batch: Sequence[Sequence[str]]) -> None:
        COMPOSE_ALL(sweeper, [job for job in batch if tuple(job) in wanted])

    Sweeper.validate_batch_is_legal = compose  # type: ignore[assignment, method-assign]


def wait_for_none() -> None:
    """Let submitit's launchers wait for no job that they have submitted."""
    from submitit import Job

    def nothing(job: Any) -> Any:
        return [JobReturn(status=JobStatus.COMPLETED)]

    Job.results = nothing  # type: ignore[assignment, method-assign]


def prepare_ray() -> None:
    """Let the jobs of Ray's launcher work in this folder, whatever node they are on. And let Ctrl-C ask them to stop,
    and wait until they have: Ray alone would kill them."""
    import ray
    from hydra_plugins.hydra_ray_launcher import _core, _launcher_util

    launch, get, begun = _core.launch_job_on_ray, ray.get, list[Any]()
    folder, run = os.getcwd(), _launcher_util._run_job

    def job(**given: Any) -> Any:
        os.chdir(folder)
        return run(**given)

    def launched(*arguments: Any) -> Any:
        begun.append(launch(*arguments))
        return begun[-1]

    def got(result: Any) -> Any:
        try:
            return get(result)
        except KeyboardInterrupt:
            for each in begun:
                ray.cancel(each)
            ray.wait(begun, num_returns=len(begun))
            raise

    _core.launch_job_on_ray, ray.get, _launcher_util._run_job = launched, got, job


def options() -> argparse.ArgumentParser:
    """What reads Hydra's own options on a command line."""
    return get_args_parser()


class Said(JobReturn):
    """What came of a job that has said itself what ended it. Whoever asks for it is told without a line of Hydra's."""

    @property  # type: ignore[misc]  # read alone: nobody sets it once a job has ended
    def return_value(self) -> Any:
        raise self._return_value


def keep_quiet(job: JobReturn, mistake: type[Exception]) -> None:
    """Let Hydra say nothing of a job that a `mistake` ended."""
    if isinstance(job._return_value, mistake):
        job.__class__ = Said
