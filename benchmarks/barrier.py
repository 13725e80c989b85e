"""Rounds without a barrier: `python -m benchmarks.barrier` compares two schedules of the same trees and draws.

By round, as the package decodes: round t + 1 starts when all replies of round t have ended. Without a barrier, a
prototype that is here alone: an episode goes on when its own reply has ended, and rows of different rounds share a
batch. New rows join once the rows that go on are at most the share `--join` of those there were after the last join.

The replies have natural lengths, or lengths by design: one in ten four times as long (heavy), or all equal. Runs take
turns; ratios are by round / without a barrier within a turn, printed as median and range. Only plain steps, one
sampling for all rounds and no limit of memory: it is no part of the package.
"""

import argparse
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.rollout import spread
from motif.generation import decoding, prefill
from motif.generation.engines import Transformers, replies_of
from motif.generation.kv_cache import FIRST_ROOM, Room, Stepper
from motif.policies.policy import Policy
from motif.policies.tiny import Tiny
from motif.rounds.carry import Summary, Tail
from motif.rounds.episode import Branch, Episode, Tree, grow
from motif.rounds.prompts import Prompts
from motif.rounds.replies import Reply, Sampling, draw_key
from motif.system import console
from motif.tasks.chain import Chain

Draw = Callable[[str, tuple[int, ...]], int]
DROP_AT = decoding.DROP_AT[Stepper]


@dataclass
class Row:
    """A reply to draw: the `place`-th after `branch`. `ids` is filled when it has ended."""

    branch: Branch
    place: int
    prompt: list[int]
    key: int
    ids: list[int]


class Batch:
    """The rows that share steps, and their cache. Every row ends at the last position; padding is on the left."""

    def __init__(self, policy: Policy, sampling: Sampling) -> None:
        self.policy, self.model, self.sampling = policy, policy.model.eval(), sampling
        self.rows: list[Row] = []
        self.ends = torch.tensor(list(policy.end_ids))
        self.state: dict[str, torch.Tensor] = {}  # a row each
        self.steps: Any = None

    def join(self, new: Sequence[Row]) -> None:
        """Read the prompts of `new`, equal ones once, and put their rows below the rows that go on."""
        groups: dict[tuple[int, ...], list[Row]] = {}
        for row in new:
            groups.setdefault(tuple(row.prompt), []).append(row)
        prompts = sorted(groups, key=len)
        rows = [row for prompt in prompts for row in groups[prompt]]
        source = torch.tensor([place for place, prompt in enumerate(prompts) for _ in groups[prompt]])
        fresh, logits, mask = prefill.prefill(self.model, [list(prompt) for prompt in prompts], self.policy.pad_id)
        size = self.sampling.tokens
        keyed = self.sampling.keyed([row.key for row in rows])
        state = {
            "logits": logits[source],
            "read": mask.sum(-1)[source],
            "made": torch.zeros(len(rows), dtype=torch.long),
            "tokens": torch.zeros(len(rows), size, dtype=torch.long),
            "draws": decoding.random_numbers(keyed, range(len(rows))),
            "ended": torch.zeros(len(rows), dtype=torch.bool),
        }
        old = int(self.state["read"].max()) if self.rows else 0
        width = max(old, mask.shape[1])
        for place, layer in enumerate(fresh):
            self._merge(layer, self.steps.rooms[place] if old else None, old, width, source)
        self.state = {name: torch.cat([self.state[name], value]) if old else value for name, value in state.items()}
        self.rows = [*self.rows, *rows]
        seen = (torch.arange(width) >= width - self.state["read"][:, None]).long()
        mask = torch.cat([seen, seen.new_ones(len(self.rows), size)], dim=1)
        self.steps = Stepper(self.model, fresh, mask, padded=not bool(seen.all()))

    def _merge(self, layer: Room, before: Room | None, old: int, width: int, source: torch.Tensor) -> None:
        """Make `layer` hold the last `old` positions of `before` and its own rows `source`, both ending at `width`."""
        for name in ("keys", "values"):
            read = getattr(layer, name)
            size, count = read.shape[2], len(self.rows)
            both = read.new_zeros(count + len(source), read.shape[1], width + FIRST_ROOM, read.shape[3])
            both[count:, :, width - size : width] = read[source]
            if before:
                both[:count, :, width - old : width] = getattr(before, name)[:, :, before.length - old : before.length]
            setattr(layer, name, both)
        layer.length = width

    def pick(self) -> int:
        """Draw a token for each row. Returns how many rows go on."""
        state, index, size = self.state, torch.arange(len(self.rows)), self.sampling.tokens
        at = state["made"].clamp(max=size - 1)
        self.chosen, _ = decoding.pick(state["logits"], self.sampling, state["draws"][index, at])
        state["tokens"][index, at] = torch.where(state["ended"], state["tokens"][index, at], self.chosen)
        state["made"] += ~state["ended"]
        state["ended"] |= torch.isin(self.chosen, self.ends) | (state["made"] >= size)
        return int((~state["ended"]).sum())

    def leave(self) -> list[Row]:
        """Take the ended rows out, with what they have written."""
        gone: list[int] = self.state["ended"].nonzero().squeeze(1).tolist()
        for row in gone:
            self.rows[row].ids = self.state["tokens"][row, : int(self.state["made"][row])].tolist()
        left = [self.rows[row] for row in gone]
        keep = (~self.state["ended"]).nonzero().squeeze(1)
        self.rows = [self.rows[row] for row in keep.tolist()]
        self.state, self.chosen = {name: value[keep] for name, value in self.state.items()}, self.chosen[keep]
        if self.rows:
            self.steps.keep(keep)
        return left

    def step(self) -> None:
        self.state["logits"] = self.steps.step(self.chosen, self.state["read"][:, None])
        self.state["read"] += 1


@torch.inference_mode()
def unbarred(
    questions: Any,
    episode: Episode,
    widths: Sequence[int],
    policy: Policy,
    sampling: Sampling,
    share: float,
    draw: Draw,
) -> list[Tree]:
    """The trees of `grow`, each episode on its own."""
    trees, batch = [Tree(question) for question in questions], Batch(policy, sampling)

    def asked(branches: Sequence[Branch]) -> Iterator[Row]:
        prompts = policy.render([episode.talk(branch.question, branch.path) for branch in branches]) if branches else []
        for branch, prompt in zip(branches, prompts, strict=True):
            first = draw(branch.question.id, branch.places)
            width = widths[len(branch.path)] if branch.main else 1
            unwritten = episode.read(Reply("", [], prompt, False), len(branch.path) + 1)
            branch.replies.extend([unwritten] * width)
            yield from (Row(branch, place, prompt, first + place, []) for place in range(width))

    def grown(rows: Sequence[Row]) -> Iterator[Branch]:
        replies = replies_of(policy, [row.prompt for row in rows], [(row.ids, None) for row in rows])
        for row, reply in zip(rows, replies, strict=True):
            branch = row.branch
            node = branch.replies[row.place] = episode.node(reply, branch.path, policy.tokenizer)
            if not node.ended:
                main = branch.main and (row.place == 0 or not branch.path)
                path, places = (*branch.path, node), (*branch.places, row.place)
                yield Branch(branch.question, path, node.children, main, places)

    waiting, most = list(asked([Branch(tree.question, (), tree.roots) for tree in trees])), 0
    while batch.rows or waiting:
        if waiting and len(batch.rows) <= share * most:
            batch.join(waiting)
            waiting, most = [], len(batch.rows)
        going = batch.pick()
        if going < len(batch.rows) and going <= max(DROP_AT * len(batch.rows), share * most):
            waiting += asked(list(grown(batch.leave())))
        if batch.rows:
            batch.step()
    return trees


@contextlib.contextmanager
def forced(length: Callable[[int], int], ends: Sequence[int]) -> Iterator[None]:
    """Within the block a reply has `length(key)` tokens: its end token comes there, and never before."""
    numbers, pick = decoding.random_numbers, decoding.pick

    def marked(sampling: Sampling, rows: Sequence[int]) -> torch.Tensor:
        draws = numbers(sampling, rows)
        for place, row in enumerate(rows):
            draws[place, length(sampling.key(row)) - 1] += 2
        return draws

    def chosen(logits: torch.Tensor, sampling: Sampling, draws: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = logits.index_fill(1, torch.tensor(list(ends)), -1e9)
        token, score = pick(logits, sampling, draws % 1)
        return torch.where(draws >= 2, next(iter(ends)), token), score

    with patch.multiple(decoding, random_numbers=marked, pick=chosen):
        yield


def written(trees: Sequence[Tree]) -> list[list[int]]:
    return [node.reply.token_ids for tree in trees for node in tree.nodes()]


def compare(case: str, policy: Policy, given: argparse.Namespace) -> None:
    window, widths = given.window, [given.m, given.k, *[1] * given.n][: given.n]
    lengths = {
        "natural": None,
        "heavy": lambda key: window if (key * 2654435761 >> 8) % 10 == 0 else window // 4,
        "equal": lambda key: window,
    }
    length, questions, sampling = lengths[case], Chain().test()[: given.questions], Sampling(window)
    carry = Tail(8) if length else Summary()  # a reply of a designed length has no summary
    episode = Episode(given.n, window, carry=carry, prompts=Prompts(wording="countdown"))
    generate = Transformers().generator(policy)
    ways: dict[str, Callable[..., list[Tree]]] = {
        "by round": partial(grow, questions, episode, widths, generate, policy.tokenizer, lambda _: sampling)
    } | {
        f"join at {share}": partial(unbarred, questions, episode, widths, policy, sampling, share)
        for share in given.join
    }
    wall: dict[str, list[float]] = {way: [] for way in ways}
    computing: dict[str, list[float]] = {way: [] for way in ways}
    differ = total = 0
    with forced(length, sorted(policy.end_ids)) if length else contextlib.nullcontext():
        for turn in range(given.turns):
            found = {}
            for way, call in ways.items():
                started, computed = time.perf_counter(), time.process_time()
                found[way] = written(call(draw=partial(draw_key, turn)))
                wall[way].append(time.perf_counter() - started)
                computing[way].append(time.process_time() - computed)
            total += len(found["by round"])
            differ += sum(len({tuple(ids) for ids in same}) > 1 for same in zip(*found.values(), strict=True))
    seconds = statistics.median(computing["by round"])
    console.say(f"{case}: {differ} of {total} replies differ; by round takes {seconds:.2f} s of computing")
    for way in list(ways)[1:]:
        ratios = [
            spread([one / other for one, other in zip(times["by round"], times[way], strict=True)])
            for times in (wall, computing)
        ]
        console.say(f"  {way}: wall × {ratios[0]}, computing × {ratios[1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in {"questions": 8, "m": 8, "k": 2, "n": 3, "window": 44, "turns": 5}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--join", type=float, nargs="*", default=[0.85, 0.3, 0.12])
    parser.add_argument("--cases", default="natural,heavy,equal")
    given = parser.parse_args()
    console.quiet()
    console.quiet_bars()
    policy = Tiny().load()
    for case in given.cases.split(","):
        compare(case, policy, given)


if __name__ == "__main__":
    main()
