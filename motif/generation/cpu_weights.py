"""Weights of bfloat16 as oneDNN lays them out, for decoding on an x86 CPU. In float32 that gains nothing.

Plain LoRA adapters are computed in the precision of the layer that they adapt, as training under autocast computes
them, and added by the same matrix product.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from platform import machine
from typing import Any

import torch

from motif.generation import private

ROWS = 32  # that weights are laid out for; one number, so that a reply does not depend on the size of its batch
LEAST = 2**24  # weights of a model that this pays for
MOST = 2**30  # bytes of a copy that are taken for it
X86 = machine() in ("x86_64", "AMD64") and private.onednn_bfloat16()

Product = Callable[..., torch.Tensor]


@contextmanager
def laid_out(model: Any) -> Iterator[None]:
    """Within the block the linear layers of `model` compute with a copy of their weights, laid out by oneDNN.

    Nothing changes but rounding. It is left out on a GPU, on a CPU that has no bfloat16 for oneDNN, where a layer is
    not of bfloat16, for models below `LEAST` weights, and for those whose copy would take more than `MOST` bytes.
    """
    named = [(name, layer) for name, layer in model.named_modules() if "forward" not in vars(layer)]
    layers = [layer for name, layer in named if type(layer) is torch.nn.Linear and ".lora_" not in name]
    weights = [layer.weight for layer in layers if layer.weight.dtype == torch.bfloat16]
    pays = sum(map(torch.numel, weights)) >= LEAST and sum(each.nbytes for each in weights) <= MOST
    if not (X86 and pays and model.device.type == "cpu" and len(weights) == len(layers)):
        yield
        return
    made: dict[Any, Product] = {layer: product(layer.weight, layer.bias) for layer in layers}
    for _, layer in named:
        if (parts := adapter(layer)) and layer.base_layer in made:
            made[layer] = adapted(made[layer.base_layer], *parts)
    for layer, forward in made.items():
        layer.forward = forward
    try:
        yield
    finally:
        for layer in made:
            del layer.forward


def product(weight: torch.Tensor, bias: torch.Tensor | None) -> Product:
    """`torch.nn.functional.linear` with this weight; a second argument is added to it."""
    return private.onednn_linear(weight.detach(), None if bias is None else bias.detach(), ROWS)


def adapter(layer: Any) -> tuple[Any, Any] | None:
    """The two matrices of the plain LoRA adapter that `layer` adds, the second scaled; None where there is none, or
    where it is of another kind."""
    from peft.tuners.lora.layer import Linear

    if type(layer) is not Linear or layer.disable_adapters or layer.merged or layer.fan_in_fan_out:
        return None
    active = [name for name in layer.active_adapters if name in layer.lora_A]
    if len(active) != 1 or layer.lora_variant.get(active[0]) or layer.lora_bias.get(active[0]):
        return None
    down: Any = layer.lora_A[active[0]]
    up: Any = layer.lora_B[active[0]]
    dtype = layer.get_base_layer().weight.dtype
    return down.weight.to(dtype), (up.weight * layer.scaling[active[0]]).to(dtype)


def adapted(base: Product, down: torch.Tensor, up: torch.Tensor) -> Product:
    """`base` with the adapter of these two matrices."""
    into, out = product(down, None), product(up, None)
    return lambda x: out(into(x), base(x))
