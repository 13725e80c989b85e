"""Tables as data, and as Markdown and LaTeX. A share never stands without its interval and its n.

Cells are text; escaping is the renderer's, so that a name with a pipe or an ampersand breaks none of them.
"""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from motif.reporting.arms import Arm, differing_keys
from motif.reporting.folders import BASE, MISSING, Recorded
from motif.reporting.groups import Group
from motif.reporting.paper import Reference
from motif.system import safe_text

LINES = (
    "arm",
    *("rounds", "seed", "policy", "data set", "decoded in", "accuracy", "95 % interval", "n", "truncated", "tokens"),
)
SPENT = {  # of a run, in the ledger's words
    **{"questions": "questions", "responses": "replies", "generated_tokens": "tokens generated"},
    **{"trained_tokens": "tokens trained on", "flops": "FLOPs", "peak_memory": "GiB at most", "seconds": "seconds"},
}
LATEX = {
    **{"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}"},
    **{">": r"\textgreater{}", "–": "--", "×": r"$\times$", "−": "$-$", "…": r"\ldots{}", "·": r"$\cdot$"},
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{character: f"{{{character}}}" for character in "[]*"},  # behind \\ they would be its arguments
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
        return markdown(self.columns, self.rows) + (f"\n\n{safe_text.markdown(self.note)}" if self.note else "")

    def latex(self) -> str:
        """A `table` that needs the packages booktabs and graphicx, no wider than the text."""
        kinds = ["r" if place in self.right else "l" for place in range(len(self.columns))]
        heads = [stacked(column, kind) for column, kind in zip(self.columns, kinds, strict=True)]
        body = [" & ".join(map(latex, row)) + r" \\" for row in self.rows]
        return "\n".join(
            [
                *(r"\begin{table}", r"\centering", r"\small", rf"\caption{{{latex(f'{self.title}. {self.note}')}}}"),
                *(rf"\label{{tab:{self.name}}}", r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"),
                *(rf"\begin{{tabular}}{{{''.join(kinds)}}}", r"\toprule"),
                *(" & ".join(heads) + r" \\", r"\midrule", *body),
                *(r"\bottomrule", r"\end{tabular}}", r"\end{table}"),
            ]
        )


def latex(text: str) -> str:
    """`text` with what LaTeX would read as commands escaped."""
    return "".join(LATEX.get(character, character) for character in " ".join(safe_text.visible(text).split()))


def stacked(text: str, side: str) -> str:
    """A column's head, of several lines where it is long."""
    lines = textwrap.wrap(text, 10, break_long_words=False)
    if len(lines) < 2:
        return latex(text)
    return rf"\shortstack[{side}]{{" + r" \\ ".join(map(latex, lines)) + "}"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a cell stays one cell whatever it holds."""

    head, *body = (f"| {' | '.join(map(safe_text.markdown, row))} |" for row in (header, *rows))
    return "\n".join([head, f"| {' | '.join(['---'] * len(header))} |", *body])


def share(value: float) -> str:
    return f"{value:.1%}"


def interval(bounds: Sequence[float]) -> str:
    return f"{bounds[0]:.1%} – {bounds[1]:.1%}"


def decoded(rounds: int) -> str:
    return f"{rounds} round" + "s" * (rounds > 1)


def lines(runs: Iterable[Recorded], arms: Sequence[Arm]) -> list[tuple[str, ...]]:
    """For the terminal: one row a run, policy and number of rounds it was decoded in; base policies of equal result
    are listed once."""
    found: list[tuple[str, ...]] = []
    names = {run.folder: arm.name for arm in arms if arm.trained for run in (*arm.runs, *arm.repeated)}

    def of(run: Recorded) -> tuple[str, ...]:
        arm = names.get(run.folder, str(run.choice("algo")))
        return arm, *(str(run.choice(key)) for key in ("rounds", "seed"))

    for run in sorted(runs, key=of):
        who = of(run)
        for result in run.results:
            entry = result.found
            policy = run.name if run.measured else result.policy
            row = (
                *(("none", MISSING, MISSING) if result.policy == BASE else who),
                *(policy, result.dataset, decoded(result.rounds), share(entry["accuracy"])),
                *(interval(entry["interval"]), str(result.n), share(entry["truncated"]), f"{entry['tokens']:.0f}"),
            )
            if result.policy != BASE or row not in found:
                found.append(row)
    return sorted(found, key=lambda row: row[0] != "none")


def results(groups: Sequence[Group], references: Sequence[Reference]) -> Table:
    """Arms × data sets × rounds, averaged over seeds, and the paper's Table 1 where the setting is the paper's."""
    rows = []
    for group in groups:
        seeds, k = [result.found["accuracy"] for result in group.results], group["samples"]
        rows.append(
            [
                *(group["dataset"], group.arm.name, str(group["rounds"]), share(group.mean("accuracy"))),
                *(interval(group.interval), *of_seeds(seeds)),
                *(f"{group['n']}" + f" × {k}" * (k > 1), str(len(seeds)) if group.arm.trained else MISSING),
                *(f"{group.cost('generated_tokens'):.0f}", str((group["budget"] or 0) * k or MISSING)),
                *(share(group.mean("truncated")), optional(group, "unparsable"), optional(group, "copied")),
            ]
        )
    for found in references:
        rows.append(
            [
                *(found.dataset, f"paper, Table 1: {found.arm}", str(found.rounds), share(found.accuracy)),
                *(
                    interval(found.interval),
                    *of_seeds([found.accuracy]),
                    str(found.n),
                    "1",
                    MISSING,
                    str(found.budget),
                    *[MISSING] * 3,
                ),
            ]
        )
    return Table(
        "arms",
        "Accuracy by arm, data set and rounds",
        [
            *(
                "data set",
                "arm",
                "decoded rounds",
                "accuracy",
                "95 % interval",
                "spread of seeds",
                "interval over seeds",
                "n questions",
            ),
            *("seeds", "tokens / question", "budget / question", "truncated", "unparsable", "copied"),
        ],
        rows,
        "Accuracy is the mean over seeds. The interval is Wilson's, clustered by question where there are several "
        "samples or seeds: what these policies would score on other such questions. Over seeds stand the standard "
        "deviation and the 95 % t interval of the mean: what other seeds would score on these questions; none where "
        "all seeds score alike, for a few that agree do not say that others would. "
        "Tokens are generated ones, all rounds and samples of a question together.",
        frozenset(range(2, 14)),
    )


def of_seeds(accuracies: Sequence[float]) -> tuple[str, str]:
    """Spread and t interval over seeds; of one seed neither is known, and of seeds that agree no interval."""
    from motif.evaluation.statistics import TINY, over_seeds

    if len(accuracies) < 2:
        return MISSING, MISSING
    _, spread, (low, high) = over_seeds(accuracies)
    wide = interval((max(0.0, low), min(1.0, high))) if spread > TINY else MISSING
    return f"{100 * spread:.1f} points", wide


def optional(group: Group, key: str) -> str:
    return MISSING if any(key not in result.found for result in group.results) else share(group.mean(key))


def trained_by_decoded(groups: Sequence[Group]) -> list[Table]:
    """For each data set: who was trained how, against the number of rounds decoded in."""
    found: list[Table] = []
    for dataset in dict.fromkeys(group["dataset"] for group in groups):
        own = [group for group in groups if group["dataset"] == dataset]
        rounds = sorted({group["rounds"] for group in own})
        rows = []
        for arm in dict.fromkeys(group.arm for group in own):
            cells = []
            for t in rounds:
                cell = best([group for group in own if group.arm is arm and group["rounds"] == t])
                cells.append(f"{share(cell.mean('accuracy'))} ({interval(cell.interval)})" if cell else MISSING)
            rows.append([arm.name, str(max(group["n"] for group in own if group.arm is arm)), *cells])
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
        for run in (*arm.runs, *arm.repeated):
            taken, asked = run.steps
            state = "finished" if run.finished else "unfinished"
            state = "repeats a seed" if run in arm.repeated else "unreadable in part" if run.complaints else state
            rows.append(
                [
                    *(run.name, arm.name, str(run.seed), state, f"{taken} of {asked}" if asked else str(taken)),
                    *(spent(run, count) for count in SPENT),
                    run.warned or MISSING,
                ]
            )
    columns = ["run", "arm", "seed", "state", "steps", *SPENT.values(), "warned of"]
    note = (
        "What training has spent so far. Tokens are of all rounds, FLOPs estimated, seconds those of training steps. "
        "docs/troubleshooting.md says what a warning means."
    )
    return Table("runs", "Runs and what they spent", columns, rows, note, frozenset({2, *range(4, 5 + len(SPENT))}))


def spent(run: Recorded, count: str) -> str:
    """A count of a run's ledger in few digits."""
    value = run.spent.get(count)
    if value is None:
        return MISSING
    return f"{value:.1e}" if count == "flops" else f"{value / 2**30:.1f}" if count == "peak_memory" else f"{value:,.0f}"


def differences(arms: Sequence[Arm]) -> Table:
    """The settings in which arms differ, and no others."""
    keys = [key for key in differing_keys(arms) if "._" not in key]
    rows = [[key, *(cut(arm.settings.get(key, MISSING)) for arm in arms)] for key in keys]
    note = "A setting that only repeats another one's values is left out, as are seeds, evaluation and plumbing."
    columns = ["setting", *(arm.name for arm in arms)]
    return Table("differences", "Configuration differences between arms", columns, rows, note)


def cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "…"
