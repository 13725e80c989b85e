"""The pictures: training curves, accuracy against rounds, against tokens and by round, and where time went.

Axes have units, intervals are drawn, and no legend leaves out n. Arms too many for one picture get several.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif.reporting.arms import Arm
from motif.reporting.cores import each
from motif.reporting.credit import credit
from motif.reporting.curves import AXES, METRICS, Curve, curve, spans
from motif.reporting.folders import PHASES
from motif.reporting.groups import Group, counted
from motif.reporting.style import BASE, COLOURS, INK, PAPER, STYLE, Picture, figure, legend, look, save
from motif.runs.budget import COUNTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 8  # arms a picture can hold and stay legible


def draw_all(folder: Path, found: Sequence[Arm], groups: Sequence[Group], axes: Sequence[str] = ()) -> list[Picture]:
    """Draw what there is data for, into `folder`: against steps and tokens, and `axes`, other counts of the ledger."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        arms, counts = [arm for arm in found if arm.trained], tuple(dict.fromkeys(("tokens", *axes)))
        drawn = [*training(arms, ("steps", *counts)), *accuracies(arms, groups, counts), *times(arms), *credit(arms)]
        return each(lambda one: save(folder, *one), drawn)


def several(arms: Sequence[Arm]) -> Iterator[tuple[str, str, Sequence[Arm]]]:
    """Arms in pictures of at most MOST: a suffix for names, one for titles, and the arms."""
    pages = [arms[start : start + MOST] for start in range(0, len(arms), MOST)]
    for place, page in enumerate(pages, 1):
        yield (f"-{place}", f" ({place} of {len(pages)})", page) if len(pages) > 1 else ("", "", page)


def by_dataset(arms: Sequence[Arm]) -> dict[str, list[Arm]]:
    found: dict[str, list[Arm]] = {}
    for arm in arms:
        found.setdefault(str(arm.settings.get("dataset.name")), []).append(arm)
    return found


def training(arms: Sequence[Arm], axes: Sequence[str]) -> Iterator[tuple[str, str, str, "Figure"]]:
    """Curves against each of `axes`, of the arms trained on one data set together."""
    for dataset, own in by_dataset(arms).items():
        for suffix, of, page in several(own):
            for metric, (title, axis, _) in METRICS.items():
                for against in dict.fromkeys(axes):
                    made, place = figure(f"{title}, trained on {dataset}{of}", AXES[against][1], axis)
                    x = AXES[against][0]
                    drawn = [draw_curve(place, arm, metric, x, look(own.index(arm))) for arm in page]
                    if any(drawn):
                        counting(place)
                        legend(made, place)
                        n, size = max(len(arm.runs) for arm in page), spans(page)
                        caption = "Mean over seeds; the band is from the lowest to the highest. " if n > 1 else ""
                        ends = any(found.ends for found in drawn if found)
                        caption += "Thin lines are seeds that go further than the others. " if ends else ""
                        caption += f"A point is the mean of up to {size} steps." if size > 1 else "A point is a step."
                        yield f"{metric}-{against}-{word(dataset)}{suffix}", "training", caption, made


def counting(axes: "Axes") -> None:
    """Large numbers on the horizontal axis as 200k and 1.5M."""
    from matplotlib.ticker import EngFormatter

    if axes.get_xlim()[1] >= 10_000:
        axes.xaxis.set_major_formatter(EngFormatter(sep=""))


def draw_curve(axes: "Axes", arm: Arm, metric: str, x: str, style: dict[str, Any]) -> Curve | None:
    found = curve(arm, metric, x)
    if found is None:
        return None
    every = max(1, len(found.x) // 8)
    axes.plot(found.x, found.mean, label=f"{arm.name} ({counted(arm)})", markevery=every, **style)
    if found.seeds > 1:
        axes.fill_between(found.x, found.low, found.high, color=style["color"], alpha=0.18, linewidth=0)
    for end_x, end_y in found.ends:
        axes.plot(end_x, end_y, color=style["color"], linewidth=0.7, alpha=0.7)
    return found


def accuracies(
    arms: Sequence[Arm], groups: Sequence[Group], counts: Sequence[str]
) -> Iterator[tuple[str, str, str, "Figure"]]:
    """For each data set: accuracy against rounds, against each of `counts` a question, and by the round stopped after.

    Policies that were not trained stand in every picture.
    """
    for dataset in dict.fromkeys(group["dataset"] for group in groups):
        own = [group for group in groups if group["dataset"] == dataset]
        for suffix, of, page in several(arms):
            shown = [group for group in own if not group.arm.trained or group.arm in page]
            if any(group.arm.trained for group in shown) or not suffix:
                name = f"{word(dataset)}{suffix}"
                note = "Bars are 95 % intervals (Wilson's, clustered by question over samples and seeds)."
                trained = "A dotted line marks the number of rounds that an arm was trained with."
                yield f"rounds-{name}", "results", f"{note} {trained}", rounds_picture(dataset + of, arms, shown)
                for count in counts:
                    if drawn := cost_picture(count, dataset + of, arms, shown):
                        line = f"The line is the best accuracy for at most so many {unit(count)}"
                        yield f"{count}-{name}", "results", f"{note} {line}; r3 is: decoded in 3 rounds.", drawn
                if any(len(group.by_round) > 1 for group in shown):
                    stop = "An episode stopped early answers with what that round boxed; progress notes box nothing."
                    yield f"by-round-{name}", "results", f"{note} {stop}", by_round_picture(dataset + of, arms, shown)


def unit(count: str) -> str:
    return "FLOPs" if count == "flops" else count.replace("_", " ")


def series(groups: Sequence[Group]) -> dict[Arm, list[Group]]:
    """Groups by arm, in the order of their rounds, of each number of rounds the one of most seeds and questions."""
    found: dict[Arm, dict[int, Group]] = {}
    for group in groups:
        line = found.setdefault(group.arm, {})
        other = line.get(group["rounds"])
        if other is None or (len(group.results), group["n"]) > (len(other.results), other["n"]):
            line[group["rounds"]] = group
    return {arm: [line[rounds] for rounds in sorted(line)] for arm, line in found.items()}


def looks(arms: Sequence[Arm], shown: Iterable[Arm]) -> dict[Arm, dict[str, Any]]:
    """Of trained arms as in their curves; the others are grey, of markers that trained ones seldom have."""
    others = [arm for arm in shown if not arm.trained]
    grey = {arm: {"color": BASE, "marker": "x+1234"[place % 6], "linestyle": ":"} for place, arm in enumerate(others)}
    return grey | {arm: look(place) for place, arm in enumerate(arms)}


def said(line: Sequence[Group]) -> str:
    """Whose it is, and its n: questions × samples × seeds, each of its points'."""

    def of(found: Sequence[int]) -> str:
        return f"{min(found)}–{max(found)}" if min(found) < max(found) else str(found[0])

    n, k, seeds = (of(found) for found in zip(*((g["n"], g["samples"], len(g.results)) for g in line), strict=True))
    return f"{line[0].arm.name} (n = {n}" + f" × {k}" * (k != "1") + f" × {seeds} seeds" * (seeds != "1") + ")"


def bars(groups: Sequence[Group]) -> tuple[list[float], list[list[float]]]:
    """Accuracies in % and the lengths of their intervals, below and above."""
    return heights([(group.mean("accuracy"), group.interval) for group in groups])


def heights(found: Sequence[tuple[float, tuple[float, float]]]) -> tuple[list[float], list[list[float]]]:
    below = [max(0.0, 100 * (value - low)) for value, (low, _) in found]
    above = [max(0.0, 100 * (high - value)) for value, (_, high) in found]
    return [100 * value for value, _ in found], [below, above]


def percent(axes: "Axes") -> None:
    """From 0 to 100 %, with room for markers at both ends."""
    axes.set(ylim=(-3, 103), yticks=range(0, 101, 20))


def rounds_axis(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def rounds_picture(title: str, arms: Sequence[Arm], groups: Sequence[Group]) -> "Figure":
    made, axes = figure(f"Accuracy against rounds, {title}", "rounds decoded in", "accuracy (%)")
    lines = series(groups)
    styles = looks(arms, lines)
    for place, (arm, line) in enumerate(lines.items()):
        y, lengths = bars(line)
        x = [group["rounds"] + 0.06 * (place - (len(lines) - 1) / 2) for group in line]
        axes.errorbar(x, y, lengths, capsize=3, label=said(line), **styles[arm])
    for trained in sorted({int(arm.settings["rounds"]) for arm in arms if str(arm.settings.get("rounds")).isdigit()}):
        axes.axvline(trained, color=INK, linewidth=0.8, linestyle=":", alpha=0.6)
    rounds_axis(axes)
    percent(axes)
    legend(made, axes)
    return made


def cost_picture(count: str, title: str, arms: Sequence[Arm], groups: Sequence[Group]) -> "Figure | None":
    """Accuracy against what a question took; None where no result says. Markers shrink from arm to arm, so that those
    which share a place are seen."""
    what = f"{unit(count)}{' generated' * (count == 'tokens')} / question (mean)"
    made, axes = figure(f"Accuracy against {unit(count)}, {title}", what, "accuracy (%)")
    by_arm: dict[Arm, list[tuple[float, Group]]] = {}
    for group in groups:
        if (spent := group.cost(COUNTED.get(count, count))) is not None:
            by_arm.setdefault(group.arm, []).append((spent, group))
    styles = looks(arms, by_arm)
    for place, (arm, found) in enumerate(by_arm.items()):
        own = [group for _, group in found]
        y, lengths = bars(own)
        style = {**styles[arm], "linestyle": "none", "markersize": max(4, 9 - 2 * place)}
        axes.errorbar([x for x, _ in found], y, lengths, capsize=3, label=said(own), **style)
    points = sorted((x, 100 * group.mean("accuracy"), group["rounds"]) for own in by_arm.values() for x, group in own)
    if not points:
        return None
    wide, labelled = points[-1][0], list[tuple[float, float, int]]()
    for across, up, rounds in points:  # one label for points that lie together
        if any(rounds == r and abs(across - x) < 0.04 * wide and abs(up - y) < 6 for x, y, r in labelled):
            continue
        labelled.append((across, up, rounds))
        axes.annotate(f"r{rounds}", (across, up), (7, -10), textcoords="offset points", fontsize=7)
    best = frontier([(x, y) for x, y, _ in points])
    axes.plot(*best, color=INK, linewidth=1, drawstyle="steps-post", alpha=0.6, label="frontier", zorder=0)
    axes.set_xlim(0, 1.08 * wide or 1)
    counting(axes)
    percent(axes)
    legend(made, axes)
    return made


def frontier(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """The corners of the best accuracy for at most so many tokens, of (tokens, accuracy), drawn on to the dearest."""
    x: list[float] = []
    y: list[float] = []
    for tokens, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not y or accuracy > y[-1]:
            x.append(tokens)
            y.append(accuracy)
    if x:
        x.append(max(tokens for tokens, _ in points))
        y.append(y[-1])
    return x, y


def by_round_picture(title: str, arms: Sequence[Arm], groups: Sequence[Group]) -> "Figure":
    made, axes = figure(f"Accuracy by round, {title}", "stopped after round", "accuracy (%)")
    chosen = {arm: line[-1] for arm, line in series(groups).items() if len(line[-1].by_round) > 1}
    styles = looks(arms, chosen)
    for place, (arm, group) in enumerate(chosen.items()):
        y, lengths = heights(group.by_round)
        x = [t + 0.06 * (place - (len(chosen) - 1) / 2) for t in range(1, len(y) + 1)]
        whose = f"{said([group])}, {group['rounds']} rounds"
        axes.errorbar(x, y, lengths, capsize=3, label=whose, **styles[arm])
    rounds_axis(axes)
    percent(axes)
    legend(made, axes)
    return made


def times(arms: Sequence[Arm]) -> Iterator[tuple[str, str, str, "Figure"]]:
    """Where time went, by phase, the mean over an arm's runs."""
    timed = [arm for arm in arms if any(run.seconds for run in arm.runs)]
    for suffix, of, page in several(timed):
        made, axes = figure(f"Where time went{of}", "minutes a run, mean over seeds", "")
        left = [0.0] * len(page)
        hatches = ("", "//", "..", "xx", "\\\\", "--", "++", "oo")
        for place, phase in enumerate(PHASES):
            lengths = [sum(run.seconds.get(phase, 0.0) for run in arm.runs) / len(arm.runs) / 60 for arm in page]
            if any(lengths):
                colour = (*COLOURS, "#999999", "#cccccc")[place]
                names = [f"{textwrap.fill(arm.name, 24)}\n{counted(arm)}" for arm in page]
                axes.barh(names, lengths, left=left, label=phase, color=colour, hatch=hatches[place], edgecolor=PAPER)
            left = [start + length for start, length in zip(left, lengths, strict=True)]
        totals = [[sum(run.seconds.values()) / 60 for run in arm.runs] for arm in page]
        spread = [[total - min(own) for total, own in zip(left, totals, strict=True)]]
        spread += [[max(own) - total for total, own in zip(left, totals, strict=True)]]
        ends = [[max(0.0, length) for length in side] for side in spread]
        axes.errorbar(left, range(len(page)), xerr=ends, fmt="none", ecolor=INK, capsize=3, linewidth=1)
        axes.invert_yaxis()
        legend(made, axes)
        caption = "The bar at the end is from the quickest seed to the slowest. future_rollout is rounds 2 and on."
        yield f"time{suffix}", "time", caption, made


def word(text: str) -> str:
    """`text` as part of a file's name."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-") or "x"
