"""Tables as data, and as Markdown and LaTeX. A share never stands without its interval and its n.

Cells are text; escaping is the renderer's, so that a name with a pipe or an ampersand breaks none of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from motif.report.arms import MISSING, Arm, Group, differing_keys
from motif.report.paper import Reference
from motif.report.reading import Recorded

LINES = (
    "algo",
    *("rounds", "seed", "policy", "data set", "decoded in", "accuracy", "95 % interval", "n", "truncated", "tokens"),
)
LATEX = {
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}"},
    **{">": r"\textgreater{}", "–": "--", "×": r"$\times$", "−": "$-$", "…": r"\ldots{}", "·": r"$\cdot$"},
    **{character: f"\\{character}" for character in "&%$#_{}"},
}


@dataclass(frozen=True)
class Table:
    """`name` is a word for labels and links; columns in `right` are set flush right; `note` says what the cells are."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    right: frozenset[int] = frozenset()

    def markdown(self) -> str:
        return markdown(self.columns, self.rows) + (f"\n\n{self.note}" if self.note else "")

    def latex(self) -> str:
        """A `table` that needs the package booktabs."""
        kinds = "".join("r" if place in self.right else "l" for place in range(len(self.columns)))
        body = [" & ".join(map(latex, row)) + r" \\" for row in self.rows]
        return "\n".join(
            [
                *(r"\begin{table}", r"\centering", r"\small", rf"\caption{{{latex(f'{self.title}. {self.note}')}}}"),
                *(rf"\label{{tab:{self.name}}}", rf"\begin{{tabular}}{{{kinds}}}", r"\toprule"),
                *(" & ".join(map(latex, self.columns)) + r" \\", r"\midrule", *body),
                *(r"\bottomrule", r"\end{tabular}", r"\end{table}"),
            ]
        )


def latex(text: str) -> str:
    """`text` with what LaTeX would read as commands escaped."""
    return "".join(LATEX.get(character, character) for character in " ".join(text.split()))


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a cell stays one cell whatever it holds."""

    def cell(text: str) -> str:
        return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")

    return "\n".join(f"| {' | '.join(map(cell, row))} |" for row in (header, ["---"] * len(header), *rows))


def share(value: float) -> str:
    return f"{value:.1%}"


def interval(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.1%} – {bounds[1]:.1%}"


def decoded(rounds: int) -> str:
    return f"{rounds} round" + "s" * (rounds > 1)


def lines(runs: Iterable[Recorded]) -> list[tuple[str, ...]]:
    """For the terminal: one row a run, policy and number of rounds it was decoded in; base policies of equal result
    are listed once."""
    found: dict[tuple[str, ...], None] = {}

    def of(run: Recorded) -> tuple[str, ...]:
        return tuple(str(run.choice(key)) for key in ("algo", "rounds", "seed"))

    for run in sorted(runs, key=of):
        who = of(run)
        for result in run.results:
            entry = result.found
            row = (
                *(("none", "–", "–") if result.policy == "base" else who),
                *(result.policy, entry["dataset"], decoded(entry["rounds"]), share(entry["accuracy"])),
                *(interval(entry["interval"]), str(entry["n"]), share(entry["truncated"]), f"{entry['tokens']:.0f}"),
            )
            found.setdefault(row)
    return sorted(found, key=lambda row: row[3] != "base")


def results(groups: Sequence[Group], references: Sequence[Reference]) -> Table:
    """Arms × data sets × rounds, averaged over seeds, and the paper's Table 1 where the setting is the paper's."""
    rows = []
    for group in groups:
        seeds, k = [result.found["accuracy"] for result in group.results], group["samples"]
        rows.append(
            [
                *(group["dataset"], group.arm, str(group["rounds"]), share(group.mean("accuracy"))),
                *(interval(group.interval), f"{min(seeds):.1%} – {max(seeds):.1%}" if len(seeds) > 1 else MISSING),
                *(f"{group['n']}" + f" × {k}" * (k > 1), MISSING if group.policy == "base" else str(len(seeds))),
                *(f"{group.mean('tokens') * k:.0f}", str((group["budget"] or 0) * k or MISSING)),
                *(share(group.mean("truncated")), optional(group, "unparsable"), optional(group, "copied")),
            ]
        )
    for found in references:
        rows.append(
            [
                *(found.dataset, f"paper, Table 1: {found.arm}", str(found.rounds), share(found.accuracy)),
                *(interval(found.interval), MISSING, str(found.n), "1", MISSING, str(found.budget), *[MISSING] * 3),
            ]
        )
    return Table(
        "arms",
        "Accuracy by arm, data set and rounds",
        [
            *("data set", "arm", "decoded rounds", "accuracy", "95 % interval", "range over seeds", "n questions"),
            *("seeds", "tokens / question", "budget / question", "truncated", "unparsable", "copied"),
        ],
        rows,
        "Accuracy is the mean over seeds. The interval is Wilson's, clustered by question where there are several "
        "samples or seeds: what these policies would score on other such questions. Tokens are generated ones, all "
        "rounds and samples of a question together.",
        frozenset(range(2, 13)),
    )


def optional(group: Group, key: str) -> str:
    return MISSING if any(key not in result.found for result in group.results) else share(group.mean(key))


def trained_by_decoded(groups: Sequence[Group]) -> list[Table]:
    """For each data set: who was trained how, against the number of rounds decoded in."""
    found: list[Table] = []
    for dataset in dict.fromkeys(group["dataset"] for group in groups):
        own = [group for group in groups if group["dataset"] == dataset]
        rounds = sorted({group["rounds"] for group in own})
        rows = []
        for policy, arm in dict.fromkeys((group.policy, group.arm) for group in own):
            cells = []
            for t in rounds:
                cell = best([group for group in own if (group.arm, group.policy, group["rounds"]) == (arm, policy, t)])
                cells.append(f"{share(cell.mean('accuracy'))} ({interval(cell.interval)})" if cell else MISSING)
            rows.append([arm, str(max(group["n"] for group in own if group.arm == arm)), *cells])
        found.append(
            Table(
                f"trained-decoded-{len(found) + 1}",
                f"{{Trained}} × {{decoded}} on {dataset}",
                ["trained", "n", *(f"decoded in {decoded(t)}" for t in rounds)],
                rows,
                "Accuracy, mean over seeds, with its 95 % interval; n is the number of questions; base is untrained.",
                frozenset({1}),
            )
        )
    return found


def best(groups: Sequence[Group]) -> Group | None:
    """Of one arm's results for a data set and rounds, the one of most questions, at the episode's own budget."""
    return max(groups, key=lambda group: (len(group.results), group["n"], -group["samples"]), default=None)


def runs_table(arms: Sequence[Arm]) -> Table:
    """Every run: how far it is, what it took."""
    rows = []
    for arm in arms:
        for run in sorted(arm.runs, key=lambda run: str(run.choice("seed"))):
            taken, asked = run.steps
            rows.append(
                [
                    *(run.name, arm.label, str(run.choice("seed")), "finished" if run.finished else "unfinished"),
                    *(f"{taken} of {asked}" if asked else str(taken), f"{run.generated:,}"),
                    f"{sum(run.seconds.values()):,.0f}",
                ]
            )
    columns = ["run", "arm", "seed", "state", "steps", "tokens generated in training", "seconds"]
    return Table("runs", "Runs", columns, rows, right=frozenset({2, 4, 5, 6}))


def differences(arms: Sequence[Arm]) -> Table:
    """The settings in which arms differ, and no others."""
    keys = differing_keys(arms)
    rows = [[key, *(cut(arm.settings.get(key, MISSING)) for arm in arms)] for key in keys]
    note = "A setting that only repeats another one's values is left out, as are seeds, evaluation and plumbing."
    columns = ["setting", *(arm.label for arm in arms)]
    return Table("differences", "Configuration differences between arms", columns, rows, note)


def cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "…"
