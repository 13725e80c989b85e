"""Episodes for the page's browser: small files of scripts that it loads on demand, for a page opened from disk may
fetch nothing else.

Training trees and evaluated samples become one shape, a question with nested replies. A file holds one call with one
string literal, which the page parses as JSON: what a model wrote is data there, never code. Of a long file an even
sample is kept, and the page says so.
"""

import gzip
import itertools
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from motif.evaluation.results import correct_after as right_after
from motif.reporting.cores import each
from motif.reporting.folders import BASE, Recorded, Result, answered
from motif.reporting.tables import decoded
from motif.runs.folder import write_text
from motif.system.files import parsed_line
from motif.system.safe_text import all_visible, visible

MOST = 1000  # questions kept of one file
MOST_BYTES = 32_000_000  # of them together
CHUNK_BYTES = 1_000_000  # a script's size, about
NEEDED = ("prediction", "correct", "correct_by_round", "tokens_by_round", "replies")  # of a sample
FLAGS = ("wrong", "truncated", "unparsable", "copied", "disagree")


@dataclass(frozen=True)
class Source:
    """Where episodes come from, as the page lists it: one evaluation, or the training of one run. `counts` are of
    questions, by the flags that are known of them."""

    id: str
    run: str
    title: str
    kept: int
    total: int
    chunks: int
    counts: Mapping[str, int]


class Sample:
    """An even sample of a stream of unknown length: every stride-th item, the stride doubled when they are too many."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self.most, self.most_bytes = most, most_bytes
        self.items: list[str] = []
        self.seen, self.size, self.stride = 0, 0, 1

    def wants_next(self) -> bool:
        """Whether the next item of the stream will be kept; counts it."""
        self.seen += 1
        return (self.seen - 1) % self.stride == 0

    def keep(self, item: str) -> None:
        self.items.append(item)
        self.size += len(item)
        while len(self.items) > self.most or (self.size > self.most_bytes and len(self.items) > 1):
            self.items = self.items[::2]
            self.stride *= 2
            self.size = sum(map(len, self.items))


def write_episodes(runs: Sequence[Recorded], folder: Path, most: int = MOST) -> list[Source]:
    """Write the scripts of all runs to `folder`, and give each result its shares by question."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("s[0-9]*-[0-9]*.js"):
        stale.unlink()
    jobs: list[tuple[Recorded, Result | None]] = []
    for run in runs:
        ordered = sorted(run.results, key=lambda result: (result.policy == BASE, -result.rounds))
        jobs += [(run, result) for result in ordered if result.records]
        if (run.folder / "episodes.jsonl.gz").is_file():
            jobs.append((run, None))

    def write(place: int) -> tuple[Source, Shares]:
        run, result = jobs[place]
        shares = Shares()
        if result is None:
            title, records = "training", trained(run.folder / "episodes.jsonl.gz")
        else:
            assert result.records is not None
            whose = "" if run.measured else f"{result.policy} "
            title = f"{whose}on {result.dataset}, {decoded(result.rounds)} ({result.records.name})"
            records = evaluated(result.records, shares)
        unknown = ("disagree",) if result is None else ()  # in training one grader judges
        return write_source(folder, f"s{place:03}", run.name, title, records, most, unknown), shares

    made = each(write, range(len(jobs)))
    for (_, result), (_, shares) in zip(jobs, made, strict=True):
        if result is not None:
            result.shares, result.shares_by_round = shares.whole, shares.by_round
    return [source for source, _ in made if source.total]


@dataclass
class Shares:
    """The share of right samples of each question, by its id: of the episodes, and had they been stopped after each
    round."""

    whole: dict[str, float] = field(default_factory=dict)
    by_round: list[dict[str, float]] = field(default_factory=list)


def write_source(
    folder: Path,
    id: str,
    run: str,
    title: str,
    records: Iterator[dict[str, Any]],
    most: int,
    unknown: Sequence[str] = (),
) -> Source:
    """Write one source's scripts, `<id>-000.js` and on. Flags that its records say nothing of are `unknown`."""
    kept, counts = Sample(most), Counter[str]()
    for item in records:
        counts.update(item.pop("flags", ()))
        if kept.wants_next():
            kept.keep(json.dumps(all_visible(item), separators=(",", ":")))
    chunks: list[list[str]] = []
    size = CHUNK_BYTES
    for text in kept.items:
        if size >= CHUNK_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(text)
        size += len(text)
    for place, texts in enumerate(chunks):
        write_text(folder / f"{id}-{place:03}.js", script(id, place, texts))
    known = {flag: counts[flag] for flag in FLAGS if flag not in unknown}
    return Source(id, visible(run), visible(title), len(kept.items), kept.seen, len(chunks), known)


def script(id: str, place: int, texts: Sequence[str]) -> str:
    """`motifEpisodes(id, place, "<JSON>")`: ASCII without `<`, so that nothing takes it for markup or code."""
    literal = json.dumps(f"[{','.join(texts)}]").replace("<", "\\u003c")
    return f"motifEpisodes({json.dumps(id)},{place},{literal});\n"


def evaluated(file: Path, shares: Shares) -> Iterator[dict[str, Any]]:
    """The records of an evaluation as questions with nested replies; `shares` are filled in."""
    for item in answered(file):
        samples, id = item["samples"], str(item["id"])
        shares.whole[id] = sum(bool(sample["correct"]) for sample in samples) / len(samples)
        for place in range(max(len(sample.get("correct_by_round", ())) for sample in samples)):
            if place == len(shares.by_round):
                shares.by_round.append({})
            right = [right_after(sample, place) for sample in samples if sample.get("correct_by_round")]
            shares.by_round[place][id] = sum(right) / len(right)
        yield {
            **{key: item.get(key) for key in ("id", "question", "gold", "facts")},
            "replies": [chain(sample) for sample in samples if sample.get("replies")],
            "flags": {flag for sample in samples for flag in sample_flags(sample)},
        }
    for before, after in itertools.pairwise(shares.by_round):  # what ended before stays as it ended
        after.update({id: share for id, share in before.items() if id not in after})


def sample_flags(sample: Mapping[str, Any]) -> Iterator[str]:
    if not sample["correct"]:
        yield "wrong"
    if sample.get("strict", sample["correct"]) != sample["correct"]:
        yield "disagree"
    for flag in ("truncated", "unparsable", "copied"):
        if sample.get(flag):
            yield flag


def chain(sample: Mapping[str, Any]) -> dict[str, Any]:
    """One evaluated episode as nested replies, its end flagged."""
    replies = sample["replies"]
    rest: dict[str, Sequence[Any]] = {
        key: [*(sample.get(key) or ()), *[None] * len(replies)]
        for key in ("carried", "tokens_by_round", "correct_by_round")
    }
    node: dict[str, Any] = {}
    for place in reversed(range(len(replies))):
        last = place == len(replies) - 1
        end = {
            "prediction": sample.get("prediction"),
            "strict": sample.get("strict"),
            "flags": list(sample_flags(sample)),
        }
        node = {
            **{"round": place + 1, "text": replies[place], "tokens": rest["tokens_by_round"][place]},
            **{"correct": rest["correct_by_round"][place], "carried": None if last else rest["carried"][place]},
            **(end if last else {}),
            "children": [node] if node else [],
        }
    return node


def trained(file: Path) -> Iterator[dict[str, Any]]:
    """The trees of a training, their ends flagged; what a kill tore is left out."""
    try:
        with gzip.open(file) as stream:
            for line in stream:
                item = parsed_line(line)
                if item and isinstance(item.get("replies"), list):
                    flags: set[str] = set()
                    for root in item["replies"]:
                        mark(root, (), flags)
                    yield {**item, "flags": flags}
    except (EOFError, OSError, zlib.error):
        return


def mark(node: dict[str, Any], before: tuple[Any, ...], found: set[str]) -> None:
    """Flag the ends of the tree below `node`; `before` are the predictions of the rounds above it."""
    prediction = node.get("prediction")
    for child in node["children"]:
        mark(child, (*before, prediction), found)
    if not node["children"]:
        sample = {
            **{"correct": node["correct"], "strict": node.get("strict", node["correct"])},
            **{"truncated": not node["finished"], "unparsable": prediction is None},
            "copied": prediction is not None and prediction in before,
        }
        node["flags"] = list(sample_flags(sample))
        found.update(node["flags"])
