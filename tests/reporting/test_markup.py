from motif.reporting.markup import Table, markdown


def test_what_breaks_a_table_is_escaped():
    table = Table("t", "50 % & more", [{"a_b": "m|n <b>", "x": r"\input{x}"}], right=frozenset({"x"}))
    assert "m\\|n &lt;b>" in table.markdown()
    assert r"m|n \textless{}b\textgreater{} & \textbackslash{}input\{x\} \\" in table.latex()
    assert r"\caption{50 \% \& more." in table.latex() and r"\begin{tabular}{lr}" in table.latex()


def test_a_table_is_a_line_a_row_below_its_head_and_above_its_note():
    table = Table("t", "title", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}], "a note")
    assert table.columns == ["a", "b"] and Table("t", "title", []).columns == []
    assert table.markdown() == "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |\n\na note"
    assert markdown(["a"], []) == "| a |\n| --- |"


def test_a_long_head_has_several_lines():
    head = Table("t", "title", [{"interval over seeds": "1"}], right=frozenset({"interval over seeds"})).latex()
    assert r"\shortstack[r]{interval \\ over seeds}" in head
