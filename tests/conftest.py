"""Quiet libraries, and no word to the outside."""

import os

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models here are small, and two threads wait for each other

import pytest
from hypothesis import settings

from tests.support.forks import Forks

settings.register_profile("suite", max_examples=100, deadline=None, derandomize=True)  # the same examples each time
settings.register_profile("fuzz", max_examples=2000, deadline=None)  # --hypothesis-profile=fuzz
settings.load_profile("suite")


@pytest.fixture(scope="session")
def forks():
    """What begins runs of train.py quickly."""
    server = Forks()
    yield server
    server.close()
