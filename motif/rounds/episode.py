"""An episode is a tree: question → first-round replies → continuations → … → replies of the last round.

`grow` makes trees with one batched call of the generator a round, for all questions and branches together. `grade`
marks which replies are right. Nothing here gives a reward: rewards, advantages, metrics and tables read the tree.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from motif.rounds.carry import Continued, Summary, Turn
from motif.rounds.prompts import Conversation, Prompts
from motif.rounds.replies import Generate, Reply, Sampling, draw_key
from motif.system.errors import UserError, of_kind, one_of, shown, whole
from motif.system.safe_text import encodable
from motif.tasks.grading import Verdict, final_answer, verdict
from motif.tasks.questions import Question

MOST = 100  # rounds of an episode: a tree is read and written by recursion


@dataclass(slots=True)
class Node:
    """One reply in a tree, and what is read from it.

    Attributes:
        round: which round it is of, from 1, of how many `rounds`.
        well_formed: whether it has the form that its round asks for.
        answer: the text of its answer tag; None where it has none.
        stated: the result in the last line of a plain reply.
        carried: the text that it carries to the next round; None where it carries nothing.
        events: what went wrong: no_answer, progress_cut, progress_cleaned, or grader_gave_up.
        prediction: its boxed result; `correct` says whether that is right. `grade` sets both.
        ended: whether it ends its episode, in the last round or before. Then it has no children.
        children: its continuations.
    """

    round: int
    rounds: int
    reply: Reply
    well_formed: bool
    answer: str | None
    stated: str | None = None
    carried: str | None = None
    events: tuple[str, ...] = ()
    prediction: str | None = None
    correct: bool = False
    ended: bool = False
    children: list["Node"] = field(default_factory=list)


Path = tuple[Node, ...]  # a first-round reply and one continuation after another


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
    """All trajectories that begin with `path`, to their ends; `path` itself where it has ended."""
    children = path[-1].children
    return [longer for child in children for longer in continuations((*path, child))] if children else [path]


def main_line(root: Node) -> Path:
    """A first-round reply with its first continuation in each round. Other branches only estimate its return."""
    line = [root]
    while line[-1].children:
        line.append(line[-1].children[0])
    return tuple(line)


def copied(path: Path) -> bool:
    """Whether an earlier round of this trajectory has boxed the final answer already (collapse of the rounds)."""
    return path[-1].prediction is not None and any(node.prediction == path[-1].prediction for node in path[:-1])


@dataclass(frozen=True)
class Episode:
    """How a policy thinks in `rounds` rounds of at most `tokens` new tokens each.

    Args:
        temperature, top_p, top_k: how tokens are drawn in training, the same in all rounds.
        later: other values of these three and of `tokens` for round 2 and on; null means the same.
        carry: what a round carries to the next one (`motif.rounds.carry`).
        prompts: the words of the prompts.
        stop: `rounds` takes all rounds, `answered` ends with the first complete final answer, `ended` with the first
            reply that has no summary or, where none is asked for, that came to its own end.
        carry_thoughts: whether what is carried is taken from the thoughts of a reply (`<think>`), too.

    Raises:
        UserError: a value that cannot be, by its key.
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
    carry_thoughts: bool = False

    def __post_init__(self) -> None:
        whole("rounds", self.rounds, at_most=MOST)
        one_of("episode.stop", self.stop, ("rounds", "answered", "ended"))
        one_of("episode.carry_thoughts", self.carry_thoughts, (True, False))
        of_kind("episode.later", self.later, Mapping)
        of_kind("episode.prompts", self.prompts, Prompts)
        if not callable(getattr(self.carry, "carry", None)):
            raise UserError(
                f"episode.carry must say what is handed over, as in episode=summary, got {shown(self.carry)}"
            )
        if isinstance(self.carry, Continued) and self.rounds > 1:
            self.carry.check(self.tokens)
        if unknown := set(self.later) - {"tokens", "temperature", "top_p", "top_k"}:
            raise UserError(
                f"episode.later knows tokens, temperature, top_p and top_k, got {', '.join(sorted(unknown))}"
            )
        try:
            self.sampling(1), self.sampling(2)
        except UserError as error:
            raise UserError(f"episode: {error}") from None

    def sampling(self, round: int) -> Sampling:
        """How the replies of `round` are drawn in training."""
        first = Sampling(self.tokens, self.temperature, self.top_p, self.top_k)
        changes = {key: value for key, value in self.later.items() if value is not None}
        return first if round == 1 else replace(first, **changes)

    def with_rounds(self, rounds: int) -> "Episode":
        return replace(self, rounds=rounds)

    def showing(self, questions: Sequence[Question]) -> "Episode":
        """The same episode with worked examples from these training questions (`Prompts.showing`)."""
        return replace(self, prompts=self.prompts.showing(questions))

    def budget(self) -> int:
        """The most new tokens of an episode, all rounds together."""
        return sum(self.sampling(round).tokens for round in range(1, self.rounds + 1))

    def with_budget(self, tokens: int) -> "Episode":
        """The same episode with `tokens` new tokens in all.

        Each round gets a part in proportion to its window, rounded down. A round without any is a `UserError`.
        """
        windows = [self.sampling(round).tokens * tokens // self.budget() for round in (1, 2)]
        if min(windows) < 1:
            raise UserError(f"a budget of {tokens} tokens leaves a round of {self.rounds} without any; raise it")
        return replace(self, tokens=windows[0], later={**self.later, "tokens": windows[1]})

    def conversation(self, question: Question, round: int, carried: str | None) -> Conversation:
        """The messages of `round` about `question`, after a round that carried over the text `carried`."""
        told, tagged, early = self.carry.told, self.carry.tagged, self.stop == "answered"
        return self.prompts.conversation(question.text, round, self.rounds, carried, told, tagged, early)

    def talk(self, question: Question, path: Path) -> Conversation:
        """The conversation of the round that follows the replies `path`."""
        return self.conversation(question, len(path) + 1, path[-1].carried if path else None)

    def node(self, reply: Reply, before: Path, tokenizer: Any) -> Node:
        """`reply` as a node after the replies `before`: its parts and the text that it carries."""
        node = self.read(reply, len(before) + 1)
        if not node.ended:
            *replies, own = (self.spoken(each, tokenizer) for each in (*(earlier.reply for earlier in before), reply))
            carried = self.carry.carry(Turn(own, node.answer, replies, self.sampling(node.round).tokens, tokenizer))
            node.events += ("progress_cut",) * carried.cut
            if (text := carried.text) is not None:
                bare = self.prompts.format == "bare" and not self.carry.tagged  # the turn goes on just as it is
                clean = text if bare else self.prompts.harmless(text, tokenizer.all_special_tokens).strip()
                node.events += ("progress_cleaned",) * (self.carry.tagged and clean != text.strip())
                node.carried = clean or None
        return node

    def spoken(self, reply: Reply, tokenizer: Any) -> Reply:
        """`reply` without its thoughts, unless they are carried."""
        text = reply.text if self.carry_thoughts else self.prompts.said(reply.text)
        if text == reply.text:
            return reply
        return replace(reply, text=text, token_ids=tokenizer(encodable(text), add_special_tokens=False)["input_ids"])

    def read(self, reply: Reply, round: int) -> Node:
        """The parts of a reply of `round`, and whether it ends its episode. It does not set what the reply carries.

        Before the end of an episode only a tagged carry-over asks for an answer tag. With another one any reply there
        is well formed.
        """
        prompts = self.prompts
        text = reply.text if reply.finished or prompts.format != "plain" else ""  # a last line that was cut is none
        answer, stated = prompts.answer_of(text), prompts.stated(text)
        ended = round == self.rounds or self.stops(reply, answer, stated)
        answer = final_answer(text, tag=None) if ended and prompts.format == "bare" else answer
        node = Node(round, self.rounds, reply, prompts.well_formed(text, ended), answer, stated, ended=ended)
        if node.ended or self.carry.tagged:
            node.events += ("no_answer",) * (answer is None)
        else:
            node.well_formed = True
        return node

    def stops(self, reply: Reply, answer: str | None, stated: str | None) -> bool:
        """Whether `reply` ends its episode by `stop`. `answered` asks for a reply that came to its own end, with a
        box in its answer tag or the result in its last line."""
        if self.stop == "ended":
            return answer is None if self.carry.tagged else reply.finished
        boxed = answer is not None and final_answer(answer, tag=None) is not None
        return self.stop == "answered" and reply.finished and (boxed or stated is not None)


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a tree grows: after `path`, into the list `replies`. `main`: `path` is the beginning of a main line.
    `places` are those of the path's nodes among their siblings."""

    question: Question
    path: Path
    replies: list[Node]
    main: bool = True
    places: tuple[int, ...] = ()

    def longer(self) -> Iterator["Branch"]:
        """The branches after its replies, without those that ended their episode."""
        for place, node in enumerate(self.replies):
            if not node.ended:
                main = self.main and (place == 0 or not self.path)
                yield Branch(self.question, (*self.path, node), node.children, main, (*self.places, place))


def grow(
    questions: Sequence[Question],
    episode: Episode,
    branching: Sequence[int] | Callable[[Branch], int],
    generate: Generate,
    tokenizer: Any,
    sampling: Callable[[int], Sampling],
    talk: Callable[[Question, Path], Conversation] | None = None,
    draw: Callable[[str, tuple[int, ...]], int] = draw_key,
    trees: Sequence[Tree] = (),
) -> list[Tree]:
    """Grow one tree a question, of at most `episode.rounds` rounds.

    Args:
        branching: `branching[0]` is the number of first-round replies; each begins a main line. `branching[t]` is the
            number of continuations of a main line's reply of round t; the first of them carries the line on. A reply
            beside the main lines has one continuation. Or a function that says how many replies a branch has.
        generate: called once a round. The continuations of one reply are neighbouring rows with equal prompts.
        tokenizer: cuts what is carried; its special tokens are taken out of it.
        sampling: how the replies of a round are drawn.
        draw: the key of the random numbers of the first reply to a question's id and the places of what comes before
            it. The replies beside that one have the keys that follow.
        talk: the conversation of the round that follows some replies, where it is not `episode.talk`.
        trees: of the questions, where they have grown before. A branch gets the replies that it lacks of its width;
            they have the places, and so the keys, after those that are there.
    """
    talk = talk or episode.talk
    wide = branching if callable(branching) else lambda branch: branching[len(branch.path)] if branch.main else 1
    grown = [*trees] or [Tree(question) for question in questions]
    branches = [Branch(tree.question, (), tree.roots) for tree in grown]
    for round in range(1, episode.rounds + 1):
        new = [(branch, range(len(branch.replies), wide(branch))) for branch in branches]
        prompts = [talk(branch.question, branch.path) if places else [] for branch, places in new]
        rows = [prompt for prompt, (_, places) in zip(prompts, new, strict=True) for _ in places]
        firsts = [draw(branch.question.id, branch.places) for branch in branches]
        keys = [first + place for first, (_, places) in zip(firsts, new, strict=True) for place in places]
        replies = iter(generate(rows, sampling(round).keyed(keys)) if rows else ())
        for branch, places in new:
            branch.replies.extend(episode.node(next(replies), branch.path, tokenizer) for _ in places)
        branches = [longer for branch in branches for longer in branch.longer()]
    return grown


def grade(trees: Sequence[Tree]) -> None:
    """Set the prediction of every node, and whether it is right."""
    for tree in trees:
        for node in tree.nodes():
            node.prediction = node.stated or final_answer(node.reply.text, tag=None)
            if node.prediction is None and tree.question.unboxed:
                node.prediction = node.answer or None
            graded = verdict(node.prediction, tree.question.gold) if node.prediction is not None else Verdict.WRONG
            node.correct = graded is Verdict.RIGHT
            node.events += ("grader_gave_up",) * (graded is Verdict.UNDECIDED)
