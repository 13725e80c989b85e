"""One measurement of a policy: a data set, a number of rounds, the records it leaves and the result they come to.

Training, `evaluate.py` and validation during training measure by this one class.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from motif.evaluation.arithmetic import arithmetic_of, as_measured
from motif.evaluation.evaluate import Evaluation, Grade, evaluate
from motif.evaluation.results import disagreements, result_of
from motif.evaluation.wording import in_rounds
from motif.policies.policy import Policy
from motif.rounds import Episode, Generate
from motif.runs.ledger import Ledger, forget_peak, of_evaluation
from motif.system import console, processes, read_json, write_json
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


@dataclass(frozen=True)
class Measurer:
    """Measures one policy.

    Attributes:
        policy: its tokenizer reads the replies, and its size gives the FLOPs.
        generate: its generator.
        settings: samples, temperature and batch.
        seed: of draws.
        marks: grades trees in place.
        ledger: counts the seconds.
    """

    policy: Policy
    generate: Generate
    settings: Evaluation
    seed: int
    marks: Grade
    ledger: Ledger

    def measure(
        self, questions: Sequence[Question], episode: Episode, file: Path, title: str = "", phase: str = "evaluation"
    ) -> dict[str, Any]:
        """The result on `questions`, answered in `episode`, by the records in `file`, which is made or completed.

        Args:
            questions: one record each.
            episode: in which they are answered.
            file: of records, a JSONL. A result that lies beside it, as JSON, says what was spent before.
            title: of the progress bar; there is none without a title.
            phase: of the ledger, that the seconds count as.

        Returns:
            Accuracy with its interval, rates and tokens (`results.result_of`), the episode's `budget` in tokens,
            `compute` (tokens, FLOPs, seconds), and `disagreeing`: samples that two graders judge differently.
        """
        before = self.ledger.seconds[phase] - seconds_of(file.with_suffix(".json"))
        bar = console.progress(title, len(questions) if title else 0)
        how = (self.policy.tokenizer, self.settings, file, self.seed, phase)
        measured = as_measured(self.policy, self.generate, self.settings.deterministic)
        with self.ledger.phase(phase), bar as report, measured as generate:
            records = evaluate(questions, episode, generate, *how, report if title else None, self.marks)
        return {
            "budget": episode.budget(),
            **result_of(records),
            "compute": of_evaluation(records, self.policy.model, self.ledger.seconds[phase] - before),
            "disagreeing": disagreements(records),
        }

    def measure_all(
        self, measurements: Sequence[Measurement], folder: Path, grader: str, engine: str
    ) -> list[dict[str, Any]]:
        """The results of one measurement after another, kept in `folder` as a JSONL of records and a JSON each.

        Args:
            grader: the name of what grades.
            engine: the name of what generates.

        Returns:
            A result a measurement, without `disagreeing`, which the JSON alone has.
        """
        results = []
        for each in measurements:
            rounds, file = each.episode.rounds, folder / f"{each.name}.jsonl"
            forget_peak()
            done = file.is_file() and file.with_suffix(".json").is_file()  # and is read, without a bar
            title = "" if done else title_of(each.dataset, rounds, each.policy)
            found = self.measure(each.questions, each.episode, file, title)
            labels = {"policy": each.policy, "dataset": each.dataset, "split": self.settings.split, "rounds": rounds}
            arithmetic = arithmetic_of(self.policy, self.settings, engine)
            said = {"rows": fingerprint(each.questions), "grader": grader, "arithmetic": arithmetic}
            result = {**labels, **said, **found}
            if processes.first():
                write_json(file.with_suffix(".json"), result)
            results.append({key: value for key, value in result.items() if key != "disagreeing"})
        return results


def seconds_of(result: Path) -> float:
    """Seconds of the evaluation whose result lies there, made before this process; 0 where none does."""
    return read_json(result).get("compute", {}).get("seconds", 0.0) if result.is_file() else 0.0


def title_of(dataset: str, rounds: int, policy: str = "") -> str:
    """`trained, chain, 3 rounds`, as the title of a progress bar."""
    return ", ".join(filter(None, (policy, dataset, in_rounds(rounds))))
