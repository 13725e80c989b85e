"""The tiny policy: one million parameters, its own small tokenizer, warm-started by imitation on the chain task.

It knows the steps and the format. But only one first reply in five carries useful progress, and four in five of the
replies that were given some. Reinforcement has to discover what to write for the next round. In imitation the progress
in prompts is mostly useful, and that in replies is mostly not: a policy that never reads useful progress never learns
to use it. Nothing else in the suite knows this model.
"""

import hashlib
import itertools
import json
import math
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from motif.policies.policy import Policy
from motif.policies.tiny_tokenizer import END, TEMPLATE, build_tokenizer, check_reloaded, tokens
from motif.rounds.prompts import Conversation, Prompts
from motif.system import explained, number, one_of, whole
from motif.tasks.chain import STEPS_A_ROUND, Chain, written_step
from motif.tasks.questions import Question

SHIPPED = Path(__file__).parent
NOTE = "ok"  # progress that is of no use
MOST_ROUNDS = 6
NOT_OF_THE_RECIPE = ("name", "learning_rate", "peft", "gradient_checkpointing", "bf16")
POOL = 4  # batches whose rows are sorted by length together
Report = Callable[[int, int, dict[str, float]], None]  # (step, steps, metrics)


@dataclass(frozen=True)
class Tiny:
    """A policy of Qwen2's architecture for the chain task. Every field but `NOT_OF_THE_RECIPE` is part of its recipe.

    The warm-started weights are found by the recipe's hash: shipped with the package, made before and cached, or made
    now (minutes on two cores).

    Args:
        useful_replies: the share of replies before the last round that carry useful progress.
        useful_onward: the same share where the prompt held useful progress.
        restarts: of the replies that start at the beginning, the share that comes after useless progress or none.
        shortest, longest, modulus, operations: the chains that are imitated.
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
    imitation_rate: float = 1e-2
    useful_replies: float = 0.2
    useful_onward: float = 0.8
    restarts: float = 0.5
    shortest: int = 2
    longest: int = 12
    modulus: int = 10
    operations: str = "+-*"
    window: int = 44
    seed: int = 0
    learning_rate: float = 1e-4
    wording: str = "terse"
    peft: None = None
    gradient_checkpointing: bool = False
    bf16: bool = False

    def __post_init__(self) -> None:
        for field in ("layers", "width", "heads", "imitation_steps", "imitation_batch", "window"):
            whole(f"model.{field}", getattr(self, field))
        whole("model.seed", self.seed, at_least=0)
        for field in ("imitation_rate", "learning_rate"):
            number(f"model.{field}", getattr(self, field), above=0)
        for field in ("useful_replies", "useful_onward", "restarts"):
            number(f"model.{field}", getattr(self, field), at_least=0, at_most=1)
        whole("model.width", self.width, at_least=2 * self.heads)
        one_of("model.width modulo 2·model.heads", self.width % (2 * self.heads), [0])
        one_of("model.wording", self.wording, ["full", "terse"])
        self.task()

    def task(self) -> Chain:
        """The task whose training split it imitates."""
        fields = ("shortest", "longest", "modulus", "operations", "seed")
        return Chain(**{field: getattr(self, field) for field in fields})

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
        from filelock import FileLock

        from motif.policies.pretrained import load_policy

        folder = self.folder()
        if not folder.is_dir():
            with explained(folder.parent, "or set MOTIF_CACHE to where made policies may lie"):
                folder.parent.mkdir(parents=True, exist_ok=True)
                with FileLock(f"{folder}.lock"):
                    if not folder.is_dir():
                        self.make(folder, report)
        return load_policy(str(folder))

    def demonstrations(self) -> Iterator[tuple[Conversation, str]]:
        """Demonstrations without end. Half are of the longer of two chains, because late labels are rare."""
        source, questions = random.Random(self.seed), self.task().draws("train", self.seed)
        for turn in itertools.count():
            question = next(questions)
            if turn % 2:
                question = max(question, next(questions), key=lambda other: other.facts["length"])
            yield self.demonstration(question, source)

    def demonstration(self, question: Question, source: random.Random) -> tuple[Conversation, str]:
        """One conversation and the reply to imitate.

        The reply has up to four steps, then the answer: the result in the last round, else the state that it reached
        (useful progress) or a note (useless). The last round does not stop at four steps; the window cuts it off.
        """
        states = question.facts["states"]
        start = source.choice((*range(0, len(states), STEPS_A_ROUND), len(states)))
        carried = states[start - 1] if start else None
        if start:
            round = source.randint(min(-(-start // STEPS_A_ROUND), MOST_ROUNDS - 1) + 1, MOST_ROUNDS)
        elif source.random() < self.restarts:
            round, carried = source.randint(2, MOST_ROUNDS), source.choice((NOTE, None))
        else:
            round = 1
        last = round == MOST_ROUNDS or source.random() < 0.5
        rounds = round if last else source.randint(round + 1, MOST_ROUNDS)
        stop = len(states) if last else min(start + STEPS_A_ROUND, len(states))
        work = "".join(written_step(question, place) for place in range(start, stop))
        if last:
            answer = f"\\boxed{{{states[-1][1:]}}}"
        else:
            share = self.useful_onward if start else self.useful_replies
            answer = states[stop - 1] if source.random() < share else NOTE
        conversation = Prompts(wording=self.wording).conversation(question.text, round, rounds, carried)
        return conversation, f"<reasoning>{work}</reasoning><answer>{answer}</answer>"

    def make(self, folder: Path, report: Report | None = None) -> None:
        """Warm-start the policy and put it at `folder`, complete or not at all."""
        import torch

        started = time.monotonic()
        tokenizer = build_tokenizer()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            model = self._model(tokenizer)
            curve = self._imitate(model, tokenizer, report)
        making = folder.with_name(f"{folder.name}.making")
        shutil.rmtree(making, ignore_errors=True)
        model.save_pretrained(making)
        tokenizer.save_pretrained(making)
        check_reloaded(making, tokenizer, list(itertools.islice(self._texts(tokenizer), 64)))
        record = {"recipe": self.recipe(), "seconds": round(time.monotonic() - started, 1), "curve": curve}
        (making / "warm_start.json").write_text(json.dumps(record, indent=1))
        making.rename(folder)

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

    def _imitate(self, model: Any, tokenizer: Any, report: Any) -> list[dict[str, float]]:
        """Minimise the loss a token of the replies, cut at the window as a rollout is.

        Muon (Jordan et al. 2024) trains the weights inside the layers, AdamW the rest. With AdamW alone the policy
        needs more than twice as many demonstrations to find a step by its label. Both rates rise over a twentieth of
        the steps, then fall by a cosine to a twentieth.

        Returns:
            The mean loss of every ten steps.
        """
        import torch
        from torch.nn.utils.rnn import pad_sequence

        parts: dict[bool, list[Any]] = {True: [], False: []}  # by whether they are matrices inside the layers
        for name, weight in model.named_parameters():
            parts[".layers." in name and weight.ndim == 2].append(weight)
        optimizers = [
            torch.optim.Muon(parts[True], lr=self.imitation_rate, weight_decay=0.0, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(parts[False], lr=self.imitation_rate / 3, betas=(0.9, 0.98), weight_decay=0.0),
        ]

        def share(step: int) -> float:
            done = step / self.imitation_steps
            return min(1.0, 20 * done) * (0.05 + 0.95 * (1 + math.cos(math.pi * done)) / 2)

        schedules = [
            torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: share(step + 1)) for optimizer in optimizers
        ]
        losses: list[float] = []
        batches, curve = self._batches(tokenizer), []
        model.train()
        for step in range(1, self.imitation_steps + 1):
            rows = next(batches)
            texts = [torch.tensor(prompt + reply) for prompt, reply in rows]
            targets = [torch.tensor([-100] * len(prompt) + reply) for prompt, reply in rows]
            ids = pad_sequence(texts, batch_first=True, padding_value=tokenizer.pad_token_id)
            labels = pad_sequence(targets, batch_first=True, padding_value=-100)
            loss = model(input_ids=ids, labels=labels).loss  # padding follows the text, so causality hides it
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for optimizer, schedule in zip(optimizers, schedules, strict=True):
                optimizer.step()
                optimizer.zero_grad()
                schedule.step()
            losses.append(loss.item())
            if step % 10 == 0 or step == self.imitation_steps:
                mean = fmean(losses[-10:])
                curve.append({"step": step, "loss": round(mean, 4)})
                if report:
                    report(step, self.imitation_steps, {"loss": mean})
        model.eval()
        return curve


def cache_folder() -> Path:
    """Where made policies are kept: `$MOTIF_CACHE`, else `motif` in the user's cache folder."""
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("MOTIF_CACHE") or users / "motif")


def main() -> None:
    """Make the default policy anew where the package ships it: `python -m motif.policies.tiny`."""
    from motif.system import console

    console.quiet()
    console.quiet_bars()
    tiny = Tiny()
    folder = SHIPPED / f"tiny-{tiny.recipe_hash()}"
    shutil.rmtree(folder, ignore_errors=True)
    with console.progress("warm start", tiny.imitation_steps) as report:
        tiny.make(folder, report)


if __name__ == "__main__":
    main()
