"""The pages are short, say what the files say, and lead where they point."""

import dataclasses
import importlib
import importlib.util
import inspect
import json
import re
import subprocess
import sys
import tomllib
import typing
from pathlib import Path

import pytest
import yaml

from motif.runs.metric_names import renamed
from tests.support import ROOT

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]
GROWS = {"LOG.md"}  # entries are added to it, none is taken away
RUNS = sorted((ROOT / "tests/fixtures/first_version").iterdir())
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def generator():
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["generate"] = module
    spec.loader.exec_module(module)
    return module


generate = generator()


def prose(page):
    """A page without its blocks of code, in which a bracket is no link."""
    return re.sub(r"^```[\s\S]*?^```$|^    .*$|`[^`\n]*`", "", page.read_text(), flags=re.M)


def slugs(page):
    """The anchors of a page's heads, as GitHub and mkdocs make them."""
    heads = re.findall(r"^#+ (.*)$", re.sub(r"^```[\s\S]*?^```$", "", page.read_text(), flags=re.M), re.M)
    return {re.sub(r"[^\w\s-]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", generate.pages(), ids=lambda page: page.name)
def test_what_is_made_from_other_files_is_as_they_are(page):
    """If it is not: python docs/generate.py"""
    assert page.read_text() == generate.generated(page.read_text())


def test_a_generated_part_is_in_every_page_that_lists_options_or_settings():
    with_parts = {page.name for page in generate.pages() if generate.MARKED.search(page.read_text())}
    assert {"README.md", "options.md", "settings.md", "evaluating.md", "reliability.md", "motif.yaml"} <= with_parts
    for option in ("`algo=value`", "`sweeps=carry`", "`hydra/launcher=ray`"):
        assert option in (DOCS / "options.md").read_text()
    for key in ("evaluation.samples", "algo.trainer.beta", "episode.later.tokens", "model.peft.r", "generation.wait"):
        assert f"| `{key}` |" in (DOCS / "settings.md").read_text()


def test_a_setting_without_a_comment_is_refused(tmp_path, monkeypatch):
    (tmp_path / "bare.yaml").write_text("a:  # told\n  b: 1\nc: 2\n")
    with pytest.raises(SystemExit, match="c needs a comment"):
        generate.explained(generate.settings(tmp_path / "bare.yaml"))


def test_a_promise_whose_test_is_gone_is_refused():
    with pytest.raises(SystemExit, match="test_gone"):
        generate.there("test_gone", {"test_there": ["test_a.py"]})


def test_every_section_of_promises_is_on_the_page_and_rests_on_something():
    promises = yaml.safe_load((DOCS / "promises.yaml").read_text())
    for section, each in promises.items():
        assert f"generated: promises {section} -->" in (DOCS / "reliability.md").read_text()
        assert all(promise.get("tests") or promise.get("also") for promise in each)
    assert sum(len(each) for each in promises.values()) > 40


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_stays_short(page):
    lines = len(page.read_text().splitlines())
    assert lines <= (120 if page.name == "README.md" else 250) or page.name in GROWS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    """Within docs/ they stay in docs/, for the site holds nothing else."""
    for target, anchor in LINK.findall(prose(page)):
        if re.match(r"https?:", target):
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.is_file(), f"{page.name}: {target}"
        assert page.parent != DOCS or file.is_relative_to(DOCS), f"{page.name}: {target} is outside of the site"
        if anchor:
            assert anchor in slugs(file), f"{page.name}: {target}#{anchor}"


def test_every_page_is_in_the_navigation_and_can_be_reached_from_the_readme():
    assert len(LINK.findall(prose(ROOT / "README.md"))) > 20
    listed = re.findall(r"\w+\.md", (ROOT / "mkdocs.yml").read_text())
    assert sorted(listed) == sorted(page.name for page in DOCS.glob("*.md"))
    seen, waiting = set(), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        found = {(page.parent / target).resolve() for target, _ in LINK.findall(prose(page)) if target.endswith(".md")}
        waiting += sorted(found - seen)
        seen |= found
    assert {page for page in DOCS.glob("*.md") if page.name != "index.md"} <= seen


NAMED = re.compile(r"`((?:motif|conf|tests|docs|sweeps|benchmarks)/[\w./-]+)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_are_named_are_there(page):
    for name in NAMED.findall(page.read_text()):
        if "mine" not in name:
            assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_pages_that_code_and_settings_name_are_there():
    files = [path for folder in ("motif", "conf", "sweeps", "benchmarks") for path in (ROOT / folder).rglob("*")]
    found = [
        (path.name, name)
        for path in files
        if path.suffix in (".py", ".yaml", ".j2")
        for name in re.findall(r"docs/\w+\.\w+", path.read_text())
    ]
    assert found and not [each for each in found if not (ROOT / each[1]).is_file()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_are_run_or_imported_are_there(page):
    text = page.read_text()
    for name in set(re.findall(r"python -m ((?:motif|benchmarks)[\w.]*)", text)):
        assert importlib.util.find_spec(name), f"{page.name}: {name}"
    for module, names in re.findall(r"from (motif[\w.]+) import ([\w, ]+?)(?= *(?:#|;|$))", text, re.M):
        for name in re.findall(r"\w+(?= as )|(?<!as )\b(?!as\b)\w+", names):
            assert hasattr(importlib.import_module(module), name), f"{page.name}: {module} has no {name}"


def test_what_functions_return_is_as_the_page_says():
    page = (DOCS / "python.md").read_text()
    returned = re.findall(r"\| `motif\.(\w+)\(.*?\)` \|.*\| `(\w+)`: (.*) \|", page)
    assert {name for name, _, _ in returned} == {"train", "evaluate", "solve", "report", "load"}
    for name, kind, told in returned:
        function = getattr(importlib.import_module("motif"), name)
        made = typing.get_type_hints(function)["return"]
        assert made.__name__ == kind
        for attribute in re.findall(r"`(\w+)(?:\(\))?`", re.sub(r"\(each.*\)", "", told)):
            assert attribute in {field.name for field in dataclasses.fields(made)} or hasattr(made, attribute)
        for keyword in re.findall(r"(\w+)=", re.search(rf"`motif\.{name}\((.*?)\)`", page)[1]):
            assert keyword in inspect.signature(function).parameters


def test_badges_say_what_the_package_says():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    badges = {name: (DOCS / f"pictures/badge-{name}.svg").read_text() for name in ("python", "licence", "hardware")}
    oldest = project["requires-python"].removeprefix(">=")
    assert f">{oldest} or newer<" in badges["python"]
    assert f">{project['license']}<" in badges["licence"]
    assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", "".join(badges.values()))
    assert all(f"badge-{name}.svg" in (ROOT / "README.md").read_text() for name in badges)


def documented(page):
    """The names in the first column of a page's tables, `...` and `<...>` standing for any."""
    cells = re.findall(r"^\| (`[^|]*) \|", (DOCS / page).read_text(), re.M)
    names = [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]
    return [re.sub(r"<\w+>|\*", ".+", re.sub(r"round_t\b", r"round_\\d+", name)) for name in names]


def test_every_metric_of_a_run_is_explained():
    known = documented("metrics.md")
    for run in RUNS:
        for line in (run / "metrics.jsonl").read_text().splitlines():
            for name in renamed(json.loads(line)).keys() - {"step"}:
                assert any(re.fullmatch(each, name) for each in known), f"{name} is not in docs/metrics.md"


def test_every_file_and_key_of_a_run_is_explained():
    known, page = documented("run_folder.md"), (DOCS / "run_folder.md").read_text()
    for run in RUNS:
        for file in run.iterdir():
            assert f"`{file.name}{'/' * file.is_dir()}`" in page
        if (run / "summary.json").is_file():
            summary = json.loads((run / "summary.json").read_text())
            keys = {*summary, *(key for result in summary["evaluation"] for key in result)}
            keys |= {f"compute.{key}" for key in summary["compute"]} - {"compute"}
            missing = {key for key in keys if not any(re.fullmatch(each, key) for each in known)} - {"compute"}
            assert not missing, f"{missing} are not in docs/run_folder.md"


def test_help_is_narrow_and_lists_every_choice():
    done = subprocess.run([sys.executable, "train.py", "--help"], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0 and max(map(len, done.stdout.splitlines())) <= generate.WIDTH
    for group in generate.choices():
        for option, told in generate.options(group).items():
            assert re.search(rf"^ +{re.escape(option)} +{re.escape(told)}$", done.stdout, re.M), f"{group}={option}"


@pytest.mark.parametrize("program", ["evaluate", "probe", "solve", "warm_start"])
def test_other_help_pages_are_narrow_and_list_every_setting(program):
    help_page = yaml.safe_load((ROOT / f"conf/hydra/help/{program}.yaml").read_text())
    assert all(len(line) <= generate.WIDTH for part in help_page.values() for line in part.splitlines())
    keys = yaml.safe_load((ROOT / f"conf/{program}.yaml").read_text()).keys() - {"defaults", "hydra", "_target_"}
    assert all(re.search(rf"^{key}=", help_page["footer"], re.M) for key in keys)


@pytest.mark.skipif(importlib.util.find_spec("mkdocs") is None, reason="mkdocs is not installed: make docs")
def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 0, done.stderr
    assert all((tmp_path / f"site/{page.stem}.html").is_file() for page in DOCS.glob("*.md"))
    assert not Path(tmp_path / "site/generate.py").exists()
