"""One question, solved before your eyes: each round as it is written, what it hands on, and the answer (`solve.py`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from motif import screen
from motif.checks import UserError, number, of_kind, whole
from motif.data import Question
from motif.episode import Episode, grade, grow
from motif.evaluation import Evaluation
from motif.generation import Reply, Sampling
from motif.models import Policy, open_policy, policy_name
from motif.prompts import Conversation


@dataclass(frozen=True)
class Solver:
    """`policy` as for `evaluate.py`; greedy unless `temperature` is above 0; `gold` is compared where it is given."""

    policy: str
    question: str
    episode: Episode
    rounds: int = 3
    temperature: float = 0.0
    seed: int = 0
    gold: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        of_kind("episode", self.episode, Episode)
        whole("rounds", self.rounds)
        whole("seed", self.seed, at_least=0)
        number("temperature", self.temperature, at_least=0)
        if not isinstance(self.policy, str) or not self.policy:
            raise UserError(f"policy must be a run folder, a hub id or a model's folder, got {self.policy!r}")
        if not str(self.question).strip():
            raise UserError('the question is empty: python solve.py policy=... "What is 7 times 8?"')

    def run(self) -> str | None:
        """Print the episode and return its answer, None where none could be read."""
        screen.quiet_bars()
        with screen.progress(f"loading {policy_name(self.policy)}"):
            policy = open_policy(self.policy, **self.options)
        episode = self.episode.with_rounds(self.rounds)
        settings = Evaluation(temperature=self.temperature)
        live = Live(policy, self.rounds)
        (tree,) = grow(
            [Question("asked", str(self.question), str(self.gold or ""))],
            episode,
            [1] * self.rounds,
            live.generate,
            policy.tokenizer,
            settings.sampling(episode, self.seed),
        )
        grade([tree])
        (path,) = tree.paths()
        for node in path[:-1]:
            screen.say(f"carried after round {node.round}: {node.carried or 'nothing'}", style="dim")
        answer = path[-1].prediction
        screen.say(f"answer  {answer if answer is not None else 'none (no complete box in the last round)'}", style="bold")
        if self.gold is not None:
            screen.say(f"gold    {self.gold}  ({'right' if path[-1].correct else 'wrong'})")
        screen.say(f"tokens  {' + '.join(str(len(node.reply.token_ids)) for node in path)}")
        return answer


class Live:
    """A generator for one conversation a call, whose text is printed as it comes."""

    def __init__(self, policy: Policy, rounds: int) -> None:
        self.policy, self.rounds, self.round = policy, rounds, 0

    def generate(self, conversations: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
        from motif.decoding import decode

        self.round += 1
        screen.say(f"── round {self.round} of {self.rounds} ──", style="bold")
        prompts = self.policy.render(conversations)
        ids: list[int] = []
        shown = ""

        def watch(row: int, token: int) -> None:
            nonlocal shown
            ids.append(token)
            text = self.policy.tokenizer.decode(self.policy.without_end(ids))
            if not text.endswith("\ufffd"):  # the first bytes of a letter still to come
                screen.write(text[len(shown) :])
                shown = text

        ((written, logprobs, finished),) = decode(
            self.policy.model, prompts, sampling, self.policy.end_ids, self.policy.pad_id, watch=watch
        )
        screen.say("" if finished else " … (cut off at the window)")
        text = self.policy.tokenizer.decode(self.policy.without_end(written))
        return [Reply(text, written, prompts[0], finished, logprobs)]
