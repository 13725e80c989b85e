from motif.rounds import metrics
from motif.rounds.episode import Episode, grade, grow
from motif.rounds.replies import Sampling
from tests.support.toys import Words, good, question, says


def trees():
    words = Words()

    def answer(prompt):
        if "round 1 of 2" in prompt:
            return good("\\boxed{2}") if "easy" in prompt else "no tags at all"
        return good("\\boxed{2}") if "easy" in prompt else good("\\boxed{3}")

    questions = [question("easy"), question("hard")]
    grown = grow(questions, Episode(rounds=2, tokens=9), [2, 3], says(words, answer), words, lambda _: Sampling(9))
    grade(grown)
    return grown


def test_shares_are_read_off_by_round_and_over_episodes():
    by_round, episodes = metrics.by_round(trees()), metrics.of_episodes(trees())
    assert by_round["rounds/1/correct"] == 0.5 == by_round["rounds/2/correct"]
    assert by_round["rounds/1/progress"] == 0.5 == by_round["rounds/1/no_answer"]
    assert "rounds/2/progress" not in by_round
    shares = {
        "accuracy": 0.5,
        "unparsable": 0.0,
        "truncated": 0.0,
        "copied": 0.5,
        "rounds_used": 2.0,
        "grader_gave_up": 0,
    }
    assert episodes == {f"episode/{name}": value for name, value in shares.items()}


def test_an_episode_that_ended_early_counts_no_less_than_one_that_has_continuations():
    """Half of the first replies answer at once and are right; the others go on in three branches each, and fail."""
    words, first = Words(), iter([True, False] * 9)

    def answer(prompt):
        if "round 1 of 3" in prompt:
            return good("\\boxed{2}" if next(first) else "further")
        return good("\\boxed{3}" if "round 3 of 3" in prompt else "further")

    episode = Episode(rounds=3, tokens=9, stop="answered")
    grown = grow([question("a")], episode, [2, 3, 3], says(words, answer), words, lambda _: Sampling(9))
    grade(grown)
    found = metrics.of_episodes(grown)
    assert len(list(grown[0].paths())) == 1 + 5 and (found["episode/accuracy"], found["episode/rounds_used"]) == (
        0.5,
        2.0,
    )
