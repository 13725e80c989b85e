"""What the lab has found, drawn."""

from motif.evaluation.credit.agreement import Agreement
from motif.evaluation.credit.schemes import credit
from motif.reporting.arms import arms_of
from motif.reporting.folders import read_runs
from motif.reporting.pictures.draw import draw_all
from motif.runs.folder import write_json
from motif.training.algorithms import MOTIF, LeaveOneOut
from motif.training.rewards import Reward, accuracy
from tests.support import studies
from tests.support.trees import line, tree

ACCURACY = Reward({"accuracy": accuracy}, {}, {"accuracy": 1.0})


def drawn(folder, runs):
    return {picture.name: picture for picture in draw_all(folder, arms_of(read_runs(runs)[0]), [], [])}


def test_the_agreement_of_schemes_is_drawn_by_round(tmp_path):
    run = studies.run(tmp_path / "run")
    schemes = MOTIF(m=4, k=1), LeaveOneOut(m=4, k=1)
    sums = Agreement(schemes)
    for place in range(4):
        grown = tree(*(line(0, 0, (place + root) % 3 == 0) for root in range(4)), id=f"q{place}")
        credited = [credit(scheme, [grown], ACCURACY)[0] for scheme in schemes]
        sums.add(f"q{place}", dict(zip(sums.names, credited, strict=True)))
    write_json(run / "credit/agreement.json", sums.result())
    picture = drawn(tmp_path, [run])["credit-agreement-1"]
    assert "motif k=1 and leave_one_out k=1" in picture.svg and "n = 16 replies of 4 questions" in picture.svg
    assert "bootstrap over questions; seed 0" in picture.caption and (tmp_path / "credit-agreement-1.png").is_file()


def test_signal_to_noise_is_a_mark_a_scheme_and_a_seed(tmp_path):
    runs = [studies.run(tmp_path / f"run{seed}", seed=seed) for seed in (0, 1)]
    schemes = [
        {"scheme": "motif k=2", "kind": "motif", "k": 2, "tokens": 100.0, "snr": 0.5, "snr_interval": [0.2, 0.9]},
        {"scheme": "motif k=4", "kind": "motif", "k": 4, "tokens": 180.0, "snr": 0.7, "snr_interval": None},
        {"scheme": "broadcast", "kind": "broadcast", "k": None, "tokens": 60.0, "snr": None, "snr_interval": None},
    ]
    for run in runs:
        found = {"policy": "base", "questions": 6, "draws": 2, "m": 4, "schemes": schemes}
        write_json(run / "credit/gradients-base.json", found)
    picture = drawn(tmp_path, runs)["credit-gradients-base-1"]
    assert "motif (k = 2, 4)" in picture.svg and "broadcast" not in picture.svg
    assert picture.svg.count("motif (k = 2, 4)") == 1, "one label for both seeds"
    assert "jackknifed over questions" in picture.caption and picture.caption.endswith("seeds 0, 1.")
