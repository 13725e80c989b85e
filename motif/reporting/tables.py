"""The tables of the report and of the terminal. A share never stands without its interval and its n.

A row is a mapping from columns to texts; `motif.reporting.markup` writes it.
"""

from collections.abc import Iterable, Sequence

from motif.evaluation.statistics import over_seeds
from motif.evaluation.wording import in_rounds, percent, percent_interval
from motif.reporting.arm_names import differing_keys
from motif.reporting.arms import Arm
from motif.reporting.markup import Table, markdown
from motif.reporting.paper import Reference
from motif.reporting.pooled import Pooled
from motif.reporting.recorded import BASE, MISSING, RecordedRun, Result

MEASURED = ("data set", "decoded in", "accuracy", "95 % interval", "n", "truncated", "tokens")
TERMINAL = ("arm", "rounds", "seed", "policy", *MEASURED)  # columns
SPENT = {  # columns of what a run has spent, by the names of the ledger
    "questions": "questions",
    "responses": "replies",
    "generated_tokens": "tokens generated",
    "trained_tokens": "tokens trained on",
    "flops": "FLOPs",
    "peak_memory": "GiB at most",
    "seconds": "seconds",
}
Row = dict[str, str]


def terminal_table(runs: Iterable[RecordedRun], arms: Sequence[Arm]) -> str:
    """`terminal_rows` in Markdown."""
    return markdown(TERMINAL, [[row[column] for column in TERMINAL] for row in terminal_rows(runs, arms)])


def terminal_rows(runs: Iterable[RecordedRun], arms: Sequence[Arm]) -> list[Row]:
    """One row a result: its run, policy and the number of rounds it was decoded in.

    Untrained policies come first; those of equal results have one row.
    """
    arm_of = {run.folder: arm.name for arm in arms if arm.trained for run in (*arm.runs, *arm.repeated)}

    def described(run: RecordedRun) -> Row:
        arm = arm_of.get(run.folder, str(run.choice("algo")))
        return {"arm": arm, "rounds": str(run.choice("rounds")), "seed": str(run.choice("seed"))}

    rows: list[Row] = []
    for run in sorted(runs, key=lambda run: tuple(described(run).values())):
        for result in run.results:
            untrained = result.policy == BASE
            row = {
                **({"arm": "none", "rounds": MISSING, "seed": MISSING} if untrained else described(run)),
                "policy": run.name if run.measured else result.policy,
                **measured(result),
            }
            if not untrained or row not in rows:
                rows.append(row)
    return sorted(rows, key=lambda row: row["arm"] != "none")


def measured(result: Result) -> Row:
    """What one evaluation says."""
    return {
        "data set": result.dataset,
        "decoded in": in_rounds(result.rounds),
        "accuracy": percent(result.values["accuracy"]),
        "95 % interval": percent_interval(result.values["interval"]),
        "n": str(result.n),
        "truncated": percent(result.values["truncated"]),
        "tokens": f"{result.values['tokens']:.0f}",
    }


def results(pooled: Sequence[Pooled], references: Sequence[Reference]) -> Table:
    """Arms × data sets × rounds, averaged over seeds, and the paper's Table 1 where the setting is the paper's."""
    rows = [result_row(one) for one in pooled] + [reference_row(reference) for reference in references]
    note = (
        "Accuracy is the mean over seeds. The 95 % interval is over seeds where there are several: the t interval of "
        "their mean, or that over questions where it is wider. A few seeds that agree do not say that others would. Of "
        "one seed it is over questions alone: Wilson's, clustered by question. Spread is a standard deviation. "
        "Tokens are generated ones, all rounds and samples of a question together."
    )
    numbers = frozenset(column for row in rows[:1] for column in row) - {"data set", "arm"}
    return Table("arms", "Accuracy by arm, data set and rounds", rows, note, right=numbers)


def result_row(one: Pooled) -> Row:
    k = one["samples"]
    several = len(one.results) > 1
    return {
        "data set": one["dataset"],
        "arm": one.arm.name,
        "decoded rounds": str(one["rounds"]),
        "accuracy": percent(one.mean("accuracy")),
        "95 % interval": percent_interval(one.interval),
        "over questions alone": percent_interval(one.over_questions) if several else MISSING,
        "spread of seeds": f"{100 * over_seeds(one.accuracies).spread:.1f} points" if several else MISSING,
        "n questions": f"{one['n']}" + f" × {k}" * (k > 1),
        "seeds": str(len(one.results)) if one.arm.trained else MISSING,
        "tokens / question": f"{one.cost('generated_tokens'):.0f}",
        "budget / question": str((one["budget"] or 0) * k or MISSING),
        "truncated": percent(one.mean("truncated")),
        "unparsable": optional_percent(one, "unparsable"),
        "copied": optional_percent(one, "copied"),
    }


def reference_row(reference: Reference) -> Row:
    """A row of the paper, which reports one seed, no tokens and no rates."""
    return {
        "data set": reference.dataset,
        "arm": f"paper, Table 1: {reference.arm}",
        "decoded rounds": str(reference.rounds),
        "accuracy": percent(reference.accuracy),
        "95 % interval": percent_interval(reference.interval),
        "over questions alone": MISSING,
        "spread of seeds": MISSING,
        "n questions": str(reference.n),
        "seeds": "1",
        "tokens / question": MISSING,
        "budget / question": str(reference.budget),
        **dict.fromkeys(("truncated", "unparsable", "copied"), MISSING),
    }


def optional_percent(one: Pooled, key: str) -> str:
    return MISSING if any(key not in result.values for result in one.results) else percent(one.mean(key))


def trained_by_decoded(pooled: Sequence[Pooled]) -> list[Table]:
    """For each data set: an arm a row, against the number of rounds decoded in."""
    note = (
        "Accuracy, mean over seeds, with its 95 % interval (over seeds where there are several, else over questions), "
        "and n of the cell: questions × samples × seeds. base is untrained."
    )
    tables: list[Table] = []
    for dataset in dict.fromkeys(one["dataset"] for one in pooled):
        of_dataset = [one for one in pooled if one["dataset"] == dataset]
        rounds = sorted({one["rounds"] for one in of_dataset})
        rows = []
        for arm in dict.fromkeys(one.arm for one in of_dataset):
            of_arm = [one for one in of_dataset if one.arm is arm]
            row = {"trained": arm.name}
            for t in rounds:
                best = most_questions([one for one in of_arm if one["rounds"] == t])
                row[f"decoded in {in_rounds(t)}"] = cell(best) if best else MISSING
            rows.append(row)
        name, title = f"trained-decoded-{len(tables) + 1}", f"Trained × decoded on {dataset}"
        tables.append(Table(name, title, rows, note))
    return tables


def cell(one: Pooled) -> str:
    """`75.0% (30.1% – 95.4%; n = 4 × 2 samples × 3 seeds)`."""
    k, seeds = one["samples"], len(one.results)
    n = f"{one['n']}" + f" × {k} samples" * (k > 1) + f" × {seeds} seeds" * (seeds > 1)
    return f"{percent(one.mean('accuracy'))} ({percent_interval(one.interval)}; n = {n})"


def most_questions(pooled: Sequence[Pooled]) -> Pooled | None:
    """Of an arm's results on a data set in some rounds: that of most seeds and questions, and of fewest samples."""
    return max(pooled, key=lambda one: (len(one.results), one["n"], -one["samples"]), default=None)


def runs_table(arms: Sequence[Arm]) -> Table:
    """Every run: how far it has come, and what it has spent."""
    note = (
        "What training has spent so far. Tokens are of all rounds, FLOPs estimated, seconds those of training steps. "
        "docs/troubleshooting.md says what a warning means."
    )
    rows = [
        {
            "run": run.name,
            "arm": arm.name,
            "seed": str(run.seed),
            "state": "repeats a seed" if run in arm.repeated else state(run),
            "steps": steps(run),
            **{column: spent(run, count) for count, column in SPENT.items()},
            "warned of": run.warnings or MISSING,
        }
        for arm in arms
        for run in (*arm.runs, *arm.repeated)
    ]
    numbers = frozenset({"seed", "steps", *SPENT.values()})
    return Table("runs", "Runs and what they spent", rows, note, right=numbers)


def state(run: RecordedRun) -> str:
    if run.complaints:
        return "unreadable in part"
    return "finished" if run.finished else "unfinished"


def steps(run: RecordedRun) -> str:
    taken, asked = run.steps
    return f"{taken} of {asked}" if asked else str(taken)


def spent(run: RecordedRun, count: str) -> str:
    """A count of a run's ledger in few digits."""
    value = run.spent.get(count)
    if value is None:
        return MISSING
    return f"{value:.1e}" if count == "flops" else f"{value / 2**30:.1f}" if count == "peak_memory" else f"{value:,.0f}"


def differences(arms: Sequence[Arm]) -> Table:
    """The settings in which arms differ."""
    note = "A setting that only repeats another one's values is left out, as are seeds, evaluation and plumbing."
    rows = [
        {"setting": key, **{arm.name: shortened(arm.settings.get(key, MISSING)) for arm in arms}}
        for key in differing_keys([arm.settings for arm in arms])
        if "._" not in key
    ]
    return Table("differences", "Configuration differences between arms", rows, note)


def shortened(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "…"
