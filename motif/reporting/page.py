"""The page and its two plain companions: index.html, report.md and tables.tex, of the same tables and pictures.

index.html needs nothing but itself, and the scripts in episodes/ once a person looks at episodes. All text is escaped
by the template; scripts run only with the page's nonce.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from motif.reporting.episodes import Source
from motif.reporting.style import Picture
from motif.reporting.tables import Table
from motif.runs.folder import write_text
from motif.system.safe_text import markdown, visible

HERE = Path(__file__).parent
TITLES = {
    **{"verdicts": "Verdicts", "results": "Results", "training": "Training", "time": "Where time went"},
    **{"configuration": "Configuration", "episodes": "Episodes"},
}
UNJUDGED = "Nothing to compare: a verdict needs finished runs of two arms, measured on the same questions."


def page(
    title: str,
    subtitle: str,
    verdicts: Sequence[Any],
    tables: Mapping[str, Sequence[Table]],
    pictures: Sequence[Picture],
    sources: Sequence[Source],
    footer: str,
) -> str:
    """The text of index.html. `verdicts` have a `sentence` and an `outcome`."""
    from markupsafe import Markup

    return template().render(
        title=title,
        subtitle=subtitle,
        verdicts=verdicts,
        no_verdicts=UNJUDGED,
        tables=tables,
        pictures=[{**asdict(picture), "svg": Markup(picture.svg)} for picture in pictures],
        sources=[asdict(source) for source in sources],
        sections=list(TITLES.items()),
        footer=footer,
        nonce=secrets.token_urlsafe(16),
        css=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        js=Markup((HERE / "page.js").read_text(encoding="utf-8")),
    )


@lru_cache
def template() -> Any:
    """The page's template, in which every text is made visible and escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: visible(value) if type(value) is str else value,  # and then escaped
    )
    return environment.from_string((HERE / "page.html.j2").read_text(encoding="utf-8"))


def report_md(
    title: str,
    subtitle: str,
    verdicts: Sequence[Any],
    tables: Mapping[str, Sequence[Table]],
    pictures: Sequence[Picture],
) -> str:
    """The text of report.md."""
    parts = [f"# {markdown(title)}", markdown(subtitle), "## Verdicts"]
    parts.append("\n".join(f"- {markdown(verdict.sentence)}" for verdict in verdicts) or UNJUDGED)
    sections = {"results": "results", "training": "", "time": "runs", "configuration": "configuration"}
    for section, kind in sections.items():
        parts.append(f"## {TITLES[section]}")
        parts += [f"### {markdown(table.title)}\n\n{table.markdown()}" for table in tables.get(kind, [])]
        parts += [
            f"![{picture.name}](pictures/{picture.name}.png)\n\n{markdown(picture.caption)}"
            for picture in pictures
            if picture.section == section
        ]
    return "\n\n".join(parts) + "\n"


def clear(folder: Path) -> None:
    """Take away the pictures of the report that lies in `folder`, by their names in its report.md, and nothing else."""
    before = folder / "report.md"
    names = re.findall(r"^!\[.*\]\(pictures/([\w-]+)\.png\)$", before.read_text(), re.M) if before.is_file() else []
    for name in names:
        for kind in ("png", "svg"):
            (folder / "pictures" / f"{name}.{kind}").unlink(missing_ok=True)


def tables_tex(tables: Mapping[str, Sequence[Table]]) -> str:
    """The text of tables.tex: every table, for a document that loads booktabs and graphicx."""
    found = "\n\n".join(table.latex() for kind in tables.values() for table in kind)
    return f"% \\usepackage{{booktabs,graphicx}}\n\n{found}\n"


def write_page(folder: Path, index: str, plain: str, tex: str) -> None:
    write_text(folder / "index.html", index)
    write_text(folder / "report.md", plain)
    write_text(folder / "tables.tex", tex)
