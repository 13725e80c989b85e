"""What the docs name is there."""

import re

import pytest

from tests.support import ROOT

NAMED = re.findall(r"([\w/]+\.py)::(test_\w+)", (ROOT / "docs/reliability.md").read_text())


def test_reliability_is_backed_by_tests():
    assert len(NAMED) > 40


@pytest.mark.parametrize(("file", "name"), NAMED, ids="::".join)
def test_a_test_that_a_promise_rests_on_is_there(file, name):
    assert f"def {name}(" in (ROOT / "tests" / file).read_text()


def test_links_between_the_docs_lead_somewhere():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)", page.read_text()):
            file = (page.parent / target) if target else page
            assert file.exists(), f"{page.name}: {target}"
            if anchor:
                heads = re.findall(r"^#+ (.*)$", file.read_text(), re.M)
                slugs = {re.sub(r"[^\w\s-]", "", head.lower()).strip().replace(" ", "-") for head in heads}
                assert anchor in slugs, f"{page.name}: {target}#{anchor}"
