"""Quiet libraries, no word to the outside, and what the tests of a session share."""

import gc
import os
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")
os.environ["COLUMNS"] = "120"  # of what is printed into a pipe
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models here are small, and two threads wait for each other

import pytest
from hypothesis import settings

from tests.support.forks import Forks

# --hypothesis-profile=
settings.register_profile("quick", max_examples=30, deadline=None, derandomize=True)  # the same examples each time
settings.register_profile("all", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("fuzz", max_examples=2000, deadline=None)
settings.load_profile("quick")


NO_UNITS = {  # files of tests that train, measure, draw, simulate studies or compose configurations by the hundred
    *("test_api.py", "test_bad_input.py", "test_choices.py", "test_conf.py", "test_contributing.py"),
    *("test_every_algorithm.py", "test_forecast.py", "test_hostile.py", "test_planning.py", "test_presets.py"),
    *("evaluation/probe/test_program.py", "evaluation/test_power.py", "evaluation/test_program.py"),
    *("evaluation/test_significance.py", "faults/test_grader.py", "faults/test_memory.py"),
    *("generation/test_decoding.py", "generation/test_vllm_retry.py", "policies/test_pretrained.py"),
    *("reporting/pictures/test_draw.py", "runs/tracking/test_base.py", "runs/tracking/test_wandb.py"),
    *("training/preflight/test_check.py", "training/test_objective.py"),
}


def pytest_collection_modifyitems(items):
    """Whatever begins a program trains or measures a policy, and is no unit test."""
    for item in items:
        file = item.path.relative_to(Path(__file__).parent).as_posix()
        if file in NO_UNITS or {"forks", "reference"} & set(item.fixturenames):
            item.add_marker("program")


def pytest_collection_finish():
    """A training collects garbage, and would look through all that the libraries have loaded each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def forks():
    """What begins runs of train.py quickly."""
    server = Forks()
    yield server
    server.close()


@pytest.fixture(scope="session")
def reference(tmp_path_factory):
    """A training that nothing disturbed, to hold others against: its `folder`, and the `result` it came to."""
    from tests.support.training import reference

    folder = tmp_path_factory.mktemp("reference") / "run"
    return SimpleNamespace(folder=folder, result=reference(folder))


@pytest.fixture
def server(monkeypatch):
    """A server that answers as vLLM's does, with words of the tiny policy, and TRL's client for it without vLLM."""
    from motif.policies.tiny import Tiny
    from tests.support.vllm_server import VLLMServer, without_vllm

    without_vllm(monkeypatch)
    tokenizer = Tiny().load().tokenizer
    found = VLLMServer(tokenizer("9a-5b*8")["input_ids"], tokenizer.eos_token_id)
    yield found
    found.close()


@pytest.fixture
def wandb_server(monkeypatch):
    """A server that this process's wandb takes for its own."""
    import wandb
    from tests.support.wandb_server import Server

    wandb.teardown()
    with Server() as running:
        monkeypatch.setenv("WANDB_BASE_URL", running.url)
        monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
        monkeypatch.delenv("WANDB_MODE")
        yield running
        wandb.teardown()
