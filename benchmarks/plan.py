"""What a training would take in more processes: `python -m benchmarks.plan RUN --pair RUN_IN_TWO [--ranks 1 2 4 8]`.

A plan, and no measurement. RUN is a run of one process that recorded all its episodes (record.questions=null), and
RUN_IN_TWO the same in two. In N processes a phase of a step takes its seconds in one, times the load of the slowest
process, and what was left over in two. Loads are counted: who gets which rows is known, and their lengths are recorded.
What is left over in two, exchange and what is not divided, is taken for every N above 1 as it is; without --pair as
nothing.

Two ways to grow: the same step, divided further; and N times the questions a step, drawn from those recorded, so that
each process keeps the work it has. The engine is that of RUN, and its seconds are taken as proportional to tokens.
"""

import argparse
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from rich.table import Table

from motif.rounds.records import steps_of
from motif.runs.folder import Run
from motif.runs.ledger import PHASES
from motif.system import UserError, console, read_json, read_yaml
from motif.system.failures import program

RANKS = (1, 2, 4, 8, 16, 32, 64)
DRAWS = 50  # steps of N times the questions
NAMES = ("first round", "later rounds", "guard", "grading", "update")  # of PHASES
Tree = Mapping[str, Any]  # a line of episodes.jsonl.gz
Calls = list[list[int]]  # of a phase: the loads of the rows of each call, in their order


def nodes(replies: Sequence[Tree]) -> Iterator[Tree]:
    """The replies of a tree, a round after another."""
    while replies:
        yield from replies
        replies = [child for node in replies for child in node["children"]]


def loads(trees: Sequence[Tree]) -> dict[str, Calls]:
    """The work of a step on `trees` by phase: tokens, and in grading replies. Each round is a call, at whose end all
    wait."""
    replies = [node for tree in trees for node in nodes(tree["replies"])]
    last = max(node["round"] for node in replies)
    rounds = [[node["tokens"] for node in replies if node["round"] == round] for round in range(1, last + 1)]
    graded = [len(list(nodes([root]))) for tree in trees for root in tree["replies"]]
    trained = [node["prompt_tokens"] + node["tokens"] for node in replies if "advantage" in node]
    return {"rollout": rounds[:1], "future_rollout": rounds[1:], "reward": [graded], "update": [trained]}


def slowest(rows: Sequence[int], count: int) -> int:
    """The load of the slowest of `count` processes, which divide rows as `motif.system.processes.divided` does."""
    edges = [-(-len(rows) * place // count) for place in range(count + 1)]
    return max(sum(rows[start:end]) for start, end in itertools.pairwise(edges))


def mean_loads(steps: Sequence[Sequence[Tree]], count: int) -> dict[str, float]:
    """By phase, the mean load in `steps` of the slowest of `count` processes."""
    found = [loads(step) for step in steps]
    return {
        phase: sum(slowest(call, count) for each in found for call in each[phase]) / len(found) for phase in found[0]
    }


def shares(steps: Sequence[Sequence[Tree]], count: int, grown: bool, undivided: Sequence[str]) -> dict[str, float]:
    """By phase, the load of the slowest of `count` processes over that of one alone; for `undivided` phases the whole.

    `grown` is for steps of `count` times the questions.
    """
    alone, random = mean_loads(steps, 1), Random(0)
    if grown and count > 1:
        every, size = [tree for step in steps for tree in step], len(steps[0])
        steps = [random.choices(every, k=size * count) for _ in range(DRAWS)]
    found = mean_loads(steps, count)
    whole = float(count if grown else 1)
    return {name: whole if name in undivided else found[name] / (alone[name] or 1) for name in found}


def seconds(run: Run) -> dict[str, float]:
    """The mean seconds of each phase of a step, but for the first step, in which much is done once."""
    lines = run.metrics()[1:] or run.metrics()
    return {name: sum(line.get(f"seconds/{name}", 0.0) for line in lines) / max(1, len(lines)) for name in PHASES}


def recorded(run: Run) -> list[list[Tree]]:
    """The trees of each step. A `UserError` where some are not recorded."""
    steps, lines = list(steps_of(run.episodes_file, [])), run.metrics()
    asked = {line["step"]: line["step/questions"] for line in lines}
    if not steps or any(asked.get(step[0]["step"]) != len(step) for step in steps):
        raise UserError(f"{run.folder} has not recorded all episodes of its steps: record.questions=null does")
    return steps


def processes_of(run: Run) -> int:
    file = run.folder / "environment.json"
    return int(read_json(file).get("processes", 1)) if file.is_file() else 1


def planned(folder: Path, pair: Path | None, ranks: Sequence[int]) -> list[tuple[str, float, list[list[float]]]]:
    """The two ways to grow: what each is called, tokens of a step of one process, and a line for each of `ranks`: the
    number, the seconds of each of PHASES, and the tokens of its step over those of one."""
    run = Run(folder)
    steps, alone, settings = recorded(run), seconds(run), read_yaml(folder / "config.yaml")
    if processes_of(run) != 1:
        raise UserError(f"{folder} is of {processes_of(run)} processes: a plan begins with a run of one")
    engine = settings.get("generation", {})
    undivided = ("rollout", "future_rollout") if engine.get("mode") == "server" else ()
    rest = dict.fromkeys(PHASES, 0.0)
    if pair:
        other, half = seconds(Run(pair)), shares(steps, 2, False, undivided)
        if processes_of(Run(pair)) != 2 or Run(pair).differs(settings):
            raise UserError(f"{pair} is not the run of {folder} in two processes")
        rest = {name: max(0.0, other[name] - alone[name] * half.get(name, 1.0)) for name in PHASES}
    tokens = sum(sum(map(sum, calls)) for step in steps for name, calls in loads(step).items() if "rollout" in name)
    trained, found = len(loads(steps[0])["update"][0]), []
    for name, grown in ((f"the same step of {len(steps[0])} questions", False), ("N times the questions a step", True)):
        lines = []
        for count in ranks:
            if not grown and trained % count:
                continue  # rows that so many processes cannot share equally are refused
            load = shares(steps, count, grown, undivided)
            spent = [alone[phase] * load.get(phase, 1.0) + (count > 1) * rest[phase] for phase in PHASES]
            lines.append([count, *spent, float(count if grown else 1)])
        found.append((name, tokens / len(steps), lines))
    return found


@program
def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.plan", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="the folder of a run of one process")
    parser.add_argument("--pair", type=Path, help="the folder of the same run in two processes")
    parser.add_argument("--ranks", type=int, nargs="+", default=RANKS, help="numbers of processes")
    given = parser.parse_args(arguments)
    for name, tokens, lines in planned(given.run, given.pair, given.ranks):
        table = Table(title=f"{name}: a plan, not measured", title_justify="left")
        for column in ("processes", *NAMES, "a step (s)", "tokens/s", "times one", "of ideal"):
            table.add_column(column, justify="right")
        first = tokens / sum(lines[0][1:-1])
        for count, *spent, size in lines:
            rate = size * tokens / sum(spent)
            cells = [f"{count:g}", *(f"{each:.3g}" for each in (*spent, sum(spent))), f"{rate:,.0f}"]
            table.add_row(*cells, f"{rate / first:.2f}", f"{rate / first / count:.0%}")
        console.show(table)
    left = "as much as in two" if given.pair else "nothing (--pair measures it)"
    console.say(f"Exchange, and what is not divided, takes {left} for all numbers above 1. The slowest process counts.")


if __name__ == "__main__":
    raise SystemExit(main())
