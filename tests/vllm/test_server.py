"""Rollouts with a vLLM server: `make test-vllm`. Only the sending of weights needs a GPU, and is left out here."""

import os
import socket
import subprocess
import sys
import time

import pytest

pytest.importorskip("vllm")

from trl.generation.vllm_client import VLLMClient
from trl.generation.vllm_generation import VLLMGeneration

from motif.generation.engines import VLLM, Transformers
from motif.policies.pretrained import Pretrained
from motif.rounds.replies import Sampling
from motif.system.errors import UserError
from motif.training.guard import differences

SERVER = """
import runpy
import vllm._custom_ops
vllm._custom_ops._supports_onednn = False
if __name__ == "__main__":
    runpy.run_module("vllm.entrypoints.openai.api_server", run_name="__main__")
"""
TALKS = [[{"role": "user", "content": f"1/1 {n}a-5b*8"}] for n in (1, 1, 1, 2, 2, 3)]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def address(folder, tmp_path_factory):
    """A server that has the policy in `folder`, without weight transfer."""
    place, port = tmp_path_factory.mktemp("server"), free_port()
    (place / "serve.py").write_text(SERVER)
    options = ["--model", folder, "--host", "127.0.0.1", "--port", port, "--dtype", "float32", "--enforce-eager"]
    call = [sys.executable, place / "serve.py", *options, "--logprobs-mode", "processed_logprobs"]
    with (place / "log").open("w") as log:
        process = subprocess.Popen(
            list(map(str, call)), stdout=log, stderr=log, env={**os.environ, "VLLM_SERVER_DEV_MODE": "1"}
        )
        try:
            wait_for(port, process, place / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=60)


def wait_for(port, process, log):
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            return VLLMClient(base_url=f"http://127.0.0.1:{port}")
        except OSError:  # not yet
            time.sleep(1)
    raise AssertionError(log.read_text())


@pytest.fixture
def policy(folder):
    return Pretrained(str(folder)).load()


@pytest.fixture
def generate(address, policy, monkeypatch):
    monkeypatch.setattr(VLLMClient, "init_communicator", lambda *args, **kwargs: None)
    monkeypatch.setattr(VLLMGeneration, "sync_weights", lambda self: None)
    return VLLM(mode="server", base_url=address).generator(policy)


def test_a_server_writes_what_the_policy_writes(generate, policy):
    sampling = Sampling(12, temperature=0.0)
    replies, own = generate(TALKS, sampling), Transformers().generator(policy)(TALKS, sampling)
    for reply, other in zip(replies, own, strict=True):
        assert (reply.text, reply.token_ids, reply.prompt_ids, reply.finished) == (
            *(other.text, other.token_ids, other.prompt_ids, other.finished),
        )
        assert reply.logprobs == pytest.approx(other.logprobs, abs=1e-4)


def test_a_server_honours_each_calls_settings_and_seeds(generate, policy):
    sampling = Sampling(12, 0.8, top_p=0.7, top_k=40)
    replies = generate(TALKS, sampling)
    assert [reply.token_ids for reply in generate(TALKS, sampling)] == [reply.token_ids for reply in replies]
    assert len({tuple(reply.token_ids) for reply in replies}) == 6
    assert max(differences(policy.model, replies, sampling, cut=True)) < 1e-3


def test_a_server_and_an_engine_of_ones_own_draw_the_same(generate, policy):
    sampling = Sampling(12)
    own = VLLM().generator(policy)(TALKS, sampling)
    assert [reply.token_ids for reply in generate(TALKS, sampling)] == [reply.token_ids for reply in own]


def test_a_server_that_cannot_be_sent_weights_is_refused_in_a_line(address, policy):
    with pytest.raises(UserError, match="has no weight-transfer engine") as error:
        VLLM(mode="server", base_url=address).generator(policy)
    assert "\n" not in str(error.value)


def test_a_server_that_is_not_there_is_named(policy):
    with pytest.raises(
        UserError, match="no vLLM server answers at generation.base_url=http://127.0.0.1:9 .*vllm serve"
    ):
        VLLM(mode="server", base_url="http://127.0.0.1:9", wait=0).generator(policy)
