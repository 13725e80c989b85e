"""Rollouts: `python -m benchmarks.rollout` compares three ways of growing the same trees with the same policy.

(a) the published schedule: m first-round replies of one question in a call, then one prompt at a time, k·(n−1)
    sequential calls of `model.generate` per first-round reply;
(b) ours: one call per round for all questions and branches;
(c) the bare engine: one `model.generate` per round on the prompts of (b), all rows in one batch.

Runs of (a), (b) and (c) take turns; ratios are of tokens per second within a turn, printed as median and range. Then
time per token and peak memory of (b) for 2, 4 and 8 rounds of equally many rows.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from typing import Any

import torch

from motif.generation.engines import Transformers
from motif.policies.pretrained import Policy
from motif.policies.tiny import Tiny
from motif.rounds.episode import Episode, Tree, grow
from motif.rounds.prompts import Conversation, Prompts
from motif.rounds.replies import Generate, Reply, Sampling, draw_key
from motif.system import console
from motif.tasks.chain import Chain


def bare(policy: Policy) -> Generate:
    """`model.generate` as it comes, all rows in one left-padded batch."""

    def generate(talks: Sequence[Conversation], sampling: Sampling) -> list[Reply]:
        prompts = policy.render(talks)
        batch = policy.tokenizer.pad({"input_ids": prompts}, return_tensors="pt", padding_side="left")
        options = (
            {"do_sample": False} if sampling.temperature == 0 else {"do_sample": True, "temperature": 1.0, "top_k": 0}
        )
        with torch.inference_mode():
            out = policy.model.generate(**batch, max_new_tokens=sampling.tokens, **options)
        width, replies = batch["input_ids"].shape[1], []
        for prompt, row in zip(prompts, out.tolist(), strict=True):
            ids = row[width:]
            stop = next((place + 1 for place, id in enumerate(ids) if id in policy.end_ids), len(ids))
            text = policy.tokenizer.decode(policy.without_end(ids[:stop]))
            replies.append(Reply(text, ids[:stop], prompt, ids[stop - 1] in policy.end_ids))
        return replies

    return generate


def published(
    generate: Generate, tokenizer: Any, sampling: Any, questions: Any, episode: Episode, m: int, k: int
) -> list[Tree]:
    """The published schedule, one question after the other, one prompt a call."""
    trees = []
    for question in questions:
        first = episode.conversation(question, 1, None)
        tree = Tree(question)
        for reply in generate([first] * m, sampling(1)):
            root = episode.node(reply, (), tokenizer)
            tree.roots.append(root)
            for _ in range(k):
                path = [root]
                for round in range(2, episode.rounds + 1):
                    talk = episode.conversation(question, round, path[-1].carried)
                    (reply,) = generate([talk], sampling(round))
                    child = episode.node(reply, tuple(path), tokenizer)
                    path[-1].children.append(child)
                    path.append(child)
        trees.append(tree)
    return trees


def tokens(trees: Sequence[Tree]) -> int:
    return sum(len(node.reply.token_ids) for tree in trees for node in tree.nodes())


def timed(call: Any) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} ({min(values):.2f} – {max(values):.2f})"


def compare(arguments: argparse.Namespace) -> None:
    policy = Tiny().load()
    questions = Chain().test()[: arguments.questions]
    m, k, n = arguments.m, arguments.k, arguments.n
    episode = Episode(rounds=n, tokens=44, prompts=Prompts(wording="countdown"))
    branching, ours, engine = [m, k, *[1] * n][:n], Transformers().generator(policy), bare(policy)

    def greedy(round: int) -> Sampling:
        return Sampling(44, temperature=0.0)

    def texts(trees: Sequence[Tree]) -> list[str]:
        return [node.reply.text for tree in trees for node in tree.nodes()]

    one = published(engine, policy.tokenizer, greedy, questions[:2], episode, m, k)
    other = grow(questions[:2], episode, branching, ours, policy.tokenizer, greedy)
    alike = sum(x == y for x, y in zip(texts(one), texts(other), strict=True))
    console.say(f"greedy replies of (a) and (b) that are identical: {alike} of {len(texts(one))}")

    over_published, over_engine = [], []
    for turn in range(arguments.turns):

        def sampled(round: int) -> Sampling:
            return Sampling(44)

        grown = partial(grow, questions, episode, branching, draw=partial(draw_key, turn))
        seconds_b, trees = timed(partial(grown, ours, policy.tokenizer, sampled))
        seconds_c, bare_trees = timed(partial(grown, engine, policy.tokenizer, sampled))
        seconds_a, published_trees = timed(
            lambda: published(engine, policy.tokenizer, sampled, questions, episode, m, k)
        )
        a, b, c = tokens(published_trees) / seconds_a, tokens(trees) / seconds_b, tokens(bare_trees) / seconds_c
        over_published.append(b / a)
        over_engine.append(b / c)
        console.say(f"turn {turn + 1}: tokens per second (a) {a:.0f}, (b) {b:.0f}, (c) {c:.0f}")
    console.say(f"(b) / (a)  {spread(over_published)}")
    console.say(f"(b) / (c)  {spread(over_engine)}")


def long_rollout(policy: Policy, rounds: int) -> Any:
    """A rollout of 256 rows in each of `rounds` rounds: 8 chains of 12 steps, m 32, k 1.

    35 tokens are what a reply of four steps takes, and where a last reply is cut off: rounds differ in number alone.
    """
    questions = Chain(shortest=12, test_size=8).test()
    episode = Episode(rounds=rounds, tokens=35, prompts=Prompts(wording="countdown"))
    ours, branching = Transformers().generator(policy), [32, *[1] * rounds]
    return lambda: grow(questions, episode, branching, ours, policy.tokenizer, lambda _: Sampling(35))


def peak_of(rounds: int) -> None:
    """Print by how many MiB a rollout of `rounds` rounds raises the peak memory of this process."""
    rollout = long_rollout(Tiny().load(), rounds)
    before = memory("VmRSS")
    reset_peak()
    rollout()
    print((memory("VmHWM") - before) / 1024)


def memory(field: str) -> int:
    """A field of /proc/self/status in KiB."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(field))


def reset_peak() -> None:
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def lengths(turns: int) -> None:
    """Time per token (taking turns in this process) and peak memory (a process each) for 2, 4 and 8 rounds."""
    policy, numbers = Tiny().load(), (2, 4, 8)
    rollouts = {rounds: long_rollout(policy, rounds) for rounds in numbers}
    rollouts[2]()
    times: dict[int, list[float]] = {rounds: [] for rounds in numbers}
    for _ in range(turns):
        for rounds, rollout in rollouts.items():
            seconds, trees = timed(rollout)
            times[rounds].append(seconds / tokens(trees) * 1e6)
    exact = {
        "MALLOC_MMAP_THRESHOLD_": "65536",
        "MALLOC_TRIM_THRESHOLD_": "0",
    }  # freed tensors leave the process at once
    for rounds in numbers:
        call = [sys.executable, "-m", "benchmarks.rollout", "--peak-of", str(rounds)]
        done = subprocess.run(call, capture_output=True, text=True, check=True, env=os.environ | exact)
        ratios = [own / two for own, two in zip(times[rounds], times[2], strict=True)]
        best = min(times[rounds])
        console.say(
            f"n = {rounds}: at best {best:.1f} µs per token, × {best / min(times[2]):.2f} of n = 2 "
            f"(turn by turn {spread(ratios)}); "
            f"peak memory + {float(done.stdout.splitlines()[-1]):.0f} MiB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"questions": 4, "m": 8, "k": 4, "n": 3, "turns": 3}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--peak-of", type=int, default=None, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    console.quiet()
    console.quiet_bars()
    if arguments.peak_of:
        peak_of(arguments.peak_of)
        return
    console.say(
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    compare(arguments)
    lengths(arguments.turns + 2)


if __name__ == "__main__":
    main()
