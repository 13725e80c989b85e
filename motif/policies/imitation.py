"""Imitation: a model learns to write given replies to given prompts. It knows token ids and no text."""

import math
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any

Report = Callable[[int, int, dict[str, float]], None]  # (step, steps, metrics)
MOMENTUM = 0.95
QUINTIC = (3.4445, -4.7750, 2.0315)  # of Newton and Schulz's iteration, as Jordan et al. have it


def imitate(
    model: Any,
    batches: Iterator[list[tuple[list[int], list[int]]]],
    steps: int,
    rate: float,
    pad_id: int,
    report: Report | None = None,
) -> list[dict[str, float]]:
    """Minimise the loss a token of the replies in `steps` batches of (prompt ids, reply ids).

    Muon (Jordan et al. 2024) trains the weights inside the layers, AdamW the rest at a third of the rate. With AdamW
    alone the tiny policy needs more than twice as many demonstrations to find a step by its label. Both rates rise over
    a twentieth of the steps, then fall by a cosine to a twentieth.

    Returns:
        The mean loss of every ten steps.
    """
    import torch
    from torch.nn.utils.rnn import pad_sequence

    inner = [weight for name, weight in model.named_parameters() if ".layers." in name and weight.ndim == 2]
    others = [weight for name, weight in model.named_parameters() if ".layers." not in name or weight.ndim != 2]
    momenta = [torch.zeros_like(weight) for weight in inner]
    adamw = torch.optim.AdamW(others, betas=(0.9, 0.98), weight_decay=0.0)
    losses: list[float] = []
    curve = []
    model.train()
    for step in range(1, steps + 1):
        rows = next(batches)
        texts = [torch.tensor(prompt + reply) for prompt, reply in rows]
        targets = [torch.tensor([-100] * len(prompt) + reply) for prompt, reply in rows]
        ids = pad_sequence(texts, batch_first=True, padding_value=pad_id)
        labels = pad_sequence(targets, batch_first=True, padding_value=-100)
        loss = model(input_ids=ids, labels=labels).loss  # padding follows the text, so causality hides it
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        now = rate * min(1.0, 20 * step / steps) * (0.05 + 0.95 * (1 + math.cos(math.pi * step / steps)) / 2)
        for weight, momentum in zip(inner, momenta, strict=True):
            momentum.lerp_(weight.grad, 1 - MOMENTUM)
            direction = orthogonal(weight.grad.lerp(momentum, MOMENTUM))
            weight.data.add_(direction, alpha=-now * 0.2 * math.sqrt(max(weight.shape)))  # as long as a step of AdamW
        adamw.param_groups[0]["lr"] = now / 3
        adamw.step()
        model.zero_grad()
        losses.append(loss.item())
        if step % 10 == 0 or step == steps:
            mean = fmean(losses[-10:])
            curve.append({"step": step, "loss": round(mean, 4)})
            if report:
                report(step, steps, {"loss": mean})
    model.eval()
    return curve


def orthogonal(matrix: Any) -> Any:
    """About the nearest matrix with orthonormal rows or columns, by five steps of Newton and Schulz.

    `torch.optim.Muon` does this in bfloat16, which takes most of a step's time on processors without it.
    """
    a, b, c = QUINTIC
    wide = matrix.shape[0] <= matrix.shape[1]
    found = (matrix if wide else matrix.T) / (matrix.norm() + 1e-7)
    for _ in range(5):
        square = found @ found.T
        found = a * found + (b * square + c * square @ square) @ found
    return found if wide else found.T
