"""vLLM on a CPU, and a small random policy whose shapes its CPU kernels know."""

import functools
import os

import pytest

from tests.support.toys import random_qwen

os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")


@pytest.fixture(scope="module", autouse=True)
def on_a_cpu():
    """Engines in the model's own type, without compilation; and not every CPU has the instructions of oneDNN."""
    import vllm._custom_ops
    from trl.generation import vllm_generation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vllm._custom_ops, "_supports_onednn", False)
        plain = functools.partial(vllm_generation.LLM, dtype="float32", enforce_eager=True)
        patch.setattr(vllm_generation, "LLM", plain)
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A policy saved as a user's model would be."""
    path, policy = tmp_path_factory.mktemp("policy"), random_qwen()
    policy.model.save_pretrained(path)
    policy.tokenizer.save_pretrained(path)
    return path
