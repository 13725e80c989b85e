"""What was typed wrong is one line that says what is valid. The table of all such mistakes is in test_bad_input.py."""

import re

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import HydraException

from motif.mistakes import check_options, composing, raised_in_hydra, tell
from motif.system.config import CONF


@pytest.fixture
def typed(monkeypatch):
    """What comes of typing these words: the error that Hydra raises."""

    def fault(*words):
        monkeypatch.setattr("sys.argv", ["train.py", *words])
        with initialize_config_dir(str(CONF), version_base="1.3"), pytest.raises(HydraException) as error:
            compose("config", list(words))
        return error.value

    return fault


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["algo=grop"], r"algo must be one of broadcast, .*value, got 'grop', did you mean grpo\?"),
        (["algo.stpes=3"], r"unknown key algo.stpes, did you mean steps\? \(valid: .*steps.*\)"),
        (["algo=grpo", "algo.k=3"], r"unknown key algo.k \(valid: .*micro_batch.*\)"),
        (["x=[1"], r"'x=\[1' is no KEY=VALUE \(.*\); values with spaces or commas are quoted: .*"),
    ],
)
def test_hydras_words_become_one_line_with_what_is_valid(typed, words, said, capsys):
    fault = typed(*words)
    line = composing(fault, "config")
    assert "\n" not in line and re.fullmatch(said, line), line
    tell(fault, "config")
    assert capsys.readouterr().err == f"error: {line}\n"


def test_an_option_that_is_unknown_ends_the_program():
    with pytest.raises(SystemExit, match="error: unrecognized arguments: --nope; settings are typed as KEY=VALUE"):
        check_options(["--nope", "seed=1"])
    check_options(["-m", "seed=1", "--cfg", "job"])


def test_a_fault_is_hydras_where_hydra_raised_it(typed):
    assert raised_in_hydra(typed("algo=nope"))
    try:
        raise ValueError("ours")
    except ValueError as fault:
        assert not raised_in_hydra(fault)


def test_where_the_logs_lie_is_said_of_a_launchers_own_error(tmp_path, capsys):
    error = type("UncompletedJobError", (Exception,), {"__module__": "submitit.core"})
    tell(error("Job 7 has not\nKilled"), "config", tmp_path)
    assert capsys.readouterr().err == (
        f"error: a job's process ended before its work did: Killed (logs lie in {tmp_path})\n"
    )
