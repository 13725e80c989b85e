"""Is there room? Memory for gradients, optimiser and copies of the weights, disk for what the run will write."""

import shutil
from pathlib import Path
from typing import Any

from motif.policies.policy import Policy
from motif.policies.weights import free_memory
from motif.training.algorithms import Algorithm
from motif.training.preflight.reply_forms import Check
from motif.training.published import Flaws


def memory(policy: Policy, algorithm: Algorithm, flaws: Flaws, engine: Any) -> tuple[Check, dict[str, int]]:
    """Whether gradients, optimiser and copies of the weights, which lie in memory already, have room beside them.

    A lower bound: activations and the key-value cache come on top. Returns the check, and bytes by what they are for.
    """
    weights, trained = sizes(policy.model)
    adapters = hasattr(policy.model, "peft_config")
    copies = 0 if adapters else (flaws.futures == "base") + bool(algorithm.trainer.get("beta"))
    parts = {"gradients": trained, "optimiser": moments(policy.model, algorithm), "copies": copies * weights}
    device = policy.model.device
    if device.type == "cuda" and getattr(engine, "mode", "") == "colocate":
        import torch

        parts["engine"] = int(engine.memory * torch.cuda.mem_get_info(device)[1])
    need, free = sum(parts.values()), free_memory(device)
    numbers = {"weights": weights, **parts, "needed": need, "free": free}
    if need <= free:
        return Check("memory"), numbers
    listed = ", ".join(f"{part} {size(amount)}" for part, amount in parts.items() if amount)
    helps = ["a smaller model"] if adapters else ["adapters (peft@model.peft=lora)", "a smaller model"]
    helps += ["a lower generation.memory"] if "engine" in parts else []
    where = "GPU" if device.type == "cuda" else "CPU"
    asked = f"training needs {size(need)} of memory beside the weights ({listed})"
    words = f"{asked} and {size(free)} are free on the {where} (model)"
    return Check("memory", words, f"take {' or '.join(helps)}"), numbers


def disk(policy: Policy, algorithm: Algorithm, folder: Path, keep: int, records: int) -> tuple[Check, dict[str, int]]:
    """Whether checkpoints, the policy and records have room. What the run's folder holds already counts as free.

    Args:
        policy: that is saved.
        algorithm: whose optimiser is saved with it.
        folder: of the run.
        keep: checkpoints that are kept. A new one is written before the oldest goes.
        records: bytes of episodes and evaluations.

    Returns:
        The check, and bytes by what they are for.
    """
    weights, trained = sizes(policy.model)
    saved = trained if hasattr(policy.model, "peft_config") else weights
    checkpoint = saved + moments(policy.model, algorithm)
    parts = {"checkpoints": (keep + 1) * checkpoint, "policy": saved, "records": records}
    place = folder.absolute()
    ground = next(each for each in (place, *place.parents) if each.exists())
    held = sum(file.stat().st_size for file in place.rglob("*") if file.is_file()) if place.is_dir() else 0
    need, free = sum(parts.values()), shutil.disk_usage(ground).free + held
    numbers = {**parts, "checkpoint": checkpoint, "needed": need, "free": free}
    if need <= free:
        return Check("disk"), numbers
    listed = f"{keep} + 1 checkpoints of {size(checkpoint)}, policy {size(saved)}, records {size(records)}"
    words = f"{folder} needs {size(need)} ({listed}) and {size(free)} are free on that disk (outputs)"
    helps = "free some, lower checkpoint.keep or record.questions, or choose another outputs="
    return Check("disk", words, helps), numbers


def moments(model: Any, algorithm: Algorithm) -> int:
    """Bytes of Adam's two moments of every trained weight; 0 for other optimisers, some of which keep less."""
    name = str(algorithm.trainer.get("optim") or "adamw_torch")
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    if "adam" not in name:
        return 0
    return sum(2 * weight.numel() * (1 if "8bit" in name else weight.element_size()) for weight in trained)


def sizes(model: Any) -> tuple[int, int]:
    """Bytes of all weights, and of those that are trained."""
    found = [(weight.numel() * weight.element_size(), weight.requires_grad) for weight in model.parameters()]
    return sum(each for each, _ in found), sum(each for each, trained in found if trained)


def size(amount: float) -> str:
    return f"{amount / 2**30:.1f} GiB" if amount >= 2**30 else f"{amount / 2**20:.1f} MiB"
