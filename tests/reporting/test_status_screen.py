"""What the terminal shows of few runs, and of many."""

import pytest

from motif.reporting.status import Status
from motif.reporting.status_screen import ARMS, FEW, counts, duration, show, summary, totals
from motif.system import console


@pytest.mark.parametrize(("seconds", "words"), [(40, "40 s"), (720, "12 min"), (3900, "1 h 05 min"), (None, "")])
def test_durations_are_short(seconds, words):
    assert duration(seconds) == words


def test_runs_are_counted_by_state_and_what_is_left_is_summed():
    found = [
        *(Status(f"a-s{seed}", "finished", spent=60) for seed in range(1200)),
        Status("b-s0", "running", left=3600.0),
        Status("b-s1", "not begun"),
    ]
    assert counts(found) == "1,200 finished, 1 running, 1 not begun"
    assert totals(found).endswith("about 1 h 00 min of work left in 1 of them, and 1 of which nothing is known yet")
    assert totals(found[:1200]) == "1,200 finished"


def many(seeds, arms=("grpo-chain", "motif-chain")):
    """Runs of which most are finished; some failed, one runs."""
    found = [Status(f"{arm}-r3-s{seed}-k=4-{seed:06x}", "finished", step=9, steps=9) for arm in arms for seed in seeds]
    found[3] = Status("grpo-chain-r3-s3-k=4-000003", "failed", "OSError: no room", 4, 9, left=50.0, warned="cut off")
    found[5] = Status("grpo-chain-r3-s5-k=4-000005", "running", "on node7, pid 1", 2, 9, left=300.0)
    return found


def test_few_runs_have_a_row_each_and_many_a_line_an_arm(capsys):
    few = many(range(FEW // 2))
    show(few, "mine")
    said = capsys.readouterr().out
    assert "mine" in said and all(each.name in said for each in few)
    show(many(range(200)), "mine")
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "mine",
        "400 runs in 2 arms",
        "  198 finished, 1 failed, 1 running  grpo-chain-r3-k=4",
        "  200 finished                       motif-chain-r3-k=4",
        "failed  grpo-chain-r3-s3-k=4-000003  4/9; 50 s left; OSError: no room; warned of cut off",
        "running  grpo-chain-r3-s5-k=4-000005  2/9; 5 min left; on node7, pid 1",
    ]
    show(many(range(200)), every=True)
    assert "motif-chain-r3-s199-k=4-0000c7" in capsys.readouterr().out


@pytest.fixture
def narrow(monkeypatch):
    monkeypatch.setattr(console.console, "width", 80)


def test_in_80_columns_no_name_state_step_or_time_is_folded(narrow, capsys):
    long, why = "broadcast-stories-smollm2-stories-r3-s0-experiment=laptop_real", "No space left on device: " * 3
    found = [
        Status("motif-s1", "finished", step=30, steps=30, result="58.2% (53.9% – 62.4%, n = 512) on chain in 3 rounds"),
        Status(long, "running", "on node7, pid 1", 3, 30, left=4000.0),
        Status("motif-s2", "not begun"),
        Status("motif-s3", "failed", why, 4, 30, left=50.0),
    ]
    show(found, "mine")
    said = capsys.readouterr().out.splitlines()
    assert max(map(len, said)) <= 80
    assert said == [
        "mine",
        "motif-s1",
        "  finished   30/30                   58.2% (53.9% – 62.4%, n = 512) on chain in",
        "                                     3 rounds",
        long,
        "  running    3/30   1 h 07 min left  on node7, pid 1",
        "motif-s2",
        "  not begun",
        "motif-s3",
        "  failed     4/30   50 s left        No space left on device: No space left on",
        "                                     device: No space left on device:",
    ]


def test_a_table_that_fits_is_a_table(narrow, capsys):
    show([Status("motif-s1", "running", "on node7, pid 1", 3, 30, left=4000.0)])
    head, _, row = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert head[:4] == ["run", "state", "steps", "left"] and row[:3] == ["motif-s1", "running", "3/30"]


def test_however_many_arms_and_troubles_there_are_the_summary_is_short():
    states = ("failed", "unreadable", "killed", "stopped", "running elsewhere", "running", "not begun", "finished")
    found = [Status(f"{arm}-s{seed}", states[seed % 8], "why " * 99) for arm in range(50) for seed in range(40)]
    lines = list(summary(found))
    assert len(lines) <= 25 and max(map(len, lines)) < 300
    assert lines[0] == "2,000 runs in 50 arms" and lines[ARMS + 1].endswith("in 40 arms more")
    assert "failed  249 more" in lines and sum(line.startswith("running  ") for line in lines) == 2


@pytest.mark.parametrize("word", ["\x1b[31m", "\u202e"])
def test_what_a_folder_is_called_has_no_power_over_the_terminal(word, capsys):
    show([Status(f"{word}-s{seed}", "failed", word) for seed in range(FEW + 1)])
    assert word not in capsys.readouterr().out
