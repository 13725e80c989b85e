"""An episode is data: a tree. Question → first-round replies → continuations → … → last round.

`grow` makes trees, one batched call of the generator per round for all questions and branches together. `grade`
marks which replies are right. Rewards, credit, metrics and tables are readings of the finished tree.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from motif.rounds.carry import Summary, Turn
from motif.rounds.prompts import Conversation, Prompts
from motif.rounds.replies import Generate, Reply, Sampling, draw_key
from motif.system.errors import UserError, of_kind, one_of, shown, whole
from motif.tasks.grading import Verdict, final_answer, verdict
from motif.tasks.questions import Question

MOST = 100  # rounds of an episode: trees are read and written from the root down, one inside the other


@dataclass(slots=True)
class Node:
    """One reply in a tree, with the facts read off it.

    `carried` is what it hands to the next round (None: nothing). `events` name what went wrong in handing over:
    no_answer, progress_cut, progress_cleaned; or in grading: grader_gave_up. `prediction` is the boxed result,
    `correct` whether it is right; `rounds` and `round` count from 1. A node that ended its episode, in the last round
    or before, has no children.
    """

    round: int
    rounds: int
    reply: Reply
    well_formed: bool
    answer: str | None
    carried: str | None = None
    events: tuple[str, ...] = ()
    prediction: str | None = None
    correct: bool = False
    ended: bool = False
    children: list["Node"] = field(default_factory=list)


Path = tuple[Node, ...]  # from a first-round reply down to some node


@dataclass(slots=True)
class Tree:
    """A question and its first-round replies, each with its continuations below it."""

    question: Question
    roots: list[Node] = field(default_factory=list)

    def paths(self) -> Iterator[Path]:
        """Every trajectory, from first-round reply to last-round reply."""
        for root in self.roots:
            yield from continuations((root,))

    def nodes(self) -> Iterator[Node]:
        """Every node, parents before children."""
        waiting = list(self.roots)
        while waiting:
            node = waiting.pop(0)
            yield node
            waiting.extend(node.children)


def continuations(path: Path) -> list[Path]:
    """The full trajectories that begin with `path`; `path` itself where it ends in the last round."""
    children = path[-1].children
    return [each for child in children for each in continuations((*path, child))] if children else [path]


def main_line(root: Node) -> Path:
    """The trajectory of a first-round reply and first continuations; other branches of a tree only say what it is
    worth."""
    line = [root]
    while line[-1].children:
        line.append(line[-1].children[0])
    return tuple(line)


def copied(path: Path) -> bool:
    """Whether the final answer was boxed in an earlier round of this trajectory already (collapse of the rounds)."""
    return path[-1].prediction is not None and any(node.prediction == path[-1].prediction for node in path[:-1])


@dataclass(frozen=True)
class Episode:
    """How a policy thinks in `rounds` rounds of at most `tokens` new tokens each.

    `temperature`, `top_p`, `top_k` are for training, the same in all rounds; `later` may give other values of these
    and of `tokens` for round 2 and on (null: the same). `carry` is what is handed over, `prompts` the wording. An
    episode takes all its rounds (`stop=rounds`), or ends with the first complete final answer (`stop=answered`).
    """

    rounds: int
    tokens: int
    name: str = "summary"
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    later: dict[str, Any] = field(default_factory=dict)
    carry: Any = field(default_factory=Summary)
    prompts: Prompts = field(default_factory=Prompts)
    stop: str = "rounds"

    def __post_init__(self) -> None:
        whole("rounds", self.rounds, at_most=MOST)
        one_of("episode.stop", self.stop, ("rounds", "answered"))
        of_kind("episode.later", self.later, Mapping)
        of_kind("episode.prompts", self.prompts, Prompts)
        if not callable(getattr(self.carry, "carry", None)):
            raise UserError(
                f"episode.carry must say what is handed over, as in episode=summary, got {shown(self.carry)}"
            )
        if unknown := set(self.later) - {"tokens", "temperature", "top_p", "top_k"}:
            raise UserError(
                f"episode.later knows tokens, temperature, top_p and top_k, got {', '.join(sorted(unknown))}"
            )
        try:
            self.sampling(1), self.sampling(2)
        except UserError as error:
            raise UserError(f"episode: {error}") from None

    def sampling(self, round: int) -> Sampling:
        """How replies of `round` are drawn in training."""
        first = Sampling(self.tokens, self.temperature, self.top_p, self.top_k)
        changes = {key: value for key, value in self.later.items() if value is not None}
        return first if round == 1 else replace(first, **changes)

    def with_rounds(self, rounds: int) -> "Episode":
        return replace(self, rounds=rounds)

    def budget(self) -> int:
        """New tokens that an episode may take, all rounds together."""
        return sum(self.sampling(round).tokens for round in range(1, self.rounds + 1))

    def with_budget(self, tokens: int) -> "Episode":
        """The same with `tokens` new tokens in all, shared out in proportion to the rounds' windows (rounded down)."""
        windows = [self.sampling(round).tokens * tokens // self.budget() for round in (1, 2)]
        if min(windows) < 1:
            raise UserError(f"a budget of {tokens} tokens leaves a round of {self.rounds} without any; raise it")
        return replace(self, tokens=windows[0], later={**self.later, "tokens": windows[1]})

    def conversation(self, question: Question, round: int, carried: str | None) -> Conversation:
        early = self.stop == "answered"
        return self.prompts.conversation(question.text, round, self.rounds, carried, self.carry, early)

    def talk(self, question: Question, path: Path) -> Conversation:
        """The conversation of the round that follows the replies `path`."""
        return self.conversation(question, len(path) + 1, path[-1].carried if path else None)

    def node(self, reply: Reply, before: Path, tokenizer: Any) -> Node:
        """Read `reply` as what follows on the replies `before`: its parts, and what it carries over."""
        node = self.read(reply, len(before) + 1)
        if not node.ended:
            replies = [each.reply for each in before]
            carried = self.carry.carry(Turn(reply, node.answer, replies, self.sampling(node.round).tokens, tokenizer))
            node.events += ("progress_cut",) * carried.cut
            if carried.text is not None:
                clean = self.prompts.harmless(carried.text, tokenizer.all_special_tokens).strip()
                node.events += ("progress_cleaned",) * (self.carry.tagged and clean != carried.text.strip())
                node.carried = clean or None
        return node

    def read(self, reply: Reply, round: int) -> Node:
        """The parts of a reply of `round`, and whether it ends its episode; what it carries over is left open.

        Before the end of an episode an answer tag is asked for only where it is what is carried; where it is not, any
        reply there is well formed.
        """
        answer = self.prompts.answer_of(reply.text)
        node = Node(round, self.rounds, reply, self.prompts.well_formed(reply.text), answer)
        node.ended = round == self.rounds or (self.stop == "answered" and self.answered(reply, answer))
        if node.ended or self.carry.tagged:
            node.events += ("no_answer",) * (answer is None)
        else:
            node.well_formed = True
        return node

    @staticmethod
    def answered(reply: Reply, answer: str | None) -> bool:
        """Whether `reply` gives a complete final answer: it came to its own end, and its answer tag holds a box."""
        return reply.finished and answer is not None and final_answer(answer, tag=None) is not None


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a tree grows: replies to `path`, which may be a main line's beginning; `replies` is the list they go to."""

    question: Question
    path: Path
    replies: list[Node]
    main: bool
    places: tuple[int, ...] = ()  # of the nodes of `path` among their siblings

    def width(self, branching: Sequence[int]) -> int:
        return branching[len(self.path)] if self.main else 1

    def further(self) -> Iterator["Branch"]:
        """Where it grows from here: of the replies that did not end their episode."""
        for place, node in enumerate(self.replies):
            if not node.ended:
                main = self.main and (place == 0 or not self.path)
                yield Branch(self.question, (*self.path, node), node.children, main, (*self.places, place))


def grow(
    questions: Sequence[Question],
    episode: Episode,
    branching: Sequence[int],
    generate: Generate,
    tokenizer: Any,
    sampling: Callable[[int], Sampling],
    talk: Callable[[Question, Path], Conversation] | None = None,
    draw: Callable[[str, tuple[int, ...]], int] = draw_key,
) -> list[Tree]:
    """One tree per question, of at most `episode.rounds` rounds; a reply of round t that a main line passes through has
    `branching[t]` continuations, of which the first carries the line on, and every other has one.

    `branching[0]` is the number of first-round replies, each of which begins a main line. `sampling(round)` gives how a
    round is drawn; the calls are one per round. Continuations of one reply are rows with one prompt. `talk` says how
    the round that follows the replies `path` is spoken to, where that is not as the episode has it.
    """
    talk = talk or episode.talk
    trees = [Tree(question) for question in questions]
    frontier = [Branch(tree.question, (), tree.roots, True) for tree in trees]
    for round in range(1, episode.rounds + 1):
        talks = [
            conversation
            for branch in frontier
            for conversation in [talk(branch.question, branch.path)] * branch.width(branching)
        ]
        keys = [
            draw(branch.question.id, branch.places) + place
            for branch in frontier
            for place in range(branch.width(branching))
        ]
        replies = iter(generate(talks, sampling(round).keyed(keys)) if talks else ())
        for branch in frontier:
            made = (episode.node(next(replies), branch.path, tokenizer) for _ in range(branch.width(branching)))
            branch.replies.extend(made)
        frontier = [further for branch in frontier for further in branch.further()]
    return trees


def grade(trees: Sequence[Tree]) -> None:
    """Mark every node's prediction, and whether it is right."""
    for tree in trees:
        for node in tree.nodes():
            node.prediction = final_answer(node.reply.text, tag=None)
            if node.prediction is None and tree.question.unboxed:
                node.prediction = node.answer or None
            found = verdict(node.prediction, tree.question.gold) if node.prediction is not None else Verdict.WRONG
            node.correct = found is Verdict.RIGHT
            node.events += ("grader_gave_up",) * (found is Verdict.UNDECIDED)
