"""Rooms, from the ground up: imports between rooms look down only, and heavy libraries stay where they belong."""

import ast
import re
import subprocess
import sys
import tomllib

import pytest

from benchmarks import lines
from tests.support import ROOT

PACKAGE = ROOT / "motif"
ROOMS = [  # an import looks down this list, or stays in its room
    "system",
    "tasks",
    "rounds",
    "policies",
    "generation",
    "runs",
    "training",
    "evaluation",
    "reporting",
    "",  # experiment, cli, sweeps, programs: the top
]
FREE_OF_HYDRA = set(ROOMS) - {""}  # but for system/config, which builds what Hydra has composed
PRIVATE = {"generation.private", "hydra_private"}  # may touch what libraries do not promise
NOT_PRIVATE = {  # although they begin so
    *("_replace", "_fields", "_exit"),  # of Python's own: documented
    "_target_",  # a key of Hydra's configurations
    "_to_model",  # of wandb_workspaces: the only way to see what would be sent
}
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "pandas", "wandb", "accelerate", "scipy", "sympy", "vllm"}
MAY_BE_HEAVY = {
    *(f"tasks.grading.{name}" for name in ("calculus", "formulas", "symbolic", "tokens")),  # of the judge's process
    *("generation.kv_cache", "generation.decoding", "generation.prefill", "generation.cpu_weights"),
    *("training.trainer", "training.recorder", "training.sft", "training.trl_config"),
}


def modules():
    return sorted(path for path in PACKAGE.rglob("*.py"))


def shown(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def room(name):
    """The room of a module, by its name within the package."""
    first = name.split(".")[0]
    return first if first in ROOMS else ""


def imports(path, top_level_only=False):
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inner(path, **how):
    """What a module imports of the package, by names within it."""
    return {name.removeprefix("motif.") for name in imports(path, **how) if name.startswith("motif.")}


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_imports_between_rooms_look_down_only(path):
    own = ROOMS.index(room(shown(path)))
    above = [name for name in inner(path) if ROOMS.index(room(name)) > own]
    assert not above, f"{shown(path)} imports {', '.join(above)} from above"


def test_no_module_imports_itself_by_way_of_others():
    files = {shown(path).removesuffix(".__init__"): path for path in modules()}

    def needs(name):
        for found in inner(files[name], top_level_only=True):
            module = found if found in files else found.rpartition(".")[0]  # of a room, what its __init__ shows
            if module in files and module != name:
                yield module

    left = {name: set(needs(name)) for name in files}
    while ready := [name for name, needed in left.items() if not needed & left.keys()]:
        for name in ready:
            del left[name]
    assert not left, f"a circle is among {', '.join(left)}"


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_heavy_libraries_are_imported_at_the_top_of_few_modules(path):
    found = {name.split(".")[0] for name in imports(path, top_level_only=True)} & HEAVY
    assert not found or shown(path) in MAY_BE_HEAVY


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_hydra_is_known_at_the_top_and_where_objects_are_built(path):
    found = {name.split(".")[0] for name in imports(path)} & {"hydra", "omegaconf"}
    assert not found or shown(path) == "system.config" or room(shown(path)) not in FREE_OF_HYDRA


def private(path):
    """What a module touches of libraries that these do not promise: submodules of TRL, names with an underscore."""
    tree = ast.parse(path.read_text())
    own = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.endswith("__"):
            mine = node.attr in own or (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
            if not mine and node.attr not in NOT_PRIVATE:
                yield ast.unparse(node)
    for name in imports(path):
        if name.startswith(("trl.trainer.", "trl.generation.", "trl.experimental.")) or "._" in name:
            yield name


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_private_parts_of_libraries_are_touched_in_one_module_each(path):
    assert shown(path) in PRIVATE or not list(private(path))


def test_such_touches_are_found(tmp_path):
    file = tmp_path / "touches.py"
    lines = [
        "from trl.trainer.utils import pad",
        "import hydra._internal.utils",
        "self._mine, trainer._theirs",
        "x.__doc__",
    ]
    file.write_text("\n".join(lines))
    assert sorted(private(file)) == ["hydra._internal.utils", "trainer._theirs", "trl.trainer.utils.pad"]


def test_trl_is_held_to_the_minor_version_whose_private_parts_are_used():
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (trl,) = [each for each in needed if each.startswith("trl")]
    low, high = re.fullmatch(r"trl>=1\.(\d+),<1\.(\d+)", trl).groups()
    assert int(high) == int(low) + 1


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_a_module_opens_with_what_it_is_and_stays_small(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_nothing_but_its_own_files_knows_the_embedded_task_and_model(path):
    own = {"tasks.chain", "policies.tiny", "policies.tiny_tokenizer"}
    if shown(path) not in own:
        assert not [name for name in inner(path) if any(f"{name}.".startswith(f"{each}.") for each in own)]


@pytest.mark.parametrize("name", [name for name in ROOMS if name])
def test_a_room_is_entered_without_torch(name):
    code = f"""import sys, motif.{name}
sys.exit(", ".join({{"torch", "transformers", "trl", "wandb"}} & set(sys.modules)) or 0)"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr


def test_only_the_programs_take_the_whole_experiment():
    takers = {shown(path) for path in modules() if "experiment.Experiment" in inner(path)}
    assert takers <= {"cli", "forecast", "programs", "sweeps", "experiment"}


SHIMS = {
    "credit",
    "dashboard",
    "probe",
    "report",
    "study",
    "uploads",
    "verdicts",
    "warm_start",
}  # of three lines, for `python -m`


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_a_module_has_a_test_file_of_its_name_in_the_same_room(path):
    own = path.relative_to(PACKAGE)
    there = ROOT / "tests" / own.parent / f"test_{own.name}"
    assert there.is_file() or own.name == "__init__.py" or shown(path) in SHIMS


def test_the_package_and_the_core_that_explains_a_training_keep_to_their_lines():
    assert lines.main() == 0
