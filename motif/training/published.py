"""The flaws of the published code, each a switch of its own, so that what it does to a result can be measured.

Numbers are those of the list in docs/method.md. Every switch is off by default, and the presets
`experiment=as_published_grpo` and `as_published_motif` turn them on. Nothing else in the suite behaves as published.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial

from motif.generation.engines import Engine
from motif.policies.policy import Policy, frozen_copy, untrained
from motif.rounds import Conversation, Generate, Reply, Sampling
from motif.rounds.carry import Summary
from motif.rounds.episode import Episode, Path, Tree, grade
from motif.rounds.marking import divided
from motif.system.errors import UserError, one_of
from motif.tasks.grading import final_answer, grader_id
from motif.training.rewards import Reward, Term

UNBOUNDED = 2**31  # tokens that are carried

CHOICES = {  # first what is right, then what was published
    "futures": ("current", "base"),
    "format": ("any_line", "single_line"),
    "tag_count": ("plain", "length_penalty"),
    "accuracy": ("equal", "tiered"),
    "carry": ("bounded", "whole_text"),
    "grading": ("mathematical", "substring"),
    "system_prompt": ("kept", "dropped"),
    "sampling": ("equal", "unequal"),
    "evaluation_budget": ("equal", "unequal"),
    "base_prompt": ("same", "boxed"),
}


@dataclass(frozen=True)
class Flaws:
    """`futures` (1): continuations come from the current policy, or from the untrained base.
    `format` (2): the published format patterns match across lines, or only within one.
    `tag_count` (3): the published tag count as it stands, or less 0.001 for each character after a missing line end.
    `accuracy` (4): 2 for a right answer in both arms, or in MOTIF's 2 in the answer tag and 1 elsewhere.
    `carry` (5): a reply hands on at most `episode.carry.tokens` tokens, and without an answer tag what
    `episode.carry.missing` says; or all of its answer tag, and without one its whole text.
    `grading` (6): answers are compared as mathematics, or searched for in the reply's text.
    `system_prompt` (7): kept, or dropped where the trained policy is measured on AIME.
    `sampling` (10): all rounds alike, or rounds 2 and on at temperature 0.8 and top-p 0.95.
    `evaluation_budget`: the numbers of rounds and the budget of `evaluation`, or each arm in the rounds that it was
    trained in, with these rounds' own windows.
    `base_prompt` (13): base and trained policies are measured with one prompt, or the base with one that asks for a
    box and for no tag.
    """

    futures: str = "current"
    format: str = "any_line"
    tag_count: str = "plain"
    accuracy: str = "equal"
    carry: str = "bounded"
    grading: str = "mathematical"
    system_prompt: str = "kept"
    sampling: str = "equal"
    evaluation_budget: str = "equal"
    base_prompt: str = "same"

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            one_of(f"flaws.{name}", getattr(self, name), choices)

    def on(self) -> list[str]:
        """The names of the switches that are on."""
        return [field.name for field in fields(self) if getattr(self, field.name) != CHOICES[field.name][0]]

    def training_episode(self, episode: Episode) -> Episode:
        """`episode` with the flaws that concern how a rollout goes (5, 10)."""
        if self.carry == "whole_text":
            if not isinstance(episode.carry, Summary):
                raise UserError("flaws.carry=whole_text is a flaw of episode=summary")
            episode = replace(episode, carry=replace(episode.carry, missing="whole", tokens=UNBOUNDED))
        if self.sampling == "unequal":
            episode = replace(episode, later={**episode.later, "temperature": 0.8, "top_p": 0.95})
        return episode

    def measured_episode(self, episode: Episode, policy: str, dataset: str) -> Episode:
        """`episode` as `policy` (base or trained) is measured on `dataset` (5, 7, 13)."""
        episode = self.training_episode(episode)
        if self.system_prompt == "dropped" and policy == "trained" and dataset.startswith("aime"):
            episode = replace(episode, prompts=replace(episode.prompts, system="none"))
        if self.base_prompt == "boxed" and policy == "base":
            episode = replace(episode, prompts=replace(episode.prompts, system="boxed", worked=()))
        return episode

    def mended(self, reward: Reward) -> Reward:
        """`reward` with the flaws that are on taken out of the published terms (2, 3, 4)."""

        def term(found: Term) -> Term:
            if isinstance(found, partial) and (flaw := TERMS.get(found.func)) and flaw[0] in self.on():
                return partial(found, **{flaw[1]: CHOICES[flaw[0]][0]})
            return found

        outcome = {name: term(found) for name, found in reward.outcome.items()}
        return replace(reward, outcome=outcome, reply={name: term(found) for name, found in reward.reply.items()})

    def marks(self) -> Callable[[Sequence[Tree]], None]:
        """What grades (6), divided among the processes."""
        return divided(self.grade if self.grading == "substring" else grade)

    def grader(self) -> str:
        return "substring" if self.grading == "substring" else grader_id()

    def grade(self, trees: Sequence[Tree]) -> None:
        """Flaw 6: a reply is right where its text holds the boxed gold letter by letter, with the
        commas that the data have; on AIME where it holds the
        gold's digits anywhere ("80" is in "1080")."""
        for tree in trees:
            gold = tree.question.written or tree.question.gold
            sought = gold if tree.question.id.startswith("aime") else f"\\boxed{{{gold}}}"
            for node in tree.nodes():
                node.correct = sought in node.reply.text
                node.prediction = gold if node.correct else final_answer(node.reply.text, tag=None)


def base_generator(policy: Policy, engine: Engine) -> Generate:
    """A generator of the policy as it was before training (flaw 1), to be made before the first step.

    Args:
        policy: with adapters, which are then left out, or without, of which a copy is then kept.
        engine: that generates with the training model itself.
    """
    if not hasattr(policy.model, "peft_config"):
        return engine.generator(frozen_copy(policy))
    generate = engine.generator(policy)

    def without_adapters(talks: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
        with untrained(policy):
            return generate(talks, sampling)

    return without_adapters


def accuracy(path: Path, scheme: str = "equal") -> float:
    """2 for a right answer; with `tiered` (flaw 4) 2 where it is boxed in the answer tag and 1 elsewhere."""
    node = path[-1]
    if not node.correct:
        return 0.0
    inside = node.reply.text if node.answer is None else node.answer
    return 2.0 if scheme == "equal" or f"\\boxed{{{node.prediction}}}" in inside else 1.0


def strict_format(path: Path, lines: str = "any_line") -> float:
    """0.5 for the four tags on lines of their own and a line end after the last; with `single_line` (flaw 2) only
    where reasoning and answer have no line break inside."""
    return 0.5 * matches(r"^<reasoning>\n.*?\n</reasoning>\n<answer>\n.*?\n</answer>\n$", path, lines)


def soft_format(path: Path, lines: str = "any_line") -> float:
    """0.5 for the four tags in order from the start of the reply; `single_line` (flaw 2) as in `strict_format`."""
    return 0.5 * matches(r"<reasoning>.*?</reasoning>\s*<answer>.*?</answer>", path, lines)


def matches(pattern: str, path: Path, lines: str) -> bool:
    return bool(re.match(pattern, path[-1].reply.text, re.DOTALL if lines == "any_line" else 0))


def tag_count(path: Path, penalty: str = "plain") -> float:
    """0.125 for each of the four tags that stands once, on its line.

    With `length_penalty` (flaw 3) 0.001 is taken off for each character behind the closing tag and its line end. Where
    that line end is missing, as in almost every reply, all of the reply counts as standing behind it.
    """
    text = path[-1].reply.text
    score = 0.125 * sum(
        text.count(tag) == 1 for tag in ("<reasoning>\n", "\n</reasoning>\n", "\n<answer>\n", "\n</answer>")
    )
    if penalty == "length_penalty":
        if text.count("\n<answer>\n") == 1:
            score -= 0.001 * len(text.split("\n</answer>\n")[-1])
        if text.count("\n</answer>") == 1:
            score -= 0.001 * (len(text.split("\n</answer>")[-1]) - 1)
    return score


TERMS = {  # the published terms: the flaw of each, and the keyword that holds its choice
    accuracy: ("accuracy", "scheme"),
    strict_format: ("format", "lines"),
    soft_format: ("format", "lines"),
    tag_count: ("tag_count", "penalty"),
}
