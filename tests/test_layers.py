"""Imports look down only, and heavy libraries stay where they belong."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "motif"
LAYERS = [  # from the ground up; a module may import from layers below its own
    "masking untrusted",
    "checks advantages processes vocabulary stops cache card flops notation",
    "files",
    "prompts statistics fitting compute locks names exact shapes units ends environment trust",
    "memory referee courier differences",
    "data generation screen tables policy loading budget comparison watchdogs",
    "chain carry models results answers judge checkpoints lasting summary",
    "corpus episode tiny decoding serving watched scores",
    "rewards algorithms measures runs reading engines guard tracking",
    "evaluation rollout arms progress flaws probes resuming arguments uploads dashboard records effects",
    "alarm finite held_out",
    "training lm_eval solver verdicts study rules interventions",
    "preflight evaluator report",
    "experiment prober",
    "entry",
    "launching credit",
    "probe",
]
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
HEAVY = {"torch", "transformers", "trl", "peft", "datasets", "wandb", "accelerate", "scipy", "math_verify", "vllm"}
MAY_BE_HEAVY = {"cache", "decoding", "training", "arguments"}


def imports(path, top_level_only=False):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from ([f"motif.{alias.name}" for alias in node.names] if node.module == "motif" else [node.module])


def modules():
    return sorted([*(path for path in PACKAGE.glob("*.py") if path.stem != "__init__"), *PACKAGE.glob("[!_]*/*.py")])


def layer_name(path):
    """A module's place in LAYERS: its own name, or that of the package it is in."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def shown(path):
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


def typing_only(path):
    """Names imported for annotations alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            for inner in node.body:
                yield inner.module if isinstance(inner, ast.ImportFrom) else inner.names[0].name


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_a_module_imports_only_from_below(path):
    own = layer_name(path)
    assert own in LEVEL, f"say in which layer {own} belongs"
    exempt = set(typing_only(path))
    for name in imports(path):
        if name.startswith("motif.") and name not in exempt and "main" not in name:
            below = name.split(".")[1]
            if below in LEVEL and (below != own or path.parent == PACKAGE):
                assert LEVEL[below] < LEVEL[own], f"{shown(path)} imports {below}"


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_heavy_libraries_are_imported_at_the_top_of_two_modules_only(path):
    found = {name.split(".")[0] for name in imports(path, top_level_only=True)} & HEAVY
    assert not found or path.stem in MAY_BE_HEAVY


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_hydra_is_imported_by_the_entry_points_only(path):
    found = {name.split(".")[0] for name in imports(path)} & {"hydra", "omegaconf"}
    assert not found or path.stem in ("entry", "launching")


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_a_module_opens_with_what_it_is_and_stays_small(path):
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 300


@pytest.mark.parametrize("path", modules(), ids=shown)
def test_nothing_but_its_own_files_knows_the_embedded_task_and_model(path):
    own = {"chain", "tiny", "vocabulary"}
    if path.stem not in own:
        assert not {f"motif.{name}" for name in own} & set(imports(path))
