"""The update with equal rows computed once, beside TRL's own: `python -m benchmarks.update`.

A step of GRPO on the embedded task: `--questions` questions, m replies each in a window of 132 tokens, in a batch with
places for `--places` questions, as `budget.steps` leaves places free. Both ways compute the log-probabilities and
entropies of all rows by the trainer's own function, and the gradient. They take turns in one process; the ratio is
TRL's seconds over ours, as median and range.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import torch
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from benchmarks.rollout import spread
from motif.generation import private
from motif.generation.engines import Transformers
from motif.policies.tiny import Tiny
from motif.rounds.episode import Episode, grow
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Sampling, draw_key
from motif.system import console
from motif.tasks.chain import Chain

WINDOW = 132


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.update", description=__doc__.splitlines()[0])
    parser.add_argument("--questions", type=int, default=6)
    parser.add_argument("--places", type=int, default=[6, 32], nargs="+")
    parser.add_argument("--m", type=int, default=8)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    policy = Tiny().load()
    episode = Episode(1, WINDOW, prompts=Prompts(wording="countdown"))
    generate, questions = Transformers().generator(policy), Chain().train()[: given.questions]
    with tempfile.TemporaryDirectory() as folder:
        arguments = GRPOConfig(str(Path(folder) / "trl"), report_to="none", use_cpu=True, bf16=False)
        trainer = GRPOTrainer(
            model=policy.model,
            reward_funcs=lambda completions, **_: [0.0] * len(completions),
            args=arguments,
            train_dataset=Dataset.from_dict({"prompt": ["none"] * 8}),
            processing_class=policy.tokenizer,
        )
        ways = {
            "TRL": trainer._get_per_token_logps_and_entropies,
            "once": private.once(trainer._get_per_token_logps_and_entropies),
        }
        for places in given.places:
            ratios, gradients = [], []
            for turn in range(given.turns):
                grown = partial(
                    grow, questions, episode, [given.m], generate, policy.tokenizer, lambda _: Sampling(WINDOW)
                )
                rows = [
                    (root.reply.prompt_ids, root.reply.token_ids)
                    for tree in grown(draw=partial(draw_key, turn))
                    for root in tree.roots
                ]
                filling = (rows[0][0], rows[0][1][-1:])
                ids, mask = batch(rows + [filling] * (places * given.m - len(rows)), policy.tokenizer.pad_token_id)
                seconds = {}
                for way, of_tokens in ways.items():
                    started = time.perf_counter()
                    logprobs, _, _ = of_tokens(policy.model.train(), ids, mask, WINDOW, compute_entropy=True)
                    (logprobs * mask[:, -WINDOW:]).sum().backward()
                    seconds[way] = time.perf_counter() - started
                    gradients.append(torch.cat([weight.grad.flatten() for weight in policy.model.parameters()]))
                    policy.model.zero_grad()
                ratios.append(seconds["TRL"] / seconds["once"])
            different = len({*map(tuple, torch.cat([ids, mask], 1).tolist())})
            apart = max(float((a - b).norm() / a.norm()) for a, b in zip(gradients[::2], gradients[1::2], strict=True))
            console.say(
                f"{len(ids)} rows, {different} of them different: × {spread(ratios)}; gradients differ by {apart:.1e}"
            )


def batch(rows: list[tuple[list[int], list[int]]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, (rows, prompt + WINDOW): prompts padded on the left, replies on the right, as TRL pads."""
    longest = max(len(prompt) for prompt, _ in rows)
    ids = [[pad] * (longest - len(a)) + a + b + [pad] * (WINDOW - len(b)) for a, b in rows]
    mask = [[0] * (longest - len(a)) + [1] * len(a + b) + [0] * (WINDOW - len(b)) for a, b in rows]
    return torch.tensor(ids), torch.tensor(mask)


if __name__ == "__main__":
    main()
