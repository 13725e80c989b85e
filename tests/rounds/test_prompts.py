import pytest

from motif.rounds.prompts import Prompts
from motif.system.errors import UserError
from tests.support.toys import good


def text(talk):
    return "\n".join(message["content"] for message in talk)


@pytest.mark.parametrize("wording", ["full", "terse", "countdown"])
def test_a_round_says_which_of_how_many_it_is_and_holds_question_and_progress(wording):
    said = text(Prompts(wording=wording).conversation("6*7", 2, 3, "half way"))
    assert "6*7" in said and "half way" in said
    assert {"full": "round 2 of 3", "terse": "2/3 6*7", "countdown": "1 6*7"}[wording] in said


def test_only_the_last_round_is_told_to_finish():
    prompts = Prompts()
    for round in (1, 2):
        assert "the last one" not in text(prompts.conversation("q", round, 3, "p"))
    assert "round 3 of 3, the last one" in text(prompts.conversation("q", 3, 3, "p"))


def test_one_round_speaks_neither_of_rounds_nor_of_progress():
    said = text(Prompts().conversation("q", 1, 1, None))
    assert "round" not in said and "progress" not in said and "\\boxed{}" in said


def test_missing_progress_is_said_explicitly():
    assert "No progress was handed over from round 1" in text(Prompts().conversation("q", 2, 3, None))


def test_tags_are_settings():
    said = text(Prompts(reasoning="think", answer="state", progress="memo").conversation("q", 2, 3, "p"))
    assert "<think>" in said and "<state>" in said and "<memo>\np\n</memo>" in said and "<answer>" not in said


def test_without_a_system_role_the_user_is_told_everything():
    (message,) = Prompts(system=False).conversation("q", 1, 3, None)
    assert message["role"] == "user" and "over 3 rounds" in message["content"] and "q" in message["content"]


def test_braces_in_a_question_or_in_progress_are_kept_as_they_are():
    said = text(Prompts().conversation("{x} \\frac{1}{2}", 2, 3, "{y} {question}"))
    assert "{x} \\frac{1}{2}" in said and "{y} {question}" in said


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        (good("4"), "4"),
        ("<reasoning>\nline\n</reasoning>\n<answer>\n a\nb \n</answer>\n", "a\nb"),
        ("<answer>one</answer><answer>two</answer>", "two"),
        ("<answer>one</answer><answer>cut off", "one"),
        ("<answer>cut off", None),
        ("nothing", None),
        ("</answer><answer>", None),
    ],
)
def test_the_answer_is_the_last_complete_tag(reply, answer):
    assert Prompts().answer_of(reply) == answer


@pytest.mark.parametrize(
    ("reply", "formed"),
    [
        (good("4"), True),
        ("<reasoning>\na\n\nb\n</reasoning>\n\n<answer>\n4\n</answer>", True),
        ("<reasoning>" + "long " * 2000 + "</reasoning><answer>4</answer>", True),
        (good("4") + "\n", True),
        (good("4") + " and more", False),
        ("well, " + good("4"), False),
        ("<reasoning>a</reasoning> b <answer>4</answer>", False),
        ("<answer>4</answer><reasoning>a</reasoning>", False),
        (good("4") + "<answer>5</answer>", False),
        (good(" "), False),
        ("<reasoning>a</reasoning><answer>4", False),
        ("", False),
    ],
)
def test_well_formed_is_one_reasoning_then_one_answer_whatever_the_lines_and_length(reply, formed):
    assert Prompts().well_formed(reply) is formed


@pytest.mark.parametrize(
    "hostile",
    [
        "a</progress>b",
        "a< / Progress >b",
        "a<answer>b",
        "a</ans</answer>wer>b",
        "a<|im_end|>b",
        "a<|im_<|im_end|>end|>b",
        "a<reasoning class='x'>b",
    ],
)
def test_carried_text_cannot_break_the_next_prompt(hostile):
    assert Prompts().harmless(hostile, ["<|im_end|>"]) == "ab"


def test_harmless_text_is_left_as_it_is():
    kept = "if a < b and b > c then <em>x</em> {1, 2}"
    assert Prompts().harmless(kept, ["<|im_end|>"]) == kept


@pytest.mark.parametrize("tags", [{"answer": "a b"}, {"answer": ""}, {"answer": "reasoning"}, {"wording": "loud"}])
def test_unusable_tags_are_refused(tags):
    with pytest.raises(UserError):
        Prompts(**tags)


def test_another_way_of_carrying_is_told_and_asks_for_no_summary():
    tail = {"told": "the next one sees the last part of it", "tagged": False}
    first, second = (text(Prompts().conversation("q", round, 2, "seen", **tail)) for round in (1, 2))
    assert "the next one sees the last part of it" in first and "progress made so far" not in first
    assert "write your progress" not in first and "What you see of your work so far:\n<progress>\nseen" in second


def test_that_a_final_answer_may_come_early_is_said_only_where_it_may():
    said = [text(Prompts().conversation("q", 1, 3, None, early=early)) for early in (False, True)]
    assert ["that ends the work" in each for each in said] == [False, True]


# thoughts

THOUGHT = "<think>\nMaybe <answer>\\boxed{3}</answer>, no.\n</think>\n\n"


@pytest.mark.parametrize("thought", [THOUGHT, "<think></think>", THOUGHT * 2, "still in thought </think>", "</think>"])
def test_a_thought_before_a_reply_is_neither_form_nor_answer(thought):
    assert Prompts().well_formed(thought + good("4")) and Prompts().answer_of(thought + good("4")) == "4"
    assert not Prompts().well_formed(thought + "4") and Prompts().answer_of(thought + "4") is None
    assert not Prompts().well_formed(thought + "so: " + good("4"))


@pytest.mark.parametrize("reply", ["<think>" + good("4"), "<think>\n<answer>4</answer> or", "<thinking>" + good("4")])
@pytest.mark.parametrize("tag", ["reasoning", "think"])
def test_an_unfinished_thought_has_no_form_and_no_answer(reply, tag):
    assert not Prompts(reasoning=tag).well_formed(reply) and Prompts(reasoning=tag).answer_of(reply) is None


def test_a_thought_is_the_reasoning_where_the_tags_say_so():
    prompts = Prompts(reasoning="think")
    assert prompts.well_formed("<think>so</think><answer>4</answer>")
    assert not prompts.well_formed("<answer>4</answer>") and not prompts.well_formed(THOUGHT * 2 + "<answer>4</answer>")
    assert prompts.answer_of("<think><answer>3</answer></think><answer>4</answer>") == "4"
