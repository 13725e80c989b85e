"""A toy world: a tokenizer of words, and generators that are lambdas."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from motif.rounds.prompts import Conversation
from motif.rounds.replies import Reply, Sampling
from motif.tasks.questions import Question
from tests.support import ROOT


class Words:
    """A tokenizer whose tokens are words; `<|end|>` is its control string."""

    all_special_tokens = ("<|end|>",)

    def __init__(self) -> None:
        self.words: list[str] = []

    def __call__(self, text: str, **_: object) -> dict[str, list[int]]:
        return {"input_ids": [self._id(word) for word in text.split(" ")]}

    def decode(self, ids: Sequence[int]) -> str:
        return " ".join(self.words[id] for id in ids)

    def _id(self, word: str) -> int:
        if word not in self.words:
            self.words.append(word)
        return self.words.index(word)


def reply(text: str, words: Words, prompt: str = "p", finished: bool = True) -> Reply:
    return Reply(text, words(text)["input_ids"], words(prompt)["input_ids"], finished)


def says(words: Words, answer: Callable[[str], str]) -> Callable[[Sequence[Conversation], Sampling], list[Reply]]:
    """A generator: `answer` maps a prompt's text to the reply's."""

    def generate(talks: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
        texts = ["\n".join(message["content"] for message in talk) for talk in talks]
        return [reply(answer(text), words, text) for text in texts]

    return generate


def question(text: str = "1+1", gold: str = "2", **facts: object) -> Question:
    return Question(f"toy-{text}", text, gold, dict(facts))


def good(answer: str, reasoning: str = "so") -> str:
    return f"<reasoning>{reasoning}</reasoning><answer>{answer}</answer>"


def shared(name: str) -> Path:
    """A file of the real data that lies beside a development checkout; the test is skipped where it does not."""
    root = Path(os.environ.get("MOTIF_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (root / name).exists():
        pytest.skip(f"{name} of the shared data is not here")
    return root / name


def random_qwen() -> Any:
    """A Qwen2 of random weights (two layers, 64 wide) with the tokenizer of the tiny policy; undecided everywhere."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from motif.policies.pretrained import Policy
    from motif.policies.tiny import Tiny

    tokenizer = Tiny().load().tokenizer
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
        initializer_range=0.2,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return Policy(Qwen2ForCausalLM(config).eval(), tokenizer)
