"""How many rows of training fit the memory of a GPU: measured on the model itself, not guessed from its shape."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from motif.generation import private
from motif.policies.policy import Policy
from motif.rounds.episode import Episode
from motif.system import UserError, processes
from motif.tasks.questions import Question
from motif.training.algorithms import Algorithm

SPARE = 0.85  # of free memory that a step may take; the rest is for what a trial does not see


def fitted(
    algorithm: Algorithm,
    policy: Policy,
    episode: Episode,
    questions: Sequence[Question],
    bf16: bool,
    checkpointing: bool,
) -> Algorithm:
    """`algorithm` with the micro-batch that fits the memory of a GPU, by its longest prompts and whole windows."""
    longest = sorted(questions, key=lambda question: len(question.text))[-8:]
    prompts = policy.render([episode.conversation(question, 1, None) for question in longest])
    trained = algorithm.trained_rounds(episode.rounds)
    windows = [episode.sampling(round).tokens for round in range(1, trained + 1)]
    rows = algorithm.questions * algorithm.m * trained // processes.count()
    prompt = max(map(len, prompts)) + (episode.carry.most(windows[:-1]) if trained > 1 else 0)
    return replace(algorithm, micro_batch=micro_batch(policy.model, rows, prompt, max(windows), bf16, checkpointing))


def micro_batch(
    model: Any, rows: int, prompt: int, completion: int, bf16: bool = True, checkpointing: bool = False
) -> int:
    """The largest divisor of `rows` whose forward and backward pass fits the free memory of `model`'s GPU.

    A pass over one row and one over two, of `prompt` + `completion` tokens each, give the memory of a row and what is
    needed besides. `bf16` and `checkpointing` say how the trainer will do it. Room is left for the optimiser's two
    moments of every trained weight. Weights, gradients and random states are left as they were; processes agree on the
    least. On a CPU it is `rows`.
    """
    import torch

    if model.device.type != "cuda" or rows == 1:
        return rows
    if checkpointing:
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    try:
        peaks = [_peak(model, size, prompt, completion, bf16) for size in (1, 2)]
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        raise UserError(
            f"one row of {prompt} + {completion} tokens does not fit the GPU's memory in training; "
            "lower episode.tokens, take a smaller model, or set model.gradient_checkpointing=true"
        ) from None
    a_row = max(peaks[1] - peaks[0], 1)
    free, _ = torch.cuda.mem_get_info(model.device)
    moments = sum(8 * weight.numel() for weight in model.parameters() if weight.requires_grad)
    fitting = int((SPARE * free - moments - (peaks[0] - a_row)) // a_row)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        least = torch.tensor(fitting, device=model.device)
        torch.distributed.all_reduce(least, torch.distributed.ReduceOp.MIN)
        fitting = int(least)
    return max(size for size in range(1, rows + 1) if rows % size == 0 and size <= max(fitting, 1))


def _peak(model: Any, rows: int, prompt: int, completion: int, bf16: bool) -> int:
    """Bytes that a forward and backward pass of `rows` rows takes at its peak, beyond what lay there before."""
    import torch

    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(model.device)
    before = torch.cuda.memory_allocated(model.device)
    training = model.training
    model.train()
    kept = [weight.grad for weight in model.parameters()]
    ids = torch.zeros(rows, prompt + completion, dtype=torch.long, device=model.device)
    try:
        with torch.random.fork_rng(devices=[model.device]), torch.autocast("cuda", dtype=torch.bfloat16, enabled=bf16):
            logits = model(input_ids=ids, logits_to_keep=completion + 1, use_cache=False).logits[:, :-1]
            private.selected(logits, ids[:, -completion:]).sum().backward()
        return torch.cuda.max_memory_allocated(model.device) - before
    finally:
        for weight, grad in zip(model.parameters(), kept, strict=True):
            weight.grad = grad
        model.train(training)
        del ids
        torch.cuda.empty_cache()
