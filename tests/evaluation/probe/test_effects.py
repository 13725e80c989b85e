"""What records of interventions come to, on records made by hand."""

import pytest

from motif.evaluation.probe.effects import effects
from motif.evaluation.significance import difference
from motif.evaluation.statistics import discordant_interval, wilson


def records(untouched, carried=(2, 3), values=((True, True), (True, False)), **done):
    """One record a question; `done` has for each intervention whether the answers are right."""
    return [
        {
            "samples": [{"correct": bool(right), "copied": place == 0}],
            "carried_tokens": [*carried],
            "interventions": {name.replace("_", "-"): {"correct": bool(own[place])} for name, own in done.items()},
            "values": [[*state] for state in values],
        }
        for place, right in enumerate(untouched)
    ]


def test_an_effect_is_the_paired_difference_on_the_same_questions_with_its_interval():
    right = [1] * 30 + [0] * 10
    found = effects(records(right, without_1=[0] * 20 + [1] * 12 + [0] * 8))
    (each,) = found["interventions"]
    assert found["n"] == 40 and found["untouched"] == {"value": 0.75, "interval": wilson(30, 40)}
    assert each["accuracy"]["value"] == 12 / 40 and each["effect"] == pytest.approx(-18 / 40)
    assert each["interval"] == list(discordant_interval(2, 20, 40))  # 20 lost, 2 won: pairs, not two proportions
    assert (
        each["outcome"] == "worse"
        and each["p"] == each["p_holm"] == difference([[0] * 20 + [1] * 12 + [0] * 8], [right]).p
    )


def test_every_intervention_has_a_sentence_that_says_what_it_means_with_interval_and_n():
    up, down, same = [1] * 40, [0] * 40, [1, 0] * 20
    done = {"early_0": down, "early_1": down, "without_every": down, "swapped_2": same, "half_1": up, "true_1": up}
    found = effects(records(same, **done))["interventions"]
    assert [each["sentence"] for each in found] == [
        "With the answer asked for in a single round, accuracy falls by 50.0 points (31.1 to 64.1; n = 40): the rounds "
        "after that matter.",
        "With the answer asked for after round 1, accuracy falls by 50.0 points (31.1 to 64.1; n = 40): the rounds "
        "after that matter.",
        "Without its progress after every round, accuracy falls by 50.0 points (31.1 to 64.1; n = 40): what rounds "
        "hand over matters.",
        "With another question's progress after round 2, accuracy is, as one of 6 compared, not distinguishable "
        "from the untouched (+0.0 points, -6.6 to +6.6; n = 40): no sign that it matters whose progress it is.",
        "With half of its progress after round 1, accuracy rises by 50.0 points (31.1 to 64.1; n = 40): half of "
        "what round 1 hands over is better than all of it.",
        "With the true progress after round 1, accuracy rises by 50.0 points (31.1 to 64.1; n = 40): better progress "
        "would help.",
    ]


def test_where_only_the_interval_alone_leaves_no_room_for_none_nothing_is_said_to_be_no_sign():
    right, worse = [1] * 6 + [0] * 30, [0] * 36
    found = effects(records(right, without_1=worse, swapped_1=right, half_1=right))["interventions"][0]
    assert found["outcome"] == "not distinguishable" and found["interval"][1] < 0
    assert found["sentence"].endswith("n = 36): more questions would tell.")


def test_what_is_found_among_many_has_to_stand_out_more():
    right = [1] * 6 + [0] * 30
    worse = [0] * 36
    alone = effects(records(right, without_1=worse))["interventions"][0]
    among = effects(records(right, without_1=worse, swapped_1=right, half_1=right))["interventions"][0]
    assert alone["outcome"] == "worse" and alone["p"] == among["p"] == pytest.approx(2 / 2**6)
    assert among["p_holm"] == pytest.approx(3 * alone["p"]) and among["outcome"] == "not distinguishable"
    assert "as one of 3 compared, not distinguishable" in among["sentence"]


def test_a_value_is_the_mean_of_continuations_and_settled_where_they_end_alike():
    states = ((True, True, False, False), (True, True, True, False), (True, True, True, True))
    found = effects(records([1] * 10, values=states, without_1=[1] * 10))["values"]
    assert [each["value"] for each in found] == [0.5, 0.75, 1.0] and [each["after"] for each in found] == [0, 1, 2]
    assert [each["settled"]["value"] for each in found] == [0, 0, 1] and {each["k"] for each in found} == {4}
    assert [each["against"]["effect"] for each in found] == [-0.5, -0.25, 0.0]
    assert all(low - 1e-9 <= each["value"] <= high + 1e-9 for each in found for low, high in [each["interval"]])


def test_copies_and_what_was_handed_over_are_counted():
    found = effects([*records([1] * 3, (4, 0), without_1=[1] * 3), *records([1], (2,), without_1=[1])])
    assert found["copied"] == {"value": 0.5, "interval": wilson(2, 4)}
    first, second = found["carried"]
    assert (first["value"], first["tokens"], first["n"]) == (1.0, 3.5, 4)
    assert (second["value"], second["tokens"], second["n"]) == (0.0, 0.0, 3)
