"""What TRL is given, without TRL."""

from itertools import chain
from types import SimpleNamespace
from unittest.mock import Mock

import pytest

from motif.rounds.episode import Episode
from motif.rounds.replies import draw_key
from motif.runs.ledger import Ledger
from motif.system import processes
from motif.training.algorithms import GRPO, MOTIF, Broadcast, Value
from motif.training.rewards import Reward, accuracy, format
from motif.training.rollout import Rollout
from tests.support.toys import Words, good, question, says

REWARD = Reward(outcome={"accuracy": accuracy}, reply={"format": format}, weights={"accuracy": 1.0, "format": 0.1})
QUESTIONS = [question("a"), question("b"), question("c")]


def rollout(answer=lambda prompt: good("\\boxed{2}"), keys=None, algorithm=None, seed=0, pace=None, **settings):
    words = Words()
    generate = says(words, answer)

    def watched(talks, sampling):
        if keys is not None:
            keys.extend(zip((talk[-1]["content"] for talk in talks), sampling.keys, strict=True))
        return generate(talks, sampling)

    episode = Episode(rounds=3, tokens=9, **settings)
    more = {"pace": pace} if pace else {}
    algorithm = algorithm or MOTIF(m=2, k=2)
    episode = episode.with_rounds(algorithm.rounds(3))
    return Rollout(algorithm, episode, REWARD, QUESTIONS, lambda trainer: watched, words, Ledger(), seed, **more)


def trainer(step=0, process=0):
    return Mock(state=SimpleNamespace(global_step=step), accelerator=SimpleNamespace(process_index=process))


def ids(*texts):
    return [f"toy-{text}" for text in texts]


def test_a_row_is_a_first_round_reply_in_the_order_of_the_prompts():
    made = rollout(lambda prompt: good("from-" + ("a" if "Problem:\na" in prompt else "b")))
    out = made(ids("b", "b", "a", "a"), trainer())
    assert len(out["prompt_ids"]) == len(out["completion_ids"]) == len(out["values"]) == 4
    texts = [made.tokenizer.decode(row) for row in out["completion_ids"]]
    assert ["from-b" in text for text in texts] == [True, True, False, False]
    assert all(values == {"accuracy": 0.0, "format": 1.0} for values in out["values"])


def test_the_reward_functions_give_the_terms_back_and_report_the_steps_metrics_once():
    made, told = rollout(), []
    out = made(ids("a", "a"), trainer())
    functions = made.reward_functions()
    assert [function.__name__ for function in functions] == ["accuracy", "format"]
    given = [function(values=out["values"], log_metric=lambda *pair: told.append(pair)) for function in functions]
    assert given == [[1.0, 1.0], [1.0, 1.0]]
    names = [name for name, _ in told]
    assert len(names) == len(set(names))
    assert dict(told)["episode/accuracy"] == 1.0 == dict(told)["groups/zero_advantage"]


def test_a_draw_is_keyed_by_seed_step_question_reply_and_round():
    def drawn(*asked, step=0, seed=0):
        keys = []
        rollout(keys=keys, seed=seed)(ids(*asked), trainer(step=step))
        return keys

    both, alone = drawn("a", "a", "b", "b"), drawn("b", "b")
    assert len({key for _, key in both}) == len(both) == 2 * (2 + 4 + 4)
    assert alone == [pair for pair in both if "Problem:\nb" in pair[0]]  # whatever else is in the batch or elsewhere
    for other in (drawn("b", "b", step=1), drawn("b", "b", seed=1), drawn("b", "b", seed=2**31 - 1, step=10**6)):
        assert not {key for _, key in other} & {key for _, key in both}
        assert all(0 <= key < 2**63 for _, key in other)


def test_an_episode_that_ends_early_changes_no_other_draw():
    def drawn(ends):
        def answer(prompt):
            early = ends and "Problem:\na" in prompt
            return good("\\boxed{2}") if early or "This is round 3" in prompt else good("further")

        keys = []
        rollout(answer, keys=keys, stop="answered")(ids("a", "a", "b", "b"), trainer())
        return [pair for pair in keys if "Problem:\nb" in pair[0]], len(keys)

    (of_b, some), (again, every) = drawn(True), drawn(False)
    assert of_b == again and some < every


def test_each_of_four_processes_gives_its_own_rows_of_the_same_two_questions(monkeypatch):
    """Broadcast of 2 trajectories of 3 rounds: 12 rows, 3 a process, so that each question is two processes'."""
    whole = rollout(replies_of(0), algorithm=Broadcast(m=2))
    out = whole(ids(*"aaaaaabbbbbb"), trainer())
    parts, credit = [], []
    for process in range(4):
        made = rollout(replies_of(0), algorithm=Broadcast(m=2))
        monkeypatch.setattr(processes, "index", lambda process=process: process)
        monkeypatch.setattr(processes, "of_all", lambda own: [ids(*"aaa"), ids(*"aaa"), ids(*"bbb"), ids(*"bbb")])
        parts.append(made(ids(*("aaa" if process < 2 else "bbb")), trainer()))
        credit.append(made.credit())
        assert made.metrics == whole.metrics and made.ledger.counts == whole.ledger.counts and len(made.trained) == 12
    for name in ("prompt_ids", "completion_ids", "values"):
        assert [*chain(*(part[name] for part in parts))] == out[name]
    assert [[*chain(*lists)] for lists in zip(*credit, strict=True)] == list(whole.credit())


def test_every_round_is_a_row_and_what_ended_early_is_filled_up_without_weight():
    def answer(prompt):
        early = "Problem:\na" in prompt and "This is round 2" in prompt
        return good("\\boxed{2}") if early or "This is round 3" in prompt else good("further")

    made = rollout(answer, algorithm=Broadcast(m=2), stop="answered")
    out = made(ids(*"aaaaaabbbbbb"), trainer())
    texts = [made.tokenizer.decode(row) for row in out["completion_ids"]]
    real = ["further" in text or "boxed" in text for text in texts]
    assert [len(set(mask)) == 1 and mask[0] for mask in out["env_mask"]] == [1, 1, 1, 1, 0, 0, *[1] * 6]
    assert real[:4] == [True] * 4 and len(texts) == 12
    assert all(len(mask) == len(row) for mask, row in zip(out["env_mask"], out["completion_ids"], strict=True))
    assert [bool(values) for values in out["values"]] == [True] * 4 + [False] * 2 + [True] * 6
    given = made.reward_functions()[0](values=out["values"], log_metric=lambda *_: None)
    assert given == [1.0] * 4 + [None] * 2 + [1.0] * 6
    assert len(made.trained) == 10 and [row.weight for row in made.batch[4:6]] == [0.0, 0.0]


def test_a_trajectory_of_fewer_rounds_weighs_as_much_as_a_longer_one():
    """One ends in round 1 and is right, one takes three rounds and is wrong."""
    first = iter([True, False])

    def answer(prompt):
        if "This is round 1" in prompt:
            return good("\\boxed{2}" if next(first) else "further")
        return good("\\boxed{3}" if "This is round 3" in prompt else "further")

    made = rollout(answer, algorithm=Broadcast(m=2), stop="answered")
    made(ids(*"aaaaaa"), trainer())
    advantages, weights = made.credit()
    assert weights == pytest.approx([3, 1, 1, 1, 0, 0])  # of 6 places for 2 trajectories: 3, and 3/3 for each of three
    assert advantages[0] > 0 and advantages[1:4] == [pytest.approx(-advantages[0])] * 3
    noted = [made.notes[id(node)]["advantage"] for node in made.trees[0].nodes() if id(node) in made.notes]
    assert sorted(noted) == sorted(advantages[:4])  # what is recorded is what is used
    made = rollout(answer, algorithm=Broadcast(m=2, weighting="round"), stop="answered")
    first = iter([True, False])
    made(ids(*"aaaaaa"), trainer())
    assert made.credit()[1] == [3, 3, 3, 3, 0, 0]


def test_a_row_of_a_full_batch_weighs_one():
    for algorithm, letters in ((MOTIF(m=2, k=2), "aabb"), (Broadcast(m=2), "a" * 6), (Value(m=2, k=1), "a" * 6)):
        made = rollout(algorithm=algorithm)
        out = made(ids(*letters), trainer())
        assert made.credit()[1] == pytest.approx([1.0] * len(letters)) and "env_mask" not in out


def replies_of(place):
    """Right and wrong replies to b by turns, right ones alone to a."""
    turns = iter(range(1000))
    return lambda prompt: good("\\boxed{2}" if "Problem:\na" in prompt or next(turns) % 2 else "\\boxed{3}")


def test_dynamic_sampling_replaces_what_teaches_nothing_and_counts_every_token():
    fixed = rollout(replies_of(0), algorithm=GRPO(m=2))
    fixed(ids("a", "a"), trainer())
    assert [tree.question.text for tree in fixed.trees] == ["a"] and fixed.metrics["groups/zero_advantage"] == 1.0
    found = set()
    for step in range(8):
        made = rollout(replies_of(0), algorithm=GRPO(m=2, sampling="dynamic", redraws=1))
        made(ids("a", "a"), trainer(step=step))
        (tree,) = made.trees
        found.add(tree.question.text)
        assert made.metrics["groups/zero_advantage"] == 0.0 and made.metrics["groups/redrawn"] == 1.0
        assert made.ledger.counts["questions"] == 2 and made.ledger.counts["responses"] == 4
        assert made.ledger.counts["generated_tokens"] == 2 * fixed.ledger.counts["generated_tokens"]
        again = rollout(replies_of(0), algorithm=GRPO(m=2, sampling="dynamic", redraws=1))
        again(ids("a", "a"), trainer(step=step))
        assert again.trees[0].question == tree.question
    assert found == {"b", "c"}


def test_dynamic_sampling_gives_up_after_so_many_redraws_and_where_no_question_is_left():
    made = rollout(algorithm=GRPO(m=2, sampling="dynamic", redraws=5))
    made(ids("a", "a", "b", "b"), trainer())
    assert made.metrics["groups/zero_advantage"] == 1.0 and made.ledger.counts["questions"] == 2 + 5
    made(ids("a", "a", "b", "b", "c", "c"), trainer(step=1))  # all there are
    assert made.metrics["groups/redrawn"] == 0.0


def test_a_step_has_the_questions_that_the_budget_has_room_for_and_the_rest_weighs_nothing():
    made = rollout(replies_of(0), algorithm=GRPO(m=2), pace=lambda step, questions: 1)
    out = made(ids("b", "b", "c", "c"), trainer())
    assert [tree.question.text for tree in made.trees] == ["b"] and made.ledger.counts["responses"] == 2
    assert made.credit()[1] == [2, 2, 0, 0] and len(out["completion_ids"]) == 4  # a mean over what there is
    assert out["env_mask"][2] == [0] and made.credit()[0][2:] == [0, 0]


def test_later_rounds_come_from_another_generator_where_there_is_one_and_are_graded_by_whoever_is_given():
    made = rollout(lambda prompt: good("\\boxed{2}"))
    made.continuations = says(made.tokenizer, lambda prompt: good("\\boxed{3}"))
    out = made(ids("a", "a"), trainer())
    rounds = {node.round: node.prediction for tree in made.trees for node in tree.nodes()}
    assert rounds == {1: "2", 2: "3", 3: "3"} and out["values"][0]["accuracy"] == 0
    made.marks = lambda trees: [setattr(node, "correct", True) for tree in trees for node in tree.nodes()]
    assert made(ids("a", "a"), trainer())["values"][0]["accuracy"] == 1


@pytest.mark.parametrize("algorithm", [MOTIF(m=2, sampling="dynamic"), MOTIF(m=2, k="adaptive", pilot=2)])
def test_first_rounds_are_the_policys_own_also_of_questions_drawn_anew_and_further_continuations_are_not(algorithm):
    made = rollout(algorithm=algorithm)  # whose replies all earn the same
    made.continuations = says(made.tokenizer, lambda prompt: good("\\boxed{3}"))
    made(ids("a", "a"), trainer())
    for tree in made.trees:
        assert all((node.answer == "\\boxed{2}") == (node.round == 1) for node in tree.nodes())
    counts = made.ledger.counts
    assert counts["questions"] == (3 if algorithm.sampling == "dynamic" else 1) and counts["continuations"]


def by_key():
    """A toy policy of which a reply depends on its key alone, and every key that it was asked for."""
    keys, calls = [], []

    def generator(tokenizer):
        def generate(talks, sampling):
            calls.append(len(talks))
            keys.extend(sampling.keys)
            answers = iter(good(f"\\boxed{{{2 if key % 3 == 0 else 3}}}") for key in sampling.keys)
            return says(tokenizer, lambda prompt: next(answers))(talks, sampling)

        return generate

    return generator, keys, calls


def adaptive(algorithm, **settings):
    made = rollout(algorithm=algorithm, **settings)
    generator, keys, calls = by_key()
    made.generator = lambda trainer: generator(made.tokenizer)
    made(ids(*[text for text in "ab" for _ in range(algorithm.m)]), trainer())
    return made, keys, calls


def test_adaptive_continuations_come_after_those_of_the_pilot_and_no_reply_is_drawn_twice():
    made, keys, calls = adaptive(MOTIF(m=4, k="adaptive", pilot=3))
    fixed, fixed_keys, _ = adaptive(MOTIF(m=4, k=3))
    assert len(keys) == len(set(keys)) and set(fixed_keys) < set(keys)
    assert calls == [8, 24, 24, 24, 24], "round 1; rounds 2 and 3 of the pilot, and of the second half"
    more = {len(root.children) for tree in made.trees for root in tree.roots}
    assert len(more) > 1 and min(more) > 3
    for ours, theirs in zip(made.trees, fixed.trees, strict=True):
        for root, other in zip(ours.roots, theirs.roots, strict=True):
            texts = [child.reply.text for child in root.children[:3]]
            assert texts == [child.reply.text for child in other.children], "the pilot is what k=3 draws"
            assert all(len(child.children) == 1 for child in root.children)
            for place, child in enumerate(root.children):  # the keys follow on
                right = (draw_key("training", 0, 0, ours.question.id, (ours.roots.index(root),)) + place) % 3 == 0
                assert child.correct == right


def test_adaptive_continuations_cost_what_twice_the_pilot_costs_and_each_is_graded_once():
    algorithm, graded = MOTIF(m=4, k="adaptive", pilot=3, sampling="dynamic"), []
    made = rollout(algorithm=algorithm)
    marks = made.marks
    made.marks = lambda trees: (graded.extend(node for tree in trees for node in tree.nodes()), marks(trees))
    made(ids("a", "a", "a", "a"), trainer())  # all right: it is replaced, and so is the next one
    worst = algorithm.worst(made.episode)
    assert len(graded) == len({id(node) for node in graded}) == made.ledger.counts["responses"] == worst["responses"]
    assert algorithm.worst(made.episode) == MOTIF(m=4, k=6, sampling="dynamic").worst(made.episode)
