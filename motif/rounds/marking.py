"""Grading that processes divide: each reply is graded by one of them, and all have the same verdicts."""

from collections.abc import Callable, Sequence
from typing import Any

from motif.rounds.episode import Tree
from motif.system import processes

Marks = Callable[[Sequence[Tree]], None]  # grades trees in place


def divided(marks: Marks) -> Marks:
    """`marks`, divided among the processes by first-round replies. All of them call it with the same trees."""
    if processes.count() == 1:
        return marks

    def graded(parts: Sequence[Tree]) -> list[list[tuple[Any, ...]]]:
        marks(parts)
        return [[(node.prediction, node.correct, node.events) for node in part.nodes()] for part in parts]

    def together(trees: Sequence[Tree]) -> None:
        parts = [Tree(tree.question, [root]) for tree in trees for root in tree.roots]
        for part, verdicts in zip(parts, processes.divided(graded, parts), strict=True):
            for node, verdict in zip(part.nodes(), verdicts, strict=True):
                node.prediction, node.correct, node.events = verdict

    return together
