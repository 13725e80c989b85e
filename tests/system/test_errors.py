import pytest

from motif.system.errors import UserError, first_line, number, one_of, whole


@pytest.mark.parametrize("value", ["abc", 0, -1, 1.5, True, None])
def test_whole_numbers_say_what_is_right_and_what_they_got(value):
    with pytest.raises(UserError, match="rounds must be a whole number of at least 1, got ") as error:
        whole("rounds", value)
    assert repr(value) in str(error.value)


@pytest.mark.parametrize("value", ["1", float("nan"), float("inf"), -0.1, 1.1, None, False])
def test_numbers_must_be_finite_and_within_bounds(value):
    with pytest.raises(UserError, match="top_p must be a number above 0 and at most 1|top_p must be a number"):
        number("top_p", value, above=0, at_most=1)


def test_good_values_pass_through():
    assert whole("n", 3, 1, 3) == 3 and number("x", 1) == 1.0 and one_of("y", "a", "ab") == "a"


def test_a_near_miss_is_named():
    with pytest.raises(UserError, match="did you mean terse"):
        one_of("wording", "terze", ["full", "terse"])


def test_messages_stay_short():
    with pytest.raises(UserError) as error:
        whole("n", "x" * 10_000)
    assert len(str(error.value)) < 200


def test_a_librarys_error_is_its_first_line_or_its_kind():
    assert first_line(ValueError("  no such file\nand a long story")) == "no such file"
    assert first_line(KeyError()) == "KeyError" and len(first_line(ValueError("x" * 1000))) == 200
