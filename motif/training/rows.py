"""The rows of a step: what each trained reply earned, its advantage and its weight, as TRL's batch holds them.

How replies are grouped and centred is the algorithm's (`algorithms`), the arithmetic is in `advantages`. No TRL here.
"""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from motif.rounds import Reply
from motif.system import processes
from motif.training.advantages import Return, against_the_group, scaled, spread
from motif.training.algorithms import Algorithm, Row
from motif.training.rewards import Reward


class TrainedRow(NamedTuple):
    """One row of TRL's batch: a reply, the values of the reward's terms, its advantage, and its weight in the loss.

    A row of weight 0 is masked out of the loss. One that fills a place has a single token, and no reward.
    """

    reply: Reply
    values: Mapping[str, float]
    advantage: float
    weight: float


class Credit(NamedTuple):
    """Lists by group and row: the values of the reward's terms, the return, and the advantage before its weight."""

    values: list[list[dict[str, float]]]
    returns: list[list[Return]]
    advantages: list[list[float]]


def credited(algorithm: Algorithm, groups: Sequence[Sequence[Row]], reward: Reward, scale: str = "group") -> Credit:
    """What the rows of each group get."""
    values = processes.divided(
        lambda some: [[reward.of(row.path, row.continuations, row.weights) for row in rows] for rows in some], groups
    )
    returns = [
        [return_of(row, terms, reward) for row, terms in zip(rows, of_rows, strict=True)]
        for rows, of_rows in zip(groups, values, strict=True)
    ]
    return Credit(values, returns, group_advantages(algorithm, groups, returns, scale))


def return_of(row: Row, values: Mapping[str, float], reward: Reward) -> Return:
    """The return of a row, by the `values` of the reward's terms."""
    outcome, own = reward.parts(values)
    return Return(outcome, own, trajectory=id(row.path[0]), share=1 / len(row.trajectory), round=len(row.path))


def group_advantages(
    algorithm: Algorithm, groups: Sequence[Sequence[Row]], returns: Sequence[Sequence[Return]], scale: str = "group"
) -> list[list[float]]:
    """The advantages of the groups' rows, before the weight of a row in the loss.

    Args:
        algorithm: centres the returns of a group, and says whether their spread is divided out.
        groups: the trained rows of each question.
        returns: of the same rows.
        scale: which spread is divided out (TRL's scale_rewards): of the `group`, of the `batch` (all returns about
            their mean), or `none`.
    """
    every = list(itertools.chain(*returns))
    found = []
    for rows, group in zip(groups, returns, strict=True):
        centred = algorithm.centred(group)
        divisor = None
        if algorithm.divided and scale != "none":
            divisor = spread(against_the_group(every), every) if scale == "batch" else spread(centred, group)
        found.append([algorithm.factor(row) * each for row, each in zip(rows, scaled(centred, divisor), strict=True)])
    return found


def noted(groups: Sequence[Sequence[Row]], credit: Credit) -> dict[int, dict[str, Any]]:
    """What each trained node got, by its `id()`, as episodes.jsonl.gz records it."""
    rows, values, returns, made = (list(itertools.chain(*parts)) for parts in (groups, *credit))
    return {
        id(row.path[-1]): {"values": terms, "reward": of_row.total, "advantage": advantage}
        for row, terms, of_row, advantage in zip(rows, values, returns, made, strict=True)
    }


def weighted(
    groups: Sequence[Sequence[Row]], credit: Credit, share: float, weighting: str, only_finished: bool = False
) -> list[list[TrainedRow]]:
    """The rows of each group for TRL, whose loss is a mean over all places.

    The objective is a mean over trajectories, of the sum (`weighting=round`) or the mean (`trajectory`) over their T
    rows. So a row weighs `share`, or `share`/T. With one row a trajectory and no place left free it weighs 1.

    Args:
        groups: the trained rows of each question.
        credit: of the same rows.
        share: places of TRL's batch over trajectories.
        weighting: of the algorithm.
        only_finished: replies that were cut off weigh 0 (TRL's mask_truncated_completions, by the ends of decoding).
    """

    def weight(row: Row) -> float:
        kept = row.path[-1].reply.finished or not only_finished
        return kept * share / (1 if weighting == "round" else len(row.trajectory))

    return [
        [
            TrainedRow(row.path[-1].reply, terms, advantage, weight(row))
            for row, terms, advantage in zip(rows, values, made, strict=True)
        ]
        for rows, values, made in zip(groups, credit.values, credit.advantages, strict=True)
    ]


def padded(groups: Sequence[Sequence[TrainedRow]], slots: int, questions: int) -> list[TrainedRow]:
    """The rows of all groups in a line, filled up to `slots` rows for each of `questions`.

    An episode that ended early has fewer rows than TRL asks for, and so has a step with fewer questions. The filling
    repeats one token of the first reply.
    """
    first = groups[0][0].reply
    nothing = Reply("", first.token_ids[-1:], first.prompt_ids, True, first.logprobs and first.logprobs[-1:])
    filling = TrainedRow(nothing, {}, 0.0, weight=0.0)
    full = [row for rows in groups for row in (*rows, *[filling] * (slots - len(rows)))]
    return full + [filling] * (slots * questions - len(full))


def as_trl(rows: Sequence[TrainedRow]) -> dict[str, Any]:
    """The rows as TRL's `rollout_func` gives them: a list a column, one item a row."""
    logprobs = [row.reply.logprobs for row in rows]
    columns: dict[str, Any] = {
        "prompt_ids": [row.reply.prompt_ids for row in rows],
        "completion_ids": [row.reply.token_ids for row in rows],
        "logprobs": None if any(each is None for each in logprobs) else logprobs,
        "values": [row.values for row in rows],
    }
    if not all(row.weight for row in rows):
        columns["env_mask"] = [[int(row.weight > 0)] * len(row.reply.token_ids) for row in rows]
    return columns
