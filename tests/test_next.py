"""What programs say to type next is typed here, and does its work."""

import glob
import shlex

import pytest

from motif.evaluation.terminal import LONGEST
from tests.support import ROOT

SMALL = ["experiment=smoke", "tracking=none", "algo.steps=1"]


def proposed(said):
    """The commands behind `next` and `again`, without what is said of them."""
    found, within = [], False
    for line in said.splitlines():
        within = line.startswith(("next ", "again ")) or (within and line.startswith(" " * 8))
        if within:
            found.append(line[8:].split("    #")[0])
    return found


@pytest.mark.slow
def test_every_command_that_is_proposed_is_short_and_runs(tmp_path, forks):
    """After a training and a sweep, asked for once and again, and after whatever these propose."""
    for program in ("train.py", "evaluate.py"):
        (tmp_path / program).symlink_to(ROOT / program)

    def typed(words):
        module = words[0] == "-m"
        rest = [each for word in words[1 + module :] for each in glob.glob(word, root_dir=tmp_path) or [word]]
        code, said = forks.begin(words[module], tmp_path, *rest).wait(600)
        assert code == 0, (words, said)
        return proposed(said)

    waiting = [["train.py", *SMALL], ["train.py", *SMALL], ["train.py", "-m", *SMALL, "algo=grpo", "seed=0,1"]]
    asked = list[str]()
    while waiting:
        new = [command for command in typed(waiting.pop(0)) if command not in asked]
        assert all(len(command) <= LONGEST for command in new)
        asked += new
        waiting += [shlex.split(command)[1:] for command in new]
    assert {command.split()[1] for command in asked} == {"train.py", "evaluate.py", "-m"}
    assert any(" -m experiment=smoke" in command for command in asked)


def test_what_follows_next_is_read():
    said = "x\nnext    python a.py b\n        python -m c\n\nagain   python d.py    # skips what is finished\nreport  e"
    assert proposed(said) == ["python a.py b", "python -m c", "python d.py"]
