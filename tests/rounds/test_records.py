"""A recorded episode is read back as the tree that it was, or refused in words; a torn file gives what comes before."""

import gzip
import json

import pytest

from motif.rounds.episode import Episode, grade, grow
from motif.rounds.prompts import Prompts
from motif.rounds.records import as_record, steps_of, tree_of_record
from motif.rounds.replies import Sampling
from motif.system.errors import UserError
from tests.support.toys import Words, good, question, says

EPISODE = Episode(rounds=2, tokens=44, prompts=Prompts(wording="countdown"))


@pytest.fixture
def tree():
    words = Words()
    generate = says(words, lambda text: good("\\boxed{2}" if text.startswith("0 ") else "one"))
    (tree,) = grow([question()], EPISODE, [2, 3], generate, words, lambda round: Sampling(44))
    grade([tree])
    return tree


def record(tree, **extra):
    return json.loads(json.dumps({**as_record(tree), **extra}))


def test_it_comes_back_as_it_was_but_for_the_tokens_of_which_the_number_is_kept(tree):
    again = tree_of_record(record(tree), EPISODE)
    assert again.question == tree.question and len(again.roots) == 2
    for one, other in zip(tree.roots, again.roots, strict=True):
        assert (one.reply.text, one.carried, one.prediction) == (other.reply.text, other.carried, other.prediction)
        assert [child.correct for child in one.children] == [child.correct for child in other.children] == [True] * 3
        assert len(other.reply.token_ids) == len(one.reply.token_ids) and set(other.reply.token_ids) == {-1}
        assert not one.ended and not other.ended and all(child.ended for child in other.children)


def test_what_is_known_of_a_node_beyond_the_tree_is_put_beside_it(tree):
    noted = as_record(tree, {id(tree.roots[1]): {"advantage": 0.5}})
    assert [reply.get("advantage") for reply in noted["replies"]] == [None, 0.5]


def test_a_record_that_lacks_something_or_branches_otherwise_is_refused_in_words(tree):
    whole = record(tree)
    for changed, words in (
        ({key: value for key, value in whole.items() if key != "gold"}, "it lacks gold: another version"),
        (whole | {"replies": []}, "it has no reply"),
        (whole | {"replies": [1]}, "it is no record of an episode"),
        (whole | {"replies": [{**whole["replies"][0], "children": []}]}, "a reply of round 1 ends, which it does not"),
    ):
        with pytest.raises(UserError, match=words):
            tree_of_record(changed, EPISODE)
    with pytest.raises(UserError, match="a reply of round 1 goes on, which it does not in the episode"):
        tree_of_record(whole, EPISODE.with_rounds(1))


def test_the_records_of_a_step_are_read_together_and_what_comes_before_a_torn_end_is_used(tree, tmp_path):
    lines = [json.dumps(record(tree, step=step)).encode() + b"\n" for step in (1, 1, 2, 3)]
    file, torn = tmp_path / "episodes.jsonl.gz", []
    file.write_bytes(gzip.compress(b"".join(lines)))
    assert [[each["step"] for each in step] for step in steps_of(file, torn)] == [[1, 1], [2], [3]] and not torn
    file.write_bytes(gzip.compress(b"".join(lines[:3])) + gzip.compress(lines[3])[:-20])
    assert [len(step) for step in steps_of(file, torn)] == [2, 1] and "its end is torn" in torn[0]
    torn.clear()
    file.write_bytes(gzip.compress(b"".join(lines[:2]) + b'{"step": 2, "torn'))
    assert [len(step) for step in steps_of(file, torn)] == [2] and "line 3 is torn" in torn[0]
    with pytest.raises(UserError, match="cannot be read: No such file"):
        list(steps_of(tmp_path / "nowhere", []))
