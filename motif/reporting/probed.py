"""What `python -m motif.probe` found: what was done to episodes and what it cost them, and how far each round had come.

One picture a measurement.
"""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif.reporting.folders import Recorded
from motif.reporting.pictures import heights, percent, rounds_axis, word
from motif.reporting.style import INK, STYLE, Picture, left_out, legend, look, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CAPTION = (
    "Left: accuracy less that of the untouched episode on the same questions, with 95 % intervals of paired "
    "differences. Right: accuracy of the last round where it comes right after round t, and the mean outcome of "
    "continuations drawn from the state after round t, with 95 % intervals."
)


def draw_probes(folder: Path, runs: Sequence[Recorded]) -> list[Picture]:
    """Draw what the runs' rounds were found to contribute, into `folder`."""
    import matplotlib

    with matplotlib.rc_context(STYLE):  # type: ignore[arg-type]
        return [save(folder, *each) for run in runs for each in pictures(run)]


def pictures(run: Recorded) -> Iterator[tuple[str, str, str, "Figure"]]:
    for name, found in run.probes.items():
        with left_out(f"probes/{name}.json of {run.name}"):
            done = found["interventions"]
            said = [each["sentence"] for each in done if each["after"] is None or each["kind"] == "early"]
            caption = " ".join([CAPTION, *(said or [each["sentence"] for each in done])])
            yield f"probes-{word(run.name)}-{word(name)}", "results", caption, picture(run.name, found)


def picture(name: str, found: Mapping[str, Any]) -> "Figure":
    from matplotlib.figure import Figure

    made = Figure(layout="constrained", figsize=(9.2, max(3.9, 1.2 + 0.24 * len(found["interventions"]))))
    left, right = made.subplots(1, 2, width_ratios=(3, 2))
    own, (low, high) = found["untouched"]["value"], found["untouched"]["interval"]
    on = f"{found['dataset']}, {found['rounds']} rounds, n = {found['n']}"
    made.suptitle(
        textwrap.fill(f"What rounds contribute, {name} on {on}", 100), fontsize=11, fontweight="bold", x=0.01, ha="left"
    )
    differences(left, found["interventions"])
    left.set(xlabel=f"points from the untouched {own:.1%} ({low:.1%} – {high:.1%})")
    by_round(right, found)
    legend(made, right)
    return made


def differences(axes: "Axes", interventions: Sequence[Mapping[str, Any]]) -> None:
    kinds = list(dict.fromkeys(each["kind"] for each in interventions))
    for place, each in enumerate(interventions):
        low, high = each["interval"]
        lengths = [[100 * (each["effect"] - low)], [100 * (high - each["effect"])]]
        style = {**look(kinds.index(each["kind"])), "linestyle": "none"}
        axes.errorbar([100 * each["effect"]], [place], xerr=lengths, capsize=3, **style)
    axes.axvline(0, color=INK, linewidth=1)
    axes.set_yticks(range(len(interventions)), [each["label"] for each in interventions], fontsize=8)
    axes.invert_yaxis()


def by_round(axes: "Axes", found: Mapping[str, Any]) -> None:
    early = [(each["after"], each["accuracy"]) for each in found["interventions"] if each["kind"] == "early"]
    early.append((found["rounds"] - 1, found["untouched"]))
    values = [(each["after"], each) for each in found["values"]]
    drawn = f"value of the state ({found['values'][0]['k']} continuations)" if values else ""
    for place, (label, points) in enumerate((("answer asked for", early), (drawn, values))):
        if points:
            y, lengths = heights([(each["value"], each["interval"]) for _, each in points])
            x = [after + 0.04 * place for after, _ in points]
            axes.errorbar(x, y, lengths, capsize=3, label=label, **look(place))
    axes.set(xlabel="after round", ylabel="right (%)")
    rounds_axis(axes)
    percent(axes)
