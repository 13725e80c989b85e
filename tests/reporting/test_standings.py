"""The top of the page: which results stand beside each other, against what, and the answer in one sentence."""

import re

import pytest

from motif.evaluation.statistics import holm
from motif.evaluation.wording import p_value
from motif.reporting.arms import finished
from motif.reporting.comparison import compare
from motif.reporting.standings import AS_TRAINED, answer, places
from tests.support.studies import answers, arms, evaluation, run, seeds_of


def five(folder, **rights):
    """Five seeds of each algorithm, whose right answers lie around these."""
    return [
        path
        for algo, right in rights.items()
        for path in seeds_of(folder, algo, [right + by for by in (-2, -1, 0, 1, 2)])
    ]


def test_each_row_meets_the_reference_as_a_verdict_does_and_p_is_corrected_over_the_arms(tmp_path):
    known = arms(five(tmp_path, motif=70, grpo=50, broadcast=51))
    (place,) = places(known, "grpo")
    view = place.views[0]
    names = [one.arm.name for one in view.rows]
    found = {name: view.against[at, view.reference] for at, name in enumerate(names) if name != "grpo"}
    by_name = {arm.name: arm for arm in finished(known)}
    verdicts = {name: compare(by_name[name], by_name["grpo"], "chain", 3) for name in found}
    for name, verdict in verdicts.items():
        one = found[name]
        assert (one.effect, one.interval, one.p) == (verdict.effect, verdict.interval, verdict.p)
        assert (one.seeds, one.family) == ((5, 5), 2)
    assert [one.corrected for one in found.values()] == holm([verdicts[name].p for name in found])
    turned = view.against[view.reference, names.index("motif")]
    assert turned.effect == pytest.approx(-found["motif"].effect) and turned.outcome == "worse"
    p = {name: p_value(one.corrected) for name, one in found.items()}
    assert answer(place) == (
        f"motif (+20.0 points, {p['motif']}) is better than grpo; "
        f"broadcast (+1.0 points, {p['broadcast']}) is not distinguishable from grpo."
    )


def test_results_on_other_questions_stand_elsewhere_and_a_line_says_why(tmp_path):
    folders = five(tmp_path / "a", motif=70, grpo=50)
    folders += seeds_of(tmp_path / "b", "rloo", [40, 41], n=90)
    first, second = places(arms(folders), "grpo")
    assert {one.arm.name for one in first.views[0].rows} == {"motif", "grpo"}
    assert first.others == ["rloo: they differ in dataset rows (dataset rows chain-90 against chain-100)"]
    assert [one.arm.name for one in second.views[0].rows] == ["rloo"]
    assert answer(second).startswith("rloo answers 45.0% (")


def test_the_run_of_a_repeated_seed_is_chosen_by_matching_questions_in_any_order_of_arguments(tmp_path):
    folders = five(tmp_path, motif=70, grpo=50)
    folders.append(run(tmp_path / "again", "motif", 0, answers(10, n=90)))  # other questions: it does not count
    folders.append(run(tmp_path / "twice", "motif", 0, answers(99)))  # the same: the first by its folder counts
    both = [places(arms(order), "grpo")[0].views[0] for order in (folders, folders[::-1])]
    effects = [{view.rows[i].arm.name: view.against[i, view.reference].effect for i in (0, 1) if i != view.reference}
               for view in both]  # fmt: skip
    assert effects[0] == effects[1] == {"motif": pytest.approx(0.2)}


def test_an_arm_stands_as_it_was_trained_or_all_in_one_number_of_rounds(tmp_path):
    folders = five(tmp_path, motif=70, grpo=50)
    for folder in folders:
        evaluation(folder / "evaluation/trained-chain-r1", answers(60), "trained", "chain", 1, budget=132)
    (place,) = places(arms(folders), "grpo")
    assert [view.name for view in place.views] == [AS_TRAINED, "all in 3 rounds", "all in 1 round"]
    assert sorted((one.arm.name, one["rounds"]) for one in place.views[0].rows) == [("grpo", 1), ("motif", 3)]
    assert re.fullmatch(r"motif in 3 rounds \(\+10.0 points, p .*\) is .* grpo in 1 round\.", answer(place))


def test_a_reference_is_found_where_none_is_named_and_few_seeds_are_said(tmp_path):
    folders = [
        path
        for rate in (1, 2, 3)
        for path in seeds_of(tmp_path / str(rate), "motif", [50 + rate, 52], settings={"algo.lr": rate, "algo.b": 7})
    ]
    (place,) = places(arms(folders), "grpo")
    reference = place.views[0].rows[place.views[0].reference]
    assert reference.arm.algo == "motif"
    assert answer(place).startswith("Too few seeds to say whether motif lr=")
    assert answer(None) == "Nothing is measured yet."
