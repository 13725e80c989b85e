"""The result of a run: what summary.json says of it. Whoever reports reads that file, or these words of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from motif.rounds.replies import Sampling
from motif.runs.budget import Budget, Limits, reached
from motif.runs.ledger import Ledger, altogether, memory_kind


def summary_of(
    labels: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    *,
    trained: Callable[[int], Sampling],
    measured: Callable[[int], Sampling],
    flaws: Sequence[str],
    ledger: Ledger,
    budget: Budget,
    limits: Limits,
    elapsed: float,
) -> dict[str, Any]:
    """What summary.json holds of a run.

    Args:
        labels: what the run is of: name, algo, model, dataset, rounds, seed.
        results: its evaluations.
        trained: how the tokens of a round are drawn in training.
        measured: the same in evaluation.
        flaws: names of the published flaws that are on.
        ledger: what the run has spent.
        budget: as the configuration has it.
        limits: the budget in numbers, at which training ends.
        elapsed: seconds from the loading of the policy to the end.
    """
    return {
        **labels,
        "sampling": {
            "training": [stated(trained(round)) for round in (1, 2)],
            "evaluation": [stated(measured(round)) for round in (1, 2)],
        },
        "evaluation": list(results),
        "flaws": list(flaws),
        "compute": {
            "training": ledger.totals(),
            "redone": ledger.redone,
            "evaluation": altogether(found["compute"] for found in results),
            "peak_memory_of": memory_kind(),
        },
        "budget": budget.account(limits, ledger),
        "stopped_by": reached(limits, ledger) or "algo.steps",
        "seconds": ledger.as_dict()["seconds"],
        "elapsed": round(elapsed, 1),
    }


def stated(sampling: Sampling) -> dict[str, Any]:
    """How tokens are drawn, without the seed, which is keyed by step and round."""
    return {key: value for key, value in asdict(sampling).items() if key != "keys"}
