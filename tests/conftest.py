"""Quiet libraries, no word to the outside, and what the tests of a session share."""

import gc
import os
from types import SimpleNamespace

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models here are small, and two threads wait for each other

import pytest
from hypothesis import settings

from tests.support.forks import Forks

# --hypothesis-profile=
settings.register_profile("quick", max_examples=30, deadline=None, derandomize=True)  # the same examples each time
settings.register_profile("all", max_examples=200, deadline=None, derandomize=True)
settings.register_profile("fuzz", max_examples=2000, deadline=None)
settings.load_profile("quick")


def pytest_collection_modifyitems(items):
    """Whatever begins a program trains or measures a policy, and is no unit test."""
    for item in items:
        if {"forks", "reference"} & set(item.fixturenames):
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
