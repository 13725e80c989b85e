"""Pictures of what `python -m motif.credit` found of runs, read from credit/ in their folders: agreement of schemes by
round, and signal to noise against tokens. Every seed is a mark of its own, with its own interval.
"""

import textwrap
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from motif.reporting.arms import Arm
from motif.reporting.folders import Recorded, load
from motif.reporting.style import INK, figure, left_out, legend, look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Drawn = tuple[str, str, str, "Figure"]
Found = list[tuple[Recorded, dict[str, Any]]]


def credit(arms: Sequence[Arm]) -> Iterator[Drawn]:
    """The pictures of each arm of which something was found: name, section, caption, figure."""
    for place, arm in enumerate(arms, 1):
        if found := read(arm, "agreement.json", "agreement"):
            with left_out(f"credit/agreement.json of {arm.name}"):
                yield agreement(f"credit-agreement-{place}", arm, found)
        files = {file.name for run in arm.runs for file in (run.folder / "credit").glob("gradients-*.json")}
        for name in sorted(files):
            if measured := read(arm, name, "schemes"):
                with left_out(f"credit/{name} of {arm.name}"):
                    yield gradients(f"credit-{name.removesuffix('.json')}-{place}", arm, measured)


def read(arm: Arm, name: str, needed: str) -> Found:
    """The file of that name of each of the arm's runs that has it, whole."""
    found = ((run, load(run.folder / "credit" / name, [], "")) for run in arm.runs)
    return [(run, item) for run, item in found if item.get(needed)]


def seeds(found: Found) -> str:
    of = ", ".join(str(run.seed) for run, _ in found)
    return f"seed{'s' * (len(found) > 1)} {of}"


def agreement(name: str, arm: Arm, found: Found) -> Drawn:
    rows = [row for _, item in found for row in item["agreement"] if row["correlation"] is not None]
    pairs = list(dict.fromkeys((row["one"], row["other"]) for row in rows))
    rounds = sorted({row["round"] for row in rows})
    made, axes = figure(textwrap.fill(f"Agreement on rollouts of {arm.name}", 38), "correlation of advantages", "")
    made.set_size_inches(6.4, 1.6 + 0.42 * max(3, len(pairs)))
    for place, round in enumerate(rounds):
        own = [row for row in rows if row["round"] == round]
        y = [pairs.index((row["one"], row["other"])) + 0.22 * (place - (len(rounds) - 1) / 2) for row in own]
        x, ends = [row["correlation"] for row in own], [row["interval"] or [row["correlation"]] * 2 for row in own]
        n = f"{min(row['n'] for row in own):,} replies of {min(row['questions'] for row in own):,} questions a seed"
        style = {**look(place), "linestyle": "none"}
        axes.errorbar(x, y, xerr=lengths(x, ends), capsize=3, label=f"round {round} (n = {n})", **style)
    axes.set_yticks(range(len(pairs)), [f"{one} and {other}" for one, other in pairs], fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color=INK, linewidth=0.8, linestyle=":", alpha=0.6)
    axes.set_xlim(min(-0.05, *(low - 0.05 for row in rows for low in (row["interval"] or [0])[:1])), 1.05)
    legend(made, axes)
    caption = (
        "Pearson's correlation of the advantages that two schemes give to the same replies, where both train them; "
    )
    caption += f"bars are 95 % intervals, a bootstrap over questions; {seeds(found)}."
    return name, "training", caption, made


def gradients(name: str, arm: Arm, found: Found) -> Drawn:
    first = found[0][1]
    of = f"{first['policy']} policy of {arm.name}, n = {first['questions']} questions"
    title = textwrap.fill(f"Signal to noise of the gradient, {of}", 44)
    made, axes = figure(title, "tokens generated / group (mean)", "signal / noise of one group")
    rows = [(place, row) for place, (_, item) in enumerate(found) for row in item["schemes"] if row["snr"] is not None]
    for place, kind in enumerate(dict.fromkeys(row["kind"] for _, row in rows)):
        for seed in range(len(found)):
            own = sorted((row for of, row in rows if of == seed and row["kind"] == kind), key=lambda row: row["tokens"])
            if not own:
                continue
            x = [row["tokens"] * 1.02 ** (place - 2) for row in own]  # schemes of the same cost, side by side
            y = [row["snr"] for row in own]
            ends = [row["snr_interval"] or [row["snr"]] * 2 for row in own]
            ks = ", ".join(str(row["k"]) for row in own if row["k"])
            label = kind + (f" (k = {ks})" if ks else "")
            # labels of the first seed alone stand in the legend
            axes.errorbar(x, y, lengths(y, ends), capsize=3, label=label if not seed else f"_{label}", **look(place))
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(left=0)
    legend(made, axes)
    caption = (
        f"One group of m = {first['m']} on each of n = {first['questions']} questions, {first['draws']} draws; bars "
    )
    caption += f"are 95 % intervals, jackknifed over questions, which all schemes share; {seeds(found)}."
    return name, "training", caption, made


def lengths(values: Sequence[float], ends: Sequence[Sequence[float]]) -> list[list[float]]:
    """From each value down and up to the ends of its interval."""
    below = [max(0.0, value - low) for value, (low, _) in zip(values, ends, strict=True)]
    return [below, [max(0.0, high - value) for value, (_, high) in zip(values, ends, strict=True)]]
