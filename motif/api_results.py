"""What the functions of `motif.api` return: where it lies, what came of it, and how a notebook shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motif.evaluation.wording import in_rounds, percent, percent_interval
from motif.reporting.markup import markdown
from motif.reporting.status import headline, result_line
from motif.runs.folder import Run
from motif.system import safe_text

COLUMNS = ("dataset", "rounds", "policy", "accuracy", "95 % interval", "n")


@dataclass(frozen=True)
class TrainResult:
    """A finished run.

    Attributes:
        folder: of the run.
        summary: its summary.json. `evaluation` holds a result for each policy (base and trained), data set and number
            of rounds; `compute` says what was spent.
    """

    folder: Path
    summary: Mapping[str, Any]

    @property
    def result(self) -> Mapping[str, Any] | None:
        """The trained policy's result on its first data set, in the run's rounds; None where it was not measured."""
        return headline(self.summary)

    @property
    def accuracy(self) -> float | None:
        """The accuracy of `result`, from 0 to 1."""
        return self.result["accuracy"] if self.result else None

    @property
    def policy(self) -> Path:
        """The folder of the trained policy, which transformers can load."""
        return Run(self.folder).policy

    def metrics(self) -> list[dict[str, Any]]:
        """The metrics of each training step, by the names that trackers show: `step`, `train/reward`, ..."""
        return Run(self.folder).metrics()

    def __repr__(self) -> str:
        return f"TrainResult({self.folder}: {result_line(self.summary) or 'not measured'})"

    def _repr_markdown_(self) -> str:
        return f"{safe_text.markdown(str(self.folder))}\n\n{table(self.summary['evaluation'])}"


@dataclass(frozen=True)
class EvaluateResult:
    """A policy measured on one data set in one number of rounds.

    Attributes:
        records: the JSONL file with a line for each question: its replies, what was carried, its answer.
        result: what the records come to: `accuracy`, `interval`, `n`, `accuracy_by_round`, `tokens`, `truncated`, ...
    """

    records: Path
    result: Mapping[str, Any]

    @property
    def accuracy(self) -> float:
        """The mean over questions and samples, from 0 to 1."""
        return float(self.result["accuracy"])

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of `accuracy`."""
        low, high = self.result["interval"]
        return low, high

    def __repr__(self) -> str:
        found = self.result
        words = f"{percent(found['accuracy'])} ({percent_interval(found['interval'])}, n = {found['n']})"
        return f"EvaluateResult({words} on {found['dataset']} in {in_rounds(found['rounds'])}; {self.records})"

    def _repr_markdown_(self) -> str:
        return table([self.result])


@dataclass(frozen=True)
class SolvedRound:
    """One round of an answer: the reply as written, how many tokens it has, whether it ended by itself and was not cut
    off at the window, and what it handed on (None: nothing)."""

    reply: str
    tokens: int
    finished: bool
    carried: str | None


@dataclass(frozen=True)
class SolveResult:
    """How a policy answered one question. `answer` is None where none could be read; `correct` where no gold answer was
    given."""

    question: str
    answer: str | None
    correct: bool | None
    rounds: tuple[SolvedRound, ...]

    def __repr__(self) -> str:
        said = {None: "", True: ", right", False: ", wrong"}[self.correct]
        return f"SolveResult({self.question!r}: {self.answer!r}{said}, in {in_rounds(len(self.rounds))})"


@dataclass(frozen=True)
class ReportResult:
    """A report.

    Attributes:
        page: its index.html; report.md, tables.tex and pictures/ lie beside it.
        verdicts: sentences.
    """

    page: Path
    verdicts: tuple[str, ...]

    def __repr__(self) -> str:
        return "\n".join([*self.verdicts, f"ReportResult({self.page})"])

    def _repr_markdown_(self) -> str:
        verdicts = (f"- {safe_text.markdown(each)}" for each in self.verdicts)
        return "\n".join([*verdicts, "", safe_text.markdown(str(self.page))])


def table(results: Sequence[Mapping[str, Any]]) -> str:
    """Results as a table in Markdown."""
    rows = []
    for found in results:
        named = (str(found["dataset"]), str(found["rounds"]), str(found.get("policy", "")))
        rows.append([*named, percent(found["accuracy"]), percent_interval(found["interval"]), str(found["n"])])
    return markdown(COLUMNS, rows)
