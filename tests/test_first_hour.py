"""The pages of one task each: every block is run in order, in a folder that has nothing but a checkout."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tests.support import ROOT

PAGES = [page for page in sorted((ROOT / "docs").glob("first_*.md")) if page.name != "first_run.md"]  # it takes minutes
CHECKOUT = ("train.py", "evaluate.py", "solve.py", "motif", "conf", "sweeps")
NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*(?:e[-+]\d+)?")


def blocks(page):
    """The blocks of a page in order: a language (`shell` of one that is indented), the name of its file, its text."""
    for token in MarkdownIt().parse(page.read_text()):
        if token.type in ("fence", "code_block"):
            language, _, name = (token.info or "shell").partition(" title=")
            yield language, name.strip('"'), token.content


def expression(shown):
    """What a page shows of an output, to be searched in it: lines may be broken elsewhere, … is any text, and a number
    is any number. What is wrong is shown as it is, to the letter."""
    exact = shown.startswith("error:")

    def word(text):
        return re.escape(text) if exact else NUMBER.pattern.join(map(re.escape, NUMBER.split(text)))

    pieces = [r"\s+".join(map(word, piece.split())) for piece in shown.split("…")]
    return re.compile(r"[\s\S]*?".join(pieces))


def run(words, folder):
    """The exit status of a command, and what it printed; for W&B there is no key."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("WANDB_", "PYTHONPATH"))}
    environment |= {"PATH": os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])}
    environment |= {"NETRC": str(folder / "none"), "COLUMNS": "120"}
    done = subprocess.run(
        words, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900
    )
    return done.returncode, done.stdout


@pytest.mark.slow
@pytest.mark.program
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_each_block_of_a_page_runs_and_says_what_the_page_shows(page, tmp_path):
    for name in CHECKOUT:
        (tmp_path / name).symlink_to(ROOT / name)
    found = [*blocks(page), ("", "", "")]
    for (language, name, text), (next_language, _, shown) in pairwise(found):
        if name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        elif language in ("shell", "python"):
            call = ["bash", "-ec", text] if language == "shell" else [sys.executable, "-c", text]
            status, said = run(call, tmp_path)
            shown = shown if next_language == "text" else ""
            assert (status != 0) == shown.startswith("error:"), f"{text}\n{said}"
            assert expression(shown).search(said), f"{text}\n{said}\nis not what the page shows:\n{shown}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_short_and_its_blocks_are_commands_files_or_what_they_show(page):
    found = list(blocks(page))
    assert len(page.read_text().splitlines()) <= 120
    assert all(text.strip() and (name or language in ("shell", "python", "text")) for language, name, text in found)
    for (language, name, _), (after, _, _) in pairwise(found):
        assert after != "text" or (not name and language in ("shell", "python"))
    assert sum(language == "text" for language, _, _ in found) >= 2 and found[0][0] != "text"


def test_what_a_page_shows_is_found_in_an_output_whose_numbers_and_line_ends_differ():
    shown = expression("accuracy 0.867 … took 4 s\n(-2.0 to +1.5)")
    assert shown.search("the accuracy 1 and more\nit took 1,234 s (-0.25 to\n+3)")
    assert not shown.search("the accuracy is 1; it took 4 s (-2.0 to +1.5)")
    assert not shown.search("the accuracy 0.867")
    assert not expression("error: line 3").search("error: line 4") and expression("error: line 3").search(
        "error: line 3"
    )
