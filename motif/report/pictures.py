"""The pictures: training curves, accuracy against rounds and tokens and by round, and where time went.

Axes have units, intervals are drawn, and no legend leaves out n. Arms too many for one picture get several.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif.report.arms import Arm, Group
from motif.report.curves import METRICS, curve, spans
from motif.report.reading import PHASES
from motif.report.style import BASE, COLOURS, INK, PAPER, STYLE, Picture, figure, legend, look, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 8  # arms a picture can hold and stay legible


def draw_all(folder: Path, arms: Sequence[Arm], groups: Sequence[Group]) -> list[Picture]:
    """Draw what there is data for, into `folder`."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        return [save(folder, *drawn) for drawn in (*training(arms), *accuracies(arms, groups), *times(arms))]


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


def training(arms: Sequence[Arm]) -> Iterator[tuple[str, str, str, "Figure"]]:
    """Curves against steps and against generated tokens, of the arms trained on one data set together."""
    for dataset, own in by_dataset(arms).items():
        for suffix, of, page in several(own):
            for metric, (title, axis, _) in METRICS.items():
                for against, x, unit in (
                    ("steps", "step", 1.0),
                    ("tokens", "train/generated_tokens", 1e-6),
                ):
                    label = "training step" if against == "steps" else "tokens generated in training (millions)"
                    made, axes = figure(f"{title}, trained on {dataset}{of}", label, axis)
                    drawn = [draw_curve(axes, arm, metric, x, unit, look(own.index(arm))) for arm in page]
                    if any(drawn):
                        legend(made, axes)
                        n, size = max(len(arm.runs) for arm in page), spans(page)
                        caption = "Mean over seeds; the band is from the lowest to the highest. " if n > 1 else ""
                        caption += "Thin lines are seeds that are further than the others. " if n > 1 else ""
                        caption += f"A point is the mean of up to {size} steps." if size > 1 else "A point is a step."
                        yield f"{metric}-{against}-{word(dataset)}{suffix}", "training", caption, made


def draw_curve(axes: "Axes", arm: Arm, metric: str, x: str, unit: float, style: dict[str, Any]) -> bool:
    found = curve(arm, metric, x)
    if found is None:
        return False
    every = max(1, len(found.x) // 8)
    axes.plot(found.x * unit, found.mean, label=f"{arm.label} ({arm.counted})", markevery=every, **style)
    if found.seeds > 1:
        axes.fill_between(found.x * unit, found.low, found.high, color=style["color"], alpha=0.18, linewidth=0)
    for end_x, end_y in found.ends:
        axes.plot(end_x * unit, end_y, color=style["color"], linewidth=0.7, alpha=0.7)
    return True


def accuracies(arms: Sequence[Arm], groups: Sequence[Group]) -> Iterator[tuple[str, str, str, "Figure"]]:
    """For each data set: accuracy against rounds, against tokens, and by the round stopped after."""
    for dataset in dict.fromkeys(group["dataset"] for group in groups):
        own = [group for group in groups if group["dataset"] == dataset]
        for suffix, of, page in several(arms):
            labels = {arm.label for arm in page}
            shown = [group for group in own if group.policy == "base" or group.arm in labels]
            if any(group.policy != "base" for group in shown) or not suffix:
                name = f"{word(dataset)}{suffix}"
                note = "Bars are 95 % intervals (Wilson's, clustered by question over samples and seeds)."
                trained = "A dotted line marks the number of rounds that an arm was trained with."
                yield f"rounds-{name}", "results", f"{note} {trained}", rounds_picture(dataset + of, arms, shown)
                frontier = "The line joins the best accuracy for at most so many tokens; r3 is: decoded in 3 rounds."
                yield f"tokens-{name}", "results", f"{note} {frontier}", tokens_picture(dataset + of, arms, shown)
                if any(len(group.by_round) > 1 for group in shown):
                    yield f"by-round-{name}", "results", note, by_round_picture(dataset + of, arms, shown)


def series(groups: Sequence[Group]) -> dict[str, list[Group]]:
    """Groups by arm, in the order of their rounds, of each number of rounds the one of most seeds and questions."""
    found: dict[str, dict[int, Group]] = {}
    for group in groups:
        line = found.setdefault(group.arm, {})
        other = line.get(group["rounds"])
        if other is None or (len(group.results), group["n"]) > (len(other.results), other["n"]):
            line[group["rounds"]] = group
    return {arm: [line[rounds] for rounds in sorted(line)] for arm, line in found.items()}


def arm_look(arms: Sequence[Arm], label: str) -> dict[str, Any]:
    place = next((place for place, arm in enumerate(arms) if arm.label == label), None)
    return {"color": BASE, "marker": "x", "linestyle": ":"} if place is None else look(place)


def said(group: Group) -> str:
    """Whose it is, and its n."""
    seeds, k = len(group.results), group["samples"]
    return f"{group.arm} (n = {group['n']}" + f" × {k}" * (k > 1) + f" × {seeds} seeds" * (seeds > 1) + ")"


def bars(groups: Sequence[Group]) -> tuple[list[float], list[list[float]]]:
    """Accuracies in % and the lengths of their intervals, below and above."""
    return heights([(group.mean("accuracy"), group.interval) for group in groups])


def heights(found: Sequence[tuple[float, tuple[float, float]]]) -> tuple[list[float], list[list[float]]]:
    below = [max(0.0, 100 * (value - low)) for value, (low, _) in found]
    above = [max(0.0, 100 * (high - value)) for value, (_, high) in found]
    return [100 * value for value, _ in found], [below, above]


def rounds_picture(title: str, arms: Sequence[Arm], groups: Sequence[Group]) -> "Figure":
    made, axes = figure(f"Accuracy against rounds, {title}", "rounds decoded in", "accuracy (%)")
    lines = series(groups)
    for place, (label, line) in enumerate(lines.items()):
        y, lengths = bars(line)
        x = [group["rounds"] + 0.06 * (place - (len(lines) - 1) / 2) for group in line]
        axes.errorbar(x, y, lengths, capsize=3, label=said(line[0]), **arm_look(arms, label))
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    for trained in sorted({int(arm.settings["rounds"]) for arm in arms if str(arm.settings.get("rounds")).isdigit()}):
        axes.axvline(trained, color=INK, linewidth=0.8, linestyle=":", alpha=0.6)
    axes.set_ylim(0, 100)
    legend(made, axes)
    return made


def tokens_picture(title: str, arms: Sequence[Arm], groups: Sequence[Group]) -> "Figure":
    made, axes = figure(f"Accuracy against tokens, {title}", "tokens generated / question (mean)", "accuracy (%)")
    for label, line in series(groups).items():
        y, lengths = bars(line)
        x = [group.mean("tokens") * group["samples"] for group in line]
        axes.errorbar(x, y, lengths, capsize=3, label=said(line[0]), **{**arm_look(arms, label), "linestyle": "none"})
        for group, across, up in zip(line, x, y, strict=True):
            axes.annotate(f"r{group['rounds']}", (across, up), (5, 4), textcoords="offset points", fontsize=7)
    points = sorted((group.mean("tokens") * group["samples"], 100 * group.mean("accuracy")) for group in groups)
    x, y = frontier(points)
    axes.plot(x, y, color=INK, linewidth=1, drawstyle="steps-post", alpha=0.6, label="frontier", zorder=0)
    axes.set_ylim(0, 100)
    axes.set_xlim(left=0)
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
    chosen = {label: line[-1] for label, line in series(groups).items() if len(line[-1].by_round) > 1}
    for place, (label, group) in enumerate(chosen.items()):
        y, lengths = heights(group.by_round)
        x = [t + 0.06 * (place - (len(chosen) - 1) / 2) for t in range(1, len(y) + 1)]
        whose = f"{said(group)}, {group['rounds']} rounds"
        axes.errorbar(x, y, lengths, capsize=3, label=whose, **arm_look(arms, label))
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(0, 100)
    legend(made, axes)
    return made


def times(arms: Sequence[Arm]) -> Iterator[tuple[str, str, str, "Figure"]]:
    """Where time went, by phase, the mean over an arm's runs."""
    timed = [arm for arm in arms if any(run.seconds for run in arm.runs)]
    for suffix, of, page in several(timed):
        made, axes = figure(f"Where time went{of}", "minutes a run, mean over seeds", "")
        left = [0.0] * len(page)
        hatches = ("", "//", "..", "xx", "\\\\", "--", "++")
        for place, phase in enumerate(PHASES):
            lengths = [sum(run.seconds.get(phase, 0.0) for run in arm.runs) / len(arm.runs) / 60 for arm in page]
            if any(lengths):
                colour = (*COLOURS, "#999999")[place]
                names = [f"{arm.label}\n{arm.counted}" for arm in page]
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
