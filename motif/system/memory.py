"""What a lack of memory looks like, on a CPU and on a GPU, and how spare memory is given back.

What to make smaller is known where memory ran out: `generation.decoding` and `training.resume` try again with less
where the result stays the same, else they raise `OutOfMemory`. A process that the kernel kills for its memory is lost.
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
    """Memory ran out, and nothing smaller can be tried. The message names the setting to lower, and a value."""


def ran_out(error: BaseException) -> bool:
    """Whether `error` says that memory ran out, in the words of Python, of the kernel, or of torch on either device."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, RuntimeError):  # torch.OutOfMemoryError is one
        return type(error).__name__ == "OutOfMemoryError" or bool(WORDS.search(str(error)))
    return isinstance(error, MemoryError)


def unless_it_runs_out(work: Callable[..., T], *arguments: Any) -> T | None:
    """What `work` returns for `arguments`; None where memory ran out. The error is dropped with all that it holds."""
    try:
        return work(*arguments)
    except Exception as error:
        if not ran_out(error):
            raise
    release()
    return None


def release() -> None:
    """Give back the memory that nothing refers to."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
