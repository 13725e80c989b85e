"""Quiet libraries, and no word to the outside."""

import os

os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # the models here are small, and two threads wait for each other

import pytest

from tests.forks import Forks


@pytest.fixture(scope="session")
def forks():
    """What begins runs of train.py quickly."""
    server = Forks()
    yield server
    server.close()
