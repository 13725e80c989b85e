"""Schemes on trees that another scheme grew."""

import json
from dataclasses import replace

import pytest

from motif.evaluation.credit.schemes import credit, cut, grown_by, name, readable
from motif.rounds.episode import Episode, grade
from motif.rounds.records import as_record, tree_of_record
from motif.rounds.replies import Reply
from motif.system.errors import UserError
from motif.training.advantages import EPSILON
from motif.training.algorithms import GRPO, MOTIF, Broadcast, Discounted, LeaveOneOut, Value
from motif.training.rewards import Reward, accuracy, format
from tests.support.toys import good
from tests.support.trees import line, node, tree, two_by_two

EPISODE = Episode(rounds=3, tokens=44)
BOTH = Reward({"accuracy": accuracy}, {"format": format}, {"accuracy": 1.0, "format": 0.1})
ACCURACY = Reward({"accuracy": accuracy}, {}, {"accuracy": 1.0})


def advantages(scheme, *trees, reward=ACCURACY):
    return [[reply.advantage for reply in group] for group in credit(scheme, trees, reward)]


def test_every_scheme_of_a_tree_by_hand():
    # motif: returns 1/2 and 0, spread √(1/8); broadcast: the main lines' outcomes 1 and 0, spread √(1/2)
    half, one = 0.25 / (0.125**0.5 + EPSILON), 0.5 / (0.5**0.5 + EPSILON)
    assert advantages(MOTIF(m=2, k=2), two_by_two()) == [[pytest.approx(half), pytest.approx(-half)]]
    assert advantages(LeaveOneOut(m=2, k=2), two_by_two()) == [[0.5, -0.5]]
    assert advantages(Broadcast(m=2), two_by_two()) == [[pytest.approx(x) for x in [one] * 3 + [-one] * 3]]
    found = advantages(Discounted(m=2, gamma=0.5), two_by_two())
    assert found == [[pytest.approx(x) for x in (one / 4, one / 2, one, -one / 4, -one / 2, -one)]]


def test_value_of_a_tree_by_hand_and_motif_on_its_part():
    # k = 1: V_1 = 1 and 0 by the side branches, V_2 = 1 and 0, outcomes 0 and 0; before round 1 the other one's V_1
    one = node(1, node(2, node(3), node(3, right=True)), node(2, node(3, right=True)))
    other = node(1, node(2, node(3), node(3)), node(2, node(3)))
    found = credit(Value(m=2, k=1), [tree(one, other)], ACCURACY, "none")
    assert [reply.advantage for reply in found[0]] == [1.0, 0.0, -1.0, -1.0, 0.0, 0.0]
    assert advantages(LeaveOneOut(m=2, k=2), tree(one, other)) == [[0.5, -0.5]], "1 of 2, not 2 of 3 leaves"


def test_trajectories_of_different_lengths_and_groups_without_spread():
    short = node(1, right=True)
    found = credit(Broadcast(m=2), [tree(short, line(0, 0, 0))], ACCURACY)[0]
    assert [each.node.round for each in found] == [1, 1, 2, 3] and [each.returned.share for each in found][1] == 1 / 3
    assert found[0].advantage == pytest.approx(-found[1].advantage) and found[0].advantage > 0
    flat = tree(line(0, 0, 1), line(0, 0, 1))
    for scheme in (MOTIF(m=2, k=1), LeaveOneOut(m=2, k=1), Broadcast(m=2), Discounted(m=2)):
        assert not any(advantages(scheme, flat)[0]), scheme.name


def test_a_scheme_is_defined_on_trees_that_branch_as_much_as_it_does():
    found, why = readable(MOTIF(m=4, k=2), 3)
    assert [name(each) for each in found] == ["motif k=2", "leave_one_out k=2", "broadcast", "discounted gamma=0.5"]
    assert why["value"] == "it needs 2 continuations after round 2, and there is 1" and "in 1 round" in why["grpo"]
    found, why = readable(Value(m=4, k=2), 3)
    assert name(found[0]) == "motif k=3" and name(found[-1]) == "value k=2" and set(why) == {"grpo"}
    found, why = readable(Broadcast(m=4), 3)
    assert "motif k=1" in [name(each) for each in found] and set(why) == {"grpo", "value"}
    own = Discounted(m=4, gamma=0.9)
    assert own in readable(own, 3)[0] and len(readable(own, 3)[0]) == 4, "the run's own, in the place of its kind"
    assert len(readable(GRPO(m=4), 1)[0]) == 6 and not readable(GRPO(m=4), 1)[1]


def test_on_one_round_all_but_leave_one_out_are_grpo():
    one_round = tree(*(node(1, right=right, rounds=1) for right in (1, 0, 0, 1)))
    found = {name(each): advantages(each, one_round)[0] for each in readable(GRPO(m=4), 1)[0]}
    same = [key for key, value in found.items() if value == pytest.approx(found["grpo"], rel=1e-3)]
    assert len(same) == 5 and advantages(LeaveOneOut(m=4), one_round)[0][0] == pytest.approx(2 / 3)


def test_a_tree_is_cut_to_what_a_scheme_would_have_grown_and_never_made_up():
    made = cut(two_by_two(), [2, 1, 1])
    assert [len(root.children) for root in made.roots] == [1, 1] and [len(r.children) for r in two_by_two().roots] == [
        2,
        2,
    ]
    with pytest.raises(UserError, match="2 replies where the algorithm of config.yaml draws 3"):
        cut(two_by_two(), [2, 3, 1])


def test_a_record_is_read_back_as_the_tree_that_it_was():
    texts = iter([good("\\boxed{2}"), "cut off", good("note"), good("\\boxed{3}")] * 50)
    made = two_by_two()
    for each in made.nodes():
        again = EPISODE.read(Reply(next(texts), [1, 2, 3], [4], each.round % 2 == 0), each.round)
        for key in ("reply", "well_formed", "answer", "events", "ended"):
            setattr(each, key, getattr(again, key))
        each.carried = None if again.ended else "note"
    grade([made])
    record = json.loads(json.dumps(as_record(made)))
    back = tree_of_record(record, EPISODE)
    assert as_record(back) == as_record(made) and back.question == made.question
    for one, other in zip(back.nodes(), made.nodes(), strict=True):
        assert replace(one, children=[], reply=None) == replace(other, children=[], reply=None)
        assert len(one.reply.token_ids) == 3 and one.reply.finished == other.reply.finished
    for scheme in readable(MOTIF(m=2, k=2), 3)[0]:
        assert advantages(scheme, back, reward=BOTH) == advantages(scheme, made, reward=BOTH)
    with pytest.raises(UserError, match="round 1 goes on"):
        tree_of_record(record, EPISODE.with_rounds(1))
    del record["replies"][0]["finished"]
    with pytest.raises(UserError, match="lacks finished"):
        tree_of_record(record, EPISODE)


def test_adaptive_reads_of_a_wider_tree_what_it_would_have_grown_and_its_record_says_the_same():
    scheme = LeaveOneOut(m=2, k="adaptive", pilot=4)
    mixed = node(1, *(line(right, right, round=2) for right in (1, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0)))
    settled = node(1, *(line(0, 0, round=2) for _ in range(12)))
    wide = tree(mixed, settled)
    grown = grown_by(scheme, wide, ACCURACY)
    assert [len(root.children) for root in grown.roots] == [9, 7], "a pilot of 4, then 5 and 3"
    assert grown_by(scheme, grown, ACCURACY) == grown and name(scheme) == "leave_one_out k=adaptive pilot=4"
    assert advantages(scheme, wide) == advantages(scheme, grown) == [[0.75, -0.75]]  # ½ of 2/4 and 5/5, against 0
    assert name(readable(scheme, 3)[0][0]) == "motif k=4", "what every reply has, whatever the outcomes"
    back = tree_of_record(as_record(grown), EPISODE)
    assert advantages(scheme, back) == [[0.75, -0.75]]
