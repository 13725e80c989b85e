"""motif: experiments with language models that think in rounds.

    import motif
    run = motif.train("rounds=3", "algo=motif", steps=20)
    motif.evaluate(run, rounds=2)
    motif.solve(run, "9a-5b*8c+7")
    motif.report("outputs/*")
    motif.load("outputs/*").metrics

Importing it loads no library; the functions stand in `motif.api`.
"""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motif.api import evaluate, load, report, solve, train
    from motif.system.errors import UserError

__version__ = "0.2.0"
__all__ = ["UserError", "evaluate", "load", "report", "solve", "train"]

os.environ.setdefault("DO_NOT_TRACK", "1")  # or TRL, at each training, and vLLM, at each start, would tell their makers
os.environ.setdefault("USE_HUB_KERNELS", "NO")  # or transformers would fetch code, where `kernels` is there


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'motif' has no attribute {name!r}")
    from motif import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
