"""Reports that are built once: they take seconds."""

from contextlib import redirect_stdout
from io import StringIO

import pytest

from motif.reporting.folders import read_runs
from motif.reporting.pictures import training
from motif.reporting.program import build, main
from motif.runs.folder import write_json
from tests.support.run_folders import HOSTILE, evaluated, make_run, records, sample


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """Two arms of two seeds, one run unfinished, with their report; and what the command printed."""
    home = tmp_path_factory.mktemp("written") / "outputs"
    for seed in (0, 1):
        make_run(home / f"grpo-{seed}", "grpo", seed)
        right = (True, True, True, seed == 0)
        make_run(home / f"motif-{seed}", "motif", seed, steps=3 - seed, finished=not seed, right=right)
    write_json(home / "motif-1" / "warnings.json", [{"step": 2, "name": "answers copied", "words": "step 2: ..."}])
    for name in ("evaluations", ".studies", "something"):
        (home / name).mkdir()
    with redirect_stdout(StringIO()) as printed:
        assert main([str(folder) for folder in sorted(home.iterdir())]) == 0
    return home, printed.getvalue()


@pytest.fixture(scope="session")
def hostile(tmp_path_factory):
    """A page on what a hostile policy wrote: 4 questions, 2 right, 1 truncated, 1 of which the graders disagree."""
    home = tmp_path_factory.mktemp("hostile") / "outputs"
    run = make_run(home / "a", text=HOSTILE)
    samples = [
        sample(HOSTILE, 3),
        sample("plain needle", 3, strict=False),
        sample(HOSTILE, 3, correct=False, truncated=True),
        sample("c", 3, correct=False, copied=True),
    ]
    evaluated(run, "trained-sums-r3", "trained", records(*samples))
    runs, _ = read_runs([run])
    return build(runs, home / "report")


@pytest.fixture
def without_pictures(monkeypatch):
    """No picture is drawn: for what a report says."""
    monkeypatch.setattr("motif.reporting.program.draw_all", lambda *_: [])


@pytest.fixture
def one_metric(monkeypatch):
    """Of training the reward alone is drawn."""
    monkeypatch.setattr(training, "METRICS", {"reward": training.METRICS["reward"]})
