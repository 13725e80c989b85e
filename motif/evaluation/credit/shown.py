"""The last screen of the lab: its tables, and the same as CSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table

from motif.system.console import add_row

MISSING = "–"


def agreement_table(run: str, found: Mapping[str, Any]) -> Table:
    """Two schemes a row, a column a round."""
    rounds = sorted({row["round"] for row in found["agreement"]})
    pairs: dict[tuple[str, str], dict[int, Mapping[str, Any]]] = {}
    for row in found["agreement"]:
        pairs.setdefault((row["one"], row["other"]), {})[row["round"]] = row
    made = table(f"{run}: correlation of advantages by round [95 %], replies of opposed signs", ["scheme", "and"])
    for round in rounds:
        n = max(row["n"] for row in found["agreement"] if row["round"] == round)
        made.add_column(f"round {round}, n = {n:,}", justify="right")
    for (one, other), own in pairs.items():
        add_row(made, one, other, *(agreed(own[round]) if round in own else MISSING for round in rounds))
    return made


def agreed(row: Mapping[str, Any]) -> str:
    return f"{estimate(row['correlation'], row['interval'])}  {share(row['opposed'])}"


def signal_table(run: str, found: Mapping[str, Any]) -> Table:
    """A scheme a row: the share of groups, and of each round's replies, that it teaches nothing."""
    rounds = sorted({row["round"] for row in found["signal"] if row["round"]})
    cells = {(row["scheme"], row["round"]): row for row in found["signal"]}
    made = table(f"{run}: without a signal", ["scheme"])
    for column in ("groups [95 %]", "n", *(f"replies of round {round}" for round in rounds)):
        made.add_column(column, justify="right")
    for scheme in found["schemes"]:
        groups = cells[scheme, None]
        ends = " – ".join(map(share, groups["interval"]))
        shares = [share(cells[scheme, round]["share"]) if (scheme, round) in cells else MISSING for round in rounds]
        add_row(made, scheme, f"{share(groups['share'])} [{ends}]", str(groups["n"]), *shares)
    return made


def gradients_table(run: str, found: Mapping[str, Any]) -> Table:
    """A scheme a row: where its gradient points, and how it stands out against its noise."""
    of = f"gradients [95 %], n = {found['questions']} questions, {found['draws']} draws of a group"
    made = table(f"{run}, {found['policy']} policy: {of}", ["scheme"])
    columns = ("tokens", "cosine", "in its rounds", "signal / noise", "per 1000 tokens", f"÷ {found['own']}")
    for column in columns:
        made.add_column(column, justify="right")
    for row in found["schemes"]:
        keys = ("cosine", "cosine_of_its_rounds", "snr", "snr_per_1000_tokens", "against_own")
        cells = [estimate(row[key], row[f"{key}_interval"], digits=2) for key in keys]
        add_row(made, row["scheme"], f"{row['tokens']:.0f}", *cells)
    return made


def table(title: str, columns: Sequence[str]) -> Table:
    made = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1, 0, 0))
    for column in columns:
        made.add_column(column)
    return made


def estimate(value: float | None, interval: Sequence[float] | None, digits: int = 3) -> str:
    if value is None:
        return MISSING
    low_high = ", ".join(f"{end:.{digits}g}" for end in interval or ())
    return f"{value:.{digits}g}" + f" [{low_high}]" * bool(low_high)


def share(value: float | None) -> str:
    return MISSING if value is None else f"{max(0.0, value):.1%}"


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """`rows` of the same keys; an interval as its two ends, a cell that is not known as an empty one."""
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
