from motif.reporting.arms import arms_of
from motif.reporting.folders import read_runs
from motif.reporting.pictures.training import (
    AXES,
    METRICS,
    MOST_POINTS,
    curve,
    episode_tokens,
    steps_per_point,
    times,
    training_curves,
)
from motif.runs.ledger import AXES as LEDGER
from tests.support.run_folders import make_run


def arm_of(*folders):
    return arms_of(read_runs(folders)[0])[0]


def test_a_curve_is_a_mean_and_a_band_over_seeds_and_goes_on_as_single_seeds(tmp_path):
    make_run(tmp_path / "a", seed=0, steps=4)
    make_run(tmp_path / "b", seed=1, steps=2, finished=False)
    arm = arm_of(tmp_path / "a", tmp_path / "b")
    for line in arm.runs[1].metrics:
        line["train/reward"] = 1.0
    found = curve(arm, METRICS["reward"], "total/generated_tokens")
    assert list(found.x) == [100, 200] and list(found.mean) == [0.75, 0.75]
    assert (list(found.low), list(found.high)) == ([0.5, 0.5], [1.0, 1.0])
    assert [list(x) for x, _ in found.ends] == [[200, 300, 400]]  # from where the seeds part


def test_a_long_run_has_few_points_that_are_means_of_steps(tmp_path):
    arm = arm_of(make_run(tmp_path / "a", steps=2 * MOST_POINTS))
    found = curve(arm, METRICS["accuracy"], "step")
    assert len(found.x) == MOST_POINTS and steps_per_point([arm], METRICS["accuracy"]) == 2
    assert list(found.x[:2]) == [1.5, 3.5] and set(found.mean) == {25.0}  # in percent
    assert curve(arm, METRICS["accuracy"], "total/flops") is None


def test_the_tokens_of_an_episode_are_those_of_its_rounds():
    assert episode_tokens({"rounds/1/tokens": 9.0, "rounds/2/tokens": 5.0, "step": 1}) == 14
    assert episode_tokens({"step": 1}) is None


def test_every_count_of_the_ledger_can_be_an_axis():
    counts = {key for key, _ in AXES.values()}
    assert {axis for axis in LEDGER if "*" not in axis} - {"train/global_step"} <= counts


def trained(folder):
    return [arm for arm in arms_of(read_runs(sorted(folder.iterdir()))[0]) if arm.trained]


def test_a_caption_says_what_band_and_thin_lines_are(tmp_path):
    make_run(tmp_path / "a", seed=0, steps=4)
    assert {drawing.caption for drawing in training_curves(trained(tmp_path), ["steps"])} == {"A point is a step."}
    make_run(tmp_path / "b", seed=1, steps=200)
    first, *_ = training_curves(trained(tmp_path), ["steps"])
    assert first.caption == (
        "Mean over seeds; the band is from the lowest to the highest. Thin lines are seeds that go further than the "
        "others. A point is the mean of up to 3 steps."
    )


def test_a_metric_that_no_run_has_is_not_drawn(tmp_path):
    make_run(tmp_path / "a")
    arms = trained(tmp_path)
    for line in arms[0].runs[0].metrics:
        del line["episode/copied"]
    names = {drawing.name for drawing in training_curves(arms, ["steps", "flops"])}
    assert names == {f"{metric}-steps-sums" for metric in ("reward", "accuracy", "length", "zero-spread")}


def test_time_is_a_bar_an_arm_and_not_drawn_where_none_was_kept(tmp_path):
    make_run(tmp_path / "a", seed=0)
    make_run(tmp_path / "b", seed=1, finished=False)
    arms = trained(tmp_path)
    (drawing,) = times(arms)
    assert drawing.name == "time" and "from the quickest seed to the slowest" in drawing.caption
    for run in arms[0].runs:
        run.seconds = {}
    assert list(times(arms)) == []


def test_level_curves_have_an_axis_from_zero_and_steps_are_whole_numbers(tmp_path):
    arm = arm_of(make_run(tmp_path / "a", steps=3))  # no group of equal rewards, 9 tokens a reply, in each step
    plots = {drawing.name: drawing.figure.axes[0] for drawing in training_curves([arm], ("steps",))}
    assert plots["zero-spread-steps-sums"].get_ylim() == (0, 100)
    assert plots["length-steps-sums"].get_ylim() == (0, 18)
    assert all(float(tick).is_integer() for tick in plots["reward-steps-sums"].get_xticks())
