"""The result of a run: what summary.json says of it. Whoever reports reads that file, or these words of it."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from motif.rounds.replies import Sampling
from motif.runs.budget import Limits, reached
from motif.runs.ledger import Ledger, altogether, memory_kind

if TYPE_CHECKING:
    from motif.experiment import Experiment


def summary_of(
    experiment: "Experiment", results: list[dict[str, Any]], ledger: Ledger, elapsed: float, limits: Limits
) -> dict[str, Any]:
    """What summary.json holds of a run with these `results` that took `elapsed` seconds."""
    measured, spent = experiment.evaluation.sampling(experiment.episode, experiment.seed), ledger.as_dict()
    trained = experiment.flaws.training_episode(experiment.episode)
    return {
        "name": experiment.name,
        "algo": experiment.algo.name,
        "model": experiment.model.name,
        "dataset": experiment.dataset.name,
        "rounds": experiment.rounds,
        "seed": experiment.seed,
        "sampling": {
            "training": [stated(trained.sampling(round)) for round in (1, 2)],
            "evaluation": [stated(measured(round)) for round in (1, 2)],
        },
        "evaluation": results,
        "flaws": experiment.flaws.on(),
        "compute": {
            "training": ledger.totals(),
            "redone": ledger.redone,
            "evaluation": altogether(found["compute"] for found in results),
            "peak_memory_of": memory_kind(),
        },
        "budget": experiment.budget.account(limits, ledger),
        "stopped_by": reached(limits, ledger) or "algo.steps",
        "seconds": spent["seconds"],
        "elapsed": round(elapsed, 1),
    }


def stated(sampling: Sampling) -> dict[str, Any]:
    """How tokens were drawn, without the seed, which is keyed by step and round."""
    return {key: value for key, value in asdict(sampling).items() if key not in ("seed", "first")}
