"""Classes that a configuration names by `_target_`: where they are now, and which of them a folder may ask for.

What a user types, or takes from configuration files, may name anything. The choices in the folder of a run or a policy
can be a stranger's, and to build a class is to run it. So they may name only classes of motif, or of a module of the
user's own. Classes of Python and of installed packages are refused: some read a pickle, or write files.
"""

import inspect
import pydoc
import re
import sys
import sysconfig
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from motif.system.errors import UserError, shown

INSTALLED = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")}
MOVED = {  # modules of the first version whose classes its configurations name, and where they are now
    **{"algorithms": "training.algorithms", "rewards": "training.rewards", "flaws": "training.published"},
    **{"guard": "training.guard", "watchdogs": "runs.watchdogs", "budget": "runs.budget"},
    **{"runs": "runs.folder", "checkpoints": "runs.checkpoints", "tracking": "runs.tracking.base"},
    **{"episode": "rounds.episode", "carry": "rounds.carry", "prompts": "rounds.prompts"},
    **{"chain": "tasks.chain", "corpus": "tasks.corpus", "engines": "generation.engines"},
    **{"models": "policies.pretrained", "tiny": "policies.tiny"},
    **{"evaluation": "evaluation.evaluate", "evaluator": "evaluation.program", "solver": "evaluation.solve"},
    **{"prober": "evaluation.probe.program"},
}
FIRST = {now: before for before, now in MOVED.items()}


def current_target(target: str) -> str:
    """Today's name of a class that a configuration of the first version names."""
    found = re.fullmatch(r"motif\.(\w+)\.(\w+)", target)
    return f"motif.{MOVED[found[1]]}.{found[2]}" if found and found[1] in MOVED else target


def first_target(target: str) -> str:
    """The first version's name of a class, by today's. So a class that moves makes no other run."""
    module, _, name = target.removeprefix("motif.").rpartition(".")
    return f"motif.{FIRST[module]}.{name}" if target.startswith("motif.") and module in FIRST else target


def with_targets(node: Any, rename: Callable[[str], str]) -> Any:
    """A copy of nested settings in which each `_target_` is renamed."""
    if isinstance(node, list):
        return [with_targets(each, rename) for each in node]
    if not isinstance(node, Mapping):
        return node
    return {
        key: rename(value) if key == "_target_" and isinstance(value, str) else with_targets(value, rename)
        for key, value in node.items()
    }


def check_trusted(node: Any, place: str, where: str = "") -> None:
    """A `UserError` where `node`, read at `place`, names what is neither motif's nor of a module of the user's own."""
    if isinstance(node, str) and "${" in node:
        raise UserError(
            f"{where} of {place} is {shown(node)}, which is not looked up: what a run keeps is plain values"
        )
    if isinstance(node, list):
        for number, item in enumerate(node):
            check_trusted(item, place, f"{where}[{number}]")
    if not isinstance(node, Mapping):
        return
    for key, value in node.items():
        inner = f"{where}.{key}" if where else str(key)
        check_trusted(value, place, inner)
        if key == "_target_" and not trusted(value, node.get("_partial_") is True):
            if missing := why_missing(value):
                raise UserError(f"{inner} of {place}: {missing}")
            raise UserError(
                f"{inner} of {place} is {shown(value)}, neither a class of motif's nor of a module of yours, and is "
                f"not built: a stranger's folder may name anything; choose {where.split('.')[0] or 'it'} yourself"
            )


def trusted(target: Any, partial: bool) -> bool:
    """Whether `target` names a class that is defined in motif or in a module of the user's own.

    With `partial`, which calls nothing, it may name a function too.
    """
    root = str(target).split(".")[0]
    if root != "motif" and not own(root):
        return False
    try:
        found = pydoc.locate(str(target))
    except pydoc.ErrorDuringImport:
        return False
    kind = inspect.isclass(found) or (partial and inspect.isfunction(found))
    return kind and str(found.__module__).split(".")[0] == root


def why_missing(target: Any) -> str | None:
    """What is wrong with a `_target_` whose first module is nowhere; None where it is found."""
    first = str(target).split(".")[0]
    if not first.isidentifier() or first in sys.modules or find_spec(first):
        return None
    return f"{shown(target)} is not found: no module {first} is installed or lies in a folder that PYTHONPATH names"


def own(module: str) -> bool:
    """Whether a module of this name is the user's own: neither Python's nor installed."""
    try:
        found = find_spec(module)
    except (ImportError, ValueError):
        return False
    if found is None or not (found.has_location or found.submodule_search_locations):
        return False
    places = [Path(place).resolve() for place in (found.submodule_search_locations or [str(found.origin)])]
    return not any(place.is_relative_to(installed) for place in places for installed in INSTALLED)
