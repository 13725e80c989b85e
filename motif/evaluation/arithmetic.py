"""In which arithmetic a policy is measured: as it is saved, or in one that no batch can change.

Rounding depends on the shapes of a batch, on the type of the weights, on the attention and on the engine; near a tie a
token does too. So a result says what it was measured in.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from motif.evaluation.evaluate import Evaluation
from motif.generation import Transformers, private
from motif.policies.policy import Policy
from motif.rounds import Generate
from motif.system import UserError, processes


@contextmanager
def as_measured(policy: Policy, generate: Generate, deterministic: bool) -> Iterator[Generate]:
    """Within the block the policy computes as it is saved, without the autocast of training.

    Args:
        policy: whose model may be in training.
        generate: its generator.
        deterministic: within the block its weights are float32, and the generator is another one, which writes one
            reply at a time: then every shape is that of the reply alone, whatever else is asked with it.

    Yields:
        The generator to measure with.

    Raises:
        UserError: quantised weights cannot be float32.
    """
    lifted = in_float32(policy.model) if deterministic else nullcontext()
    with private.without_autocast(policy.model), lifted:
        yield Transformers().generator(policy, alone=True) if deterministic else generate


@contextmanager
def in_float32(model: Any) -> Iterator[None]:
    """Within the block, all weights of `model` are float32. After it they are what they were, in the same memory."""
    import torch

    if getattr(model, "is_quantized", False):
        raise UserError("evaluation.deterministic=true computes in float32: it needs model.quantization=null")
    lower = [each for each in (*model.parameters(), *model.buffers()) if each.dtype in (torch.bfloat16, torch.float16)]
    kept, attention = [each.data for each in lower], private.attention(model)
    if attention.startswith("flash"):  # it knows no float32
        private.set_attention(model, "sdpa")
    for each in lower:
        each.data = each.data.float()
    try:
        yield
    finally:
        for each, data in zip(lower, kept, strict=True):
            each.data = data
        private.set_attention(model, attention)


def arithmetic_of(policy: Policy, settings: Evaluation, engine: str) -> dict[str, Any]:
    """What a result was computed in: weights' type, attention, engine, device, episodes in a call, and the processes
    that divided it, where there were several."""
    model = policy.model
    if settings.deterministic:
        return {"dtype": "float32", "engine": "transformers", "device": model.device.type, "deterministic": True}
    dtype, attention = str(model.dtype).removeprefix("torch."), private.attention(model)
    said = {"dtype": dtype, "attention": attention, "engine": engine, "device": model.device.type}
    shares = processes.count()
    return {**said, "batch": settings.batch, **({"processes": shares} if shares > 1 else {})}
