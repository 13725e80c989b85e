"""The report as files: index.html, report.md and tables.tex, of the same tables and pictures.

index.html needs no other file, but for the scripts in episodes/ once a person looks at episodes. The template escapes
all text; scripts run only with the page's nonce.
"""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from motif.reporting.comparison import Verdict
from motif.reporting.episodes import Source
from motif.reporting.markup import Table
from motif.reporting.pictures.saving import Picture
from motif.system.files import write_text
from motif.system.safe_text import all_visible, markdown, visible

WEB = Path(__file__).parent / "web"
SCRIPTS = ("common", "standings", "factors", "curves", "runs", "episodes", "watch")
SECTIONS = {"answer": "Answer", "training": "Training", "runs": "Runs", "episodes": "Episodes", "results": "Results"}
TITLES = {"results": "Results", "training": "Training", "time": "Where time went", "configuration": "Configuration"}
# the tables of a section
TABLES_OF = {"results": "results", "training": "training", "time": "runs", "configuration": "configuration"}
NO_VERDICT = "Nothing to compare: a verdict needs finished runs of two arms, measured on the same questions."


@dataclass(frozen=True)
class NoVerdict:
    """A line where verdicts stand, on what was not compared."""

    sentence: str
    outcome: str = "none"


@dataclass(frozen=True)
class Report:
    """What the report shows: a question and its answer; verdicts and lines on what was not compared; the tables of
    `results`, `training`, `runs` and `configuration`; pictures, each in its section; the sources of episodes; what
    the page's scripts show (`motif.reporting.page_data`); and, while runs are watched, where they stand `now` and after
    how many seconds the page is loaded again (0: never)."""

    title: str
    subtitle: str
    question: str
    answer: str
    verdicts: Sequence[Verdict | NoVerdict]
    tables: Mapping[str, Sequence[Table]]
    pictures: Sequence[Picture] = ()
    sources: Sequence[Source] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    footer: str = ""
    now: Table | None = None
    reload: float = 0.0


def write_report(folder: Path, report: Report) -> Path:
    """Write the three files to `folder`; returns index.html."""
    write_text(folder / "index.html", page(report))
    write_text(folder / "report.md", report_md(report))
    write_text(folder / "tables.tex", tables_tex(report))
    return folder / "index.html"


def page(report: Report) -> str:
    """The text of index.html."""
    from markupsafe import Markup

    pictures = [{**asdict(picture), "svg": Markup(picture.svg)} for picture in report.pictures]
    sources = [asdict(source) for source in report.sources]
    data = {"places": [], **report.data, "sources": sources, "reload": report.reload}
    return template().render(
        vars(report) | {"pictures": pictures, "data": all_visible(data)},
        no_verdicts=NO_VERDICT,
        sections=list(SECTIONS.items()),
        nonce=secrets.token_urlsafe(16),
        css=Markup(web("uPlot.min.css") + web("page.css")),
        uplot=Markup(f"/* uPlot\n\n{web('uPlot.LICENSE')}*/\n{web('uPlot.iife.min.js').partition('*/')[2]}"),
        scripts=[Markup(web(f"{name}.js")) for name in SCRIPTS],
    )


def web(name: str) -> str:
    """The text of a file that the page is made of."""
    return (WEB / name).read_text(encoding="utf-8")


@lru_cache
def template() -> Any:
    """The page's template, in which every text is made visible and escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    environment.finalize = lambda value: visible(value) if type(value) is str else value  # before it is escaped
    return environment.from_string(web("page.html.j2"))


def report_md(report: Report) -> str:
    """The text of report.md."""
    parts = [f"# {markdown(report.title)}", markdown(report.subtitle)]
    parts += [f"**{markdown(report.question)}** {markdown(report.answer)}", "## Verdicts"]
    parts.append("\n".join(f"- {markdown(verdict.sentence)}" for verdict in report.verdicts) or NO_VERDICT)
    for section, kind in TABLES_OF.items():
        parts.append(f"## {TITLES[section]}")
        for table in report.tables.get(kind, []):
            parts.append(f"### {markdown(table.title)}\n\n{table.markdown()}")
        for picture in report.pictures:
            if picture.section == section:
                parts.append(f"![{picture.name}](pictures/{picture.name}.png)\n\n{markdown(picture.caption)}")
    return "\n\n".join(parts) + "\n"


def tables_tex(report: Report) -> str:
    """The text of tables.tex: every table, for a document that loads booktabs and graphicx."""
    tables = "\n\n".join(table.latex() for kind in report.tables.values() for table in kind)
    return f"% \\usepackage{{booktabs,graphicx}}\n\n{tables}\n"


def remove_old_pictures(folder: Path) -> None:
    """Remove the pictures of an older report in `folder`, by their names in its report.md, and nothing else."""
    older = folder / "report.md"
    names = re.findall(r"^!\[.*\]\(pictures/([\w-]+)\.png\)$", older.read_text(), re.M) if older.is_file() else []
    for name in names:
        for kind in ("png", "svg"):
            (folder / "pictures" / f"{name}.{kind}").unlink(missing_ok=True)
