"""The ledger: what a run has spent. Nothing else in the package counts.

Tokens are those of replies and their prompts, without padding and without what the guard reads again. Time and memory
are measured, FLOPs are estimated (`motif.runs.flops`). Budgets, records and charts read the ledger.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from motif.runs.flops import Cost
from motif.runs.metric_names import renamed

if TYPE_CHECKING:
    from motif.rounds.episode import Tree
    from motif.rounds.replies import Reply

GENERATION = ("rollout", "future_rollout")  # round 1, and the rounds after it
PHASES = (*GENERATION, "guard", "reward", "update")  # of a training step
COUNTS = (
    *("questions", "responses", "first_round_replies", "continuations"),
    *("prompt_tokens", "generated_tokens", "trained_tokens", "optimiser_steps", "flops"),
)
AXES = ("train/global_step", *(f"total/{name}" for name in COUNTS), "total/generated_tokens_round_*", "total/seconds")
Share = dict[str, Any]  # the seconds and the peak of memory of one process in a step


@dataclass
class Ledger:
    """Counts, seconds by phase, and the peak of memory.

    They only grow, and are those of all processes together, except for seconds, which are the first one's. Each process
    knows all that is generated, so each counts all.

    Attributes:
        counts: `questions` (groups, so a question counts again in a second epoch); `responses`, which are
            `first_round_replies` and `continuations`; `generated_tokens`, `generated_tokens_round_t` those of round t;
            `prompt_tokens` of the prompts read for them, one prompt for all continuations of a reply; `trained_tokens`
            that the objective ran over, once in each of `optimiser_steps`; `trained_questions`, those that dynamic
            sampling has not replaced; `idle_steps` without any advantage; `flops` by `cost`, zero without one.
        peak_memory: bytes.
        redone: what a killed process has spent after its last checkpoint. The counts do not have it.
        before: counts, seconds and the clock at the beginning of the step.
    """

    counts: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    cost: Cost | None = None
    peak_memory: int = 0
    redone: dict[str, float] = field(default_factory=dict)
    before: tuple[Counter[str], dict[str, float], float] = field(default_factory=lambda: (Counter(), {}, 0.0))

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Add the time of the block to `seconds[name]`."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] += time.perf_counter() - started

    def count(self, trees: Sequence["Tree"]) -> None:
        """Add what was generated for `trees`."""
        self.counts["questions"] += len({tree.question.id for tree in trees})
        for tree in trees:
            for group in (tree.roots, *(node.children for node in tree.nodes() if node.children)):
                replies = [len(node.reply.token_ids) for node in group]
                self._generated(group[0].round, len(group[0].reply.prompt_ids), replies)

    def count_records(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Add what was generated for the records of an evaluation."""
        self.counts["questions"] += len(records)
        for item in records:
            samples = item["samples"]
            prompt, replies = samples[0]["prompt_tokens_by_round"][0], [one["tokens_by_round"][0] for one in samples]
            self._generated(1, prompt, replies)
            for one in samples:
                pairs = zip(one["prompt_tokens_by_round"][1:], one["tokens_by_round"][1:], strict=True)
                for round, (prompt, reply) in enumerate(pairs, 2):
                    self._generated(round, prompt, [reply])

    def _generated(self, round: int, prompt: int, replies: Sequence[int]) -> None:
        """Add `replies` of so many tokens each, after one prompt of `prompt` tokens."""
        self.counts["prompt_tokens"] += prompt
        self.counts["responses"] += len(replies)
        self.counts["first_round_replies" if round == 1 else "continuations"] += len(replies)
        self.counts["generated_tokens"] += sum(replies)
        self.counts[f"generated_tokens_round_{round}"] += sum(replies)
        if self.cost:
            self.counts["flops"] += self.cost.generation(prompt, replies)

    def begin_step(self) -> None:
        """Begin a training step: what is added until `end_step` is part of it."""
        self.before = self.counts.copy(), dict(self.seconds), time.perf_counter()

    def end_step(
        self, trained: Iterable["Reply"], together: Callable[[Share], list[Share]] = lambda share: [share]
    ) -> None:
        """End the step with an update on the replies `trained`. Its time outside of the other phases is the update's.

        Args:
            together: the shares of all processes, given this one's, in the same order to each.
        """
        for reply in trained:
            self.counts["trained_tokens"] += len(reply.token_ids)
            if self.cost:
                self.counts["flops"] += self.cost.update(len(reply.prompt_ids), len(reply.token_ids))
        _, seconds, started = self.before
        spent = {name: self.seconds[name] - seconds.get(name, 0.0) for name in PHASES if name in self.seconds}
        spent["update"] = time.perf_counter() - started - sum(spent[name] for name in spent if name != "update")
        shares = together({"seconds": spent, "peak": measured_peak()})
        self.counts["optimiser_steps"] += 1
        for name, value in shares[0]["seconds"].items():
            self.seconds[name] = seconds.get(name, 0.0) + value
        self.peak_memory = max(self.peak_memory, *(share["peak"] for share in shares))

    def metrics(self) -> dict[str, float]:
        """The metrics of the last step.

        `total/<count>` and `total/seconds` are of all steps so far, `step/<count>` and `seconds/<phase>` of this step
        alone. `compute/peak_memory` is in bytes. Generated tokens a second are those of the whole step, and of the time
        in which it generates.
        """
        counts, seconds, _ = self.before
        times = {name: self.seconds[name] - seconds.get(name, 0.0) for name in PHASES if name in self.seconds}
        tokens = self.counts["generated_tokens"] - counts["generated_tokens"]
        took = {"": sum(times.values()), "generation_": sum(times.get(name, 0.0) for name in GENERATION)}
        return {
            **{f"total/{name}": plain(self.counts[name]) for name in self.names()},
            "total/seconds": round(self.training_seconds(), 4),
            **{f"step/{name}": plain(self.counts[name] - counts[name]) for name in self.names()},
            **{f"seconds/{name}": round(value, 4) for name, value in times.items()},
            **{f"compute/{of}tokens_per_second": round(tokens / s, 1) for of, s in took.items() if tokens and s},
            "compute/peak_memory": self.peak_memory,
        }

    def training_seconds(self) -> float:
        """Seconds of the phases of training steps."""
        return sum(self.seconds.get(name, 0.0) for name in PHASES)

    def names(self) -> list[str]:
        """The names of all counts, those at zero included."""
        return list(dict.fromkeys((*COUNTS, *self.counts)))

    def beyond(self, last: Mapping[str, Any]) -> dict[str, float]:
        """What was spent beyond this ledger, by the metrics `last` of a later step that will be done again."""
        more = {name: last.get(f"total/{name}", 0) - self.counts[name] for name in COUNTS}
        more["seconds"] = round(last.get("total/seconds", 0.0) - self.training_seconds(), 3)
        return {name: value for name, value in more.items() if value > 0} if more["optimiser_steps"] > 0 else {}

    def totals(self) -> dict[str, Any]:
        """All counts, training seconds and those by phase, and the peak of memory, for a summary."""
        phases = {name: round(self.seconds[name], 3) for name in PHASES if name in self.seconds}
        return {
            **{name: plain(self.counts[name]) for name in self.names()},
            "seconds": round(self.training_seconds(), 3),
            "seconds_by_phase": phases,
            "peak_memory": self.peak_memory,
        }

    def as_dict(self) -> dict[str, Any]:
        return {
            "counts": dict(self.counts),
            "seconds": {name: round(s, 3) for name, s in self.seconds.items()},
            "peak_memory": self.peak_memory,
        }

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Take over what `as_dict` gave before."""
        self.counts, self.seconds = Counter(renamed(saved["counts"])), defaultdict(float, saved["seconds"])
        self.peak_memory = max(self.peak_memory, saved.get("peak_memory", 0))


def of_evaluation(records: Sequence[Mapping[str, Any]], model: Any, seconds: float) -> dict[str, Any]:
    """What an evaluation of `model` with these records has spent, counts at zero included.

    The peak of memory is this process's. Records that it took over from a killed one are not in it.
    """
    ledger = Ledger(cost=Cost.of(model))
    ledger.count_records(records)
    names = [name for name in ledger.names() if name not in ("trained_tokens", "optimiser_steps")]
    counts = {name: plain(ledger.counts[name]) for name in names}
    return {**counts, "seconds": round(seconds, 3), "peak_memory": measured_peak()}


def altogether(parts: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The sum of what evaluations have spent, and the highest of their peaks of memory."""
    total: dict[str, Any] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = max(total.get(name, 0), value) if name == "peak_memory" else total.get(name, 0) + value
    return {**total, "seconds": round(total["seconds"], 3)} if "seconds" in total else total


def plain(value: int) -> int | float:
    """A count as trackers and JSON readers can hold it: a float where it is beyond 2⁵³."""
    return value if abs(value) < 2**53 else float(value)


def memory_kind() -> str:
    """Whose `peak_memory` it is: `gpu` (allocated by torch on the device) or `process` (resident)."""
    import torch

    return "gpu" if torch.cuda.is_available() else "process"


def measured_peak() -> int:
    """The peak of memory in bytes: of what torch has allocated on the GPU since `forget_peak`, or without a GPU of what
    this process has had resident since it began."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    import resource
    import sys

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> None:
    """Measure the peak of a GPU's memory from now on. That of a process cannot be reset."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
