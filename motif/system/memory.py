"""Memory that runs out: how it is told from other errors, on a CPU and on a GPU, and how what is spare is given back.

What to make smaller is known where it ran out: `decoding` and `resuming` try again with less where the result stays
the same, and else raise `OutOfMemory`. A process that the kernel kills for its memory cannot be helped here.
"""

import errno
import gc
import re
from collections.abc import Callable
from typing import Any, TypeVar

from motif.system.errors import UserError

WORDS = re.compile(r"out of memory|(allocate|not enough) memory|bad_alloc|ALLOC_FAILED", re.IGNORECASE)

T = TypeVar("T")


class OutOfMemory(UserError):
    """Memory ran out, and nothing smaller can be tried; the message names what to set lower, and to what."""


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that memory ran out: Python's, the kernel's, or torch's words on either device."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, RuntimeError):  # torch.OutOfMemoryError is one
        return type(error).__name__ == "OutOfMemoryError" or bool(WORDS.search(str(error)))
    return isinstance(error, MemoryError)


def unless_it_runs_out(work: Callable[..., T], *arguments: Any) -> T | None:
    """What `work` returns for `arguments`; None where memory ran out: the error is let go, with all it holds."""
    try:
        return work(*arguments)
    except Exception as error:
        if not ran_out(error):
            raise
    release()
    return None


def release() -> None:
    """Give back what nothing refers to any more."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
