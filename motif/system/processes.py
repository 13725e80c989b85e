"""Several processes of one training, as torchrun starts them. All of them compute, and only the first one writes."""

import os
from typing import Any


def count() -> int:
    """The number of processes."""
    return int(os.environ.get("WORLD_SIZE", 1))


def index() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", 0))


def first() -> bool:
    """Whether this process writes: folders, records, and what a person sees."""
    return os.environ.get("RANK", "0") == "0"


def wait() -> None:
    """Wait until all processes are here."""
    if count() > 1:
        joined().wait_for_everyone()


def joined() -> Any:
    """The group of all processes, which this one joins. On its own accelerate begins none where there is no device."""
    import torch
    from accelerate import PartialState

    return PartialState(cpu=not torch.accelerator.is_available())


def of_all(value: Any) -> list[Any]:
    """The values of all processes, in their order, given this one's."""
    if count() == 1:
        return [value]
    from accelerate.utils import gather_object

    joined()
    return list(gather_object([value]))


def of_first(value: Any) -> Any:
    """The first process's value."""
    return of_all(value)[0]
