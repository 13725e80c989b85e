"""One question, solved on the screen (`solve.py`): each round as it is written, what it carries over, and the answer.

It keeps nothing on disk and measures nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from motif.evaluation.evaluate import Evaluation
from motif.policies.pretrained import Policy, check_policy, open_policy, policy_name
from motif.rounds import Conversation, Episode, Node, Reply, Sampling, Tree, draw_key, grade
from motif.system import UserError, console, number, of_kind, program, whole
from motif.tasks.questions import Dataset, Question


@dataclass(frozen=True)
class Solver:
    """A policy and a question.

    `policy` and `options` are as for `evaluate.py`. The policy is greedy unless `temperature` is above 0. `gold`, the
    right answer, is compared where it is given. `dataset` has the worked examples. `model` is what the policy was made
    from, where that is known; it says what it cannot read. Raises a `UserError` where a value is impossible.
    """

    policy: str
    question: str
    episode: Episode
    rounds: int = 3
    temperature: float = 0.0
    seed: int = 0
    gold: str | None = None
    dataset: Dataset | None = None
    model: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        of_kind("episode", self.episode, Episode)
        of_kind("options", self.options, Mapping)
        whole("rounds", self.rounds)
        whole("seed", self.seed, at_least=0)
        number("temperature", self.temperature, at_least=0)
        check_policy(self.policy)
        if not str(self.question).strip():
            raise UserError(f'the question is empty: {program("solve")} policy=... "What is 7 times 8?"')

    def run(self) -> list[Node]:
        """Print the episode. Returns its rounds; the last one's `prediction` is the answer, None where none could be
        read."""
        console.quiet_bars()
        with console.progress(f"loading {policy_name(self.policy)}"):
            policy = open_policy(self.policy, **self.options)
        if strange := getattr(self.model, "unread", lambda text: "")(str(self.question)):
            words = f"model={self.model.name} was never shown the like of {strange!r}"
            console.say(f"warning: {words}, so the answer means nothing", style="yellow")
        path = self._episode(policy)
        answer = path[-1].prediction
        shown = answer if answer is not None else "none (no complete box in the last round)"
        console.say(f"answer  {shown}", style="bold")
        if self.gold is not None:
            console.say(f"gold    {self.gold}  ({'right' if path[-1].correct else 'wrong'})")
        console.say(f"tokens  {' + '.join(str(len(node.reply.token_ids)) for node in path)}")
        return path

    def _episode(self, policy: Policy) -> list[Node]:
        """The replies of the episode, printed round by round, and graded."""
        episode = self.episode.with_rounds(self.rounds)
        if episode.prompts.examples:
            if self.dataset is None:
                raise UserError("episode.prompts.examples are of a data set: choose one, as in dataset=gsm8k")
            episode = episode.showing(self.dataset.train())
        sampling = Evaluation(temperature=self.temperature).sampling(episode)
        tree = Tree(Question("asked", str(self.question), "" if self.gold is None else str(self.gold)))
        path: list[Node] = []
        carried = None
        for round in range(1, self.rounds + 1):
            console.say(f"── round {round} of {self.rounds} ──", style="bold")
            drawn = sampling(round).keyed([draw_key("solve", self.seed, str(self.question), round)])
            reply = written(policy, episode.conversation(tree.question, round, carried), drawn)
            node = episode.node(reply, tuple(path), policy.tokenizer)
            (path[-1].children if path else tree.roots).append(node)
            path.append(node)
            carried = node.carried
            if node.ended:
                break
            console.say(f"handed on: {carried or 'nothing'}", style="dim")
        grade([tree])
        return path


def written(policy: Policy, conversation: Conversation, sampling: Sampling) -> Reply:
    """The reply to `conversation`, its text printed as it is decoded."""
    from motif.generation.decoding import decode

    prompts = policy.render([conversation])
    ids: list[int] = []
    shown = ""

    def watch(row: int, token: int) -> None:
        nonlocal shown
        ids.append(token)
        text = policy.tokenizer.decode(policy.without_end(ids))
        if not text.endswith("\ufffd"):  # the first bytes of a letter whose last bytes are still to come
            console.write(text[len(shown) :])
            shown = text

    thought = policy.thought_before(prompts[0])
    console.write(thought)
    (row,) = decode(policy.model, prompts, sampling, policy.end_ids, policy.pad_id, watch=watch)
    token_ids, logprobs, finished = row
    console.say("" if finished else " … (cut off at the window)")
    text = policy.tokenizer.decode(policy.without_end(token_ids))
    return Reply(thought + text, token_ids, prompts[0], finished, logprobs)
