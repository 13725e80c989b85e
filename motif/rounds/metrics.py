"""Readings of trees as numbers, the same for training and evaluation."""

from collections.abc import Callable, Sequence
from statistics import fmean

from motif.rounds.episode import Node, Path, Tree, copied


def by_round(trees: Sequence[Tree]) -> dict[str, float]:
    """For each round: shares of replies that are right, truncated, well formed, hand something over, and mean tokens.

    Keys are `accuracy/round_1` and so on. A reply counts as right where its own box is, so before the last round a
    high value means that the question was answered early. Events of handing over are shares of that round's replies.
    """
    rounds: dict[int, list[Node]] = {}
    for tree in trees:
        for node in tree.nodes():
            rounds.setdefault(node.round, []).append(node)
    values: dict[str, float] = {}
    for round, nodes in sorted(rounds.items()):
        values[f"accuracy/round_{round}"] = fmean(node.correct for node in nodes)
        values[f"truncated/round_{round}"] = fmean(not node.reply.finished for node in nodes)
        values[f"well_formed/round_{round}"] = fmean(node.well_formed for node in nodes)
        values[f"no_answer/round_{round}"] = fmean("no_answer" in node.events for node in nodes)
        values[f"tokens/round_{round}"] = fmean(len(node.reply.token_ids) for node in nodes)
        if onward := [node for node in nodes if not node.ended]:
            values[f"progress/round_{round}"] = fmean(node.carried is not None for node in onward)
            values[f"progress_cut/round_{round}"] = fmean("progress_cut" in node.events for node in onward)
            values[f"progress_cleaned/round_{round}"] = fmean("progress_cleaned" in node.events for node in onward)
    return values


def of_episodes(trees: Sequence[Tree]) -> dict[str, float]:
    """Over episodes: accuracy of the final answer, the shares unparsable, truncated at the end, copied, and wrong
    because the grader gave up, and the mean number of rounds used.

    The continuations of a reply stand for it together: an episode that ended early, and so has none, counts no less.
    """

    def mean(of: Callable[[Path], float]) -> float:
        return fmean(expected((root,), of) for tree in trees for root in tree.roots)

    return {
        "accuracy": mean(lambda path: path[-1].correct),
        "unparsable": mean(lambda path: path[-1].prediction is None),
        "truncated": mean(lambda path: not path[-1].reply.finished),
        "copied": mean(copied),
        "grader_gave_up": mean(lambda path: "grader_gave_up" in path[-1].events),
        "rounds_used": mean(len),
    }


def expected(path: Path, of: Callable[[Path], float]) -> float:
    """The mean of `of` over how an episode that begins with `path` goes on, each continuation of a reply as likely."""
    children = path[-1].children
    return fmean(expected((*path, child), of) for child in children) if children else of(path)
