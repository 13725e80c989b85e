"""What is not finite stops a training, before anything of it is kept: a loss, its gradient, or weights.

Nothing mends weights that are not numbers, and every later step and checkpoint would hold them.
"""

from collections.abc import Iterable
from contextlib import contextmanager
from typing import Any

from motif.runs.folder import Run, checkpoints
from motif.runs.watchdogs import place
from motif.system.errors import UserError


class NotFinite(UserError):
    """A training has come to numbers that are none."""


def check_finite(what: str, tensors: Iterable[Any], run: Run, arguments: Any, step: int) -> None:
    """Raise `NotFinite` where one of `tensors` (None: there is none) holds nan, infinity, or what has no finite square.

    One pass over them, and one number handed over by the device.
    """
    import torch

    norm = torch.nn.utils.get_total_norm([tensor for tensor in tensors if tensor is not None])
    if not torch.isfinite(norm):
        raise not_finite(what, run, arguments, step)


def trained(model: Any) -> list[Any]:
    """The weights that training changes."""
    return [weights for weights in model.parameters() if weights.requires_grad]


@contextmanager
def within_range(trainer: Any, run: Run) -> Any:
    """An update whose step is too large for torch to write down becomes a `NotFinite`."""
    try:
        yield
    except RuntimeError as error:
        if "without overflow" not in str(error):
            raise
        raise not_finite("the weights are", run, trainer.args, trainer.state.global_step + 1) from error


def not_finite(what: str, run: Run, arguments: Any, step: int) -> NotFinite:
    """The error of `step`, in which `what` was not finite: what is kept, and what to try."""
    found = checkpoints.steps(run.checkpoints)
    kept = f"the newest checkpoint is {run.checkpoints}/checkpoint-{found[0]}" if found else "there is no checkpoint"
    return NotFinite(
        f"step {step}: {what} not finite, and nothing of this step is kept ({kept}); the same command would come to "
        f"the same: lower algo.trainer.learning_rate ({arguments.learning_rate:g}) or algo.trainer.max_grad_norm "
        f"({arguments.max_grad_norm:g}); see {place('not finite')}"
    )
