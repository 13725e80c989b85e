"""Which arms are compared, in which order, and what the command prints."""

import subprocess
import sys

import pytest

from motif.reporting.comparison import compare
from motif.reporting.verdicts import main, survey
from motif.system import console
from motif.system.errors import UserError
from tests.support.studies import answers, arms, evaluation, pair, run, seeds_of


def verdicts(folders, against="grpo"):
    return survey(arms(folders), against)[0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"rows": "other"}, "dataset rows other against chain-100"),
        ({"grader": "g2"}, "grader g2 against g1"),
        ({"budget": 64}, "evaluation budget 64 against 132"),
        ({"budget": 64, "grader": "g2"}, "they differ in grader and evaluation budget"),
        ({"sampling": [{"temperature": 0.6, "top_p": 1.0}]}, "temperature 0.6 against 0.0"),
    ],
)
def test_what_was_not_measured_alike_is_refused_by_name(tmp_path, changed, said):
    motif, grpo = pair(tmp_path, answers(60), answers(50), **changed)
    with pytest.raises(UserError, match="cannot be compared on chain") as error:
        compare(motif, grpo, "chain", 3)
    assert said in str(error.value) and str(tmp_path / "m") in str(error.value)
    found, refused = survey(arms([tmp_path / "m", tmp_path / "g"]))
    assert found == [] and refused == [str(error.value)]


@pytest.mark.parametrize(("lacking", "said"), [("rows", "dataset rows"), ("grader", "grader")])
def test_what_is_unknown_of_both_is_not_taken_to_be_alike(tmp_path, lacking, said):
    folders = [
        run(tmp_path / algo, algo, trained=answers(right), **{lacking: None})
        for algo, right in (("motif", 60), ("grpo", 50))
    ]
    found, refused = survey(arms(folders))
    assert found == [] and len(refused) == 1 and refused[0].endswith(f"unknown: {said}")


def test_one_round_is_held_against_three_at_an_equal_budget_only(tmp_path):
    folders = [run(tmp_path / "m", trained=answers(60)), run(tmp_path / "g", "grpo", trained=answers(50), rounds=1)]
    with pytest.raises(UserError, match="evaluation budget 132 against 44"):
        compare(*arms(folders), "chain", 3, 1)
    folders[1] = run(tmp_path / "g", "grpo", trained=answers(50), rounds=1, budget=132)
    (verdict,) = verdicts(folders)
    assert (verdict.rounds, verdict.baseline_rounds) == (3, 1)
    assert "decoded in 3 rounds against 1 round" in verdict.sentence


def test_more_rounds_are_held_against_a_baseline_as_it_was_trained(tmp_path):
    folders = [run(tmp_path / "m", trained=answers(60)), run(tmp_path / "b", "broadcast", trained=answers(50))]
    for folder in folders:
        for rounds in (1, 4):
            evaluation(
                folder / f"evaluation/trained-chain-r{rounds}", answers(40), "trained", "chain", rounds, budget=132
            )
    met = [(verdict.rounds, verdict.baseline_rounds) for verdict in verdicts(folders, "motif")]
    assert sorted(met) == [(1, 1), (3, 3), (4, 3), (4, 4)]


def test_first_comes_what_is_decoded_as_it_was_trained(tmp_path):
    folders = [run(tmp_path / "m", trained=answers(60)), run(tmp_path / "g", "grpo", trained=answers(50))]
    for folder, right in zip(folders, (70, 40), strict=True):
        for rounds in (1, 6):
            evaluation(folder / f"evaluation/trained-chain-r{rounds}", answers(right), "trained", "chain", rounds)
    assert [verdict.rounds for verdict in verdicts(folders)] == [3, 6, 1]


def test_a_baseline_as_it_was_trained_comes_before_the_same_in_other_rounds(tmp_path):
    folders = [run(tmp_path / "m", trained=answers(60)), run(tmp_path / "g", "grpo", trained=answers(20))]
    for folder, right in zip(folders, (50, 70), strict=True):
        evaluation(folder / "evaluation/trained-chain-r1", answers(right), "trained", "chain", 1, budget=132)
    met = [(verdict.rounds, verdict.baseline_rounds) for verdict in verdicts(folders)]
    assert met == [(3, 1), (3, 3), (1, 1)]


AROUND = (-2, -1, 0, 1, 2)


def test_p_values_are_corrected_over_the_arms_that_meet_one_baseline(tmp_path):
    folders = [
        path
        for k, right in ((1, 50), (6, 54), (12, 60))
        for path in seeds_of(tmp_path / str(k), "motif", [right + by for by in AROUND], settings={"algo.k": k})
    ]
    found = verdicts(folders + seeds_of(tmp_path, "grpo", [50 + by for by in AROUND]))
    assert [verdict.arm for verdict in found] == ["motif k=12", "motif k=6", "motif k=1"]
    assert [verdict.p_holm for verdict in found] == pytest.approx([3 * found[0].p, 2 * found[1].p, 1])
    assert [verdict.p < 0.05 for verdict in found] == [True, True, False]
    assert [verdict.outcome for verdict in found] == ["better", "not distinguishable", "not distinguishable"]
    assert "as one of 3 (Holm)" in found[1].sentence
    assert found[1].interval[0] > 0 and "(95 % interval over seeds of this comparison alone +" in found[1].sentence
    assert "points or more, before Holm's correction, if other seeds vary as these do." in found[1].sentence


def test_seeds_that_can_decide_alone_and_not_in_their_family_are_told(tmp_path):
    folders = [
        path for k in (1, 6) for path in seeds_of(tmp_path / str(k), "motif", [90, 91, 92, 93], settings={"algo.k": k})
    ]
    found = verdicts(folders + seeds_of(tmp_path, "grpo", [50, 51, 52, 53]))
    assert {verdict.outcome for verdict in found} == {"not distinguishable"}
    assert "at least 4 seeds an arm for a p below 0.05, 5 as the surest of 2 (Holm)." in found[0].sentence


def test_arms_of_too_few_seeds_take_nothing_from_the_others(tmp_path):
    folders = [
        *seeds_of(tmp_path / "two", "motif", [70], settings={"algo.k": 1}),
        *seeds_of(tmp_path / "one", "motif", [99], settings={"algo.k": 2}),
        *seeds_of(tmp_path / "enough", "motif", [60 + by for by in AROUND], settings={"algo.k": 3}),
        *seeds_of(tmp_path, "grpo", [50 + by for by in AROUND]),
    ]
    enough, *others = verdicts(folders)
    assert (enough.arm, enough.outcome, enough.p_holm, enough.family) == ("motif k=3", "better", enough.p, 1)
    assert [(other.outcome, other.p_holm, other.family) for other in others] == [("no verdict", None, 3)] * 2
    assert "4 seeds an arm for a p below 0.05, 5 as the surest of 3 (Holm)." in others[0].sentence


def test_trained_arms_meet_the_policy_that_they_began_from_after_the_baseline(tmp_path):
    folders = [
        run(tmp_path / "m", trained=answers(70), base=answers(40)),
        run(tmp_path / "g", "grpo", trained=answers(55), base=answers(40)),
    ]
    found = verdicts(folders)
    assert [(item.arm, item.baseline) for item in found] == [("motif", "grpo"), ("motif", "base"), ("grpo", "base")]
    assert found[1].seeds == (1, 0) and "training seeds: 1 against untrained" in found[1].sentence
    assert found[1].budget_ratio.training is None and "training tokens" not in found[1].sentence
    assert "One seed says nothing about training; it takes at least 6 seeds an arm" in found[1].sentence


def test_copies_of_the_base_policy_do_not_count_as_seeds(tmp_path):
    folders = seeds_of(tmp_path, "motif", (80, 82, 84, 81, 83, 80), base=answers(50))
    (verdict,) = verdicts(folders)
    assert verdict.seeds == (6, 0) and verdict.warnings == () and verdict.outcome == "better"


def test_the_baseline_can_be_any_arm(tmp_path):
    folders = [
        run(tmp_path / "m2", trained=answers(70)),
        run(tmp_path / "m4", trained=answers(60), settings={"algo.k": 4}),
        run(tmp_path / "g", "grpo", trained=answers(55)),
    ]
    assert {(item.arm, item.baseline) for item in verdicts(folders, "motif k=2")} == {
        ("motif k=4", "motif"),
        ("grpo", "motif"),
    }
    assert [item.arm for item in verdicts(folders, "motif")] == ["grpo"]


def test_an_arm_meets_the_baseline_that_is_most_like_it(tmp_path):
    folders = [
        run(tmp_path / f"{algo}{size}", algo, trained=answers(60), settings={"model.name": size})
        for algo in ("grpo", "motif")
        for size in ("big", "small")
    ]
    assert {(item.arm, item.baseline) for item in verdicts(folders)} == {
        ("motif model=big", "grpo model=big"),
        ("motif model=small", "grpo model=small"),
    }


def test_where_all_arms_are_of_one_algorithm_the_one_of_just_that_name_is_the_baseline_or_a_line_says_so(tmp_path):
    def of(*settings):
        folders = [run(tmp_path / str(each), trained=answers(60), settings=each) for each in settings]
        found, refused = survey(arms(folders), "motif")
        return [(verdict.arm, verdict.baseline) for verdict in found], refused

    plain, two = {"flaws.a": 0, "flaws.b": 0}, {"flaws.a": 1, "flaws.b": 0}
    assert of(plain, two, {"flaws.a": 0, "flaws.b": 1}) == ([("motif a=1", "motif"), ("motif b=1", "motif")], [])
    line = "all trained arms are motif; give one of these with --against ARM: 'motif a=0', 'motif a=1'"
    assert of(plain, two) == ([], [line])


def test_where_no_arm_is_the_baseline_the_line_names_the_option_and_the_arms(tmp_path):
    """A sweep of two settings, two values each."""
    folders = [
        run(tmp_path / f"{k}{m}", trained=answers(60), settings={"algo.k": k, "algo.m": m})
        for k in (2, 4)
        for m in (4, 8)
    ]
    (line,) = survey(arms(folders))[1]
    assert line.startswith("no arm is called grpo; give one of these with --against ARM: 'motif k=2 m=4', 'motif k=2")
    assert len(verdicts(folders, "motif k=2 m=4")) == 3


def test_baselines_that_no_arm_meets_are_named(tmp_path):
    matched = {"budget.match": "outputs/motif-chain-tiny-r3-s0"}
    folders = [
        run(tmp_path / "m", trained=answers(70)),
        run(tmp_path / "g", "grpo", trained=answers(55)),
        run(tmp_path / "matched", "grpo", trained=answers(55), settings=matched),
    ]
    found, refused = survey(arms(folders))
    assert [verdict.baseline for verdict in found] == ["grpo"]
    assert refused == ["grpo match=motif-chain-tiny-r3, for every arm is more like another baseline"]
    assert verdicts(folders, "grpo match=motif-chain-tiny-r3")[0].baseline == "grpo match=motif-chain-tiny-r3"


def test_what_the_baseline_was_not_measured_on_is_told(tmp_path):
    folders = [run(tmp_path / "m", trained=answers(70)), run(tmp_path / "g", "grpo", trained=answers(55))]
    evaluation(folders[0] / "evaluation/math500-r1-abc", answers(5), "run 1", "math500", 1)
    found, refused = survey(arms(folders))
    assert len(found) == 1
    assert refused == ["grpo was not measured on math500 in 1 round with 1 sample a question"]


@pytest.fixture
def printed(capsys):
    """What the command prints."""

    def run_command(*arguments):
        assert main(list(map(str, arguments))) == 0
        return capsys.readouterr().out

    return run_command


def test_the_command_prints_a_sentence_a_comparison_and_what_was_refused(tmp_path, printed):
    folders = [run(tmp_path / "m", trained=answers(70)), run(tmp_path / "g", "grpo", trained=answers(55))]
    evaluation(folders[0] / "evaluation/math500-r1-abc", answers(5), "run 1", "math500", 1)
    said = printed(*folders)
    assert said.startswith("No verdict on motif against grpo on chain, decoded in 3 rounds: +15.0 points")
    assert "Not compared: grpo was not measured on math500" in said
    assert printed(*folders, "--against", "motif").startswith("No verdict on grpo against motif")


def test_on_a_terminal_of_80_columns_a_verdict_has_lines_of_that_width(tmp_path, printed, monkeypatch):
    monkeypatch.setattr(console.console, "width", 80)
    folders = [run(tmp_path / "m", trained=answers(70)), run(tmp_path / "g", "grpo", trained=answers(55))]
    said = printed(*folders)
    assert max(map(len, said.splitlines())) <= 80 < len(" ".join(said.split()))


def test_the_command_says_in_one_line_that_there_is_nothing_to_compare(tmp_path, printed, capsys):
    motif, grpo = run(tmp_path / "m", trained=answers(70)), run(tmp_path / "g", "grpo", trained=answers(55))
    assert printed(grpo) == "Nothing to compare: grpo alone.\n"
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun/run.json").write_text("{}")
    assert printed(tmp_path / "begun") == "Nothing to compare: no finished run in these folders.\n"
    assert printed(motif) == "Not compared: no arm is called grpo; give one of these with --against ARM: motif.\n"
    assert main([str(motif), str(grpo), "--against", "gpro"]) == 2
    said = capsys.readouterr()
    assert said.err == "error: no arm is called gpro, did you mean grpo? (arms: motif, grpo)\n" and not said.out


def test_verdicts_need_no_torch():
    code = "import sys, motif.reporting.verdicts; sys.exit(not {'torch', 'trl'}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0


def test_against_the_policy_that_they_began_from_each_arm_is_compared_once(tmp_path):
    folders = [
        run(tmp_path / "m", trained=answers(70), base=answers(40)),
        run(tmp_path / "g", "grpo", trained=answers(55), base=answers(40)),
    ]
    found = verdicts(folders, against="base")
    assert sorted(verdict.arm for verdict in found) == ["grpo", "motif"]
    assert {verdict.family for verdict in found} == {2}
