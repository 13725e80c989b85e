"""Writes the parts of pages and help texts that repeat what stands elsewhere.

    python docs/generate.py

An option is described by the first line of its YAML, a setting by the comment on its line. The tests behind a promise
stand in docs/promises.yaml, the metrics in docs/metrics.yaml. A part lies between `generated: NAME ARGUMENTS` and `end
of generated`; everything else in these files is written by hand. tests/test_docs.py compares.
"""

import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
MARKED = re.compile(
    r"(?P<open>^(?P<sign><!--|#) generated: (?P<what>.+?)(?: -->)?\n).*?(?=^(?P=sign) end of generated)", re.M | re.S
)
WIDTH = 80  # of a help text


@dataclass(frozen=True)
class Setting:
    """A key as it is typed, its default as it stands in the YAML ("" for a group of keys), and what it means."""

    key: str
    default: str
    meaning: str


def first_line(file: Path) -> str:
    """What an option is, by the first comment of its file."""
    comments = (line[2:] for line in file.read_text().splitlines() if line.startswith("# "))
    return next(line for line in comments if not line.startswith("@package"))


def options(group: str) -> dict[str, str]:
    """The options of a config group, and what each of them is."""
    return {file.stem: first_line(file) for file in sorted((CONF / group).glob("*.yaml"), key=lambda file: file.stem)}


def choices() -> dict[str, tuple[str, str]]:
    """For each group of choices its default and what it chooses, as conf/config.yaml says."""
    found = re.findall(r"^  - (\w+): (\S+) +# (.+)$", (CONF / "config.yaml").read_text(), re.M)
    return {group: (default, chosen) for group, default, chosen in found}


def settings(file: Path, prefix: str = "") -> dict[str, Setting]:
    """The settings of a YAML by key, and those of the files that its `defaults` put into it."""
    text = file.read_text()
    found = {each.key: each for each in of_node(yaml.compose(text), text.splitlines(), prefix)}
    for entry in yaml.safe_load(text).get("defaults", []):
        more: dict[str, Setting] = {}
        if isinstance(entry, str) and entry != "_self_":
            more = settings(file.with_name(f"{entry}.yaml"), prefix)
        elif isinstance(entry, dict):
            ((name, option),) = entry.items()
            if name.startswith("/") and option:
                group, _, place = name[1:].partition("@")
                inner = prefix if place == "_here_" else f"{prefix}{place}."
                more = settings(CONF / group / f"{option}.yaml", inner)
        for key, each in more.items():
            own = found.get(key, each)
            found[key] = Setting(key, own.default, own.meaning or each.meaning)
    return found


def of_node(node: yaml.MappingNode, lines: list[str], prefix: str) -> Iterator[Setting]:
    for key, value in node.value:
        if key.value.startswith("_") or (not prefix and key.value in ("defaults", "hydra")) or key.value == "defaults":
            continue
        nested = isinstance(value, yaml.MappingNode) and not value.flow_style
        end = key.end_mark if nested else value.end_mark
        comment = re.search(r"#\s(.*)", lines[key.start_mark.line][end.column :])
        default = "" if nested else lines[value.start_mark.line][value.start_mark.column : value.end_mark.column]
        yield Setting(f"{prefix}{key.value}", default, comment[1] if comment else "")
        if nested:
            yield from of_node(value, lines, f"{prefix}{key.value}.")


def explained(found: dict[str, Setting]) -> list[Setting]:
    """Those that say what they mean. A group of keys may do so for its keys; any other key does it itself."""
    told = [each for each in found.values() if each.meaning]
    for each in found.values():
        above = [found[key].meaning for key in found if each.key.startswith(f"{key}.")]
        nested = any(key.startswith(f"{each.key}.") for key in found)
        if not each.meaning and not nested and not any(above):
            sys.exit(f"error: {each.key} needs a comment that says what it means")
    return told


def of_group(group: str) -> list[Setting]:
    """The settings of all options of a group; a default says whose it is, `others` being more than four."""
    default = choices()[group][0]
    names = sorted(options(group), key=lambda name: (name != "local", name != default, name))
    by_option = {name: settings(CONF / group / f"{name}.yaml", f"{group}.") for name in names}
    merged: dict[str, Setting] = {}
    for key in dict.fromkeys(key for found in by_option.values() for key in found):
        if key == f"{group}.name":
            continue
        owners = {name: found[key] for name, found in by_option.items() if key in found}
        values: dict[str, list[str]] = {}
        for name, each in owners.items():
            values.setdefault(each.default, []).append(name)
        shown = [
            code(value) + (f" ({', '.join(names) if len(names) <= 4 else 'others'})" if len(values) > 1 else "")
            for value, names in values.items()
            if value
        ]
        meaning = next((each.meaning for each in owners.values() if each.meaning), "")
        only = f" (only {', '.join(owners)})" if len(owners) <= min(3, len(names) - 1) else ""
        merged[key] = Setting(key, ", ".join(shown) if len(values) <= 4 else "differs", meaning and meaning + only)
    return explained(merged)


def table(heads: str, rows: list[list[str]]) -> str:
    names = heads.split(" | ")
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    lines = [names, ["---"] * len(names), *cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def choice_table() -> str:
    rows = []
    for group, (default, chosen) in choices().items():
        names = [f"**`{name}`**" if name == default else f"`{name}`" for name in options(group)]
        rows.append([f"`{group}=`", chosen, ", ".join(names)])
    return table("group | what it chooses | options (bold: the default)", rows)


def option_table(*groups: str) -> str:
    rows = [[f"`{group}={name}`", told] for group in groups for name, told in options(group).items()]
    return table("option | what it is", rows)


def settings_table(*of: str) -> str:
    """The settings of YAMLs of conf by name, or of groups with all their options."""
    rows = []
    for name in of:
        file = CONF / f"{name}.yaml"
        if file.is_file():
            rows += [[code(each.key), code(each.default), each.meaning] for each in explained(settings(file))]
        else:
            rows += [[code(each.key), each.default, each.meaning] for each in of_group(name)]
    return table("setting | default | meaning", rows)


def promises(section: str) -> str:
    """The promises of a section of docs/promises.yaml, each with the tests that hold it, all of which are there."""
    places: dict[str, list[str]] = {}
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.M):
            places.setdefault(name, []).append(file.relative_to(ROOT / "tests").as_posix())
    rows = []
    for each in yaml.safe_load((ROOT / "docs/promises.yaml").read_text())[section]:
        held = [f"`{there(name, places)}`" for name in each.get("tests", [])]
        rows.append([each["promise"], ", ".join([*held, each["also"]] if "also" in each else held)])
    return table("what is promised | held by", rows)


def metrics(section: str) -> str:
    """The metrics of a section of docs/metrics.yaml, with what TRL and verl call them."""
    told = yaml.safe_load((ROOT / "docs/metrics.yaml").read_text())[section]
    rows = [
        [code(name), each["meaning"], each.get("unit", ""), code(each.get("trl", "")), code(each.get("verl", ""))]
        for name, each in told.items()
    ]
    return table("metric | meaning | unit | in TRL | in verl", rows)


def there(test: str, places: dict[str, list[str]]) -> str:
    """The name of a test that one file of tests/ defines; it is written as `FILE::NAME` where several do."""
    file, _, name = test.rpartition("::")
    found = [each for each in places.get(name, []) if not file or each.endswith(file)]
    if len(found) != 1:
        sys.exit(f"error: docs/promises.yaml names {test}, which {len(found)} files of tests/ define")
    return test


def help_options(*groups: str) -> str:
    """The choices of a program and their settings, as a YAML text of at most 80 columns."""
    lines = []
    for group in groups:
        default, chosen = choices().get(group, ("null", "where the jobs of a sweep run"))
        lines.append(f"{group}=   {chosen}" + (f" (default: {default})" if default != "null" else ""))
        lines += wrapped(options(group), "  ")
    lines += ["", "Settings: each is typed as KEY=VALUE"]
    lines += wrapped({f"{each.key}=": each.meaning for each in explained(settings(CONF / "config.yaml"))}, "  ")
    for group in groups:
        if group in choices() and group not in ("experiment", "sweeps"):
            lines += wrapped({f"{each.key}=": each.meaning for each in of_group(group)}, "  ")
    return as_footer(lines)


def help_settings(name: str) -> str:
    """The settings of a program, as a YAML text of at most 80 columns."""
    found = explained(settings(CONF / f"{name}.yaml"))
    return as_footer(wrapped({f"{each.key}=": each.meaning for each in found}, ""))


def wrapped(told: dict[str, str], indent: str) -> list[str]:
    column = max(map(len, told)) + 2
    return [
        line
        for name, text in told.items()
        for line in textwrap.wrap(
            text,
            WIDTH - 2,
            initial_indent=f"{indent}{name:<{column}}",
            subsequent_indent=" " * (len(indent) + column),
            break_on_hyphens=False,
        )
    ]


def as_footer(lines: list[str]) -> str:
    return "footer: |\n" + "".join(f"  {line}\n" for line in lines)


PARTS: dict[str, Callable[..., str]] = {
    "choices": choice_table,
    "options": option_table,
    "settings": settings_table,
    "promises": lambda *words: promises(" ".join(words)),
    "metrics": lambda *words: metrics(" ".join(words)),
    "help-options": help_options,
    "help-settings": help_settings,
}


def generated(text: str) -> str:
    """The text of a file with its generated parts as they have to be."""

    def part(found: re.Match[str]) -> str:
        name, *arguments = found["what"].split()
        blank = "\n" if found["sign"] == "<!--" else ""  # a table of Markdown stands alone
        return f"{found['open']}{blank}{PARTS[name](*arguments)}{blank}"

    return MARKED.sub(part, text)


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((CONF / "hydra/help").glob("*.yaml"))]


if __name__ == "__main__":
    for page in pages():
        if (new := generated(page.read_text())) != page.read_text():
            page.write_text(new)
            print(page.relative_to(ROOT))
