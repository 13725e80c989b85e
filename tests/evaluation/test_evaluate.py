import json

import pytest

from motif.evaluation.evaluate import Evaluation, evaluate
from motif.rounds.episode import Episode
from motif.rounds.replies import Sampling
from motif.system.errors import UserError
from tests.support.toys import Words, good, question, says

QUESTIONS = [question(f"q{place}", gold=str(place), length=place % 2) for place in range(10)]


def answer(prompt):
    """Right for the first seven questions, wrong for the next two, nothing for the last."""
    place = int(prompt.split("Problem:\nq")[1].split("\n")[0])
    return good(f"\\boxed{{{place if place < 7 else 'x'}}}") if place < 9 else "no end"


def measured(tmp_path, generate=None, questions=QUESTIONS, **settings):
    words = Words()
    return evaluate(
        questions,
        Episode(rounds=2, tokens=9),
        generate or says(words, answer),
        words,
        Evaluation(**settings),
        tmp_path / "evaluation" / "items.jsonl",
    )


def test_items_are_kept_and_read_instead_of_measured_again(tmp_path):
    records = measured(tmp_path, batch=3)
    lines = (tmp_path / "evaluation/items.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == records and len({item["id"] for item in records}) == 10
    assert [item["samples"][0]["correct"] for item in records] == [True] * 7 + [False] * 3
    again = measured(tmp_path, generate=lambda *_: pytest.fail("measured again"))
    assert again == records


def test_an_evaluation_that_was_cut_off_in_the_middle_of_a_line_goes_on_from_there(tmp_path):
    whole = measured(tmp_path, batch=3)
    file = tmp_path / "evaluation/items.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:4]) + lines[4][:50])
    asked, words = [], Words()

    def generate(talks, sampling):
        asked.append(len(talks))
        return says(words, answer)(talks, sampling)

    assert measured(tmp_path, generate, batch=3) == whole
    assert asked == [3, 3, 3, 3]  # six questions in two batches of two rounds
    assert [json.loads(line) for line in file.read_text().splitlines()] == whole


def test_records_of_other_questions_are_not_taken_for_these(tmp_path):
    measured(tmp_path)
    with pytest.raises(UserError, match="records of other questions"):
        measured(tmp_path, questions=QUESTIONS[::-1])


def test_draws_depend_on_question_and_sample_and_not_on_the_batches_or_the_other_questions(tmp_path):
    def drawn(batch, folder, questions=QUESTIONS):
        rows = []

        def generate(talks, sampling):
            rows.extend(map(sampling.key, range(len(talks))))
            return says(Words(), answer)(talks, sampling)

        measured(folder, generate, batch=batch, samples=4, temperature=1.0, questions=questions)
        return sorted(rows)

    together, apart = drawn(10, tmp_path / "a"), drawn(3, tmp_path / "b")
    assert together == apart and len(set(together)) == 80
    assert set(drawn(10, tmp_path / "c", QUESTIONS[5:])) < set(together)


def test_several_samples_of_a_question_lie_in_one_record(tmp_path):
    records = measured(tmp_path, samples=3, temperature=0.5)
    assert all(len(item["samples"]) == 3 for item in records) and len(records) == 10


def test_evaluation_is_greedy_and_keeps_the_windows_of_the_episode():
    sampling = Evaluation().sampling(Episode(rounds=2, tokens=9, top_p=0.5, later={"tokens": 20}))
    assert (sampling(1).tokens, sampling(2).tokens) == (9, 20)
    assert sampling(1).temperature == 0 and sampling(1).top_p == 1.0


@pytest.mark.parametrize(("rounds", "windows"), [(1, (500,)), (3, (100, 200, 200)), (5, (55, 111, 111))])
def test_a_budget_is_shared_out_in_proportion_to_the_windows(rounds, windows):
    episode = Evaluation(budget=500).episode(Episode(rounds=3, tokens=1000, later={"tokens": 2000}), rounds)
    found = [episode.sampling(round).tokens for round in range(1, rounds + 1)]
    assert tuple(found[: len(windows)]) == windows and 490 <= episode.budget() <= 500


def test_without_a_budget_windows_stay_as_they_are():
    assert Evaluation().episode(Episode(rounds=3, tokens=7), 2).sampling(2) == Sampling(7)


@pytest.mark.parametrize(
    "bad",
    [
        {"questions": 0},
        {"batch": 0},
        {"temperature": -1},
        {"samples": 4},
        {"top_p": 0},
        {"budget": 0},
        {"rounds": [0]},
        {"datasets": ["math500"]},
        {"datasets": []},
        {"datasets": "math500"},
    ],
)
def test_impossible_settings_are_refused(bad):
    with pytest.raises(UserError, match=r"evaluation\."):
        Evaluation(**bad)


def test_a_budget_that_leaves_a_round_without_tokens_is_refused():
    with pytest.raises(UserError, match="budget of 2 tokens"):
        Evaluation(budget=2).episode(Episode(rounds=3, tokens=9), 3)
