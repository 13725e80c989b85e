from motif.evaluation.wording import in_rounds, p_value, percent_interval, plural, points, with_interval


def test_a_share_is_in_percent_and_a_difference_in_points():
    assert percent_interval((0.1, 0.4)) == "10.0% – 40.0%" and points(-0.05) == "-5.0" and points(0.15) == "+15.0"
    share = {"value": 0.25, "interval": [0.1, 0.4]}
    assert with_interval(share) == "25.0% (10.0% – 40.0%)"
    assert with_interval(share, "n = 30") == "25.0% (10.0% – 40.0%; n = 30)"


def test_a_p_value_has_no_more_digits_than_it_means():
    assert [p_value(p) for p in (0.00001, 0.0312, 0.25, 1)] == ["p < 0.0001", "p = 0.031", "p = 0.25", "p = 1.00"]


def test_one_is_singular():
    assert (in_rounds(1), in_rounds(3), plural(2, "seed")) == ("1 round", "3 rounds", "2 seeds")
