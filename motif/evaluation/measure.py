"""One measurement of a policy: a data set, a number of rounds, the records it leaves and the result they come to.

Training, `evaluate.py` and validation during training measure by this one function.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from motif.evaluation.evaluate import Evaluation, Grade, evaluate
from motif.evaluation.results import disagreements, result_of
from motif.policies.policy import Policy
from motif.rounds.episode import Episode
from motif.rounds.replies import Generate
from motif.runs.ledger import Ledger, forget_peak, of_evaluation
from motif.system import console, processes
from motif.system.files import read_json, write_json
from motif.tasks.questions import Question, fingerprint


class Measurement(NamedTuple):
    """What is to be measured: `policy` (base or trained) on the data set called `dataset`, in `episode`."""

    policy: str
    dataset: str
    episode: Episode
    questions: Sequence[Question]

    @property
    def name(self) -> str:
        """Of the file of its records."""
        return f"{self.policy}-{self.dataset}-r{self.episode.rounds}"


def measure(
    questions: Sequence[Question],
    episode: Episode,
    policy: Policy,
    generate: Generate,
    settings: Evaluation,
    file: Path,
    *,
    seed: int,
    marks: Grade,
    ledger: Ledger,
    phase: str = "evaluation",
    title: str | None = None,
) -> dict[str, Any]:
    """The result of a policy on `questions`, by the records in `file`, which is made or completed.

    Args:
        questions: one record each.
        episode: in which they are answered.
        policy: whose tokenizer reads the replies, and whose size gives the FLOPs.
        generate: its generator.
        settings: samples, temperature and batch.
        file: of records, a JSONL. A result that lies beside it, as JSON, says what was spent before.
        seed: of draws.
        marks: grades trees in place.
        ledger: which counts the seconds.
        phase: of the ledger, that they count as.
        title: of the progress bar; None for none.

    Returns:
        Accuracy with its interval, rates and tokens (`results.result_of`), the episode's `budget` in tokens, `compute`
        (tokens, FLOPs, seconds), and `disagreeing`: samples that two graders judge differently.
    """
    before = ledger.seconds[phase] - seconds_of(file.with_suffix(".json"))
    bar = console.progress(title or "", len(questions) if title else 0)
    with ledger.phase(phase), bar as report:
        heard = report if title else None
        records = evaluate(questions, episode, generate, policy.tokenizer, settings, file, seed, phase, heard, marks)
    return {
        "budget": episode.budget(),
        **result_of(records),
        "compute": of_evaluation(records, policy.model, ledger.seconds[phase] - before),
        "disagreeing": disagreements(records),
    }


def measure_all(
    measurements: Sequence[Measurement],
    policy: Policy,
    generate: Generate,
    settings: Evaluation,
    folder: Path,
    *,
    seed: int,
    marks: Grade,
    grader: str,
    ledger: Ledger,
) -> list[dict[str, Any]]:
    """The results of one policy after another measurement, kept in `folder` as a JSONL of records and a JSON each.

    Args: as of `measure`; `grader` is the name of what grades.

    Returns:
        A result a measurement, without `disagreeing`, which the JSON alone has.
    """
    results = []
    for each in measurements:
        rounds, file = each.episode.rounds, folder / f"{each.name}.jsonl"
        forget_peak()
        found = measure(
            each.questions,
            each.episode,
            policy,
            generate,
            settings,
            file,
            seed=seed,
            marks=marks,
            ledger=ledger,
            title=title_of(each.dataset, rounds, each.policy),
        )
        labels = {"policy": each.policy, "dataset": each.dataset, "split": settings.split, "rounds": rounds}
        result = {**labels, "rows": fingerprint(each.questions), "grader": grader, **found}
        if processes.first():
            write_json(file.with_suffix(".json"), result)
        results.append({key: value for key, value in result.items() if key != "disagreeing"})
    return results


def seconds_of(result: Path) -> float:
    """Seconds of the evaluation whose result lies there, made before this process; 0 where none does."""
    return read_json(result).get("compute", {}).get("seconds", 0.0) if result.is_file() else 0.0


def title_of(dataset: str, rounds: int, policy: str = "") -> str:
    """`trained, chain, 3 rounds`, as the title of a progress bar."""
    return ", ".join(filter(None, (policy, dataset, f"{rounds} round{'s' * (rounds > 1)}")))
