"""Worked examples before the question, and plain replies: what a policy reads, and what is read from its replies."""

import pytest

from motif.rounds.carry import Nothing, Tail
from motif.rounds.episode import Episode, grade, grow
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Reply
from motif.runs.identity import identity
from motif.system.errors import UserError
from motif.tasks.chain import Chain
from motif.tasks.questions import Question, Step
from tests.support.experiments import composed, made

STEPS = tuple(
    Step(text, note)
    for text, note in (
        ("He buys 2+3=5 apples.", "5 apples"),
        ("He eats 1.", "5 apples, 1 eaten"),
        ("So 5-1=4 are left.", "4 apples"),
        ("Twice that is 8.", "8 apples"),
    )
)
TRAIN = [Question(f"q{n}", f"What of {n}?", str(n), solution=STEPS) for n in range(300)]
FORMATS = ["tags", "plain"]


def episode(format="tags", examples=2, **more):
    return Episode(tokens=99, prompts=Prompts(format=format, examples=examples), **{"rounds": 3, **more}).showing(TRAIN)


def asked(talk):
    return [message["content"] for message in talk if message["role"] == "user"]


def replies(talk):
    return [message["content"] for message in talk if message["role"] == "assistant"]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("round", [1, 2, 3])
@pytest.mark.parametrize("carry", [None, Nothing(), Tail()])
def test_an_example_is_a_round_of_the_kind_that_is_asked_for(format, round, carry):
    shown = episode(format, **({} if carry is None else {"carry": carry}))
    carried = "so far" if round > 1 and not isinstance(carry, Nothing) else None
    plain = episode(format, examples=0, carry=shown.carry).conversation(Question("x", "Why?", "1"), round, carried)
    talk = shown.conversation(Question("x", "Why?", "1"), round, carried)
    assert [message["role"] for message in talk] == ["system", *["user", "assistant"] * 2, "user"]
    assert talk[0] == plain[0] and talk[-1] == plain[-1]
    for each, reply in zip(asked(talk), replies(talk), strict=False):
        assert each.count("What of ") == 1 and (carried is None) == ("<progress>" not in each)
        node = shown.read(Reply(reply, [1], [1], True), round)
        assert node.well_formed and not node.events
        assert (node.stated if format == "plain" else "boxed" in reply) or round < 3


@pytest.mark.parametrize("rounds", [1, 2, 3, 6])
def test_the_rounds_of_an_example_work_each_step_once_and_hand_on_what_is_done(rounds):
    prompts, worked, note = Prompts(), [], ""
    for round in range(1, rounds + 1):
        handed, reply = prompts.worked_round(TRAIN[5], round, rounds, round > 1, True)
        assert handed == (note if round > 1 else None)
        work = reply.partition("</reasoning>")[0].removeprefix("<reasoning>").strip()
        worked += work.splitlines()
        note = STEPS[len(worked) - 1].note
        assert prompts.answer_of(reply) == ("\\boxed{5}" if round == rounds else note)
    assert worked == [step.text for step in STEPS]


def test_a_question_is_no_example_of_itself():
    shown = episode(examples=3)
    assert len(shown.prompts.worked) == 4
    for question in TRAIN[:6]:
        talk = shown.conversation(question, 1, None)
        assert [question.text in text for text in asked(talk)] == [False] * 3 + [True]


def test_examples_are_short_and_have_steps_enough():
    questions = [Question("long", "x" * 99, "1", solution=STEPS), Question("two", "y", "1", solution=STEPS[:2])]
    questions += [Question("none", "z", "1"), Question("short", "v", "1", solution=STEPS), *TRAIN[:1]]
    prompts = Prompts(examples=2).showing(questions)
    assert [each.id for each in prompts.worked] == ["short", "q0", "long"]


def test_a_data_set_without_worked_solutions_is_refused():
    with pytest.raises(UserError, match=r"examples=2 needs as many training questions with worked solutions"):
        Prompts(examples=2).showing([Question(str(n), str(n), "1") for n in range(9)])


def test_the_text_above_the_user_stands_above_the_first_example():
    prompts = Prompts(system=False, examples=1).showing(TRAIN)
    first, *others = asked(prompts.conversation("Why?", 1, 1, None))
    assert first.startswith("You solve problems") and not any("You solve" in text for text in others)


def test_no_example_is_of_a_validation_or_a_test_question(tmp_path):
    rows = [f'{{"question": "How many are {n}?", "answer": "a\\nb\\nc\\n#### {n}"}}' for n in range(60)]
    (tmp_path / "gsm8k_train.jsonl").write_text("\n".join(rows))
    (tmp_path / "gsm8k_test.jsonl").write_text("\n".join(rows[:20]))
    words = ["model=local", "model.path=x", "dataset=gsm8k", f"dataset.path={tmp_path}", "episode.prompts.examples=30"]
    experiment = made(*words, "dataset.validation_share=0.2")
    examples = {each.id for each in experiment.training_episode.prompts.worked}
    held = experiment.dataset.test() + experiment.dataset.validation()
    assert len(examples) >= 20 and not examples & {each.id for each in held}
    measured = experiment.measured("base", "gsm8k", 1).prompts
    assert measured == experiment.training_episode.prompts


def test_steps_of_a_chain_are_those_that_a_reply_writes():
    (chain,) = Chain(shortest=3, longest=3, train_size=1).train()
    assert [step.note for step in chain.solution] == chain.facts["states"]
    assert [step.text.split("=")[1].strip(";") for step in chain.solution] == [
        each[1:] for each in chain.facts["states"]
    ]


PLAIN = Prompts(format="plain")


@pytest.mark.parametrize(
    ("reply", "stated"),
    [
        ("2 + 70 = 72\n#### 72", "72"),
        ("2 + 70 = 72\nThe answer is 72.", "72"),
        ("so\n**Answer: $72**\n", "$72"),
        ("<think>#### 5</think>so\n#### 72", "72"),
        ("#### 72\nIs that right?", None),
        ("it is 72", None),
        ("####", None),
        ("", None),
    ],
)
def test_a_plain_reply_states_its_result_in_its_last_line(reply, stated):
    assert PLAIN.stated(reply) == stated and Prompts().stated(reply) is None
    assert PLAIN.well_formed(reply) is (stated is not None)


@pytest.mark.parametrize(
    ("reply", "answer", "formed"),
    [
        ("work\nProgress: 5 apples,\n1 eaten", "5 apples,\n1 eaten", True),
        ("Progress: 1\nwork\nProgress: 2", "2", True),
        ("work\n#### 4", "4", True),
        ("work", None, False),
        ("work\nProgress: ", None, False),
    ],
)
def test_a_plain_reply_before_the_last_round_ends_with_its_progress(reply, answer, formed):
    node = episode("plain").read(Reply(reply, [1], [1], True), 1)
    assert (node.answer, node.well_formed) == (answer, formed)


def ends(text, gold="72", finished=True, **more):
    """The only node of a plain episode of one round in which `text` is the reply."""
    plain = Episode(1, 99, prompts=PLAIN, **more)
    (tree,) = grow(
        [Question("q", "?", gold)], plain, [1], lambda talks, _: [Reply(text, [1], [1], finished)], None, plain.sampling
    )
    grade([tree])
    return tree.roots[0]


def test_a_plain_reply_is_graded_by_its_last_line_else_by_its_box():
    assert ends("\\boxed{5}\n#### 72").correct and ends("so \\boxed{72}").correct
    assert not ends("72").correct and ends("72").prediction is None
    assert not ends("#### 73").correct and ends("#### $72").correct
    assert ends("#### 1,072", gold="1072").correct


def test_a_last_line_that_was_cut_off_states_nothing():
    cut = ends("so\n#### 72", gold="72", finished=False)
    assert cut.prediction is None and not cut.well_formed and not cut.correct


def test_the_reward_for_form_pays_what_the_format_asks_for():
    from motif.training.rewards import format

    assert (
        format((ends("so\n#### 5"),)) == 1
        and format((ends("<reasoning>a</reasoning><answer>\\boxed{72}</answer>"),)) == 0
    )


def test_a_plain_final_answer_ends_an_episode_that_stops_when_answered():
    plain = Episode(3, 99, prompts=PLAIN, stop="answered")
    assert plain.read(Reply("so\n#### 4", [1], [1], True), 1).ended
    assert not plain.read(Reply("so\nProgress: 4", [1], [1], True), 1).ended


def test_a_run_with_examples_or_another_format_is_another_run_and_old_runs_stay_what_they_were():
    plain = composed()
    old = composed()
    for key in ("format", "examples"):
        del old["episode"]["prompts"][key]
    assert identity(plain) == identity(old)
    for words in ("episode.prompts.examples=2", "episode.prompts.format=plain"):
        assert identity(composed(words)) != identity(plain)
