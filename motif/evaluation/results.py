"""The result of an evaluation: what its records come to. Every share has its 95 % interval and its n.

A record is one question with its samples. Intervals count questions, not samples. This module reads plain records, of a
finished file or of a running evaluation.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from motif.evaluation.statistics import clustered, pass_at_k
from motif.tasks.grading import is_correct

Record = Mapping[str, Any]
Records = Sequence[Record]
# every result has these keys
RESULT_KEYS = ("dataset", "rounds", "n", "samples", "accuracy", "interval", "truncated", "tokens")
MOST_VALUES = 20  # of a fact by which a result is split


def result_of(records: Records) -> dict[str, Any]:
    """The result of `records`, at least one, all of as many samples.

    Returns:
        `n` questions, `samples` of each, `correct` samples, `accuracy` (avg@k) with its `interval`; `strict`, the
        accuracy under the strict grader; `flexible`, the accuracy where an answer need not be marked;
        `disagreements`, samples that the two graders judge differently;
        `grader_gave_up`, samples that are wrong for that reason; rates; `tokens` and `rounds_used`, means an episode,
        which has no tokens after its end; `accuracy_by_round`, had it been stopped; `pass_at` and `maj_at` by k, of
        several samples; `by_<fact>`, the accuracy by each fact of the questions that takes a few values.
    """
    samples = [sample for record in records for sample in record["samples"]]
    k = len(records[0]["samples"])
    rounds = range(max(len(sample["tokens_by_round"]) for sample in samples))
    result: dict[str, Any] = {
        "n": len(records),
        "samples": k,
        "correct": sum(sample["correct"] for sample in samples),
        **accuracy(records),
        "strict": fmean(sample["strict"] for sample in samples),
        "flexible": fmean(sample.get("flexible", sample["correct"]) for sample in samples),
        "disagreements": sum(sample["strict"] != sample["correct"] for sample in samples),
        **{rate: fmean(sample[rate] for sample in samples) for rate in ("truncated", "unparsable", "copied")},
        "grader_gave_up": sum(sample.get("grader_gave_up", False) for sample in samples),
        "tokens": fmean(sum(sample["tokens_by_round"]) for sample in samples),
        "rounds_used": fmean(len(sample["tokens_by_round"]) for sample in samples),
        "tokens_by_round": [fmean(sum(sample["tokens_by_round"][t : t + 1]) for sample in samples) for t in rounds],
        "accuracy_by_round": [
            share([fmean(correct_after(sample, t) for sample in record["samples"]) for record in records], k)
            for t in rounds
        ],
    }
    if k > 1:
        sizes = [2**power for power in range(k.bit_length()) if 2**power < k]
        result["pass_at"] = {
            str(size): share([pass_at_k(k, sum(correct(record)), size) for record in records], k // size)
            for size in (*sizes, k)
        }
        result["maj_at"] = {str(k): share([majority(record["samples"]) for record in records])}
    for fact in dict.fromkeys(name for record in records for name in record["facts"]):
        by_value: dict[Any, list[Record]] = defaultdict(list)
        for record in records:
            value = record["facts"].get(fact)
            if isinstance(value, str | int | float):
                by_value[value].append(record)
        if 1 < len(by_value) <= min(MOST_VALUES, len(records) // 2):
            result[f"by_{fact}"] = {
                str(value): {"n": len(own), "correct": sum(sum(correct(record)) for record in own), **accuracy(own)}
                for value, own in sorted(by_value.items(), key=lambda item: (isinstance(item[0], str), item[0]))
            }
    return result


def correct_after(sample: Record, round: int) -> bool:
    """Whether the episode is right at the end of a round, counted from 0. After its end it stays as it ended."""
    by_round = sample["correct_by_round"]
    return bool(by_round[min(round, len(by_round) - 1)])


def correct(record: Record) -> list[bool]:
    """Whether each sample of a question is right."""
    return [sample["correct"] for sample in record["samples"]]


def accuracy(records: Records) -> dict[str, Any]:
    """`accuracy`, the mean over questions of the share of right samples, and its `interval`, clustered by question."""
    mean = share([fmean(correct(record)) for record in records], len(records[0]["samples"]))
    return {"accuracy": mean["value"], "interval": mean["interval"]}


def share(values: Sequence[float], samples: int = 1) -> dict[str, Any]:
    """The mean of one share a question as `value`, and its 95 % `interval`; each share is of `samples` samples."""
    return {"value": fmean(values), "interval": clustered(values, samples)}


def majority(samples: Sequence[Record]) -> float:
    """maj@k (Wang et al. 2022): whether the most frequent answer is right; 0 where no answer was read.

    Two answers count as one where the grader says so. Where several answers are the most frequent, the value is the
    share of them that is right.
    """
    votes: list[tuple[Record, int]] = []
    for sample in samples:
        if sample["prediction"] is None:
            continue
        for place, (first, count) in enumerate(votes):
            if first["correct"] == sample["correct"] and is_correct(sample["prediction"], first["prediction"]):
                votes[place] = first, count + 1
                break
        else:
            votes.append((sample, 1))
    most = max((count for _, count in votes), default=0)
    leaders = [sample["correct"] for sample, count in votes if count == most]
    return fmean(leaders) if leaders else 0.0


def disagreements(records: Records) -> list[dict[str, Any]]:
    """The samples that the two graders judge differently, with both judgements (`correct`, `strict`)."""
    return [
        {"id": record["id"], "sample": number, "gold": record["gold"]}
        | {key: sample[key] for key in ("prediction", "correct", "strict")}
        for record in records
        for number, sample in enumerate(record["samples"])
        if sample["correct"] != sample["strict"]
    ]
