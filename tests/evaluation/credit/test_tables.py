from io import StringIO

from rich.console import Console

from motif.evaluation.credit.tables import agreement_table, as_csv, estimate, gradients_table, share, signal_table


def printed(table):
    console = Console(width=150, record=True, file=StringIO())
    console.print(table)
    return console.export_text()


def test_an_estimate_has_its_interval_and_what_is_not_known_is_a_dash():
    assert estimate(0.7432, [0.722, 0.763]) == "0.743 [0.722, 0.763]"
    assert estimate(0.7432, None, digits=2) == "0.74" and estimate(None, None) == share(None) == "–"
    assert share(-1e-17) == "0.0%"


def test_an_interval_is_two_columns_of_csv_and_a_missing_value_an_empty_cell():
    rows = [{"one": "a", "interval": [0.1, 0.2]}, {"one": None, "interval": None}]
    assert as_csv(rows) == "one,interval_low,interval_high\na,0.1,0.2\n,,\n" and as_csv([]) == "\n"


def test_agreement_is_a_row_a_pair_and_a_column_a_round():
    row = {"one": "a", "other": "b", "correlation": 0.5, "interval": [0.4, 0.6], "opposed": 0.25, "n": 1200}
    found = {"agreement": [{**row, "round": 1}, {**row, "round": 2, "n": 3}, {**row, "other": "c", "round": 2}]}
    text = printed(agreement_table("run", found))
    assert "round 1, n = 1,200" in text and "round 2, n = 1,200" in text
    (line,) = (line for line in text.splitlines() if line.split()[:2] == ["a", "c"])
    assert line.split()[2:] == ["–", "0.5", "[0.4,", "0.6]", "25.0%"]


def test_signal_is_a_row_a_scheme_with_groups_first():
    row = {"scheme": "a", "share": 0.5, "interval": [0.25, 0.75], "n": 8}
    text = printed(signal_table("run", {"schemes": ["a"], "signal": [{**row, "round": None}, {**row, "round": 1}]}))
    assert "run: without a signal" in text and "50.0% [25.0% – 75.0%]  8" in text and "replies of round 1" in text


def test_gradients_are_a_row_a_scheme_against_the_runs_own():
    keys = ("cosine", "cosine_of_its_rounds", "snr", "snr_per_1000_tokens", "against_own")
    row = {"scheme": "a", "tokens": 12.4} | dict.fromkeys(keys, 0.5) | {f"{key}_interval": None for key in keys}
    found = {"policy": "base", "own": "value k=1", "questions": 6, "draws": 2, "schemes": [row]}
    text = printed(gradients_table("run", found))
    assert "÷ value k=1" in text and "run, base policy: gradients [95 %], n = 6 questions, 2 draws of a group" in text
    assert text.splitlines()[4].split() == ["a", "12", *["0.5"] * 5]
