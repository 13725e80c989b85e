"""Scores: what the records of an evaluation come to. Every share stands with its interval and its n.

A record holds a question's samples; questions, not samples, are what intervals count. Reads plain records, so it
serves a finished file as well as a running evaluation.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from motif.evaluation.statistics import clustered, pass_at_k
from motif.tasks.grading.answers import is_correct

Records = Sequence[Mapping[str, Any]]
RESULT = ("dataset", "rounds", "n", "samples", "accuracy", "interval", "truncated", "tokens")  # keys of any result
MOST_GROUPS = 20  # values of a fact that results are split by


def summarise(records: Records) -> dict[str, Any]:
    """Accuracy (avg@k) with its 95 % interval, accuracy after each round, rates, tokens; pass@k and maj@k where a
    question has several samples; accuracy by each fact that takes a few values.

    `strict` is the accuracy under the strict grader, `disagreements` the samples that the two graders judge
    differently, `grader_gave_up` those that are wrong because the grader gave up. `tokens` are means per episode, which
    has none of its own in a round that it ended before; `rounds_used` are its rounds.
    """
    samples = [sample for item in records for sample in item["samples"]]
    k = len(records[0]["samples"])
    rounds = range(max(len(sample["tokens_by_round"]) for sample in samples))
    summary: dict[str, Any] = {
        "n": len(records),
        "samples": k,
        "correct": sum(sample["correct"] for sample in samples),
        **accuracy(records),
        "strict": fmean(sample["strict"] for sample in samples),
        "disagreements": sum(sample["strict"] != sample["correct"] for sample in samples),
        "truncated": fmean(sample["truncated"] for sample in samples),
        "unparsable": fmean(sample["unparsable"] for sample in samples),
        "copied": fmean(sample["copied"] for sample in samples),
        "grader_gave_up": sum(sample.get("grader_gave_up", False) for sample in samples),
        "tokens": fmean(sum(sample["tokens_by_round"]) for sample in samples),
        "rounds_used": fmean(len(sample["tokens_by_round"]) for sample in samples),
        "tokens_by_round": [fmean(sum(sample["tokens_by_round"][t : t + 1]) for sample in samples) for t in rounds],
        "accuracy_by_round": [
            share([fmean(right_after(sample, t) for sample in item["samples"]) for item in records], k) for t in rounds
        ],
    }
    if k > 1:
        sizes = [2**power for power in range(k.bit_length()) if 2**power < k]
        summary["pass_at"] = {
            str(size): share([pass_at_k(k, sum(right(item)), size) for item in records], k // size)
            for size in (*sizes, k)
        }
        summary["maj_at"] = {str(k): share([majority(item["samples"]) for item in records])}
    for fact in dict.fromkeys(name for item in records for name in item["facts"]):
        groups: dict[Any, list[Mapping[str, Any]]] = {}
        for item in records:
            value = item["facts"].get(fact)
            if isinstance(value, str | int | float):
                groups.setdefault(value, []).append(item)
        if 1 < len(groups) <= min(MOST_GROUPS, len(records) // 2):
            summary[f"by_{fact}"] = {
                str(value): {"n": len(groups[value]), "correct": sum(map(sum, map(right, groups[value])))}
                | accuracy(groups[value])
                for value in sorted(groups, key=lambda value: (isinstance(value, str), value))
            }
    return summary


def right_after(sample: Mapping[str, Any], place: int) -> bool:
    """Whether the episode was right at the end of the round at `place`; one that ended before stays as it was."""
    found = sample["correct_by_round"]
    return bool(found[min(place, len(found) - 1)])


def right(item: Mapping[str, Any]) -> list[bool]:
    return [sample["correct"] for sample in item["samples"]]


def accuracy(records: Records) -> dict[str, Any]:
    """Mean over questions of the share of right samples, with its 95 % interval clustered by question."""
    found = share([fmean(right(item)) for item in records], len(records[0]["samples"]))
    return {"accuracy": found["value"], "interval": found["interval"]}


def share(values: Sequence[float], samples: int = 1) -> dict[str, Any]:
    return {"value": fmean(values), "interval": clustered(values, samples)}


def majority(samples: Sequence[Mapping[str, Any]]) -> float:
    """maj@k (self-consistency, Wang et al. 2022): whether the answer given most often is right; 0 where none was read.

    Answers are one where the grader says so. Where several answers lead, the share of them that is right.
    """
    votes: list[tuple[Mapping[str, Any], int]] = []
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
    """The samples that the two graders judge differently, as (id, sample, gold, prediction, correct, strict)."""
    return [
        {"id": item["id"], "sample": place, "gold": item["gold"]}
        | {key: sample[key] for key in ("prediction", "correct", "strict")}
        for item in records
        for place, sample in enumerate(item["samples"])
        if sample["correct"] != sample["strict"]
    ]
