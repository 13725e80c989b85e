import pytest

from motif.tasks.corpus import Corpus
from motif.tasks.solutions import steps_of
from tests.support.toys import shared

CLIPS = (
    "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n"
    "Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May."
)


def texts(text):
    return [step.text for step in steps_of(text)]


def test_lines_are_steps_without_the_marks_and_a_note_has_what_was_calculated_so_far():
    first, second = steps_of(CLIPS)
    assert first.text == "Natalia sold 48/2 = 24 clips in May." and first.note == "48/2=24 clips in May"
    assert second.note == "48/2=24 clips in May; 48+24=72 clips altogether in April"


def test_a_step_without_a_mark_is_its_own_note():
    assert [step.note for step in steps_of("He has 5.\nSo x is 7,")] == ["He has 5", "He has 5; So x is 7"]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("One is 1. Two is 2.", ["One is 1.", "Two is 2."]),
        ("Mr. Fox pays $2.50 to J. Doe. Then he rests.", ["Mr. Fox pays $2.50 to J. Doe.", "Then he rests."]),
        ("We have \\[x = 1.\n\\] So 2.", ["We have \\[x = 1.\n\\] So 2."]),
        ("Let $a \\le 1.\\; B$ be. Then", ["Let $a \\le 1.\\; B$ be.", "Then"]),
        ("A.\n\\begin{align*}\n1 \\\\ 2\n\\end{align*}\nB.", ["A.", "\\begin{align*}\n1 \\\\ 2\n\\end{align*}", "B."]),
        ("A.\n[asy]\ndraw(x);\n[/asy]\nB.", ["A.", "B."]),
        ("An open \\[x", ["An open \\[x"]),
        ("", []),
    ],
)
def test_a_text_is_cut_after_sentences_and_never_within_a_formula(text, steps):
    assert texts(text) == steps


def test_solutions_of_gsm8k_lose_their_marks_and_nothing_else():
    folder = shared("gsm8k_train.jsonl").parent
    questions = Corpus(name="gsm8k", path=str(folder), gold="hashes", trainable=True).train()
    assert len(questions) > 7000 and all(question.solution for question in questions)
    said = [step.text + step.note for question in questions for step in question.solution]
    assert not any("<<" in text or "####" in text for text in said)
    ended = [question for question in questions if question.gold in question.solution[-1].note.replace(",", "")]
    assert len(ended) > 0.97 * len(questions)  # the last note says the result


def corpus(tmp_path, **settings):
    row = '{"question": "48 and half of it?", "answer": "%s", "work": "It is 72. \\\\boxed{72}"}'
    (tmp_path / "x.jsonl").write_text(row % (CLIPS.replace("\n", "\\n") + "\\n#### 72"))
    return Corpus(name="x", path=str(tmp_path / "x.jsonl"), trainable=True, validation_share=0.0, **settings)


def test_a_data_set_has_solutions_where_its_answers_are_worked_or_a_column_has_them(tmp_path):
    (own,) = corpus(tmp_path, gold="hashes").train()
    assert [step.text for step in own.solution] == texts(CLIPS)
    (column,) = corpus(tmp_path, gold="hashes", solution="work").train()
    assert [step.text for step in column.solution] == ["It is 72.", "\\boxed{72}"]
    (none,) = corpus(tmp_path).train()
    assert none.solution == ()
