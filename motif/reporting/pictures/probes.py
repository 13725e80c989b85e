"""Pictures of what `motif.probe` has written: what interventions in episodes cost, and how far each round had come. One
picture a measurement.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from motif.evaluation.probe.effects import sentences
from motif.evaluation.wording import with_interval
from motif.reporting.pictures import style
from motif.reporting.pictures.saving import Drawing, unless_unreadable
from motif.reporting.recorded import RecordedRun

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Left: accuracy less that of the untouched episode on the same questions, with 95 % intervals of paired "
    "differences. Right: accuracy of the last round where it comes right after round t, and the mean outcome of "
    "continuations drawn from the state after round t, with 95 % intervals."
)


def probes(runs: Sequence[RecordedRun]) -> Iterator[Drawing]:
    """A picture of each probe of each run."""
    for run in runs:
        for name, result in run.probes.items():
            with unless_unreadable(f"probes/{name}.json of {run.name}"):
                caption = " ".join([CAPTION, *sentences(result["interventions"])])
                file = f"probes-{style.file_word(run.name)}-{style.file_word(name)}"
                yield Drawing(file, "results", caption, probe(run.name, result))


def probe(name: str, result: Mapping[str, Any]) -> "Figure":
    from matplotlib.figure import Figure

    interventions, untouched = result["interventions"], result["untouched"]
    figure = Figure(layout="constrained", figsize=(9.2, max(3.9, 1.2 + 0.24 * len(interventions))))
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    on = f"{result['dataset']}, {result['rounds']} rounds, n = {result['n']}"
    title = textwrap.fill(f"What rounds contribute, {name} on {on}", 100)
    figure.suptitle(title, fontsize=11, fontweight="bold", x=0.01, ha="left")
    differences(left, interventions)
    left.set(xlabel=f"points from the untouched {with_interval(untouched)}")
    by_round(right, result)
    style.legend(figure, right)
    return figure


def differences(axes: "Axes", interventions: Sequence[Mapping[str, Any]]) -> None:
    """The effect of each intervention, one below the other."""
    kinds = list(dict.fromkeys(intervention["kind"] for intervention in interventions))
    for place, intervention in enumerate(interventions):
        x, bars = style.error_bars([intervention["effect"]], [intervention["interval"]], scale=100)
        looks = {**style.look(kinds.index(intervention["kind"])), "linestyle": "none"}
        axes.errorbar(x, [place], xerr=bars, capsize=3, **looks)
    axes.axvline(0, color=style.INK, linewidth=1)
    labels = [intervention["label"] for intervention in interventions]
    axes.set_yticks(range(len(interventions)), labels, fontsize=8)
    axes.invert_yaxis()


def by_round(axes: "Axes", result: Mapping[str, Any]) -> None:
    """Accuracy where the answer is asked for after a round, and the value of the state after it."""
    early = [item for item in result["interventions"] if item["kind"] == "early"]
    asked = [*((item["after"], item["accuracy"]) for item in early), (result["rounds"] - 1, result["untouched"])]
    values = [(state["after"], state) for state in result["values"]]
    values_label = f"value of the state ({result['values'][0]['k']} continuations)" if values else ""
    for place, (label, points) in enumerate({"answer asked for": asked, values_label: values}.items()):
        if points:
            x, shares = [after + 0.04 * place for after, _ in points], [share for _, share in points]
            intervals = [share["interval"] for share in shares]
            y, bars = style.error_bars([share["value"] for share in shares], intervals, scale=100)
            axes.errorbar(x, y, bars, capsize=3, label=label, **style.look(place))
    axes.set(xlabel="after round", ylabel="right (%)")
    style.percent_axis(axes, rounds=True)
