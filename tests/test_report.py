import subprocess
import sys

import pytest

from motif.report import HEADER, markdown, rows
from motif.runs import write_json


def summary(algo="motif", seed=0, correct=9):
    def entry(policy, rounds, correct):
        return {
            **{"policy": policy, "dataset": "chain"},
            **{"rounds": rounds, "n": 10, "correct": correct, "accuracy": correct / 10},
            **{"interval": (0.1, 0.95), "truncated": 0.25, "tokens": 70.4},
        }

    return {"algo": algo, "rounds": 3, "seed": seed, "evaluation": [entry("base", 1, 3), entry("trained", 3, correct)]}


def test_every_accuracy_stands_with_its_interval_and_n_and_the_base_is_listed_once():
    found = rows([summary(seed=1), summary(seed=0, correct=8), summary("grpo")])
    assert [row[3] for row in found] == ["base", "trained", "trained", "trained"]
    assert found[2][:6] == ("motif", "3", "0", "trained", "chain", "3 rounds")
    assert found[2][6:] == ("80.0%", "10.0% – 95.0%", "10", "25.0%", "70")
    assert markdown(HEADER, found).splitlines()[0].startswith("| algo | rounds |")


@pytest.mark.parametrize("finished", [True, False])
def test_the_command_prints_finished_runs_and_says_what_it_left_out(tmp_path, finished):
    (tmp_path / "b").mkdir()
    (tmp_path / "evaluations").mkdir()
    if finished:
        write_json(tmp_path / "a" / "summary.json", summary())
    call = [sys.executable, "-m", "motif.report", *(str(tmp_path / name) for name in ("a", "b", "evaluations"))]
    done = subprocess.run(call, capture_output=True, text=True, timeout=60)
    if finished:
        assert done.returncode == 0 and "90.0%" in done.stdout and "1 of 2 folders hold no finished run" in done.stdout
    else:
        assert done.returncode == 2 and "no finished run" in done.stderr and "Traceback" not in done.stderr
