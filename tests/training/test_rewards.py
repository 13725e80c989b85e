import pytest

from motif.rounds.episode import Episode, grade, grow
from motif.rounds.replies import Sampling
from motif.system.errors import UserError
from motif.training.rewards import Reward, accuracy, efficiency, format, length, overlong
from tests.support.toys import Words, good, question, says

BOTH = {"outcome": {"accuracy": accuracy}, "reply": {"format": format}, "weights": {"accuracy": 1.0, "format": 0.5}}


def path_of(text):
    words = Words()
    trees = grow(
        [question()], Episode(rounds=1, tokens=9), [1], says(words, lambda _: text), words, lambda _: Sampling(9)
    )
    grade(trees)
    (path,) = trees[0].paths()
    return path


@pytest.mark.parametrize(("text", "value"), [(good("\\boxed{2}"), 1.0), (good("\\boxed{3}"), 0.0), (good("2"), 0.0)])
def test_accuracy_is_of_the_boxed_answer(text, value):
    assert accuracy(path_of(text)) == value


@pytest.mark.parametrize("lines", [1, 50])
@pytest.mark.parametrize("ending", ["", "\n"])
def test_format_gives_a_perfect_reply_its_full_value_whatever_its_lines_length_and_ending(lines, ending):
    text = "<reasoning>\n" + "a line of work\n" * lines + "</reasoning>\n<answer>\n\\boxed{2}\n</answer>" + ending
    assert format(path_of(text)) == 1.0


def test_the_outcome_is_averaged_over_continuations_and_reply_terms_are_not():
    reward = Reward(**BOTH)
    right, wrong = path_of(good("\\boxed{2}")), path_of("\\boxed{3}")
    values = reward.of(right, [right, wrong, wrong, wrong])
    assert values == {"accuracy": 0.25, "format": 1.0} and reward.total(values) == 0.75


def test_an_exception_in_a_term_stops_the_run():
    def broken(path):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        path = path_of(good("\\boxed{2}"))
        Reward(outcome={"broken": broken}, weights={"broken": 1.0}).of(path, [path])


@pytest.mark.parametrize(
    "bad",
    [
        {"weights": {"accuracy": 1.0}},
        {"weights": {"accuracy": 1.0, "format": 1.0, "length": 1.0}},
        {"weights": {"accuracy": float("nan"), "format": 1.0}},
        {"outcome": {}, "weights": {"format": 1.0}},
        {"reply": {"accuracy": accuracy}, "weights": {"accuracy": 1.0}},
    ],
)
def test_terms_and_weights_that_do_not_match_are_refused(bad):
    with pytest.raises(UserError):
        Reward(**{**BOTH, **bad})


def episode_of(*texts, rounds=4, stop="answered"):
    """The trajectory of these replies, one a round."""
    words, said = Words(), iter(texts)
    episode = Episode(rounds=rounds, tokens=9, stop=stop)
    trees = grow([question()], episode, [1] * rounds, says(words, lambda _: next(said)), words, lambda _: Sampling(9))
    grade(trees)
    (path,) = trees[0].paths()
    return path


def test_efficiency_falls_with_the_square_of_the_rounds_used():
    further, right, wrong = good("further"), good("\\boxed{2}"), good("\\boxed{3}")
    assert efficiency(episode_of(right), phi=2) == 1.0
    assert efficiency(episode_of(further, right), phi=2) == 0.75
    assert efficiency(episode_of(further, further, right), phi=2) == 0.0
    assert efficiency(episode_of(further, further, further, right), phi=2) == 0.0  # and not below
    assert efficiency(episode_of(wrong), phi=2) == 0.0
    assert len(episode_of(further, right)) == 2 and len(episode_of(right, *[right] * 3, stop="rounds")) == 4


def test_length_pays_a_right_answer_for_what_it_left_of_its_windows():
    right = good("\\boxed{2}", reasoning="a b c")  # three tokens
    assert length(episode_of(right, rounds=2), tokens=10) == pytest.approx(1 - 3 / 20)
    assert length(episode_of(good("\\boxed{3}")), tokens=10) == 0.0
    assert length(episode_of(right, rounds=1), tokens=2) == 0.0
    assert length(episode_of(right, rounds=3), tokens=10, later=25) == pytest.approx(1 - 3 / 60)


@pytest.mark.parametrize(("words", "value"), [(1, 0.0), (6, 0.0), (7, -0.25), (8, -0.5), (10, -1.0), (12, -1.0)])
def test_overlong_falls_over_the_last_tokens_of_the_window(words, value):
    assert overlong(path_of(" ".join(["w"] * words)), tokens=10, cache=0.4) == pytest.approx(value)


def test_overlong_is_of_the_window_of_the_replys_own_round():
    first, second = good("further"), good("\\boxed{2}", reasoning=" ".join(["w"] * 16))
    path = episode_of(first, second, rounds=2)
    taken = len(path[-1].reply.token_ids)
    assert overlong(path, tokens=10) == -1.0 and overlong(path, tokens=10, later=100) == 0.0
    assert overlong(path, tokens=10, later=taken, cache=0.5) == pytest.approx(-1.0)
    assert overlong(path[:1], tokens=1, later=100) == pytest.approx(-1.0) and len(path[0].reply.token_ids) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda path: efficiency(path, phi=0), "efficiency.phi"),
        (lambda path: length(path, tokens=0), "length.tokens"),
        (lambda path: overlong(path, tokens=4, cache=1.5), "overlong.cache"),
    ],
)
def test_settings_of_a_term_are_checked_by_name(call, words):
    with pytest.raises(UserError, match=words):
        call(path_of(good("\\boxed{2}")))
