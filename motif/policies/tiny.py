"""The tiny policy: one million parameters, its own small tokenizer, warm-started by imitation on the chain task.

It knows the steps and the format, in short windows and in one long window. Two things are left to reinforcement. Of
some facts, such as 7*8, it was shown a wrong result as well, so it errs in about 3 % of its steps. And only one first
reply in five carries the state that it reached, and four in five of the replies that were given one; the others carry
an earlier state, a wrong value, or nothing of use. In imitation the progress in prompts is mostly useful: a policy that
never reads useful progress never learns to use it. Nothing else in the suite knows this model.
"""

import hashlib
import itertools
import json
import random
import shutil
import string
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from motif.policies.imitation import Report, imitate
from motif.policies.policy import Policy
from motif.policies.tiny_tokenizer import END, TEMPLATE, build_tokenizer, check_reloaded, tokens
from motif.rounds.prompts import WORDINGS, Conversation, Prompts
from motif.system import number, one_of, whole
from motif.system.files import cache_folder, made_once, make_whole
from motif.tasks.chain import OPERATIONS, STEPS_A_ROUND, Chain, start_and_steps
from motif.tasks.questions import Question

SHIPPED = Path(__file__).parent
NOTE = "ok"  # progress that is of no use
WRONG_STATES = 0.1  # share of the handed states whose value is wrong: a reply goes on from what it is handed
DOUBTS = (0.1, 0.6)  # shares of wrong results among the demonstrations of an unsure fact
MOST_ROUNDS = 12
SHORT = 6  # steps of the longest chains that imitation begins with
SHIPPED_SEEDS = (0, 1, 2)
NOT_OF_THE_RECIPE = ("name", "learning_rate", "peft", "gradient_checkpointing", "bf16")
POOL = 4  # batches whose rows are sorted by length together


@dataclass(frozen=True)
class Tiny:
    """A policy of Qwen2's architecture for the chain task. Every field but `NOT_OF_THE_RECIPE` is part of its recipe.

    The warm-started weights are found by the recipe's hash: shipped with the package, made before and cached, or made
    now (minutes on two cores).

    Args:
        useful_replies: the share of replies before the last round that carry the state that they reached. Of the others
            three in five carry a note of no use, one an earlier state, one the state with its value off by one.
        useful_onward: the same share where the prompt held a state.
        restarts: of the replies that start at the beginning, the share that comes after useless progress or none.
        unsure: the share of facts (value, sign and number) that are shown wrong sometimes, in 10 to 60 % of cases.
        longest, modulus, operations: the chains that are imitated.
        window: the most tokens of a reply.
        learning_rate: the vetted rate for reinforcement.
        wording: the wording of the prompts that it was taught with.
    """

    name: str = "tiny"
    layers: int = 3
    width: int = 160
    heads: int = 4
    imitation_steps: int = 700
    imitation_batch: int = 64
    imitation_rate: float = 4e-3
    useful_replies: float = 0.2
    useful_onward: float = 0.8
    restarts: float = 0.5
    unsure: float = 0.15
    longest: int = 30
    modulus: int = 10
    operations: str = "+-*"
    window: int = 132
    seed: int = 0
    learning_rate: float = 1e-4
    wording: str = "countdown"
    peft: None = None
    gradient_checkpointing: bool = False
    bf16: bool = False

    def __post_init__(self) -> None:
        for field in ("layers", "width", "heads", "imitation_steps", "imitation_batch", "window"):
            whole(f"model.{field}", getattr(self, field))
        whole("model.seed", self.seed, at_least=0)
        for field in ("imitation_rate", "learning_rate"):
            number(f"model.{field}", getattr(self, field), above=0)
        for field in ("useful_replies", "useful_onward", "restarts", "unsure"):
            number(f"model.{field}", getattr(self, field), at_least=0, at_most=1)
        whole("model.width", self.width, at_least=2 * self.heads)
        one_of("model.width modulo 2·model.heads", self.width % (2 * self.heads), [0])
        one_of("model.wording", self.wording, WORDINGS)
        self.task()

    def task(self) -> Chain:
        """The task whose training split it imitates."""
        fields = ("longest", "modulus", "operations", "seed")
        return Chain(shortest=1, **{field: getattr(self, field) for field in fields})

    def recipe(self) -> dict[str, Any]:
        """What the warm start depends on, the text of the demonstrations included."""
        settings = {key: value for key, value in asdict(self).items() if key not in NOT_OF_THE_RECIPE}
        shown = list(itertools.islice(self.demonstrations(), 256))
        settings["demonstrations"] = hashlib.sha256(json.dumps(shown).encode()).hexdigest()
        settings["tokenizer"] = hashlib.sha256(json.dumps([TEMPLATE, tokens()]).encode()).hexdigest()
        return settings

    def recipe_hash(self) -> str:
        return hashlib.sha256(json.dumps(self.recipe(), sort_keys=True).encode()).hexdigest()[:12]

    def folder(self) -> Path:
        """Where this recipe's policy is or will be: shipped, else in the cache."""
        name = f"tiny-{self.recipe_hash()}"
        shipped = SHIPPED / name
        return shipped if shipped.is_dir() else cache_folder() / name

    def load(self, report: Report | None = None) -> Policy:
        """The warm-started policy. It is made on first use; `report` follows that."""
        from motif.policies.pretrained import load_policy

        return load_policy(str(made_once(self.folder(), partial(self.make, report=report))))

    def unread(self, text: str) -> str:
        """The characters of a question that no demonstration has shown it."""
        return "".join(sorted({*text} - {*string.digits, *string.ascii_letters, *self.operations}))

    def demonstrations(self) -> Iterator[tuple[Conversation, str]]:
        """Demonstrations without end. They begin with short chains, of which finding a step by its label is learned
        with fewer tokens; those of all lengths are reached after half of the steps."""
        source, count = random.Random(self.seed), 0
        for question in self.task().draws("train", self.seed):
            share = min(1.0, 2 * count / (self.imitation_steps * self.imitation_batch))
            if question.facts["length"] <= SHORT + share * (self.longest - SHORT):
                count += 1
                yield self.demonstration(question, source)

    def demonstration(self, question: Question, source: random.Random) -> tuple[Conversation, str]:
        """One conversation and the reply to imitate.

        The reply has up to four steps, then the answer: in the last round the result, else what `note` says. The last
        round does not stop at four steps; the window cuts it off.
        """
        value, steps = start_and_steps(question.text)
        states = question.facts["states"]
        start = source.choice((0, 0, 0, len(steps), *(source.randrange(len(steps) + 1) for _ in range(6))))
        carried = None
        if start:
            round = source.randint(min(-(-start // STEPS_A_ROUND), MOST_ROUNDS - 1) + 1, MOST_ROUNDS)
            value = (int(states[start - 1][1:]) + (source.random() < WRONG_STATES)) % self.modulus
            carried = f"{steps[start - 1][0]}{value}"
        elif source.random() < self.restarts:
            round, carried = source.randint(2, MOST_ROUNDS), source.choice((NOTE, None))
        else:
            round = 1
        last = round == MOST_ROUNDS or source.random() < 0.6
        rounds = round if last else source.randint(round + 1, MOST_ROUNDS)
        work, reached = "", [value]
        for label, sign, operand in steps[start : len(steps) if last else start + STEPS_A_ROUND]:
            result = (
                OPERATIONS[sign](value, operand) + (source.random() < self.doubt(value, sign, operand))
            ) % self.modulus
            work += f"{label}{value}{sign}{operand}={result};"
            reached.append(value := result)
        written = [f"{label}{value}" for (label, *_), value in zip(steps[start:], reached[1:], strict=False)]
        answer = f"\\boxed{{{value}}}" if last else self.note(carried if start else None, written, source)
        conversation = Prompts(wording=self.wording).conversation(question.text, round, rounds, carried)
        return conversation, f"<reasoning>{work}</reasoning><answer>{answer}</answer>"

    def note(self, handed: str | None, written: list[str], source: random.Random) -> str:
        """What a reply carries over that was `handed` a state and has `written` those of its steps."""
        states = [state for state in (handed, *written) if state]
        if source.random() < (self.useful_onward if handed else self.useful_replies):
            return states[-1]
        kind = source.choice(("stale", "off by one", "none", "none", "none"))  # so that the likeliest note is of no use
        if kind == "stale" and states[:-1]:
            return source.choice(states[:-1])
        label, value = states[-1][0], int(states[-1][1:])
        return f"{label}{(value + source.choice((-1, 1))) % self.modulus}" if kind == "off by one" else NOTE

    def doubt(self, value: int, sign: str, operand: int) -> float:
        """The share of wrong results, one above the right one, among the demonstrations of a fact."""
        drawn = random.Random(f"{self.seed}/{value}{sign}{operand}")
        return drawn.uniform(*DOUBTS) if drawn.random() < self.unsure else 0.0

    def make(self, folder: Path, report: Report | None = None) -> None:
        """Warm-start the policy and write it into `folder`."""
        import torch

        started = time.monotonic()
        tokenizer = build_tokenizer()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = self._model(tokenizer)
            curve = imitate(
                model,
                self._batches(tokenizer),
                self.imitation_steps,
                self.imitation_rate,
                tokenizer.pad_token_id,
                report,
            )
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        check_reloaded(folder, tokenizer, list(itertools.islice(self._texts(tokenizer), 64)))
        record = {"recipe": self.recipe(), "seconds": round(time.monotonic() - started, 1), "curve": curve}
        (folder / "warm_start.json").write_text(json.dumps(record, indent=1))

    def _model(self, tokenizer: Any) -> Any:
        from transformers import Qwen2Config, Qwen2ForCausalLM

        config = Qwen2Config(
            vocab_size=len(tokenizer),
            hidden_size=self.width,
            intermediate_size=3 * self.width,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.heads,
            max_position_embeddings=4096,
            rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
            tie_word_embeddings=True,
            initializer_range=0.06,  # with 0.02 the lookup of a step takes twice as long to form
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
        return Qwen2ForCausalLM(config)

    def _texts(self, tokenizer: Any) -> Iterator[tuple[str, str]]:
        """The demonstrations, rendered: (prompt, reply with its end token)."""
        for conversation, reply in self.demonstrations():
            yield tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True), reply + END

    def _batches(self, tokenizer: Any) -> Iterator[list[tuple[list[int], list[int]]]]:
        """Batches of (prompt ids, reply ids), in random order; the rows of a batch are about equally long."""
        texts, source = self._texts(tokenizer), random.Random(self.seed)
        while True:
            prompts, replies = zip(*itertools.islice(texts, POOL * self.imitation_batch), strict=True)
            pairs = zip(tokenizer(list(prompts))["input_ids"], tokenizer(list(replies))["input_ids"], strict=True)
            rows = [(prompt, reply[: self.window]) for prompt, reply in pairs]
            rows.sort(key=lambda row: len(row[0]) + len(row[1]))
            pool = [rows[start : start + self.imitation_batch] for start in range(0, len(rows), self.imitation_batch)]
            source.shuffle(pool)
            yield from pool


def main() -> None:
    """Make the policies anew that the package ships: `python -m motif.policies.tiny`, or some: `… tiny 1 2`."""
    from motif.system import console

    console.quiet()
    console.quiet_bars()
    for seed in map(int, sys.argv[1:] or SHIPPED_SEEDS):
        tiny = Tiny(seed=seed)
        folder = SHIPPED / f"tiny-{tiny.recipe_hash()}"
        shutil.rmtree(folder, ignore_errors=True)
        with console.progress(f"warm start {seed}", tiny.imitation_steps) as report:
            make_whole(folder, partial(tiny.make, report=report))


if __name__ == "__main__":
    main()
