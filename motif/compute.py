"""The ledger: what a run has spent, counted in one place."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from motif.episode import Tree


@dataclass
class Ledger:
    """Counts (questions, replies, tokens) and seconds by phase, which only grow.

    `tokens_round_t` are generated tokens of round t, `prompt_tokens` those of the prompts read for them, one prompt
    for all continuations of a reply, `trained_tokens` the tokens that the objective ran over.
    """

    counts: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the block to `seconds[name]`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started

    def count(self, trees: Sequence[Tree]) -> None:
        """Add what growing `trees` generated."""
        self.counts["questions"] += len({tree.question.id for tree in trees})
        for tree in trees:
            siblings = [tree.roots, *(node.children for node in tree.nodes() if node.children)]
            for group in siblings:
                self.counts["prompt_tokens"] += len(group[0].reply.prompt_ids)
                self.counts["first_round_replies" if group[0].round == 1 else "continuations"] += len(group)
                tokens = sum(len(node.reply.token_ids) for node in group)
                self.counts["generated_tokens"] += tokens
                self.counts[f"tokens_round_{group[0].round}"] += tokens

    def as_dict(self) -> dict[str, Any]:
        return {"counts": dict(self.counts), "seconds": {name: round(s, 3) for name, s in self.seconds.items()}}

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over what `as_dict` gave before."""
        self.counts, self.seconds = Counter(saved["counts"]), defaultdict(float, saved["seconds"])
