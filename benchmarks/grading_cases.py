"""Kinds of wrong verdicts of public reports: `python -m benchmarks.grading_cases` prints how this grader does on them.

The cases are tests/tasks/grading/cases.yaml: by kind, a gold and what is right or wrong beside it. `--package FOLDER`
asks another version of this project, which is imported from there. A failure is a right answer refused or a wrong one
accepted; `--list` names each.
"""

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

CASES = Path(__file__).parents[1] / "tests" / "tasks" / "grading" / "cases.yaml"


class Case(NamedTuple):
    """What somebody replied to a question, and whether that is right."""

    kind: str
    gold: str
    reply: str
    right: bool


def cases(file: Path = CASES) -> Iterator[Case]:
    """Every case of the table."""
    for kind, parts in yaml.safe_load(file.read_text()).items():
        for right in (True, False):
            for line in parts["right" if right else "wrong"].splitlines():
                gold, *replies = line.split(" || ")
                for reply in replies:
                    yield Case(kind, gold, reply, right)


def grader(package: Path | None) -> Callable[[str, str], bool]:
    """`is_correct` of this package, or of the one in a folder, whose first version has it in `motif.answers`."""
    name = "motif.tasks.grading"
    if package:
        sys.path.insert(0, str(package.resolve()))
        for module in [module for module in sys.modules if module.split(".")[0] == "motif"]:
            del sys.modules[module]
        name = name if (package / "motif" / "tasks" / "grading").exists() else "motif.answers"
    module = importlib.import_module(name)
    if package and not Path(str(module.__file__)).is_relative_to(package.resolve()):
        sys.exit(f"{package} holds no package motif")
    return module.is_correct  # type: ignore[no-any-return]


def main() -> int:
    """Print the table. Returns 1 where a wrong answer is accepted, else 0."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--package", type=Path)
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    is_correct = grader(arguments.package)
    counts: dict[str, list[int]] = {}
    failures = []
    for case in cases():
        failed = is_correct(case.reply, case.gold) is not case.right
        count = counts.setdefault(case.kind, [0, 0, 0])
        count[0] += 1
        count[1 if case.right else 2] += failed
        failures += [case] * failed
    print(f"{'kind':<44}{'cases':>7}{'refused':>9}{'accepted':>10}")
    for kind, count in [*counts.items(), ("in all", [sum(column) for column in zip(*counts.values(), strict=True)])]:
        print(f"{kind:<44}{count[0]:>7,}{count[1]:>9,}{count[2]:>10,}")
    for case in failures if arguments.list else ():
        print(f"{'refused' if case.right else 'ACCEPTED':<9} {case.kind}: {case.reply!r} for {case.gold!r}")
    return int(any(not case.right for case in failures))


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.exit(status)
