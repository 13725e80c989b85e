"""The end of a run on the terminal: its results, where they lie, and what to type next.

Every accuracy is shown with its interval, its n and its token budget.
"""

import os
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from shlex import quote
from typing import Any

from rich import box
from rich.table import Table

from motif.evaluation.wording import percent, percent_interval, with_interval
from motif.runs.budget import account_lines
from motif.system import UserError, console, program
from motif.system.files import as_size, size
from motif.training.algorithms import GRPO, MOTIF

SUMMARY_KEYS = ("name", "algo", "evaluation", "seconds")  # that a summary needs to be shown
NEEDED = ("dataset", "rounds", "policy", "accuracy", "95 % interval", "truncated")  # columns that are always shown
LONGEST = 100  # characters of a command that is worth typing
RATES = ("truncated", "unparsable", "copied", "tokens", "budget")


def show_results(results: Sequence[Mapping[str, Any]]) -> None:
    """A table: one row a result, as many columns as there is room for. Tokens and budget are of a question, all its
    samples and rounds together."""
    rows = []
    for result in results:
        k = result["samples"]
        named = (result["dataset"], str(result["rounds"]), result["policy"])
        accuracy = (percent(result["accuracy"]), percent_interval(result["interval"]))
        n = str(result["n"]) if k == 1 else f"{result['n']} × {k}"
        rates = [percent(result[rate]) for rate in ("truncated", "unparsable", "copied")]
        tokens = (f"{result['tokens'] * k:.0f}", f"{result['budget'] * k}")
        rows.append(dict(zip((*NEEDED[:-1], "n", *RATES), (*named, *accuracy, n, *rates, *tokens), strict=True)))
    console.show_rows(rows, NEEDED, left=("dataset", "policy"))


def new_table(title: str | None, columns: Sequence[str] = ()) -> Table:
    """An empty table in the style of all screens."""
    return Table(*columns, title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))


def sample_lines(result: Mapping[str, Any]) -> list[str]:
    """pass@k and maj@k with their intervals, one line each; nothing where a question has one sample."""
    shares = {f"{kind}@{k}": share for kind in ("pass", "maj") for k, share in result.get(f"{kind}_at", {}).items()}
    return [f"{name}: {with_interval(share)}" for name, share in shares.items()]


def by_round_lines(result: Mapping[str, Any]) -> list[str]:
    """Accuracy if the episode had been stopped after each round, one line a round; nothing for a single round."""
    by_round = zip(result["accuracy_by_round"], result["tokens_by_round"], strict=False)
    lines = [
        f"stopped after round {round}, by that round's own box: {with_interval(accuracy)}, "
        f"{tokens:.0f} tokens in that round"
        for round, (accuracy, tokens) in enumerate(by_round, 1)
    ]
    return lines if len(lines) > 1 else []


def show_result(summary: Mapping[str, Any], folder: Path) -> None:
    """The last screen of a run: what happened, where it lies, what to type next."""
    check_summary(summary, folder / "summary.json")
    order = {result["dataset"]: place for place, result in enumerate(summary["evaluation"])}
    results = sorted(summary["evaluation"], key=lambda result: (order[result["dataset"]], result["rounds"]))
    console.say(summary["name"], style="bold")
    show_results(results)
    if summary.get("flaws"):
        console.say(f"as published, flaws included: {', '.join(summary['flaws'])}", style="yellow")
    for warning in summary.get("warnings", []):
        console.say(f"warning: {warning['words']}", style="yellow")
    for line in (*cost_lines(summary), *account_lines(summary.get("budget", {}), summary.get("stopped_by", ""))):
        console.paragraph(line)
    disk = f"{as_size(size(folder))} on disk, {as_size(size(folder / 'checkpoints'))} of it checkpoints"
    console.say(f"folder  {folder}")
    console.say(f"        {disk}")
    say_next(next_commands(summary["algo"], sys.argv[1:], folder))


def say_next(commands: Sequence[str]) -> None:
    """What to type next: those of the commands that are short enough to be typed."""
    for place, command in enumerate(command for command in commands if len(command) <= LONGEST):
        console.say(f"{'' if place else 'next':<8}{command}")


def check_summary(summary: Mapping[str, Any], file: Path) -> None:
    """Raises a `UserError` where the summary in `file`, of an older version say, lacks what is shown of one."""
    missing = [key for key in SUMMARY_KEYS if key not in summary]
    compute = summary.get("compute")
    if not isinstance(compute, Mapping) or "training" not in compute:
        missing.append("compute.training")
    if missing:
        raise UserError(f"{file} does not say {', '.join(missing)}; overwrite=true runs that experiment again")


def cost_lines(summary: Mapping[str, Any]) -> list[str]:
    """What training cost, and where all the run's time went."""
    cost = summary["compute"]["training"]
    memory = {"gpu": "on the GPU", "process": "of the process"}[summary["compute"]["peak_memory_of"]]
    steps, idle = cost["optimiser_steps"], f" ({cost['idle_steps']:,} taught nothing)" if cost.get("idle_steps") else ""
    phases = [f"{phase} {seconds:.0f}" for phase, seconds in summary["seconds"].items()]
    return [
        f"trained {steps:,} step{'s' * (steps != 1)}{idle} on {cost['questions']:,} questions: "
        f"{cost['responses']:,} responses, {cost['generated_tokens']:,} tokens generated, "
        f"{cost['flops']:.2g} FLOPs (estimated), {cost['peak_memory'] / 2**30:.1f} GiB {memory}, "
        f"{cost['seconds']:.0f} s",
        f"seconds of the run: {', '.join(each.replace(' ', console.UNBROKEN) for each in phases)}",
    ]


def next_commands(algo: str, typed: Sequence[str], folder: Path) -> list[str]:
    """What to type next, after the run of `algo` in `folder` that the arguments `typed` have begun: the other
    algorithm, several seeds, the report, an evaluation. A command that would be refused is left out."""
    from motif.system.config import composes  # which loads Hydra, that readers of folders do without

    last = [report_command(folder.parent), f"{program('evaluate')} policy={quote(nearest(folder))}"]
    many = any(argument in ("-m", "--multirun") or argument.startswith("sweeps=") for argument in typed)
    if many or not composes(typed):  # or begun by a program of one's own, whose arguments these are
        return last
    own = [each for each in typed if each.split("=")[0] not in ("seed", "name", "overwrite")]
    fixed = [each for each in own if not each.startswith("algo=")]
    other, known = ("grpo", GRPO) if algo != "grpo" else ("motif", MOTIF)
    keys = {each.name for each in fields(known)}
    apart = [each for each in fixed if each.startswith("algo.") and re.split("[.=]", each)[1] not in keys]
    switched = [*(each for each in fixed if each not in apart), f"algo={other}"]
    changed = [switched] if composes(switched) else []
    seeds = [*fixed, "algo=grpo,motif"] if changed and not apart and composes([*fixed, "algo=motif"]) else own
    commands = [*changed, ["-m", *seeds, "seed=0,1,2,3,4"]]
    return [*(shlex.join([*program("train").split(), *words]) for words in commands), *last]


def report_command(outputs: Path) -> str:
    return f"python -m motif.report {quote(nearest(outputs))}/*"


def nearest(path: Path) -> str:
    """`path` as seen from the current folder, where it lies in that."""
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here
