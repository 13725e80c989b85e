"""One comparison, in numbers and in its sentence."""

import pytest

from motif.evaluation.statistics import mcnemar
from motif.reporting.comparison import compare
from motif.system.errors import UserError
from tests.support.studies import answers, arms, pair, run, seeds_of


def test_a_verdict_says_everything_that_a_claim_needs(tmp_path):
    folders = [
        run(tmp_path / "m", trained=answers(70), training_tokens=3000, tokens=99.0),
        run(tmp_path / "g", "grpo", trained=answers(55)),
    ]
    verdict = compare(*arms(folders), "chain", 3)
    assert (verdict.outcome, verdict.n, verdict.seeds, verdict.p) == ("better", 100, (1, 1), mcnemar(15, 0))
    assert verdict.budget_ratio == (pytest.approx(1.1), 3)
    low, high = verdict.interval
    assert verdict.sentence == (
        "motif is better than grpo on chain, decoded in 3 rounds: "
        f"+15.0 points (95 % interval {100 * low:+.1f} to {100 * high:+.1f}; 70.0% against 55.0%), "
        "exact McNemar test, p < 0.0001, n = 100 questions, training seeds: 1 against 1. "
        "It took 1.10 times the tokens per question and 3.00 times the training tokens. "
        f"To see such a difference in 80 % of cases takes n = {verdict.needed_n}; "
        f"this study would see {100 * verdict.detectable:.1f} points or more. "
        "One training seed of motif and of grpo: this says nothing about other seeds."
    )


def test_a_worse_arm_and_one_that_cannot_be_told_are_called_so(tmp_path):
    motif, grpo = pair(tmp_path, answers(50), answers(60))
    assert compare(motif, grpo, "chain", 3).sentence.startswith("motif is worse than grpo on chain")
    motif, grpo = pair(tmp_path / "other", answers(52), answers(50))
    verdict = compare(motif, grpo, "chain", 3)
    assert verdict.sentence.startswith("motif is not distinguishable from grpo on chain")
    assert verdict.interval[0] < 0 < verdict.interval[1] and verdict.needed_n > verdict.n


def test_equal_answers_leave_room_for_what_could_have_been_seen(tmp_path):
    verdict = compare(*pair(tmp_path, answers(50), answers(50)), "chain", 3)
    assert (verdict.outcome, verdict.p, verdict.needed_n) == ("not distinguishable", 1, None)
    assert "In 80 % of cases this study would see" in verdict.sentence and verdict.detectable > 0.03


def test_records_that_lack_questions_are_named(tmp_path):
    motif, grpo = pair(tmp_path, answers(60), answers(50))
    file = tmp_path / "m/evaluation/trained-chain-r3.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]) + '{"id": "chain-99", "samp')
    with pytest.raises(UserError, match="trained-chain-r3.jsonl holds 99 of 100 questions"):
        compare(motif, grpo, "chain", 3)


def test_several_samples_are_not_held_against_one(tmp_path):
    motif, grpo = pair(tmp_path, answers(60, of=4), answers(50))
    with pytest.raises(UserError, match="they differ in samples"):
        compare(motif, grpo, "chain", 3)


def test_equal_fingerprints_of_different_questions_are_not_believed(tmp_path):
    motif, grpo = pair(tmp_path, answers(60, n=90), answers(50), rows="chain-100")
    with pytest.raises(UserError, match="different questions"):
        compare(motif, grpo, "chain", 3)


def test_three_seeds_an_arm_make_a_claim_about_seeds(tmp_path):
    folders = seeds_of(tmp_path, "motif", (80, 82, 84)) + seeds_of(tmp_path, "grpo", (50, 54, 52))
    verdict = compare(*arms(folders), "chain", 3)
    assert (verdict.outcome, verdict.seeds, verdict.warnings) == ("better", (3, 3), ())
    assert "seeds and questions" in verdict.test and verdict.accuracy == (pytest.approx(0.82), pytest.approx(0.52))
    assert "training seeds: 3 (spread 2.0 points) against 3 (spread 2.0 points)" in verdict.sentence


def test_a_lead_that_hangs_on_one_seed_is_no_lead(tmp_path):
    folders = seeds_of(tmp_path, "motif", (50, 51, 95)) + seeds_of(tmp_path, "grpo", (50, 51, 52))
    verdict = compare(*arms(folders), "chain", 3)
    assert verdict.outcome == "not distinguishable" and verdict.effect > 0.14
    assert verdict.needed_n is None and f"it takes {verdict.needed_seeds} seeds an arm" in verdict.sentence
