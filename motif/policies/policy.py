"""A policy: a causal language model and its tokenizer.

Here is how a conversation becomes tokens, which tokens end a reply, and what the policy was before training. This
module finds and loads no files: that is `motif.policies.weights`.
"""

import copy
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from motif.rounds.prompts import SO_FAR, Conversation
from motif.system.errors import UserError
from motif.system.safe_text import encodable

PROBE = "where-does-this-go"  # a message that is looked for in what the chat template makes of it
MARK = re.compile(r"<<?[^<>\s]{1,60}>>?|\[/?[A-Z_]+\]")  # <|im_start|>, <start_of_turn>, <<SYS>>, [INST]
TAG = re.compile(r"<(/?)(\w[\w-]+)>")
THOUGHT = re.compile(r"</?think(?:ing)?>")


@dataclass(frozen=True)
class Policy:
    """A model, its tokenizer and the keywords of its chat template.

    `path` (a hub id, a folder or a file) and `commit` (of the hub) say where the weights came from.
    """

    model: Any
    tokenizer: Any
    template_options: dict[str, Any] = field(default_factory=dict)
    path: str | None = None
    commit: str | None = None

    def render(self, conversations: Sequence[Conversation]) -> list[list[int]]:
        """The token ids of each conversation, up to where the assistant speaks. Equal ones share one list.

        What a message says opens and closes no turn: control strings in it are broken by a space (`as_text`). A last
        message of the assistant begins its turn, before the thought that the template opens. One of the role `SO_FAR`
        follows all that the template writes, with the tokens that were drawn for it.
        """
        keys = [tuple((each["role"], each["content"], drawn(each)) for each in talk) for talk in conversations]
        distinct = dict(zip(keys, conversations, strict=True))
        ids = self._ids([self._opened(talk) for talk in distinct.values()])
        rendered = {
            key: [*before, *(drawn(talk[-1]) or self._ids([self.as_text(talk[-1]["content"])])[0])]
            if talk[-1]["role"] == SO_FAR
            else before
            for (key, talk), before in zip(distinct.items(), ids, strict=True)
        }
        return [rendered[key] for key in keys]

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        return self.tokenizer(list(map(encodable, texts)), add_special_tokens=False)["input_ids"] if texts else []

    def _opened(self, talk: Conversation) -> str:
        """The text of `talk` up to where the assistant speaks, with the beginning of its turn and the open thought."""
        talk = [{**message, "content": self.as_text(message["content"])} for message in talk]
        begun = talk.pop() if talk[-1]["role"] in ("assistant", SO_FAR) else None
        text = self._text(talk if self.system_role else without_system(talk))
        if begun is None or begun["role"] == SO_FAR:
            return text
        return text.removesuffix(self.thought) + begun["content"] + self.thought

    def thought_before(self, prompt: list[int]) -> str:
        """The opening of the thought in which `prompt` ends; nothing where it is closed, or there is none."""
        after = self.tokenizer.decode(prompt).rpartition(self.thought)[2] if self.thought else ""
        return "" if "</think" in after else self.thought

    def check_ids(self, ids: Iterable[int]) -> None:
        """A `UserError` where the model has no embedding of one of these tokens."""
        if (most := max(ids, default=0)) >= (size := self.size):
            token = self.tokenizer.convert_ids_to_tokens(most)
            raise UserError(
                f"the tokenizer of model.path={self.path} has more tokens than its embeddings: {size} of them, and "
                f"{token} is number {most}; give the model that was trained with this tokenizer, or resize it first "
                "(transformers: resize_token_embeddings) and train that"
            )

    @cached_property
    def size(self) -> int:
        """The number of tokens that the model has an embedding of."""
        return int(self.model.get_input_embeddings().weight.shape[0])

    def _text(self, talk: Conversation, reply_follows: bool = True) -> str:
        return self.tokenizer.apply_chat_template(
            talk, tokenize=False, add_generation_prompt=reply_follows, **self.template_options
        )

    def shows(self, *roles: str, probe: int = -1) -> str | None:
        """What the chat template makes of a talk of these `roles`, in which message number `probe` is `PROBE`.

        None where the template raises, or drops that message.
        """
        from jinja2 import TemplateError

        talk = [{"role": role, "content": "-"} for role in roles]
        talk[probe]["content"] = PROBE
        try:
            text = self._text(talk, reply_follows=roles[-1] != "assistant")
        except (TemplateError, TypeError, ValueError):
            return None
        return text if PROBE in text else None

    @cached_property
    def system_role(self) -> bool:
        """Whether the chat template shows a system message."""
        return self.shows("system", "user", probe=0) is not None

    def as_text(self, content: str) -> str:
        """`content` with a space after the first sign of each control string, until it holds none: `< |im_end|>`."""
        while self._control and self._control.search(content):
            content = self._control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", content)
        return content

    @cached_property
    def _control(self) -> re.Pattern[str] | None:
        """Control strings: special tokens, tokens that look like them, and marks that the template writes around turns.

        A pair of tags such as `<reasoning>` and `</reasoning>` is none, unless the template writes it. Nor is
        `<think>`: a thought is no turn, and both may be tags that the suite asks for.
        """
        added = {token.content: token.special for token in self.tokenizer.added_tokens_decoder.values()}
        paired = {name for name in map(_other_tag, added) if name in added}
        strings = {
            text
            for text, special in added.items()
            if text not in paired and (special or re.fullmatch(r"<[|｜].+[|｜]>|</?s>", text))
        }
        around = self.shows("system", "user", "assistant") or self.shows("user", "assistant") or ""
        strings |= {mark for mark in MARK.findall(around) if not THOUGHT.fullmatch(mark)}
        strings = {text for text in strings if len(text) > 1 and text.strip()}
        return re.compile("|".join(map(re.escape, sorted(strings)))) if strings else None

    @cached_property
    def thought(self) -> str:
        """The opening of a thought with which the chat template ends a prompt, such as `<think>`; else nothing.

        A reply's text begins with it, though its tokens do not: so one reads where its thought ends.
        """
        end = (self.shows("user") or "").rpartition(PROBE)[2]
        found = list(THOUGHT.finditer(end))
        return end[found[-1].start() :] if found and not found[-1][0].startswith("</") else ""

    @property
    def thinking(self) -> str:
        """What the chat template makes of thoughts: opens, closes, leaves them to the policy, or knows none."""
        option = f" (model.template_options={self.template_options})" if self.template_options else ""
        if self.thought:
            return f"the chat template opens a thought in each prompt{option}; form and answer are read after it"
        if THOUGHT.search((self.shows("user") or "").rpartition(PROBE)[2]):
            return f"the chat template closes the thought in each prompt{option}: the policy answers at once"
        if THOUGHT.search(str(self.tokenizer.chat_template)):
            return f"the chat template lets the policy think first{option}; form and answer are read after its thoughts"
        return f"the chat template knows no thoughts{option}"

    @property
    def weights(self) -> str:
        """Which weights these are, by where they came from, and what they are kept and trained in."""
        name = Path(str(getattr(self.model, "name_or_path", ""))).name  # of the folder: a commit, or what a file became
        origin = self.path if not name or name in str(self.path) else f"{self.path} ({name})"
        dtypes = {(each.requires_grad, str(each.dtype).removeprefix("torch.")) for each in self.model.parameters()}
        kept = [f"{'trained' if trained else 'frozen'} in {dtype}" for trained, dtype in sorted(dtypes)]
        return ", ".join([f"weights of {origin}", *kept])

    @cached_property
    def end_ids(self) -> list[int]:
        """The tokens that end a reply: the tokenizer's, the model's, and the one that ends a turn in the template.

        Base models need the last: their end token ends a document, while their template is that of a chat.
        """
        ends = self.model.generation_config.eos_token_id
        ends = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
        every = [self.tokenizer.eos_token_id, *ends, self.turn_end]
        return [id for id in dict.fromkeys(every) if id is not None]

    @cached_property
    def turn_end(self) -> int | None:
        """The special token that ends a reply in the chat template; None where the template writes none."""
        after = (self.shows("user", "assistant") or "").rpartition(PROBE)[2].lstrip()
        first = self.tokenizer(after, add_special_tokens=False)["input_ids"][:1] if after else []
        special = self.tokenizer.added_tokens_decoder
        return next((id for id in first if id in special and special[id].special), None)

    @property
    def pad_id(self) -> int:
        return self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.tokenizer.eos_token_id

    def without_end(self, token_ids: list[int]) -> list[int]:
        """`token_ids` without the token that ended the reply, if one did."""
        return token_ids[:-1] if token_ids and token_ids[-1] in self.end_ids else token_ids


def drawn(message: Mapping[str, str]) -> tuple[int, ...]:
    """The tokens that were drawn for a message's content, where it has them (`motif.rounds.prompts.Drawn`)."""
    return getattr(message["content"], "ids", ())


def _other_tag(tag: str) -> str | None:
    """`</name>` of `<name>`, and the other way round; None of what is no tag of two letters or more."""
    found = TAG.fullmatch(tag)
    return found and f"<{'' if found[1] else '/'}{found[2]}>"


def without_system(talk: Conversation) -> Conversation:
    """`talk` with its system text at the top of the next message."""
    if len(talk) < 2 or talk[0]["role"] != "system":
        return talk
    return [{**talk[1], "content": f"{talk[0]['content']}\n\n{talk[1]['content']}"}, *talk[2:]]


def context(model: Any) -> list[tuple[int, str]]:
    """The numbers of positions that a prompt and its reply have to fit in together, each with what says so.

    Some kinds of rotary positions change all positions, those of tokens before too, where a text grows too long. A
    reply that did so would be drawn token by token from other distributions than those it is trained with.
    """
    config = model.config.get_text_config()
    known = getattr(config, "max_position_embeddings", None)
    limits = [(int(known), "max_position_embeddings of the model")] if known else []
    rope = getattr(config, "rope_parameters", None) or {}
    for kind in [rope, *rope.values()]:
        first = kind.get("original_max_position_embeddings") or known if isinstance(kind, Mapping) else None
        if first and kind.get("rope_type") in ("longrope", "dynamic"):
            name = f"original_max_position_embeddings of the model, whose rope_type={kind['rope_type']}"
            limits.append((int(first), f"{name} moves all positions in longer texts"))
    return limits


@contextmanager
def untrained(policy: Policy) -> Iterator[None]:
    """Within the block, a policy with adapters is what it was before training. Other policies need `frozen_copy`."""
    if not hasattr(policy.model, "disable_adapter"):
        raise TypeError("a policy without adapters has to be copied before it is trained (frozen_copy)")
    with without_adapters(policy.model):
        yield


@contextmanager
def without_adapters(model: Any) -> Iterator[None]:
    """Within the block, `model` is its base model. After it the same weights are trained as before."""
    trained = [parameter.requires_grad for parameter in model.parameters()]
    try:
        with model.disable_adapter():
            yield
    finally:
        for parameter, needed in zip(model.parameters(), trained, strict=True):
            parameter.requires_grad_(needed)


def frozen_copy(policy: Policy) -> Policy:
    """A copy of the policy as it is now, which is not trained."""
    model = copy.deepcopy(policy.model).eval()
    model.requires_grad_(False)
    return replace(policy, model=model)
