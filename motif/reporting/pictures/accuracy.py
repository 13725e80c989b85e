"""Pictures of accuracy: against rounds, against what a question took, and by the round that an episode stops after.

Intervals are drawn. Policies that were not trained stand in every picture.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from motif.evaluation.statistics import Interval
from motif.reporting.arms import Arm
from motif.reporting.by_fact import ByFact, decoded
from motif.reporting.pictures import style
from motif.reporting.pictures.saving import Drawing
from motif.reporting.pooled import Pooled
from motif.reporting.survival import SURVIVED, handed_over
from motif.runs.budget import COUNTED

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AfterRounds = Sequence[tuple[float, Interval]]
INTERVALS = "Bars are 95 % intervals: over seeds where there are several, else over questions."


def accuracies(arms: Sequence[Arm], pooled: Sequence[Pooled], counts: Sequence[str]) -> Iterator[Drawing]:
    """For each data set: accuracy against rounds, against each of `counts` of the ledger, and by the round stopped
    after. `arms` are the trained ones, `pooled` the results of all."""
    for dataset in dict.fromkeys(one["dataset"] for one in pooled):
        for suffix, title_suffix, page in style.pages(arms):
            shown = [one for one in pooled if one["dataset"] == dataset and (not one.arm.trained or one.arm in page)]
            if suffix and not any(one.arm.trained for one in shown):
                continue
            name, title = f"{style.file_word(dataset)}{suffix}", dataset + title_suffix
            caption = f"{INTERVALS} A dotted line marks the number of rounds that an arm was trained with."
            yield Drawing(f"rounds-{name}", "results", caption, against_rounds(title, arms, shown))
            for count in counts:
                if figure := against_cost(count, title, arms, shown):
                    best = f"The line is the best accuracy for at most so many {unit(count)}"
                    caption = f"{INTERVALS} {best}; r3 is: decoded in 3 rounds."
                    yield Drawing(f"{count}-{name}", "results", caption, figure)
            if any(len(one.by_round) > 1 for one in shown):
                stopped = "An episode stopped early answers with what that round boxed; progress notes box nothing."
                caption = f"{INTERVALS} {stopped}"
                titles = f"Accuracy by round, {title}", "stopped after round", "accuracy (%)"
                figure = by_round(titles, arms, shown, lambda one: one.by_round)
                yield Drawing(f"by-round-{name}", "results", caption, figure)
            if any(handed_over(one, SURVIVED) for one in shown):
                titles = f"Right states handed over, {title}", "handed over after round", "right so far (%)"
                caption = f"{INTERVALS} An episode counts while each round has handed over a right state."
                figure = by_round(titles, arms, shown, lambda one: handed_over(one, SURVIVED))
                yield Drawing(f"survival-{name}", "results", caption, figure)


def against_rounds(title: str, arms: Sequence[Arm], pooled: Sequence[Pooled]) -> "Figure":
    figure, axes = style.new_figure(f"Accuracy against rounds, {title}", "rounds decoded in", "accuracy (%)")
    lines = lines_by_arm(pooled)
    styles = styles_of(arms, lines)
    for place, (arm, line) in enumerate(lines.items()):
        y, bars = accuracy_bars(line)
        x = [one["rounds"] + beside(place, len(lines)) for one in line]
        axes.errorbar(x, y, bars, capsize=3, label=label_of(line), **styles[arm])
    for rounds in sorted({int(arm.settings["rounds"]) for arm in arms if str(arm.settings.get("rounds")).isdigit()}):
        axes.axvline(rounds, color=style.INK, linewidth=0.8, linestyle=":", alpha=0.6)
    style.percent_axis(axes, rounds=True)
    style.legend(figure, axes)
    return figure


def against_cost(count: str, title: str, arms: Sequence[Arm], pooled: Sequence[Pooled]) -> "Figure | None":
    """Accuracy against what a question took; None where no result says. Markers shrink from arm to arm, so that those
    in one place are seen."""
    x_label = f"{unit(count)}{' generated' * (count == 'tokens')} / question (mean)"
    figure, axes = style.new_figure(f"Accuracy against {unit(count)}, {title}", x_label, "accuracy (%)")
    by_arm: dict[Arm, list[tuple[float, Pooled]]] = {}
    for one in pooled:
        if (cost := one.cost(COUNTED.get(count, count))) is not None:
            by_arm.setdefault(one.arm, []).append((cost, one))
    if not by_arm:
        return None
    styles = styles_of(arms, by_arm)
    for place, (arm, costs) in enumerate(by_arm.items()):
        own = [one for _, one in costs]
        accuracy, bars = accuracy_bars(own)
        looks = {**styles[arm], "linestyle": "none", "markersize": max(4, 9 - 2 * place)}
        axes.errorbar([cost for cost, _ in costs], accuracy, bars, capsize=3, label=label_of(own), **looks)
    points = sorted((x, 100 * one.mean("accuracy"), one["rounds"]) for own in by_arm.values() for x, one in own)
    widest, labelled = points[-1][0], list[tuple[float, float, int]]()
    for x, y, rounds in points:  # one label for points that lie together
        if any(rounds == r and abs(x - x2) < 0.04 * widest and abs(y - y2) < 6 for x2, y2, r in labelled):
            continue
        labelled.append((x, y, rounds))
        axes.annotate(f"r{rounds}", (x, y), (7, -10), textcoords="offset points", fontsize=7)
    best = frontier([(x, y) for x, y, _ in points])
    axes.plot(*best, color=style.INK, linewidth=1, drawstyle="steps-post", alpha=0.6, label="frontier", zorder=0)
    axes.set_xlim(0, 1.08 * widest or 1)
    style.counts_axis(axes)
    style.percent_axis(axes)
    style.legend(figure, axes)
    return figure


def by_round(
    titles: tuple[str, str, str], arms: Sequence[Arm], pooled: Sequence[Pooled], after: Callable[[Pooled], AfterRounds]
) -> "Figure":
    """A share and its interval `after` each round, of each arm's result in most rounds; `titles` are of the figure and
    both axes."""
    figure, axes = style.new_figure(*titles)
    lines = lines_by_arm(pooled)
    most_rounds = {arm: line[-1] for arm, line in lines.items() if line[-1]["rounds"] > 1 and after(line[-1])}
    styles = styles_of(arms, most_rounds)
    for place, (arm, one) in enumerate(most_rounds.items()):
        values, intervals = zip(*after(one), strict=True)
        y, bars = style.error_bars(values, intervals, scale=100)
        x = [round + beside(place, len(most_rounds)) for round in range(1, len(y) + 1)]
        axes.errorbar(x, y, bars, capsize=3, label=f"{label_of([one])}, {one['rounds']} rounds", **styles[arm])
    style.percent_axis(axes, rounds=True)
    style.legend(figure, axes)
    return figure


def by_fact(facts: Sequence[ByFact]) -> Iterator[Drawing]:
    """Accuracy against the value of each fact, a line a result."""
    for number, one in enumerate(facts, 1):
        for suffix, title_suffix, page in style.pages(one.results):
            title = f"Accuracy by {one.fact}, {one.dataset}{title_suffix}"
            figure, axes = style.new_figure(title, one.fact, "accuracy (%)")
            for place, result in enumerate(page):
                values, intervals = zip(*(one.accuracy(result, value) for value in one.ids), strict=True)
                y, bars = style.error_bars(values, intervals, scale=100)
                x = [value + beside(place, len(page)) for value in one.ids]
                label = f"{decoded(result)} (n = {result['n']}" + f" × {len(result.results)} seeds" * result.arm.trained
                axes.errorbar(x, y, bars, capsize=2, elinewidth=0.8, label=f"{label})", **style.look(place))
            style.percent_axis(axes, rounds=True)
            style.legend(figure, axes)
            caption = f"{INTERVALS} n is of all values of {one.fact} together."
            yield Drawing(f"by-fact-{number}-{style.file_word(one.fact)}{suffix}", "results", caption, figure)


def lines_by_arm(pooled: Sequence[Pooled]) -> dict[Arm, list[Pooled]]:
    """By arm, in the order of rounds; of each number of rounds the result of most seeds and questions."""
    by_arm: dict[Arm, dict[int, Pooled]] = {}
    for one in pooled:
        by_rounds = by_arm.setdefault(one.arm, {})
        other = by_rounds.get(one["rounds"])
        if other is None or (len(one.results), one["n"]) > (len(other.results), other["n"]):
            by_rounds[one["rounds"]] = one
    return {arm: [by_rounds[rounds] for rounds in sorted(by_rounds)] for arm, by_rounds in by_arm.items()}


def styles_of(arms: Sequence[Arm], shown: Iterable[Arm]) -> dict[Arm, dict[str, Any]]:
    """Of trained arms as in their curves; untrained policies are grey, with markers that trained arms seldom have."""
    untrained = [arm for arm in shown if not arm.trained]
    grey = {"color": style.UNTRAINED, "linestyle": ":"}
    of_untrained = {arm: {**grey, "marker": "x+1234"[place % 6]} for place, arm in enumerate(untrained)}
    return of_untrained | {arm: style.look(place) for place, arm in enumerate(arms)}


def label_of(line: Sequence[Pooled]) -> str:
    """The arm and its n, of its points: questions × samples × seeds."""

    def of(counts: Sequence[int]) -> str:
        low, high = min(counts), max(counts)
        return f"{low}–{high}" if low < high else str(low)

    n, k = of([one["n"] for one in line]), of([one["samples"] for one in line])
    seeds = of([len(one.results) for one in line])
    return f"{line[0].arm.name} (n = {n}" + f" × {k}" * (k != "1") + f" × {seeds} seeds" * (seeds != "1") + ")"


def accuracy_bars(pooled: Sequence[Pooled]) -> tuple[list[float], list[list[float]]]:
    """Accuracies in % and the lengths of their bars."""
    return style.error_bars([one.mean("accuracy") for one in pooled], [one.interval for one in pooled], scale=100)


def beside(place: int, count: int) -> float:
    """How far the `place`-th of `count` arms is moved sideways, so that no bar hides another."""
    return 0.06 * (place - (count - 1) / 2)


def unit(count: str) -> str:
    return "FLOPs" if count == "flops" else count.replace("_", " ")


def frontier(points: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """The corners (x, y) of the best accuracy for at most so many tokens, of (tokens, accuracy); it ends at the most
    tokens."""
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
