"""Credit schemes on rollouts that another scheme grew: which of them can read the trees, and their advantages.

A scheme reads the part of a tree that it would have grown itself: of each reply of a main line as many continuations as
it branches, and of every other reply one. A scheme that branches more than the tree is not defined on it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from inspect import isabstract
from typing import Any

from motif.rounds.episode import Node, Path, Tree
from motif.system.errors import UserError
from motif.training.advantages import Return
from motif.training.algorithms import Algorithm, Row
from motif.training.rewards import Reward, Term
from motif.training.rows import credited


@dataclass(frozen=True)
class Credited:
    """A trained reply as a scheme sees it: its row, the values of the reward's terms, its return and its advantage."""

    row: Row
    values: Mapping[str, float]
    returned: Return
    advantage: float

    @property
    def node(self) -> Node:
        return self.row.path[-1]


def kinds(of: type[Algorithm] = Algorithm) -> Iterator[type[Algorithm]]:
    """Every algorithm that is defined, in the order of definition."""
    for kind in of.__subclasses__():
        if not isabstract(kind):
            yield kind
        yield from kinds(kind)


def name(scheme: Algorithm) -> str:
    """`value k=2`: the algorithm, and the settings that only it has."""
    common = {field.name for field in fields(Algorithm)}
    own = [field.name for field in fields(scheme) if field.name not in common]
    own = [key for key in own if key != "pilot" or getattr(scheme, "adaptive", False)]
    return " ".join([scheme.name, *(f"{key}={getattr(scheme, key)}" for key in own)])


def with_k(kind: type[Algorithm], m: int, ks: Sequence[int | str]) -> list[Algorithm]:
    """The algorithm with each of `ks` continuations that it can have; once where it has no such setting."""
    make: Any = kind
    ks = [k for k in ks if isinstance(k, int) or hasattr(kind, "pilot")]
    return [make(m=m, k=k) for k in ks] if hasattr(kind, "k") else [make(m=m)]


def readable(own: Algorithm, rounds: int) -> tuple[list[Algorithm], dict[str, str]]:
    """The schemes that can read the trees which `own` grew in episodes of `rounds` rounds, and why the others cannot.

    `own` stays as it is; each other scheme reads as many continuations as there are.
    """
    schemes: list[Algorithm] = []
    why_not: dict[str, str] = {}
    grown = own.beginning(rounds)
    for kind in kinds():
        variants = [own] if type(own) is kind else with_k(kind, own.m, range(max(grown[1:], default=1), 0, -1))
        reasons = [reason_against(scheme, grown) for scheme in variants]
        if None in reasons:
            schemes.append(variants[reasons.index(None)])
        else:
            why_not[variants[-1].name] = str(reasons[-1])
    return schemes, why_not


def reason_against(scheme: Algorithm, grown: Sequence[int]) -> str | None:
    """Why a scheme is not defined on trees whose branching is `grown`; None where it is defined."""
    rounds = len(grown)
    if scheme.rounds(rounds) != rounds:
        return f"it is of replies in {scheme.rounds(rounds)} round, and these episodes have {rounds}"
    for after, (wanted, had) in enumerate(zip(scheme.beginning(rounds), grown, strict=True)):
        if wanted > had:
            where = f"continuations after round {after}" if after else "first-round replies"
            return f"it needs {wanted} {where}, and there {'is' if had == 1 else 'are'} {had}"
    return None


def grown_by(scheme: Algorithm, tree: Tree, reward: Reward) -> Tree:
    """The part of the graded `tree` that `scheme` would have grown."""
    begun = cut(tree, scheme.beginning(tree.roots[0].rounds))
    widths = scheme.allotted(begun, reward.outcome_of)
    return begun if widths is None else cut(tree, [len(widths), *[1] * tree.roots[0].rounds], widths)


def cut(tree: Tree, branching: Sequence[int], after_first: Sequence[int] | None = None) -> Tree:
    """The part of `tree` that an algorithm with this `branching` would have grown; it shares replies with `tree`.
    `after_first` is the number of continuations of each first-round reply, where these differ.

    Raises:
        UserError: where a reply has fewer continuations.
    """

    def part(node: Node, main: bool, width: int | None = None) -> Node:
        if not node.children:
            return node
        children = first(node.children, width or (branching[node.round] if main else 1))
        return replace(node, children=[part(child, main and place == 0) for place, child in enumerate(children)])

    roots = first(tree.roots, branching[0])
    widths = [None] * len(roots) if after_first is None else after_first
    return Tree(tree.question, [part(root, True, width) for root, width in zip(roots, widths, strict=True)])


def first(nodes: Sequence[Node], count: int) -> Sequence[Node]:
    if len(nodes) < count:
        raise UserError(f"a prompt has {len(nodes)} replies where the algorithm of config.yaml draws {count}")
    return nodes[:count]


def credit(scheme: Algorithm, trees: Sequence[Tree], reward: Reward, scale: Any = "group") -> list[list[Credited]]:
    """The replies that `scheme` trains of each graded tree, with their advantages before the weight of a reply in the
    loss. `scale` is TRL's scale_rewards; for `batch` the trees are those of one step."""
    if not trees:
        return []
    groups = [scheme.rows(grown_by(scheme, tree, reward)) for tree in trees]
    by_group = zip(groups, *credited(scheme, groups, reward, scale), strict=True)
    return [[Credited(*reply) for reply in zip(*columns, strict=True)] for columns in by_group]


def remembering(reward: Reward) -> Reward:
    """The same reward, which computes a term once for each trajectory, however many schemes ask; valid while the trees
    exist."""

    def once(term: Term) -> Term:
        known: dict[tuple[int, ...], float] = {}

        def asked(path: Path) -> float:
            key = tuple(id(node.reply) for node in path)
            if key not in known:
                known[key] = term(path)
            return known[key]

        return asked

    outcome, reply = ({key: once(term) for key, term in terms.items()} for terms in (reward.outcome, reward.reply))
    return replace(reward, outcome=outcome, reply=reply)
