"""Policies: a causal language model and its tokenizer, loaded from a hub id or a folder."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from motif.checks import UserError, number, one_of, whole
from motif.prompts import Conversation

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Policy:
    """A model and its tokenizer, with what the rest of the suite needs to know about their text."""

    model: Any
    tokenizer: Any
    template_options: dict[str, Any] = field(default_factory=dict)

    def render(self, conversations: Sequence[Conversation]) -> list[list[int]]:
        """Token ids of each conversation up to where the assistant speaks; equal ones share one rendering and list."""
        keys = [tuple((message["role"], message["content"]) for message in talk) for talk in conversations]
        distinct = dict(zip(keys, conversations, strict=True))
        texts = [
            self.tokenizer.apply_chat_template(
                talk, tokenize=False, add_generation_prompt=True, **self.template_options
            )
            for talk in distinct.values()
        ]
        ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        found = dict(zip(distinct, ids, strict=True))
        return [found[key] for key in keys]

    @cached_property
    def end_ids(self) -> list[int]:
        """The tokens that end a reply: the tokenizer's and the model's own."""
        ends = self.model.generation_config.eos_token_id
        ends = [] if ends is None else [ends] if isinstance(ends, int) else list(ends)
        return list(dict.fromkeys([self.tokenizer.eos_token_id, *ends]))

    @property
    def pad_id(self) -> int:
        return self.tokenizer.pad_token_id if self.tokenizer.pad_token_id is not None else self.tokenizer.eos_token_id

    def without_end(self, token_ids: list[int]) -> list[int]:
        """`token_ids` without the token that ended the reply, if one did."""
        return token_ids[:-1] if token_ids and token_ids[-1] in self.end_ids else token_ids


@dataclass(frozen=True)
class Pretrained:
    """A policy from the hub or a folder (`path`), safetensors only, no remote code.

    `dtype` is auto, float32, bfloat16 or float16; `attention` is transformers' name of the implementation; `peft` the
    keywords of peft's LoraConfig, null for training all weights. `learning_rate` is the vetted rate for reinforcement
    and `wording` the prompts' wording that suits the model.
    """

    path: str
    name: str = "local"
    revision: str | None = None
    dtype: str = "auto"
    attention: str = "sdpa"
    peft: dict[str, Any] | None = None
    template_options: dict[str, Any] = field(default_factory=dict)
    learning_rate: float = 5e-6
    wording: str = "full"

    def __post_init__(self) -> None:
        if not isinstance(self.path, str) or not self.path:
            raise UserError(f"model.path must be a hub id or a folder, got {self.path!r}")
        one_of("model.dtype", self.dtype, ("auto", "float32", "bfloat16", "float16"))
        one_of("model.wording", self.wording, ("full", "terse"))
        number("model.learning_rate", self.learning_rate, above=0)
        if self.peft is not None:
            whole("model.peft.r", self.peft.get("r", 8))

    def load(self, report: Any = None) -> Policy:
        """Load weights and tokenizer, with fresh LoRA adapters where `peft` is set."""
        policy = load_policy(self.path, self.revision, self.dtype, self.attention, dict(self.template_options))
        if self.peft is None:
            return policy
        from peft import LoraConfig, get_peft_model

        options: dict[str, Any] = {
            key: list(value) if isinstance(value, list | tuple) else value for key, value in self.peft.items()
        }
        model = get_peft_model(policy.model, LoraConfig(task_type="CAUSAL_LM", **options))
        return Policy(model, policy.tokenizer, policy.template_options)


def load_policy(
    path: str,
    revision: str | None = None,
    dtype: str = "auto",
    attention: str = "sdpa",
    template_options: dict[str, Any] | None = None,
    device: "torch.device | None" = None,
) -> Policy:
    """The policy at `path`, on the GPU where there is one. A missing or unusable one is a `UserError`."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, revision=revision, padding_side="left")
        model: Any = AutoModelForCausalLM.from_pretrained(
            path, revision=revision, dtype=dtype, attn_implementation=attention, use_safetensors=True
        )
    except (OSError, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        raise UserError(
            f"model.path={path} cannot be loaded: {first} "
            "(a folder saved by save_pretrained works without a network: model=local model.path=FOLDER)"
        ) from error
    if tokenizer.chat_template is None:
        raise UserError(f"the tokenizer at {path} has no chat template; use an instruction-tuned model")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.to(device)
    return Policy(model, tokenizer, template_options or {})
