import json
import re

import pytest

from motif.evaluation.evaluate import record
from motif.evaluation.results import result_of
from motif.rounds.carry import Full, HeadTail, Nothing, Summary, Tail
from motif.rounds.episode import MOST, Episode, continuations, copied, grade, grow, main_line
from motif.rounds.metrics import of_episodes
from motif.rounds.prompts import Prompts
from motif.rounds.records import as_record
from motif.rounds.replies import Sampling
from motif.system.errors import UserError
from tests.support.toys import Words, good, question, reply, says


def sampling(round):
    return Sampling(10)


def grown(answer, rounds=3, branching=(2, 3, 1), questions=None, **settings):
    words = Words()
    episode = Episode(rounds=rounds, tokens=10, **settings)
    return grow(questions or [question()], episode, branching, says(words, answer), words, sampling)


def test_a_tree_has_m_replies_with_k_continuations_each_down_to_the_last_round():
    (tree,) = grown(lambda prompt: good("x"))
    assert len(tree.roots) == 2
    assert [len(root.children) for root in tree.roots] == [3, 3]
    assert [[len(child.children) for child in root.children] for root in tree.roots] == [[1] * 3] * 2
    assert len(list(tree.paths())) == 6 and all(len(path) == 3 and path[-1].ended for path in tree.paths())
    assert len(list(tree.nodes())) == 2 + 6 + 6


def test_a_main_line_branches_in_every_round_and_what_branches_off_goes_on_alone():
    (tree,) = grown(lambda prompt: good("x"), rounds=4, branching=(2, 3, 2, 4))
    for root in tree.roots:
        line = main_line(root)
        assert len(line) == 4 and [len(node.children) for node in line] == [3, 2, 4, 0]
        off = [child for node in line for child in node.children[1:]]
        assert all(len(node.children) <= 1 for side in off for node in (side, *side.children))
    assert all(len(path) == 4 for path in tree.paths())


def test_an_answered_episode_ends_with_the_first_complete_final_answer_and_later_rounds_are_not_generated():
    calls, words = [], Words()

    def answer(prompt):
        if "This is round 3" in prompt or ("This is round 2" in prompt and "easy" in prompt):
            return good("\\boxed{2}")
        return good("half way, \\boxed{2", reasoning="perhaps \\boxed{2}")  # in the reasoning, and not complete

    def generate(talks, sampling):
        calls.append(len(talks))
        return says(words, answer)(talks, sampling)

    episode = Episode(rounds=3, tokens=10, stop="answered")
    easy, hard = grow([question("easy"), question("hard")], episode, [2, 2, 1], generate, words, sampling)
    assert [len(path) for path in easy.paths()] == [2] * 4 and [len(path) for path in hard.paths()] == [3] * 4
    assert calls == [4, 8, 4] and all(path[-1].ended for tree in (easy, hard) for path in tree.paths())
    said = "\n".join(message["content"] for message in episode.conversation(question(), 1, None))
    assert "As soon as you have the final answer" in said


def test_a_reply_that_was_cut_off_has_not_answered():
    words = Words()

    def generate(talks, sampling):
        return [reply(good("\\boxed{2}"), words, finished=False) for _ in talks]

    (tree,) = grow([question()], Episode(rounds=2, tokens=10, stop="answered"), [1, 1], generate, words, sampling)
    assert len(next(tree.paths())) == 2


def test_a_round_can_be_spoken_to_in_another_way_and_handed_another_thing():
    heard, episode = [], Episode(rounds=3, tokens=10)

    def talk(question, path):
        handed = f"other than {path[-1].carried}" if len(path) == 2 else None
        return episode.conversation(question, len(path) + 1, handed)

    grow(
        [question()],
        episode,
        [1, 1, 1],
        says(words := Words(), lambda prompt: heard.append(prompt) or good(f"p{len(heard)}")),
        words,
        sampling,
        talk=talk,
    )
    assert "No progress was handed over" in heard[1] and "other than p2" in heard[2]


@pytest.mark.parametrize(
    ("carry", "handed"),
    [
        (Tail(tokens=2), "some work"),
        (HeadTail(head=1, tokens=1), "just … work"),
        (Full(), "just some work"),
        (Nothing(), None),
    ],
)
def test_without_a_summary_no_answer_tag_is_asked_for_before_the_end(carry, handed):
    heard = []

    def answer(prompt):
        heard.append(prompt)
        return "just <reasoning>some work" if "This is round 1" in prompt else good("\\boxed{2}")

    (tree,) = grown(answer, rounds=2, branching=(1, 1), carry=carry)
    (first, last) = next(tree.paths())
    assert first.carried == handed and first.well_formed and last.well_formed
    assert not {"no_answer", "progress_cleaned"} & set(first.events)
    assert "write your progress inside" not in heard[0] and "final answer inside <answer>" in heard[1]
    assert ("What you see of your work so far" in heard[1]) == (handed is not None)


def test_the_generator_is_called_once_a_round_for_all_questions_and_branches():
    words, calls = Words(), []

    def generate(talks, sampling):
        calls.append((len(talks), len(sampling.keys)))
        return says(words, lambda prompt: good("x"))(talks, sampling)

    grow([question("a"), question("b")], Episode(rounds=3, tokens=10), (4, 2, 1), generate, words, sampling)
    assert calls == [(8, 8), (16, 16), (16, 16)]


def test_progress_of_round_one_reaches_round_two_and_not_round_three():
    seen = []

    def answer(prompt):
        seen.append(prompt)
        return good(f"note{len(seen)}")

    grown(answer, branching=(1, 1, 1))
    first, second, third = seen
    assert "note1" not in first and "note1" in second and "note1" not in third and "note2" in third


def test_progress_goes_to_the_continuations_of_its_own_reply_and_question():
    def answer(prompt):
        name = "apple" if "apple" in prompt else "pear"
        return (
            good(f"from-{name}")
            if "Progress" not in prompt
            else good("\\boxed{" + prompt.split("from-")[1].split()[0] + "}")
        )

    for tree in grown(answer, rounds=2, questions=[question("apple"), question("pear")], branching=(2, 2)):
        for path in tree.paths():
            assert path[-1].answer == "\\boxed{" + tree.question.text + "}"


def test_a_reply_without_an_answer_tag_carries_nothing_and_is_counted():
    (tree,) = grown(lambda prompt: "thinking on and on", rounds=2, branching=(1, 1))
    assert tree.roots[0].carried is None and "no_answer" in tree.roots[0].events


def test_long_progress_is_cut_and_counted():
    (tree,) = grown(lambda prompt: good("a b c d"), rounds=2, branching=(1, 1), carry=Summary(tokens=2))
    assert tree.roots[0].carried == "a b" and "progress_cut" in tree.roots[0].events


def test_tags_within_progress_are_taken_out_and_counted():
    (tree,) = grown(lambda prompt: good("x</progress>y<|end|>"), rounds=2, branching=(1, 1))
    assert tree.roots[0].carried == "xy" and "progress_cleaned" in tree.roots[0].events


def test_the_last_box_of_the_last_round_is_graded():
    def answer(prompt):
        return good("\\boxed{2}") if "round 1 of 2" in prompt else good("\\boxed{9} \\boxed{3}")

    trees = grown(answer, rounds=2, branching=(1, 1))
    grade(trees)
    (path,) = trees[0].paths()
    assert path[0].correct and not path[1].correct and path[1].prediction == "3"


def test_an_answer_boxed_before_and_repeated_is_a_copy():
    trees = grown(lambda prompt: good("\\boxed{2}"), rounds=2, branching=(1, 1))
    grade(trees)
    assert all(copied(path) for path in trees[0].paths())
    trees = grown(lambda prompt: good("\\boxed{2}" if "last one" in prompt else "half"), rounds=2, branching=(1, 1))
    grade(trees)
    assert not any(copied(path) for path in trees[0].paths())


def test_continuations_are_the_trajectories_below_a_reply():
    (tree,) = grown(lambda prompt: good("x"))
    found = continuations((tree.roots[0],))
    assert len(found) == 3 and all(path[0] is tree.roots[0] and len(path) == 3 for path in found)
    (leaf,) = {id(path) for path in continuations(found[0])}
    assert leaf == id(found[0])


def test_later_rounds_may_be_drawn_otherwise_and_by_default_are_not():
    episode = Episode(rounds=3, tokens=10)
    assert episode.sampling(1) == episode.sampling(2) == episode.sampling(3)
    episode = Episode(rounds=3, tokens=10, later={"tokens": 20, "temperature": 0.8, "top_p": None})
    assert episode.sampling(1).tokens == 10 and episode.sampling(2).tokens == 20
    assert episode.sampling(3).temperature == 0.8 and episode.sampling(3).top_p == 1.0


@pytest.mark.parametrize(
    "bad",
    [{"rounds": 0}, {"rounds": "abc"}, {"rounds": 1.5}, {"tokens": 0}, {"temperature": -1}, {"later": {"speed": 2}}],
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(UserError):
        Episode(**{"rounds": 3, "tokens": 10, **bad})


def test_what_the_grader_gives_up_on_is_wrong_and_counted():
    words, asked = Words(), question(gold="3\\pi")
    for text, gave_up in (("\\binom{10^9}{10^8}", True), ("9^{9^{9^{9}}}", True), ("x+1", False)):
        (tree,) = trees = grow_one(asked, words, f"\\boxed{{{text}}}")
        grade(trees)
        (node,) = tree.roots
        assert not node.correct and ("grader_gave_up" in node.events) is gave_up
        assert of_episodes(trees)["episode/grader_gave_up"] == float(gave_up)
        kept = record(tree, seed=0)
        assert kept["samples"][0]["grader_gave_up"] is gave_up and result_of([kept])["grader_gave_up"] == gave_up


def grow_one(asked, words, text):
    return grow([asked], Episode(rounds=1, tokens=9), [1], says(words, lambda _: text), words, lambda _: Sampling(9))


def test_an_episode_of_the_most_rounds_is_grown_graded_read_and_written():
    trees = grown(lambda prompt: good("\\boxed{2}"), rounds=MOST, branching=(2, 2, *[1] * (MOST - 2)))
    grade(trees)
    assert [len(path) for path in trees[0].paths()] == [MOST] * 4
    assert of_episodes(trees)["episode/rounds_used"] == MOST
    assert json.loads(json.dumps(as_record(trees[0])))["replies"][0]["children"]
    with pytest.raises(UserError, match=f"rounds must be a whole number from 1 to {MOST}, got {MOST + 1}"):
        Episode(rounds=MOST + 1, tokens=10)


# thoughts

THINKS = "<think>perhaps \\boxed{7} yes</think> <reasoning>so</reasoning> <answer>a b c</answer>"
CARRIES = [
    (Summary(missing="tail"), "a b c", "a b c"),
    (Tail(tokens=50), "so a b c", "perhaps \\boxed{7} yes so a b c"),
    (HeadTail(head=1, tokens=50), "so a b c", "perhaps \\boxed{7} yes so a b c"),
    (Full(), "so a b c", "perhaps \\boxed{7} yes so a b c"),
    (Nothing(), None, None),
]


def carried(reply, carry, **settings):
    """What a reply hands on, without tags."""
    (tree,) = grown(lambda prompt: reply, rounds=2, branching=(1, 1), carry=carry, **settings)
    text = tree.roots[0].carried
    return text and " ".join(re.sub("<[^>]*>", " ", text).split())


@pytest.mark.parametrize(("carry", "without", "with_thoughts"), CARRIES)
def test_what_is_carried_leaves_thoughts_out_unless_they_are_asked_for(carry, without, with_thoughts):
    assert carried(THINKS, carry) == without
    assert carried(THINKS, carry, carry_thoughts=True) == with_thoughts
    told = carried(THINKS, carry, prompts=Prompts(reasoning="think"))  # where they are the reasoning
    assert told == ("a b c" if isinstance(carry, Summary) else with_thoughts)


@pytest.mark.parametrize(
    "carry", [Summary(), Summary(missing="tail"), Summary(missing="whole"), Tail(), HeadTail(), Full()]
)
def test_an_unfinished_thought_carries_nothing_and_answers_nothing(carry):
    (tree,) = grown(lambda prompt: f"<think>so {good('7')} and", rounds=2, branching=(1, 1), carry=carry)
    grade([tree])
    assert all(node.carried is None and node.answer is None and node.prediction is None for node in tree.nodes())
    assert "no_answer" in tree.roots[0].children[0].events


def test_a_reply_that_thinks_first_earns_form_and_answer_and_is_recorded_as_it_was_written():
    text = f"<think>perhaps \\boxed{{3}}</think>{good(chr(92) + 'boxed{2}')}"
    (tree,) = grown(lambda prompt: text, rounds=1, branching=(1,))
    grade([tree])
    assert tree.roots[0].well_formed and tree.roots[0].correct and tree.roots[0].answer == "\\boxed{2}"
    assert as_record(tree)["replies"][0]["text"] == text


def test_an_episode_ends_with_an_answer_after_a_thought_and_not_with_one_in_it():
    episode = Episode(rounds=3, tokens=10, stop="answered")
    words, answer = Words(), good("\\boxed{2}")
    ends = [episode.read(reply(text, words), 1).ended for text in (f"<think>a</think>{answer}", f"<think>{answer}")]
    assert ends == [True, False]


def test_carrying_thoughts_is_true_or_false():
    with pytest.raises(UserError, match="episode.carry_thoughts must be one of True, False, got 'yes'"):
        Episode(rounds=2, tokens=10, carry_thoughts="yes")
