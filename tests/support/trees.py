"""Trees made by hand, of three rounds."""

from motif.rounds.episode import Node, Tree
from motif.rounds.replies import Reply
from motif.tasks.questions import Question


def node(round: int, *children: Node, right: bool = False, rounds: int = 3, text: str = "so") -> Node:
    """A reply with its continuations; one without any has ended its episode."""
    made = Node(round, rounds, Reply(text, [1, 2], [3], True), True, None, children=list(children))
    made.ended, made.correct = not children, right
    return made


def line(*rights: int, round: int = 1) -> Node:
    """A reply and its only continuations, the last of which is right or wrong."""
    if len(rights) == 1:
        return node(round, right=bool(rights[0]))
    return node(round, line(*rights[1:], round=round + 1))


def tree(*roots: Node, id: str = "q") -> Tree:
    return Tree(Question(id, "1+1", "2"), list(roots))


def two_by_two() -> Tree:
    """m = 2, k = 2: one continuation of the first root is right, the other wrong; those of the second are wrong."""
    one = node(1, node(2, node(3, right=True)), node(2, node(3, right=False)))
    other = node(1, node(2, node(3, right=False)), node(2, node(3, right=False)))
    return tree(one, other)
