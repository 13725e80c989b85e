"""Measuring a policy on questions it was not trained on, greedily unless told otherwise."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from motif.checks import number, whole
from motif.data import Question
from motif.episode import Episode, Tree, copied, grade, grow
from motif.generation import Generate, Sampling
from motif.runs import write_text
from motif.screen import Report
from motif.statistics import wilson


@dataclass(frozen=True)
class Evaluation:
    """The test of a policy before and after training: the first `questions` test questions (null: all), one episode
    each, at `temperature` (0: greedy) with the training episode's tokens per round. `batch` questions share a call.
    """

    questions: int | None = None
    temperature: float = 0.0
    batch: int = 256
    before: bool = True

    def __post_init__(self) -> None:
        if self.questions is not None:
            whole("evaluation.questions", self.questions)
        whole("evaluation.batch", self.batch)
        number("evaluation.temperature", self.temperature, at_least=0)

    def sampling(self, episode: Episode, seed: int) -> Callable[[int], Sampling]:
        """How each round is drawn: the episode's token limits, this temperature, nothing cut from the distribution."""
        return lambda round: replace(
            episode.sampling(round), temperature=self.temperature, top_p=1.0, top_k=0, seed=seed * 1000 + round
        )


def evaluate(
    questions: Sequence[Question],
    episode: Episode,
    generate: Generate,
    tokenizer: Any,
    settings: Evaluation,
    file: Path,
    seed: int = 0,
    report: Report | None = None,
) -> list[dict[str, Any]]:
    """One record a question, written to `file` as JSONL; read from there where it was written before."""
    if file.is_file():
        return [json.loads(line) for line in file.read_text().splitlines()]
    records: list[dict[str, Any]] = []
    for start in range(0, len(questions), settings.batch):
        batch = questions[start : start + settings.batch]
        sampling = settings.sampling(episode, seed * 100_003 + start)
        trees = grow(batch, episode, [1] * episode.rounds, generate, tokenizer, sampling)
        grade(trees)
        records.extend(map(record, trees))
        if report:
            report(len(records), len(questions), {"accuracy": fmean(item["correct"] for item in records)})
    write_text(file, "".join(json.dumps(item) + "\n" for item in records))
    return records


def record(tree: Tree) -> dict[str, Any]:
    """What is kept of one evaluated question."""
    (path,) = tree.paths()
    end = path[-1]
    return {
        "id": tree.question.id,
        "gold": tree.question.gold,
        "facts": tree.question.facts,
        "prediction": end.prediction,
        "correct": end.correct,
        "truncated": not end.reply.finished,
        "unparsable": end.prediction is None,
        "copied": copied(path),
        "tokens_by_round": [len(node.reply.token_ids) for node in path],
        "correct_by_round": [node.correct for node in path],
        "replies": [node.reply.text for node in path],
        "carried": [node.carried for node in path[:-1]],
    }


def summarise(records: Sequence[Mapping[str, Any]], split_by: Sequence[str] = ("length",)) -> dict[str, Any]:
    """Accuracy with its Wilson 95 % interval, rates, mean tokens a question; accuracy by each fact in `split_by`."""
    n, correct = len(records), sum(item["correct"] for item in records)
    summary: dict[str, Any] = {
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "interval": wilson(correct, n),
        "truncated": fmean(item["truncated"] for item in records),
        "unparsable": fmean(item["unparsable"] for item in records),
        "copied": fmean(item["copied"] for item in records),
        "tokens": fmean(sum(item["tokens_by_round"]) for item in records),
    }
    for fact in split_by:
        groups: dict[Any, list[bool]] = defaultdict(list)
        for item in records:
            if fact in item["facts"]:
                groups[item["facts"][fact]].append(item["correct"])
        if groups:
            summary[f"by_{fact}"] = {
                str(value): {"n": len(right), "correct": sum(right), "interval": wilson(sum(right), len(right))}
                for value, right in sorted(groups.items())
            }
    return summary
