from motif.reporting.arms import arms_of
from motif.reporting.folders import read_runs
from motif.reporting.pictures.training import times, training_curves
from tests.support.run_folders import make_run


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
        del line["train/copied"]
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
