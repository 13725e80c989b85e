from motif.reporting.arms import arms_of
from motif.reporting.folders import read_runs
from motif.reporting.pictures.accuracy import accuracies, frontier, label_of, lines_by_arm, styles_of
from motif.reporting.pictures.style import UNTRAINED
from motif.reporting.pooled import pool
from tests.support.run_folders import make_run


def test_the_frontier_is_the_best_accuracy_for_at_most_so_many_tokens():
    assert frontier([(30, 50), (10, 20), (20, 10), (40, 45), (10, 30)]) == ([10, 30, 40], [30, 50, 50])


def pooled_of(folder):
    arms = arms_of(read_runs(sorted(folder.iterdir()))[0])
    return arms, pool(arms)


def test_a_label_says_n_of_questions_samples_and_seeds(tmp_path):
    for seed in (0, 1):
        make_run(tmp_path / str(seed), seed=seed)
    _, pooled = pooled_of(tmp_path)
    labels = {arm.name: label_of(line) for arm, line in lines_by_arm(pooled).items()}
    assert labels == {"base": "base (n = 4)", "motif": "motif (n = 4 × 2 seeds)"}


def test_untrained_policies_are_grey_and_trained_ones_look_as_in_their_curves(tmp_path):
    make_run(tmp_path / "a")
    arms, pooled = pooled_of(tmp_path)
    trained = [arm for arm in arms if arm.trained]
    styles = styles_of(trained, arms)
    assert [styles[arm]["color"] == UNTRAINED for arm in arms] == [False, True]
    names = [drawing.name for drawing in accuracies(trained, pooled, ("tokens", "flops"))]
    assert names == ["rounds-sums", "tokens-sums", "by-round-sums"]  # no result says how many FLOPs it took


def test_many_arms_get_several_pictures(tmp_path):
    for k in range(9):
        make_run(tmp_path / str(k), reward={"k": k})
    arms, pooled = pooled_of(tmp_path)
    names = [drawing.name for drawing in accuracies([arm for arm in arms if arm.trained], pooled, ())]
    assert names == ["rounds-sums-1", "by-round-sums-1", "rounds-sums-2", "by-round-sums-2"]
