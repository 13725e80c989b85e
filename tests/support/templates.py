"""Chat templates of the model families, and tokenizers that have their control tokens.

Templates that TRL ships are read from it; the others are written down here in the same shape. The vocabulary below the
control tokens is the tiny policy's bytes.
"""

import importlib.util
from pathlib import Path
from typing import Any

from motif.policies.policy import Policy
from motif.policies.tiny_tokenizer import build_tokenizer

SMOLLM2 = """{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system
You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>
' }}{% endif %}{{'<|im_start|>' + message['role'] + '
' + message['content'] + '<|im_end|>' + '
'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant
' }}{% endif %}"""
PHI4 = """{% for message in messages %}{% if (message['role'] == 'system') %}
{{- '<|im_start|>system<|im_sep|>' + message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'user') %}
{{- '<|im_start|>user<|im_sep|>' + message['content'] + '<|im_end|>'}}{% elif (message['role'] == 'assistant') %}
{{- '<|im_start|>assistant<|im_sep|>' + message['content'] + '<|im_end|>'}}{% endif %}{% endfor %}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant<|im_sep|>' }}{% endif %}"""
LLAMA2 = """{% if messages[0]['role'] == 'system' %}{% set talk = messages[1:] %}
{%- set system = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}{% else %}{% set talk = messages %}
{%- set system = '' %}{% endif %}{% for message in talk %}{% if message['role'] == 'user' %}
{{- bos_token + '[INST] ' + (system if loop.first else '') + message['content'] + ' [/INST]' }}{% else %}
{{- ' ' + message['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"""
THINKS = "{% if add_generation_prompt %}{{ '<think>\n' }}{% endif %}"  # after Qwen3's, as Qwen3-Thinking-2507 has it

IM = ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]
HEADERS = [
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|reserved_special_token_0|>",
]
TURNS = ["<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>", "<start_of_image>"]
ROLES = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>", "<|placeholder1|>"]
DEEPSEEK = ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"]
CONTROL = {  # special tokens of each family, the first of which begins a document
    **{"qwen2_5": IM, "qwen3": IM, "qwen3_thinking": IM, "qwen3_instruct_2507": IM},
    **{"llama3": HEADERS, "llama3_2": HEADERS, "gemma3": TURNS, "phi3": ROLES, "phi3_5": ROLES},
    **{"smollm2": [*IM, "<repo_name>", "<empty_output>"], "phi4": [*IM, "<|im_sep|>"]},
    **{"deepseek_r1_distill": DEEPSEEK, "llama2": ["<s>", "</s>"]},
}
PLAIN = ["<think>", "</think>", "<tool_call>", "</tool_call>"]  # tokens of Qwen3 that are not special
TEXTS = {"smollm2": SMOLLM2, "phi4": PHI4, "llama2": LLAMA2}
MARKS = {"llama2": ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"]}  # that a template writes and no token is


def template(family: str) -> str:
    """The chat template of a family."""
    if family in TEXTS:
        return TEXTS[family]
    folder = Path(str(importlib.util.find_spec("trl").origin)).parent / "chat_templates"
    if family == "qwen3_thinking":
        return (folder / "qwen3.jinja").read_text() + THINKS
    return (folder / f"{family}.jinja").read_text()


def policy_of(family: str, model: Any = None, **options: Any) -> Policy:
    """A policy with the template and the control tokens of a family."""
    tokenizer = build_tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": CONTROL[family]})
    tokenizer.add_tokens(PLAIN)
    tokenizer.bos_token = CONTROL[family][0]
    tokenizer.chat_template = template(family)
    return Policy(model, tokenizer, options)
