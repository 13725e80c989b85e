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
    assert (verdict.outcome, verdict.n, verdict.seeds, verdict.p) == ("no verdict", 100, (1, 1), mcnemar(15, 0))
    assert verdict.budget_ratio == (pytest.approx(1.1), 3)
    low, high = verdict.interval
    assert verdict.sentence == (
        "No verdict on motif against grpo on chain, decoded in 3 rounds: "
        f"+15.0 points (95 % interval over questions {100 * low:+.1f} to {100 * high:+.1f}; 70.0% against 55.0%), "
        "exact McNemar test of these policies, p < 0.0001, n = 100 questions, training seeds: 1 against 1. "
        "It took 1.10 times the tokens per question and 3.00 times the training tokens. "
        "One seed each says nothing about training; it takes at least 4 seeds an arm for a p below 0.05."
    )


def five(folder, motif, grpo):
    """Five seeds of each arm, whose right answers lie around these."""
    folders = [
        path
        for algo, right in (("motif", motif), ("grpo", grpo))
        for path in seeds_of(folder, algo, [right + by for by in (-2, -1, 0, 1, 2)])
    ]
    return compare(*arms(folders), "chain", 3)


def test_five_seeds_say_better_worse_or_not_distinguishable(tmp_path):
    verdict = five(tmp_path / "better", 70, 50)
    assert (verdict.outcome, verdict.seeds, verdict.warnings) == ("better", (5, 5), ())
    assert verdict.p == pytest.approx(2 / 252, rel=0.1) and verdict.interval[0] > 0
    assert "seeds and questions" in verdict.test and verdict.accuracy == (pytest.approx(0.7), pytest.approx(0.5))
    assert "training seeds: 5 (spread 1.6 points) against 5 (spread 1.6 points)" in verdict.sentence
    assert "95 % interval over seeds +" in verdict.sentence and "if other seeds vary as these do." in verdict.sentence
    assert five(tmp_path / "worse", 40, 60).sentence.startswith("motif is worse than grpo on chain")
    verdict = five(tmp_path / "alike", 51, 50)
    assert verdict.sentence.startswith("motif is not distinguishable from grpo on chain")
    assert verdict.interval[0] < 0 < verdict.interval[1] and "seeds an arm for" not in verdict.sentence


def test_equal_answers_leave_room_for_what_could_have_been_seen(tmp_path):
    folders = [path for algo in ("motif", "grpo") for path in seeds_of(tmp_path, algo, [50] * 5)]
    verdict = compare(*arms(folders), "chain", 3)
    assert (verdict.outcome, verdict.p, verdict.needed_n) == ("not distinguishable", 1, None)
    assert "In 80 % of cases this study would see" in verdict.sentence and verdict.detectable > 0.03
    assert verdict.interval[0] < -0.03 < 0.03 < verdict.interval[1]


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


def test_three_seeds_an_arm_make_no_verdict_however_alike_they_are(tmp_path):
    folders = seeds_of(tmp_path, "motif", (99, 99, 99)) + seeds_of(tmp_path, "grpo", (36, 36, 36))
    verdict = compare(*arms(folders), "chain", 3)
    assert (verdict.outcome, verdict.seeds, verdict.p) == ("no verdict", (3, 3), pytest.approx(0.1))
    assert verdict.sentence.startswith("No verdict on motif against grpo on chain, decoded in 3 rounds: +63.0 points")
    assert verdict.interval[0] < 0 and "p = 0.10" in verdict.sentence and "p < " not in verdict.sentence
    assert "no p below 0.1; it takes at least 4 seeds an arm for a p below 0.05. No n would see" in verdict.sentence
    assert "in 80 % of cases with these seeds: it takes 4 seeds an arm;" in verdict.sentence


def test_against_the_untrained_policy_six_seeds_are_the_fewest(tmp_path):
    folders = seeds_of(tmp_path, "motif", (99, 99, 99, 99, 99), base=answers(36))
    verdict = compare(*arms(folders), "chain", 3)
    assert (verdict.outcome, verdict.p) == ("no verdict", 1 / 16)
    assert "it takes at least 6 seeds an arm for a p below 0.05" in verdict.sentence


def test_a_lead_that_hangs_on_one_seed_is_no_lead(tmp_path):
    folders = seeds_of(tmp_path, "motif", (50, 51, 95, 50, 52)) + seeds_of(tmp_path, "grpo", (50, 51, 52, 49, 50))
    verdict = compare(*arms(folders), "chain", 3)
    assert verdict.outcome == "not distinguishable" and verdict.effect > 0.09
    assert verdict.needed_n is None and f"it takes {verdict.needed_seeds} seeds an arm" in verdict.sentence
