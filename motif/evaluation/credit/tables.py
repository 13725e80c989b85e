"""What the lab prints: its tables, and the same as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from motif.evaluation.terminal import new_table
from motif.evaluation.wording import percent
from motif.system.console import add_row

MISSING = "–"
ESTIMATES = {  # of a scheme's gradient, by the heads of their columns
    "cosine": "cosine",
    "in its rounds": "cosine_of_its_rounds",
    "signal / noise": "snr",
    "per 1000 tokens": "snr_per_1000_tokens",
    "÷ {own}": "against_own",
}


def agreement_table(run: str, result: Mapping[str, Any]) -> Table:
    """Two schemes a row, a column a round."""
    rows = result["agreement"]
    rounds = sorted({row["round"] for row in rows})
    by_pair: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for row in rows:
        by_pair.setdefault((row["one"], row["other"]), {})[row["round"]] = row
    table = new_table(f"{run}: correlation of advantages by round [95 %], replies of opposed signs", ["scheme", "and"])
    for round in rounds:
        n = max(row["n"] for row in rows if row["round"] == round)
        table.add_column(f"round {round}, n = {n:,}", justify="right")
    for (one, other), by_round in by_pair.items():
        cells = [
            f"{estimate(row['correlation'], row['interval'])}  {share(row['opposed'])}" if row else MISSING
            for row in map(by_round.get, rounds)
        ]
        add_row(table, one, other, *cells)
    return table


def signal_table(run: str, result: Mapping[str, Any]) -> Table:
    """A scheme a row: the share of groups, and of each round's replies, that have no signal."""
    cells = {(row["scheme"], row["round"]): row for row in result["signal"]}
    rounds = sorted({round for _, round in cells if round})
    table = new_table(f"{run}: without a signal", ["scheme"])
    for column in ("groups [95 %]", "n", *(f"replies of round {round}" for round in rounds)):
        table.add_column(column, justify="right")
    for scheme in result["schemes"]:
        groups = cells[scheme, None]
        low, high = groups["interval"]
        shares = [share(cells[scheme, round]["share"]) if (scheme, round) in cells else MISSING for round in rounds]
        add_row(table, scheme, f"{share(groups['share'])} [{share(low)} – {share(high)}]", str(groups["n"]), *shares)
    return table


def gradients_table(run: str, result: Mapping[str, Any]) -> Table:
    """A scheme a row: the direction of its gradient, and its signal to noise."""
    title = f"gradients [95 %], n = {result['questions']} questions, {result['draws']} draws of a group"
    table = new_table(f"{run}, {result['policy']} policy: {title}", ["scheme"])
    for column in ("tokens", *ESTIMATES):
        table.add_column(column.format(own=result["own"]), justify="right")
    for row in result["schemes"]:
        estimates = [estimate(row[key], row[f"{key}_interval"], digits=2) for key in ESTIMATES.values()]
        add_row(table, row["scheme"], f"{row['tokens']:.0f}", *estimates)
    return table


def variance_table(run: str, result: Mapping[str, Any]) -> Table:
    """A level a row: the variance of the outcome that it makes."""
    title = f"{run}, {result['policy']} policy: variance of the outcome [95 %], n = {result['questions']} questions"
    table = new_table(title, ["level"])
    for column in ("variance", "share"):
        table.add_column(column, justify="right")
    for row in result["components"]:
        bounds = f" [{', '.join(map(percent, row['share_interval']))}]" if row["share_interval"] else ""
        shown = MISSING if row["share"] is None else percent(row["share"]) + bounds
        add_row(table, row["level"], estimate(row["variance"], row["variance_interval"]), shown)
    return table


def variance_lines(result: Mapping[str, Any]) -> list[str]:
    """What a decomposition of variance says, and what it predicts of k."""
    first, after = result["tokens"]["first_reply"], result["tokens"]["continuation"]
    grown = f"m = {result['m']} first replies, k = {result['k']}, {result['later']} ends of each continuation"
    lines = [f"{grown}; {first:.1f} tokens a first reply, {after:.1f} a continuation to its end"]
    if negative := [each["level"] for each in result["components"] if each["variance"] < 0]:
        lines.append(f"the estimate for {' and '.join(negative)} is below 0: such a variance is too small to be seen")
    if result["best_k"] is None:
        return [*lines, "no k is predicted: a variance that it depends on is not above 0"]
    best = estimate(result["best_k"], result["best_k_interval"], digits=2)
    lines.append(f"k = {best} gives the least variance of a question's mean value at a fixed number of tokens")
    at = [
        f"{estimate(each['relative_variance'], each['relative_variance_interval'], digits=2)} at k = {each['k']}"
        for each in result["predicted"]
    ]
    return [*lines, f"this variance, relative to k = 1: {', '.join(at)}"]


def estimate(value: float | None, interval: Sequence[float] | None, digits: int = 3) -> str:
    """`0.743 [0.722, 0.763]`, without what is not known."""
    if value is None:
        return MISSING
    bounds = ", ".join(f"{bound:.{digits}g}" for bound in interval or ())
    return f"{value:.{digits}g}" + f" [{bounds}]" * bool(bounds)


def share(value: float | None) -> str:
    """In percent. Rounding may have left a bound a little below 0."""
    return MISSING if value is None else percent(max(0.0, value))


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """`rows` of the same keys as CSV; an interval has two columns, and a value that is not known an empty cell."""
    flat = []
    for row in rows:
        cells: dict[str, Any] = {}
        for key, value in row.items():
            if key.endswith("interval"):
                cells[f"{key}_low"], cells[f"{key}_high"] = value or (None, None)
            else:
                cells[key] = value
        flat.append(cells)
    written = io.StringIO()
    writer = csv.DictWriter(written, list(flat[0]) if flat else [], lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return written.getvalue()
