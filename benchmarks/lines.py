"""Lines of the package by room, against two limits: `python -m benchmarks.lines`. It exits with 1 above a limit.

A line of code holds something besides comments and docstrings. The core is what one reads to understand a training
run: tasks, rounds, policies, generation, training. It has neither grading, which is a subject by itself, nor preflight,
which is over before a run begins.
"""

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "motif"
TOP = "the top"
APART = ("tasks/grading", "training/preflight")  # counted as rooms
CORE = ("tasks", "rounds", "policies", "generation", "training")
MOST, MOST_OF_CORE = 18_500, 5_100  # lines of code
EMPTY = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def lines(source: str) -> Counter[str]:
    """The numbers of lines of `source`: `code`, `docstrings` and `whole`, which has blank lines and comments too."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node, clean=False) is not None:
            docstrings |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    filled: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in EMPTY:
            filled |= set(range(token.start[0], token.end[0] + 1))
    return Counter(code=len(filled - docstrings), docstrings=len(docstrings), whole=len(source.splitlines()))


def by_room(package: Path = PACKAGE) -> dict[str, Counter[str]]:
    """The lines of each room of `package`."""
    rooms: dict[str, Counter[str]] = {}
    for file in sorted(package.rglob("*.py")):
        place = file.relative_to(package)
        inner = [room for room in APART if place.is_relative_to(room)]
        room = inner[0] if inner else place.parts[0] if len(place.parts) > 1 else TOP
        rooms.setdefault(room, Counter()).update(lines(file.read_text()))
    return rooms


def code_of(rooms: dict[str, Counter[str]]) -> tuple[int, int]:
    """Lines of code of all rooms, and of the core."""
    return sum(room["code"] for room in rooms.values()), sum(rooms[name]["code"] for name in CORE)


def main() -> int:
    """Print the table. Returns 1 above a limit, else 0."""
    rooms = by_room()
    whole, core = code_of(rooms)
    total = sum(rooms.values(), Counter())
    print(f"{'':<16}{'code':>8}{'docstrings':>12}{'whole':>8}")
    for name, room in [*rooms.items(), ("in all", total)]:
        print(f"{name:<16}{room['code']:>8,}{room['docstrings']:>12,}{room['whole']:>8,}")
    print(f"\nin all   {whole:,} lines of code, at most {MOST:,}")
    print(
        f"the core {core:,} lines of code, at most {MOST_OF_CORE:,} ({', '.join(CORE)}; without {' and '.join(APART)})"
    )
    return int(whole > MOST or core > MOST_OF_CORE)


if __name__ == "__main__":
    sys.exit(main())
