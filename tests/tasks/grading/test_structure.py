"""What answers consist of."""

import re

import pytest

from motif.tasks.grading.structure import list_items, split, structure


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
        ("(x+1)(x-1)", "formula", ("(x+1)(x-1)",)),
        ("f(1,2)", "formula", ("f(1,2)",)),
    ],
)
def test_the_structure_of_an_answer(text, kind, parts):
    found = structure(text)
    assert (found.kind, tuple(part.replace("  ", " ") for part in found.parts)) == (kind, parts)


def test_only_separators_outside_brackets_cut():
    assert split("f(1,2),\\{3,4\\},5", re.compile(",")) == ["f(1,2)", "\\{3,4\\}", "5"]


@pytest.mark.parametrize(
    "text", ["(1,2]", "(1,2) \\cup [3,4)", "\\{1,2\\}", "x=2", "\\begin{pmatrix}1 & 2 \\\\ 3 & 4\\end{pmatrix}"]
)
def test_a_structure_can_be_written_again(text):
    assert structure(structure(text).latex()) == structure(text)


def test_an_open_pair_of_numbers_may_be_a_point():
    assert not structure("(1,2)").is_interval
    assert structure("(1,\\infty)").is_interval and structure("[1,2]").is_interval


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("x>2", "(2,\\infty)"),
        ("2\\ge x", "(-\\infty,2]"),
        ("4>x\\ge 3", "[3,4)"),
        ("x<3 and x>2", "(2,3)"),
        ("\\{x \\mid x \\le 1\\}", "(-\\infty,1]"),
    ],
)
def test_an_inequality_in_one_variable_is_its_interval(text, interval):
    found = structure(text)
    assert f"{found.around[0]}{','.join(found.parts)}{found.around[1]}" == interval and found.variable == "x"


@pytest.mark.parametrize("text", ["x+1>2", "1<x>2", "a<b<c<d", "1<2"])
def test_other_inequalities_are_formulas(text):
    assert structure(text).kind == "formula"


def test_commas_of_thousands_cut_a_list_only_where_it_has_no_other_separator():
    assert list_items("1,000, 2") == ["1000", "2"] and list_items("1,000 and 2") == ["1000", "2"]
    assert list_items("1,200") == ["1", "200"]


def test_a_determinant_is_no_matrix_of_the_same_cells():
    matrix, determinant = (structure(f"\\begin{{{name}}} 1 & 2 \\end{{{name}}}") for name in ("pmatrix", "vmatrix"))
    assert (matrix.around, determinant.around) == ("1x2", "vmatrix1x2")
