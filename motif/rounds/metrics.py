"""Trees read as numbers, the same for training and evaluation. No reward is read here."""

from collections.abc import Callable, Sequence
from statistics import fmean

from motif.rounds.episode import Node, Path, Tree, copied


def by_round(trees: Sequence[Tree]) -> dict[str, float]:
    """For each round the mean number of tokens, and the shares of replies that are right, truncated, well formed, or
    carry something.

    Keys are `rounds/1/tokens` and so on. A reply is `correct` where its own box is right, so before the last round a
    high value means that the question was answered early. `progress` is the share of the replies which carry
    something, of those that did not end their episode; `progress_cut` and `progress_cleaned` are shares of the same.
    """
    rounds: dict[int, list[Node]] = {}
    for tree in trees:
        for node in tree.nodes():
            rounds.setdefault(node.round, []).append(node)
    values: dict[str, float] = {}
    for round, nodes in sorted(rounds.items()):
        values[f"rounds/{round}/correct"] = fmean(node.correct for node in nodes)
        values[f"rounds/{round}/truncated"] = fmean(not node.reply.finished for node in nodes)
        values[f"rounds/{round}/well_formed"] = fmean(node.well_formed for node in nodes)
        values[f"rounds/{round}/no_answer"] = fmean("no_answer" in node.events for node in nodes)
        values[f"rounds/{round}/tokens"] = fmean(len(node.reply.token_ids) for node in nodes)
        if onward := [node for node in nodes if not node.ended]:
            values[f"rounds/{round}/progress"] = fmean(node.carried is not None for node in onward)
            values[f"rounds/{round}/progress_cut"] = fmean("progress_cut" in node.events for node in onward)
            values[f"rounds/{round}/progress_cleaned"] = fmean("progress_cleaned" in node.events for node in onward)
    return values


def of_episodes(trees: Sequence[Tree]) -> dict[str, float]:
    """Over episodes: accuracy of the final answer, shares of other ends, and the mean number of rounds used.

    Other ends are unparsable, truncated at the end, copied from an earlier round, and wrong because the grader gave up.
    All continuations of a reply together count as one, so an episode that ended early counts no less.
    """

    def mean(of: Callable[[Path], float]) -> float:
        return fmean(expected((root,), of) for tree in trees for root in tree.roots)

    return {
        "episode/accuracy": mean(lambda path: path[-1].correct),
        "episode/unparsable": mean(lambda path: path[-1].prediction is None),
        "episode/truncated": mean(lambda path: not path[-1].reply.finished),
        "episode/copied": mean(copied),
        "episode/grader_gave_up": mean(lambda path: "grader_gave_up" in path[-1].events),
        "episode/rounds_used": mean(len),
    }


def expected(path: Path, of: Callable[[Path], float]) -> float:
    """The mean of `of` over the trajectories that begin with `path`; continuations of a reply are equally likely."""
    children = path[-1].children
    return fmean(expected((*path, child), of) for child in children) if children else of(path)
