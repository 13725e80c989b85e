"""The tokenizer of the tiny policy. Its tokens are bytes, so that any text has ids, and the tags and `\\boxed{`."""

from pathlib import Path
from typing import Any

END, PAD = "<|endoftext|>", "<|pad|>"  # a Qwen2 tokenizer that lacks <|endoftext|> adds it when it is loaded
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
TEMPLATE = (
    "{% for message in messages %}{{ '<|' + message['role'] + '|>' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ '<|endoftext|>' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def tokens() -> list[str]:
    """The strings that are one token each, besides the 256 bytes: control strings first, then tags."""
    tags = [f"<{slash}{tag}>" for tag in ("reasoning", "answer", "progress") for slash in ("", "/")]
    return [PAD, END, *ROLES, *tags, "\\boxed{"]


def build_tokenizer() -> Any:
    """The tokenizer, made anew; it pads on the left."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={symbol: id for id, symbol in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    control = (PAD, END, *ROLES)
    backend.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in control])
    backend.add_tokens([AddedToken(token, normalized=False) for token in tokens()[len(control) :]])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(ROLES),
        chat_template=TEMPLATE,
        padding_side="left",
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )


def check_reloaded(folder: Path, tokenizer: Any, texts: list[tuple[str, str]]) -> None:
    """Fail where `AutoTokenizer` finds a tokenizer in `folder` that gives other ids than the saved one.

    Raises:
        RuntimeError: it does; transformers has changed how it loads such a tokenizer.
    """
    from transformers import AutoTokenizer

    again = AutoTokenizer.from_pretrained(folder)
    for text in [*(prompt + reply for prompt, reply in texts), "Line one\nline two\t\\boxed{7} é 中"]:
        ids = tokenizer(text)["input_ids"]
        if again(text)["input_ids"] != ids or again.decode(ids) != text:
            raise RuntimeError(f"the tokenizer in {folder} came back different: {text!r}")
