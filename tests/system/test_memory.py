"""Memory that ran out is told from other errors by whatever says so; what needs less is then tried by others."""

import pytest
import torch

from motif.system.memory import ran_out, unless_it_runs_out

ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has"),
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to"),
    OSError(12, "Cannot allocate memory"),
]
OTHERS = [RuntimeError("a bug"), OSError(28, "No space left on device"), ValueError("memory")]


def failing(error):
    raise error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_memory_that_ran_out_is_known_by_whatever_says_so(error):
    assert ran_out(error) and unless_it_runs_out(failing, error) is None


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: type(error).__name__)
def test_what_is_another_error_is_not_taken_for_it(error):
    assert not ran_out(error)
    with pytest.raises(type(error)):
        unless_it_runs_out(failing, error)


def test_what_works_is_returned_with_its_arguments():
    assert unless_it_runs_out(divmod, 7, 2) == (3, 1)
