"""Measuring a policy on questions it was not trained on: one record a question, kept as it is made.

An interrupted evaluation goes on where it was, a finished one is read. What the records come to is for `results`.
"""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from motif.rounds.episode import Episode, Tree, copied, grade, grow
from motif.rounds.episode import Path as Trajectory
from motif.rounds.replies import Generate, Sampling, draw_key
from motif.system import UserError, listed, number, one_of, processes, shown, whole
from motif.system.console import Report
from motif.system.files import append
from motif.tasks.grading import flexible_answer, is_correct, is_correct_strictly
from motif.tasks.questions import Dataset, Question

OWN = "episode"  # as a budget: that of the experiment's own episode
RECORD = {"id", "question", "gold", "facts", "samples"}  # keys that whoever reads records needs
SAMPLE = {
    *("prediction", "correct", "strict", "truncated", "unparsable", "copied"),
    *("tokens_by_round", "prompt_tokens_by_round", "correct_by_round", "replies"),
}
Grade = Callable[[Sequence[Tree]], None]
Records = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Evaluation:
    """How a policy is measured: on the test questions of the `datasets` (null: the experiment's own), at each of
    `rounds` (null: one, and the experiment's), the first `questions` of each set (null: all).

    `samples` episodes a question at `temperature` (0: greedy) and `top_p`, nothing else cut from the distribution.
    `budget` is the number of tokens an episode may generate in all its rounds together, shared out in proportion to
    the rounds' own windows; `episode` is as many as the experiment's own episode has, so that one round and several get
    the same (null: the windows as they are). `batch` episodes share a call, after which they are
    kept. Draws and grades do not depend on it, rounding does; with `deterministic` nothing does, for each reply is
    computed alone in float32. `before` measures the untrained policy too. `split` is `test`, or `validation` where
    settings are chosen by the result.
    """

    datasets: Sequence[Dataset] | None = None
    rounds: Sequence[int] | None = None
    questions: int | None = None
    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    budget: int | str | None = None
    batch: int = 256
    before: bool = True
    split: str = "test"
    deterministic: bool = False

    def __post_init__(self) -> None:
        if self.datasets is not None:
            listed("evaluation.datasets", self.datasets)
            if not self.datasets or not all(isinstance(item, Dataset) for item in self.datasets):
                raise UserError(
                    "evaluation.datasets must list data sets, as in evaluation.datasets=[math500], "
                    f"got {shown(self.datasets)}"
                )
        if self.rounds is not None:
            listed("evaluation.rounds", self.rounds)
            for rounds in self.rounds:
                whole("evaluation.rounds", rounds)
        if self.questions is not None:
            whole("evaluation.questions", self.questions)
        if self.budget not in (None, OWN):
            whole(f"evaluation.budget, if not {OWN},", self.budget)
        one_of("evaluation.before", self.before, (True, False))
        one_of("evaluation.deterministic", self.deterministic, (True, False))
        one_of("evaluation.split", self.split, ("test", "validation"))
        whole("evaluation.samples", self.samples)
        whole("evaluation.batch", self.batch)
        number("evaluation.temperature", self.temperature, at_least=0)
        number("evaluation.top_p", self.top_p, above=0, at_most=1)
        if self.samples > 1 and self.temperature == 0:
            raise UserError(
                f"evaluation.samples={self.samples} needs evaluation.temperature above 0: greedy samples are all alike"
            )

    def of(self, dataset: Dataset) -> list[Question]:
        """The questions of `dataset` that are measured on."""
        found = dataset.test() if self.split == "test" else dataset.validation()
        if not found:
            raise UserError(f"evaluation.split={self.split}: {dataset.name} has no such questions")
        return found

    def episode(self, episode: Episode, rounds: int) -> Episode:
        """`episode` as it is measured in `rounds` rounds."""
        budget = episode.budget() if self.budget == OWN else self.budget
        episode = episode.with_rounds(rounds)
        return episode if budget is None else episode.with_budget(int(budget))

    def sampling(self, episode: Episode) -> Callable[[int], Sampling]:
        """How each round is drawn: the episode's windows, these settings."""
        return lambda round: replace(episode.sampling(round), temperature=self.temperature, top_p=self.top_p, top_k=0)


def evaluate(
    questions: Sequence[Question],
    episode: Episode,
    generate: Generate,
    tokenizer: Any,
    settings: Evaluation,
    file: Path,
    seed: int = 0,
    purpose: str = "evaluation",
    report: Report | None = None,
    grade: Grade = grade,
) -> list[dict[str, Any]]:
    """One record a question, appended to `file` (JSONL) batch by batch; what it holds already is read."""
    draw = partial(draw_key, purpose, seed)
    branching = [settings.samples, *[1] * (episode.rounds - 1)]

    def measure(batch: Sequence[Question], records: Records) -> list[dict[str, Any]]:
        trees = grow(batch, episode, branching, generate, tokenizer, settings.sampling(episode), draw=draw)
        grade(trees)
        return processes.divided(lambda some: [record(tree, seed) for tree in some], trees)

    def told(records: Records) -> dict[str, float]:
        return {"accuracy": fmean(sample["correct"] for item in records for sample in item["samples"])}

    return kept(questions, file, max(1, settings.batch // settings.samples), measure, told, report)


def kept(
    questions: Sequence[Question],
    file: Path,
    at_once: int,
    measure: Callable[[Sequence[Question], Records], list[dict[str, Any]]],
    told: Callable[[Records], Mapping[str, float]],
    report: Report | None = None,
) -> list[dict[str, Any]]:
    """One record a question, `at_once` of them measured after the records of those before, and appended to `file`
    (JSONL); what it holds already is read. `report` hears what is `told` of the records so far.

    Several processes divide what `measure` generates and grades. All have the records, and the first writes them.
    """
    records = processes.by_first(lambda: read_whole(file))
    if [item["id"] for item in records] != [question.id for question in questions[: len(records)]]:
        raise UserError(f"{file} holds the records of other questions; move it away to measure anew")
    file.parent.mkdir(parents=True, exist_ok=True)
    for start in range(len(records), len(questions), at_once):
        made = measure(questions[start : start + at_once], records)
        if processes.first():
            append(file, "".join(json.dumps(item) + "\n" for item in made).encode())
        records += made
        if report:
            report(len(records), len(questions), told(records))
    return records


def read_whole(file: Path) -> list[dict[str, Any]]:
    """The records in `file`; a last line that was torn by a kill is cut off."""
    if not file.is_file():
        return []
    text = file.read_bytes()
    whole_lines = text[: text.rfind(b"\n") + 1]
    if len(whole_lines) < len(text):
        os.truncate(file, len(whole_lines))
    return [read_record(file, number, line) for number, line in enumerate(whole_lines.splitlines(), 1)]


def read_record(file: Path, number: int, line: bytes) -> dict[str, Any]:
    """A line of records; a `UserError` where it is none."""
    try:
        found: dict[str, Any] = json.loads(line)
        if found.keys() >= RECORD and found["samples"] and all(sample.keys() >= SAMPLE for sample in found["samples"]):
            return found
    except (ValueError, AttributeError, TypeError, RecursionError):
        pass
    raise UserError(f"line {number} of {file} is no record of an evaluation; move that file away to measure anew")


def record(tree: Tree, seed: int) -> dict[str, Any]:
    """What is kept of one evaluated question."""
    return {
        "id": tree.question.id,
        "question": tree.question.text,
        "gold": tree.question.gold,
        "facts": tree.question.facts,
        "seed": seed,
        "samples": [sample(path, tree.question.gold) for path in tree.paths()],
    }


def sample(path: Trajectory, gold: str) -> Mapping[str, Any]:
    """One episode: its answer under both graders, and what each round wrote and handed over.

    `correct_by_round` says of each round whether its own box was right: the result if the episode had ended there.
    """
    end = path[-1]
    return {
        "prediction": end.prediction,
        "correct": end.correct,
        "strict": end.prediction is not None and is_correct_strictly(end.prediction, gold),
        "flexible": end.correct or is_correct(flexible_answer(end.reply.text) or "", gold),
        "truncated": not end.reply.finished,
        "unparsable": end.prediction is None,
        "copied": copied(path),
        "grader_gave_up": "grader_gave_up" in end.events,
        "tokens_by_round": [len(node.reply.token_ids) for node in path],
        "prompt_tokens_by_round": [len(node.reply.prompt_ids) for node in path],
        "correct_by_round": [node.correct for node in path],
        "replies": [node.reply.text for node in path],
        "carried": [node.carried for node in path[:-1]],
    }
