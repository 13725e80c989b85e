"""Replies that a batch changes: `python -m benchmarks.batches [--policy FOLDER] [--dtype bfloat16]`.

The same prompts are answered one by one and all together, greedily and drawn with the same keys, and by the
deterministic measurement. Draws are equal by construction; where replies differ, rounding has changed a token.
"""

import argparse

from motif.evaluation.arithmetic import as_measured
from motif.generation.engines import Transformers
from motif.policies.pretrained import open_policy
from motif.policies.tiny import Tiny
from motif.rounds.prompts import Conversation
from motif.rounds.replies import Sampling, draw_key
from motif.system import console
from motif.tasks.chain import Chain


def asked(count: int, wording: bool) -> list[Conversation]:
    """Questions of several lengths: chains for the tiny policy, sums in words for others."""
    if wording:
        return [[{"role": "user", "content": question.text}] for question in Chain(test_size=count).test()]
    sums = [
        f"{'Think step by step. ' * (n % 3)}Tom has {n + 3} apples and buys {7 * n + 2}. How many?"
        for n in range(count)
    ]
    return [[{"role": "user", "content": text}] for text in sums]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batches", description=__doc__.splitlines()[0])
    parser.add_argument("--policy", help="a model's folder or a hub id; without it the tiny policy")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--prompts", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=64)
    given = parser.parse_args()
    policy = open_policy(given.policy, dtype=given.dtype) if given.policy else Tiny().load()
    if not given.policy:
        import torch

        policy.model.to(getattr(torch, given.dtype))
    talks = asked(given.prompts, wording=not given.policy)
    keys = [draw_key("batches", place) for place in range(len(talks))]
    for deterministic in (False, True):
        for temperature in (0.0, 1.0):
            sampling = Sampling(given.tokens, temperature)
            with as_measured(policy, Transformers().generator(policy), deterministic) as generate:
                together = generate(talks, sampling.keyed(keys))
                alone = [generate([talk], sampling.keyed([key]))[0] for talk, key in zip(talks, keys, strict=True)]
            changed = sum(one.token_ids != other.token_ids for one, other in zip(together, alone, strict=True))
            how = "greedy" if temperature == 0 else "drawn"
            name = "deterministic" if deterministic else given.dtype
            console.say(f"{name}, {how}: {changed} of {len(talks)} replies differ between one by one and all together")


if __name__ == "__main__":
    main()
