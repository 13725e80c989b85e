"""Memory and disk are compared with what the run will need, part by part."""

import os
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from motif.generation.engines import VLLM
from motif.policies.tiny import Tiny
from motif.training import MOTIF, Flaws
from motif.training.preflight import room
from tests.support.experiments import TOYS, made, refused


@pytest.fixture(scope="module")
def policy():
    return Tiny().load()


def test_memory_is_that_of_gradients_optimiser_and_copies(policy, monkeypatch):
    found = made().checks(TOYS, {"toy": TOYS}).check(policy)["numbers"]["memory"]
    weights = sum(weight.numel() for weight in policy.model.parameters())
    assert found["gradients"] == 4 * weights and found["optimiser"] == 8 * weights and found["copies"] == 0
    copies = made("flaws.futures=base").checks(TOYS, {"toy": TOYS}).check(policy)["numbers"]["memory"]["copies"]
    assert copies == 4 * weights
    lean = made("algo.trainer.optim=adamw_8bit").checks(TOYS, {"toy": TOYS}).check(policy)["numbers"]["memory"]
    assert lean["optimiser"] == 2 * weights
    monkeypatch.setattr(room, "free_memory", lambda device: 2**20)
    line = refused(made(), policy)
    assert "training needs 11.9 MiB of memory beside the weights (gradients 4.0 MiB, optimiser 8.0 MiB)" in line
    assert "1.0 MiB are free on the CPU" in line and "peft@model.peft=lora" in line


def test_on_a_gpu_the_share_of_a_colocated_engine_is_counted(policy, monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * 2**30, 8 * 2**30))
    model = SimpleNamespace(parameters=policy.model.parameters, device=torch.device("cuda"))
    on_gpu = replace(policy, model=model)
    found, numbers = room.memory(on_gpu, MOTIF(), Flaws(), VLLM(memory=0.3))
    assert numbers["engine"] == int(0.3 * 8 * 2**30) and numbers["free"] == 2 * 2**30
    assert "engine 2.4 GiB" in found.wrong and "2.0 GiB are free on the GPU" in found.wrong
    assert "a lower generation.memory" in found.remedy
    assert not room.memory(on_gpu, MOTIF(), Flaws(), VLLM(memory=0.1))[0].wrong


def test_disk_is_that_of_checkpoints_policy_and_records(policy, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(free=10 * 2**20))
    experiment = made(f"outputs={tmp_path}")
    line = refused(experiment, policy)
    assert "(2 + 1 checkpoints of 11.9 MiB, policy 4.0 MiB, records" in line and "10.0 MiB are free" in line
    assert "lower checkpoint.keep" in line and "choose another outputs=" in line
    (tmp_path / "x/checkpoints").mkdir(parents=True)
    (tmp_path / "x/checkpoints/old").write_bytes(b"0")
    os.truncate(tmp_path / "x/checkpoints/old", 50 * 2**20)  # what the run holds already is not needed again
    assert experiment.checks(TOYS, {"toy": TOYS}).check(policy, continues=True)


def test_adam_keeps_two_moments_of_each_trained_weight_and_other_optimisers_are_not_guessed(policy):
    trained = sum(weight.numel() for weight in policy.model.parameters())
    assert room.moments(policy.model, MOTIF()) == 2 * 4 * trained
    assert room.moments(policy.model, MOTIF(trainer={"optim": "adamw_8bit"})) == 2 * trained
    assert room.moments(policy.model, MOTIF(trainer={"optim": "sgd"})) == 0
    assert room.sizes(policy.model) == (4 * trained, 4 * trained)
