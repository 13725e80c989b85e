"""Weights that one of two processes cannot get to its vLLM server: all end with one line, what is done is kept."""

from motif.runs.folder import Run
from tests.support import FEW, ranks

SCRIPT = """
import os, pathlib, sys, threading
import pytest
from trl.generation.vllm_generation import VLLMGeneration
from motif import programs
from motif.generation import vllm_retry
from motif.rounds.replies import EngineLost
from tests.support.vllm_server import without_vllm

what, own, sendings, alive = sys.argv[1], os.environ["RANK"], [], vllm_retry.check_alive

def check(client):
    if len(sendings) == 2 and what == "gone":
        raise EngineLost("the server is gone")
    alive(client)

def send(self):
    sendings.append(1)
    pathlib.Path(f"sent-{own}").write_text(str(len(sendings)))
    if len(sendings) == 3 and own == "0":
        if what == "hang":
            threading.Event().wait()
        raise EngineLost("the server takes no weights")

without_vllm(pytest.MonkeyPatch())
vllm_retry.check_alive, VLLMGeneration.sync_weights = check, send
sys.argv = ["train.py", *sys.argv[2:]]
programs.train()
"""
WORDS = [
    *("name=run", "experiment=smoke", "algo=grpo", "tracking=none", "preflight=false", "algo.m=4", "algo.steps=6"),
    *("algo.questions=2", "rounds=1", "evaluation.before=false", "guard.replies=0", "generation=vllm", *FEW),
    "generation.mode=server",
]


def ended(forks, folder, server, what, *words):
    """What both processes have said at the end of a training whose third sending is no whole one."""
    told = [what, *WORDS, f"generation.base_url={server.url}", *words]
    begun = ranks.begin(forks, 2, SCRIPT, folder, *told)
    statuses = [process.wait()[0] for process in begun]
    errors = [process.errors for process in begun]
    assert statuses == [1, 1] and [each.count("error: ") for each in errors] == [1, 1], errors
    said = [each[each.index("error: ") :] for each in errors]  # torch warns before it
    return (
        said,
        [(folder / f"sent-{rank}").read_text() for rank in (0, 1)],
        Run(folder / "outputs/run").checkpoint().step,
    )


def test_sending_that_does_not_come_to_its_end_ends_all_processes_with_a_line(forks, server, tmp_path):
    (own, other), sent, step = ended(forks, tmp_path, server, "hang", "patience=30", "checkpoint.every=1")
    line = f"error: the vLLM server at generation.base_url={server.url} did not take the weights within 15 s, half of"
    assert f"{line} patience=; start it again, and the same command continues\n" in own
    assert "error: another process ended, or did not answer for 30 s (patience=)" in other
    assert sent[0] == "3" and step == 2


def test_a_server_that_is_gone_is_known_to_all_before_any_begins_to_send(forks, server, tmp_path):
    (own, other), sent, step = ended(forks, tmp_path, server, "gone")
    assert "error: the server is gone; what is done is kept" in own and own == other
    assert sent == ["2", "2"] and step == 2


def test_sending_that_fails_in_one_process_is_the_line_of_both_and_leaves_a_checkpoint(forks, server, tmp_path):
    (own, other), sent, step = ended(forks, tmp_path, server, "fail")
    assert "error: the server takes no weights; what is done is kept" in own and own == other
    assert sent == ["3", "3"] and step == 2
