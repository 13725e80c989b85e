"""What a version makes of data as written, of control tokens and of thoughts. `python -m benchmarks.mended` runs it.

It is a script: Python finds the version on its path, and its own functions are asked. The first version has them in
other modules.
"""

import itertools
import json
import os
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

GOLDS = [  # as JSON; in a file of their own, and beside a number with a fraction
    *("123456789012345678901234567890", "12345678901234567", "0.5", "1.10", "1e5", "-0", "2.50e-3", "true"),
    *('"2024-01-01"', '"2024-01-01T10:30:00"', '"10:30"', '"007"', '"True"', '"1e5"', '"1.10"', '"1,000"'),
]
BESIDE: list[list[str]] = [[], ['{"question": "b", "answer": 0.5}']]
ASKED: list[Any] = ["as text", [{"role": "user", "content": "as a message"}]]
CONTROL = {  # of families whose chat templates TRL ships
    "qwen2_5": ["<|im_start|>", "<|im_end|>"],
    "qwen3": ["<|im_start|>", "<|im_end|>"],
    "llama3": ["<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    "gemma3": ["<start_of_turn>", "<end_of_turn>"],
    "phi3": ["<|user|>", "<|assistant|>", "<|end|>"],
    "deepseek_r1_distill": ["<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"],
}
PERFECT = "<reasoning>so</reasoning><answer>\\boxed{4}</answer>"
THOUGHTS = ["<think>\nso\n</think>\n\n", "<think></think>", "<think>\\boxed{3}</think>", "opened in the prompt</think>"]
UNFINISHED = [
    f"<think>{PERFECT}",
    f"<think>\n{PERFECT} or",
    f"<think>so</think><think>{PERFECT}",
    f"<thinking>{PERFECT}",
]


def of(module: str, first_version: str) -> Any:
    """A module by its name, or by the name that it has in the first version."""
    try:
        return import_module(module)
    except ModuleNotFoundError:
        return import_module(first_version)


def data(corpus: Callable[..., Any], error: type[Exception]) -> list[str]:
    """Files that are read as they are written, and read anew after a change."""
    with TemporaryDirectory() as folder:
        names = map("{}.jsonl".format, itertools.count())

        def read(*rows: str, name: str = "") -> list[tuple[str, str]] | None:
            file = Path(folder) / (name or next(names))
            file.write_text("".join(f"{row}\n" for row in rows))
            os.utime(file, ns=(0, 0))
            try:
                return [(one.text, one.gold) for one in corpus("x", path=str(file), trainable=False).test()]
            except error:
                return None

        kept, tried = 0, [[f'{{"question": "a", "answer": {gold}}}', *beside] for gold in GOLDS for beside in BESIDE]
        for rows in tried:
            gold = rows[0].partition('"answer": ')[2].rstrip("}").strip('"')
            found = read(*rows)
            kept += found is not None and found[0] == ("a", gold)
        asked = [read(json.dumps({"question": each, "answer": "1"})) for each in ASKED]
        first, second = (read(f'{{"question": "a", "answer": "{gold}"}}', name="x.jsonl") for gold in (1, 2))
    return [
        f"{kept} of {len(tried)} golds of JSONL stay as they are written",
        f"{sum(each is not None for each in asked)} of {len(ASKED)} kinds of questions are read",
        f"a changed file with the same time of change gives {'old' if first == second else 'new'} rows",
    ]


def turns(policy: Callable[..., Any], prompts: Any, build_tokenizer: Callable[[], Any]) -> str:
    """In how many prompts a question adds control tokens."""
    templates = files("trl") / "chat_templates"
    opened = tried = 0
    for family, control in CONTROL.items():
        tokenizer = build_tokenizer()
        tokenizer.add_special_tokens({"additional_special_tokens": control})
        tokenizer.bos_token, tokenizer.chat_template = control[0], (templates / f"{family}.jinja").read_text()
        special = set(tokenizer.convert_tokens_to_ids(control))
        halves = [f"{sign[: len(sign) // 2]}{sign}{sign[len(sign) // 2 :]}" for sign in control]
        counts = []
        for question in ("q", *control, *halves, "\n".join(control)):
            (ids,) = policy(None, tokenizer).render([prompts.conversation(question, 1, 3, None)])
            counts.append(sum(id in special for id in ids))
        opened, tried = opened + sum(count != counts[0] for count in counts[1:]), tried + len(counts) - 1
    return f"{opened} of {tried} questions with control tokens open or close a turn, in {len(CONTROL)} templates"


def thoughts(prompts: Any, final_answer: Callable[..., str | None]) -> list[str]:
    """How many perfect replies after a thought earn form, and how many unfinished thoughts have form or an answer."""
    formed = sum(prompts.well_formed(thought + PERFECT) for thought in THOUGHTS)
    answering = [
        prompts.well_formed(text) or prompts.answer_of(text) is not None or final_answer(text, tag=None) is not None
        for text in UNFINISHED
    ]
    return [
        f"{formed} of {len(THOUGHTS)} perfect replies after a thought have form",
        f"{sum(answering)} of {len(UNFINISHED)} unfinished thoughts have an answer",
    ]


def main() -> None:
    prompts = of("motif.rounds.prompts", "motif.prompts").Prompts()
    policy = of("motif.policies.policy", "motif.policy").Policy
    build = of("motif.policies.tiny_tokenizer", "motif.vocabulary").build_tokenizer
    lines = data(of("motif.tasks.corpus", "motif.corpus").Corpus, of("motif.system.errors", "motif.checks").UserError)
    lines += [turns(policy, prompts, build)]
    lines += thoughts(prompts, of("motif.tasks.grading.answers", "motif.notation").final_answer)
    print(json.dumps(lines))


if __name__ == "__main__":
    main()
