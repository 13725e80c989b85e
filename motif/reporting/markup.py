"""A table as data, and as Markdown and LaTeX.

Cells are text. They are escaped here, so that a name with a pipe or an ampersand breaks no table.
"""

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from motif.system import safe_text

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "–": "--",
    "×": r"$\times$",
    "−": "$-$",
    "…": r"\ldots{}",
    "·": r"$\cdot$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
    **{character: f"{{{character}}}" for character in "[]*"},  # behind \\ they would be its arguments
}


@dataclass(frozen=True)
class Table:
    """A table whose rows have the same columns. `name` is a word for labels and links, `note` says what the cells are,
    columns in `right` are set flush right."""

    name: str
    title: str
    rows: Sequence[Mapping[str, str]]
    note: str = ""
    right: frozenset[str] = frozenset()

    @property
    def columns(self) -> list[str]:
        return list(self.rows[0]) if self.rows else []

    def markdown(self) -> str:
        """The table and its note."""
        table = markdown(self.columns, [list(row.values()) for row in self.rows])
        return table + (f"\n\n{safe_text.markdown(self.note)}" if self.note else "")

    def latex(self) -> str:
        """A `table` that needs the packages booktabs and graphicx, no wider than the text."""
        sides = ["r" if column in self.right else "l" for column in self.columns]
        heads = [stacked(column, side) for column, side in zip(self.columns, sides, strict=True)]
        rows = "\n".join(" & ".join(cells) + r" \\" for cells in (map(latex, row.values()) for row in self.rows))
        return rf"""\begin{{table}}
\centering
\small
\caption{{{latex(f"{self.title}. {self.note}")}}}
\label{{tab:{self.name}}}
\resizebox{{\ifdim\width>\linewidth\linewidth\else\width\fi}}{{!}}{{%
\begin{{tabular}}{{{"".join(sides)}}}
\toprule
{" & ".join(heads)} \\
\midrule
{rows}
\bottomrule
\end{{tabular}}}}
\end{{table}}"""


def latex(text: str) -> str:
    """`text` with what LaTeX would read as commands escaped."""
    return "".join(LATEX.get(character, character) for character in " ".join(safe_text.visible(text).split()))


def stacked(text: str, side: str) -> str:
    """The head of a column, of several lines where it is long."""
    lines = textwrap.wrap(text, 10, break_long_words=False)
    if len(lines) < 2:
        return latex(text)
    return rf"\shortstack[{side}]{{" + r" \\ ".join(map(latex, lines)) + "}"


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a cell stays one cell whatever it holds."""
    head, *body = (f"| {' | '.join(map(safe_text.markdown, row))} |" for row in (columns, *rows))
    return "\n".join([head, f"| {' | '.join(['---'] * len(columns))} |", *body])
