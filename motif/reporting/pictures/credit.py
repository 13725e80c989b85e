"""Pictures of what `motif.credit` has written to credit/ in runs' folders: agreement of schemes by round, and signal to
noise against tokens. Every seed is a mark of its own, with its own interval.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from motif.reporting.arms import Arm
from motif.reporting.folders import read_mapping
from motif.reporting.pictures import style
from motif.reporting.pictures.saving import Drawing, unless_unreadable
from motif.reporting.recorded import RecordedRun

Results = list[tuple[RecordedRun, dict[str, Any]]]  # of the lab, one a run


def credit(arms: Sequence[Arm]) -> Iterator[Drawing]:
    """The pictures of each arm of which the lab has results."""
    for number, arm in enumerate(arms, 1):
        if results := read(arm, "agreement.json", "agreement"):
            with unless_unreadable(f"credit/agreement.json of {arm.name}"):
                yield agreement(f"credit-agreement-{number}", arm, results)
        files = {file.name for run in arm.runs for file in (run.folder / "credit").glob("gradients-*.json")}
        for file in sorted(files):
            if results := read(arm, file, "schemes"):
                with unless_unreadable(f"credit/{file} of {arm.name}"):
                    yield gradients(f"credit-{file.removesuffix('.json')}-{number}", arm, results)


def read(arm: Arm, file: str, needed: str) -> Results:
    """The file of that name of each run that has it, with the key that is `needed`."""
    results = [(run, read_mapping(run.folder / "credit" / file)) for run in arm.runs]
    return [(run, result) for run, result in results if result.get(needed)]


def agreement(name: str, arm: Arm, results: Results) -> Drawing:
    rows = [row for _, result in results for row in result["agreement"] if row["correlation"] is not None]
    pairs = list(dict.fromkeys((row["one"], row["other"]) for row in rows))
    rounds = sorted({row["round"] for row in rows})
    title = textwrap.fill(f"Agreement on rollouts of {arm.name}", 38)
    figure, axes = style.new_figure(title, "correlation of advantages", "")
    figure.set_size_inches(6.4, 1.6 + 0.42 * max(3, len(pairs)))
    for place, round in enumerate(rounds):
        own = [row for row in rows if row["round"] == round]
        y = [pairs.index((row["one"], row["other"])) + 0.22 * (place - (len(rounds) - 1) / 2) for row in own]
        intervals = [bounds(row, "correlation", "interval") for row in own]
        x, bars = style.error_bars([row["correlation"] for row in own], intervals)
        n = f"{min(row['n'] for row in own):,} replies of {min(row['questions'] for row in own):,} questions a seed"
        looks = {**style.look(place), "linestyle": "none"}
        axes.errorbar(x, y, xerr=bars, capsize=3, label=f"round {round} (n = {n})", **looks)
    axes.set_yticks(range(len(pairs)), [f"{one} and {other}" for one, other in pairs], fontsize=8)
    axes.invert_yaxis()
    axes.axvline(0, color=style.INK, linewidth=0.8, linestyle=":", alpha=0.6)
    lows = [(row["interval"] or [0.0])[0] for row in rows]
    axes.set_xlim(min(-0.05, *(low - 0.05 for low in lows)), 1.05)
    style.legend(figure, axes)
    caption = (
        "Pearson's correlation of the advantages that two schemes give to the same replies, where both train them; "
        f"bars are 95 % intervals, a bootstrap over questions; {seeds_in_words(results)}."
    )
    return Drawing(name, "training", caption, figure)


def gradients(name: str, arm: Arm, results: Results) -> Drawing:
    first = results[0][1]
    of = f"{first['policy']} policy of {arm.name}, n = {first['questions']} questions"
    title = textwrap.fill(f"Signal to noise of the gradient, {of}", 44)
    figure, axes = style.new_figure(title, "tokens generated / group (mean)", "signal / noise of one group")
    by_seed = [[row for row in result["schemes"] if row["snr"] is not None] for _, result in results]
    kinds = dict.fromkeys(row["kind"] for rows in by_seed for row in rows)
    for place, kind in enumerate(kinds):
        for seed, rows in enumerate(by_seed):
            own = sorted((row for row in rows if row["kind"] == kind), key=lambda row: row["tokens"])
            if not own:
                continue
            x = [row["tokens"] * 1.02 ** (place - 2) for row in own]  # schemes of the same cost, side by side
            y, bars = style.error_bars([row["snr"] for row in own], [bounds(row, "snr", "snr_interval") for row in own])
            ks = ", ".join(str(row["k"]) for row in own if row["k"])
            label = kind + (f" (k = {ks})" if ks else "")
            # only the labels of the first seed stand in the legend
            axes.errorbar(x, y, bars, capsize=3, label=f"_{label}" if seed else label, **style.look(place))
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(left=0)
    style.legend(figure, axes)
    caption = (
        f"One group of m = {first['m']} on each of n = {first['questions']} questions, {first['draws']} draws; bars "
        "are 95 % intervals, jackknifed over questions, which all schemes share; "
        f"{seeds_in_words(results)}."
    )
    return Drawing(name, "training", caption, figure)


def bounds(row: Mapping[str, Any], value: str, interval: str) -> Sequence[float]:
    """The interval of a value, or the value itself twice where its interval is not known."""
    return row[interval] or [row[value]] * 2


def seeds_in_words(results: Results) -> str:
    """`seeds 0, 1`."""
    return f"seed{'s' * (len(results) > 1)} " + ", ".join(str(run.seed) for run, _ in results)
