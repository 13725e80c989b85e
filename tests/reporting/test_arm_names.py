"""What arms are called; by their runs, and by settings alone."""

from motif.reporting.arm_names import arm_names, differing_keys, independent, label
from tests.support.studies import arms, run

RIGHT = [True, False, True, True]


def test_arms_of_one_algorithm_are_called_by_what_they_differ_in(tmp_path):
    folders = [
        run(tmp_path / "a", trained=RIGHT),
        run(tmp_path / "b", trained=RIGHT, settings={"algo.k": 4}),
        run(tmp_path / "c", trained=RIGHT, settings={"model.name": "big", "model.path": "x", "model.learning_rate": 1}),
        run(tmp_path / "d", "grpo", trained=RIGHT),
    ]
    assert [arm.name for arm in arms(folders)] == ["motif", "motif k=4", "motif model=big", "grpo"]


def test_where_no_value_is_commoner_than_the_others_all_are_named(tmp_path):
    folders = [run(tmp_path / str(k), trained=RIGHT, settings={"algo.k": k}) for k in (1, 2, 4, 8)]
    assert [arm.name for arm in arms(folders)] == ["motif k=1", "motif k=2", "motif k=4", "motif k=8"]


def test_each_flaw_alone_is_an_arm_called_after_it_and_the_flawless_one_after_none(tmp_path):
    flaws = {f"flaws.{flaw}": "right" for flaw in ("futures", "format", "tag_count", "accuracy", "carry", "grading")}
    switched = [{}, *({flaw: "wrong"} for flaw in flaws)]
    folders = [run(tmp_path / str(i), trained=RIGHT, settings=flaws | each) for i, each in enumerate(switched)]
    names = [arm.name for arm in arms(folders)]
    assert names[0] == "motif" and names[1:] == [f"motif {flaw.split('.')[1]}=wrong" for flaw in flaws]


def test_the_rounds_of_an_arm_are_named_once(tmp_path):
    other = {"rounds": 1, "episode.rounds": 1}
    folders = [run(tmp_path / "a", trained=RIGHT), run(tmp_path / "b", trained=RIGHT, settings=other)]
    assert [arm.name for arm in arms(folders)] == ["motif rounds=3", "motif rounds=1"]


def test_arms_that_differ_in_much_have_names_that_stay_short_and_differ(tmp_path):
    settings = [{f"algo.key{key}": 0 if key < 8 else value for key in range(9)} for value in range(2)]
    settings.append({f"algo.key{key}": key + 1 for key in range(9)})
    folders = [run(tmp_path / str(place), trained=RIGHT, settings=each) for place, each in enumerate(settings)]
    names = [arm.name for arm in arms(folders)]
    assert len(set(names)) == 3 and max(map(len, names)) < 60


def test_a_setting_that_repeats_another_is_not_in_the_name(tmp_path):
    matched = [{"algo.k": k, "budget.tokens": k} for k in (2, 4)]
    folders = [run(tmp_path / str(place), trained=RIGHT, settings=each) for place, each in enumerate(matched)]
    assert [arm.name for arm in arms(folders)] == ["motif k=2", "motif k=4"]


def test_names_are_told_apart_whatever_their_settings():
    plain = {"algo.name": "motif", "algo.k": 2}
    assert arm_names(["motif", "motif", "motif"], [plain, plain, None]) == [
        "motif", "motif #2", "motif of unknown configuration"
    ]  # fmt: skip


def test_choices_come_first_and_what_follows_from_them_is_left_out():
    one = {"algo.name": "grpo", "rounds": 1, "episode.rounds": 1, "model.name": "a", "model.path": "x"}
    other = {"algo.name": "motif", "rounds": 3, "episode.rounds": 3, "model.name": "b", "model.path": "y"}
    assert differing_keys([one, other]) == ["algo.name", "model.name", "rounds", "model.path"]
    assert independent(["rounds", "episode.rounds", "model.name", "model.path"]) == ["rounds", "model.name"]
    assert (label("algo.k", 4), label("model.name", "tiny")) == ("k=4", "model=tiny")
