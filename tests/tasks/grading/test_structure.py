import re

import pytest

from motif.tasks.grading.structure import shape, split, whole


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        ("(1,2)", "tuple", ("1", "2")),
        ("[0,1)", "tuple", ("0", "1")),
        ("3<x\\le 4", "tuple", ("3", "4")),
        ("x>2 and x<3", "tuple", ("2", "3")),
        ("x \\in [1,2]", "tuple", ("1", "2")),
        ("\\{1,2\\}", "set", ("1", "2")),
        ("1, 2 and 3", "list", ("1", "2", "3")),
        ("1,000, 2", "list", ("1000", "2")),
        ("1 \\pm 2", "list", ("1 + 2", "1 - 2")),
        ("(1,2),(3,4)", "list", ("(1,2)", "(3,4)")),
        ("(1,2) \\cup (3,4)", "union", ("(1,2)", "(3,4)")),
        ("x=2", "equation", ("x", "2")),
        ("\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "matrix", ("1", "2", "3", "4")),
        ("(x+1)(x-1)", "whole", ("(x+1)(x-1)",)),
        ("f(1,2)", "whole", ("f(1,2)",)),
    ],
)
def test_the_shape_of_an_answer(text, kind, parts):
    found = shape(text)
    assert (found.kind, tuple(part.replace("  ", " ") for part in found.parts)) == (kind, parts)


def test_only_separators_outside_brackets_cut():
    assert split("f(1,2),\\{3,4\\},5", re.compile(",")) == ["f(1,2)", "\\{3,4\\}", "5"]


@pytest.mark.parametrize(
    "text", ["(1,2]", "(1,2) \\cup [3,4)", "\\{1,2\\}", "x=2", "\\begin{pmatrix}1 & 2 \\\\ 3 & 4\\end{pmatrix}"]
)
def test_a_shape_can_be_written_again(text):
    assert shape(whole(shape(text))) == shape(text)


def test_an_open_pair_of_numbers_may_be_a_point():
    assert not shape("(1,2)").interval and shape("(1,\\infty)").interval and shape("[1,2]").interval
