"""Dropout and other noise that a model has in training alone: what is drawn is not what is trained then."""

from collections.abc import Iterator
from typing import Any

ADAPTERS = "lora_dropout"  # peft's, which `model.peft` asks for


def noises(model: Any) -> Iterator[tuple[Any, str, str]]:
    """Each place of `model` that holds a rate of noise above 0: the module, its attribute, and the name of both."""
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            rate = name == "p" and "dropout" in type(module).__name__.lower()
            if isinstance(value, float) and value > 0 and (rate or "drop" in name or "jitter" in name):
                yield module, name, f"{path}.{name}"


def silence(model: Any) -> None:
    """Turn off the dropout that the model comes with. That of adapters was asked for and stays."""
    for module, name, path in noises(model):
        if ADAPTERS not in path:
            setattr(module, name, 0.0)


def heard(model: Any) -> dict[str, float]:
    """The highest rate of what noise training has: that of adapters by `model.peft.lora_dropout`, the model's own by
    `algo.trainer.disable_dropout`."""
    rates: dict[str, float] = {}
    for module, name, path in noises(model):
        setting = f"model.peft.{ADAPTERS}" if ADAPTERS in path else "algo.trainer.disable_dropout"
        rates[setting] = max(rates.get(setting, 0.0), getattr(module, name))
    return rates
