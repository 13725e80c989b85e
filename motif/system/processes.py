"""Several processes of one training, as torchrun starts them: all compute, the first alone writes."""

import os
from typing import Any


def count() -> int:
    return int(os.environ.get("WORLD_SIZE", 1))


def index() -> int:
    """The number of this process, from 0."""
    return int(os.environ.get("RANK", 0))


def first() -> bool:
    """Whether this is the one that writes: folders, records, what a person sees."""
    return os.environ.get("RANK", "0") == "0"


def wait() -> None:
    """Wait until all have come here."""
    if count() > 1:
        from accelerate import PartialState

        PartialState().wait_for_everyone()


def of_all(value: Any) -> list[Any]:
    """The values of all processes for this one's, in their order."""
    if count() == 1:
        return [value]
    from accelerate.utils import gather_object

    return list(gather_object([value]))


def of_first(value: Any) -> Any:
    """The first process's value."""
    if count() == 1:
        return value
    from accelerate.utils import broadcast_object_list

    return broadcast_object_list([value])[0]
