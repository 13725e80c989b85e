"""What the terminal shows at the end: results, where they lie, what to type next.

Every accuracy stands with its interval, its n and its token budget.
"""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.table import Table

from motif.runs.budget import account_lines
from motif.system import console
from motif.system.environment import program
from motif.system.errors import UserError
from motif.system.files import as_size, size

SHOWN = ("name", "algo", "evaluation", "seconds")  # of a summary
RATES = ("truncated", "unparsable", "copied", "tokens", "budget")


def results_table(title: str, results: Sequence[Mapping[str, Any]]) -> Table:
    """One row a result. Tokens and budget are of a question, all its samples and rounds together."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for column in ("dataset", "rounds", "policy", "accuracy", "95 % interval", "n", *RATES):
        table.add_column(column, justify="left" if column in ("dataset", "policy") else "right")
    for found in results:
        k = found["samples"]
        console.add_row(
            table,
            found["dataset"],
            str(found["rounds"]),
            found["policy"],
            f"{found['accuracy']:.1%}",
            interval(found["interval"]),
            str(found["n"]) if k == 1 else f"{found['n']} × {k}",
            f"{found['truncated']:.1%}",
            f"{found['unparsable']:.1%}",
            f"{found['copied']:.1%}",
            f"{found['tokens'] * k:.0f}",
            f"{found['budget'] * k}",
        )
    return table


def sample_lines(result: Mapping[str, Any]) -> list[str]:
    """pass@k and maj@k with their intervals, one line each; nothing where a question has one sample."""
    return [
        f"{kind}@{k}: {found['value']:.1%} ({interval(found['interval'])})"
        for kind in ("pass", "maj")
        for k, found in result.get(f"{kind}_at", {}).items()
    ]


def by_round_lines(result: Mapping[str, Any]) -> list[str]:
    """Accuracy if the episode had been stopped after each round, one line a round; nothing for a single round."""
    rounds = result["accuracy_by_round"]
    if len(rounds) == 1:
        return []
    return [
        f"stopped after round {place}, by that round's own box: {found['value']:.1%} ({interval(found['interval'])}), "
        f"{result['tokens_by_round'][place - 1]:.0f} tokens in that round"
        for place, found in enumerate(rounds, 1)
    ]


def interval(bounds: Sequence[float]) -> str:
    low, high = bounds
    return f"{low:.1%} – {high:.1%}"


def show_result(summary: Mapping[str, Any], folder: Path) -> None:
    """The last screen of a run: what happened, where it lies, what to type next."""
    check_whole(summary, folder / "summary.json")
    order = {found["dataset"]: place for place, found in enumerate(summary["evaluation"])}
    results = sorted(summary["evaluation"], key=lambda found: (order[found["dataset"]], found["rounds"]))
    console.show(results_table(summary["name"], results))
    if summary.get("flaws"):
        console.say(f"as published, flaws included: {', '.join(summary['flaws'])}", style="yellow")
    for warning in summary.get("warnings", []):
        console.say(f"warning: {warning['words']}", style="yellow")
    for line in (*spent_lines(summary), *account_lines(summary.get("budget", {}), summary.get("stopped_by", ""))):
        console.say(line)
    console.say(f"folder  {folder} ({disk_words(folder)})")
    for place, command in enumerate(
        [*next_commands(summary["algo"], sys.argv[1:], folder.parent), f"{program('evaluate')} policy={folder}"]
    ):
        console.say(f"{'' if place else 'next':<8}{command}")


def check_whole(summary: Mapping[str, Any], file: Path) -> None:
    """A `UserError` where the summary in `file`, of an older suite say, lacks what is shown of one."""
    missing = [key for key in SHOWN if key not in summary]
    compute = summary.get("compute")
    if not isinstance(compute, Mapping) or "training" not in compute:
        missing.append("compute.training")
    if missing:
        raise UserError(f"{file} does not say {', '.join(missing)}; overwrite=true runs that experiment again")


def disk_words(folder: Path) -> str:
    """What a run's folder takes on disk, and what of that can go: checkpoints are needed to continue only."""
    return f"{as_size(size(folder))} on disk, {as_size(size(folder / 'checkpoints'))} of it checkpoints"


def spent_lines(summary: Mapping[str, Any]) -> list[str]:
    """What training cost, and where all the run's time went."""
    spent, seconds = summary["compute"]["training"], summary["seconds"]
    memory = {"gpu": "on the GPU", "process": "of the process"}[summary["compute"]["peak_memory_of"]]
    return [
        f"trained {spent['optimiser_steps']:,} steps on {spent['questions']:,} questions: "
        f"{spent['responses']:,} responses, {spent['generated_tokens']:,} tokens generated, "
        f"{spent['flops']:.2g} FLOPs (estimated), {spent['peak_memory'] / 2**30:.1f} GiB {memory}, "
        f"{spent['seconds']:.0f} s",
        f"seconds of the run: {', '.join(f'{name} {s:.0f}' for name, s in seconds.items())}",
    ]


def next_commands(algo: str, typed: Sequence[str], outputs: Path = Path("outputs")) -> list[str]:
    """What to type next after a run of `algo` that came of these arguments and lies in `outputs`."""
    table = f"python -m motif.report {shlex.quote(str(outputs))}/*"
    if any(argument in ("-m", "--multirun") or argument.startswith("sweeps=") for argument in typed):
        return [table]
    fixed = [
        shlex.quote(argument)
        for argument in typed
        if argument.split("=")[0] not in ("algo", "seed", "name", "overwrite")
    ]
    other = "grpo" if algo != "grpo" else "motif"
    one = " ".join([program("train"), *fixed, f"algo={other}"])
    sweep = " ".join([program("train"), "-m", *fixed, "algo=grpo,motif seed=0,1,2"])
    return [one, sweep, table]
