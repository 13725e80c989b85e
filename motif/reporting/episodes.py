"""Episodes for the page's browser: small script files that it loads on demand.

A page that is opened from disk may load scripts, but may fetch nothing. Recorded trees of training and samples of
evaluations take one shape, a question with nested replies. A file holds one call with one string literal, which the
page parses as JSON: what a model wrote is data there, never code. Of a long file an even sample is kept; the page says
so.
"""

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motif.evaluation.wording import in_rounds
from motif.reporting.cores import parallel_map
from motif.reporting.recorded import BASE, RecordedRun, Result, Shares, question_records
from motif.system.files import parsed_line, write_text
from motif.system.safe_text import visible, visible_json

MOST = 1000  # questions kept of one file
MOST_BYTES = 32_000_000  # of them together
CHUNK_BYTES = 1_000_000  # about the size of a script
FLAGS = ("wrong", "truncated", "unparsable", "copied", "disagree")
Questions = Iterator[dict[str, Any]]
Kept = dict[str, tuple[object, "Source", Shares]]  # by id: the state of a file, and what was made of it


@dataclass(frozen=True)
class Source:
    """One evaluation, or the training of one run, as the page lists it: of `total` questions so many are `kept` in so
    many scripts (`chunks`). `counts` are of questions, by the flags that are known of them. `name` is that of its file
    of records, or `training`: links hold it. `id` follows from both names, so a page that is open while another report
    is written reads what it asks for."""

    id: str
    run: str
    name: str
    title: str
    kept: int
    total: int
    chunks: int
    counts: Mapping[str, int]


class EvenSample:
    """An even sample of a stream of unknown length: every stride-th item; the stride doubles when they are too many."""

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


def write_episodes(
    runs: Sequence[RecordedRun], folder: Path, most: int = MOST, kept: Kept | None = None
) -> list[Source]:
    """Write the scripts of all runs to `folder`, at most `most` questions of each file, and return their sources.

    Every result gets its shares by question, since its records are read here. What is `kept` of an earlier call for the
    same folder is not read again where its file has not changed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = {} if kept is None else kept
    jobs: dict[str, tuple[RecordedRun, Result | None, Path]] = {}  # by id; None: the training
    for run in runs:
        ordered = sorted(run.results, key=lambda result: (result.policy == BASE, -result.rounds))
        files = [(result, result.records) for result in ordered]
        for result, file in [*files, (None, run.folder / "episodes.jsonl.gz")]:
            if file and file.is_file():
                names = f"{run.name}/{file.stem}".encode(errors="replace")
                jobs[f"s{int(hashlib.sha256(names).hexdigest()[:12], 16)}"] = (run, result, file)

    def write(id: str) -> tuple[Source, Shares]:
        (run, result, file), shares = jobs[id], Shares()
        if result is None:
            known = [flag for flag in FLAGS if flag != "disagree"]  # in training one grader judges
            records = training_trees(file)
            return write_source(folder, id, run.name, "training", "training", records, most, known), shares
        policy = "" if run.measured else f"{result.policy} "
        title = f"{policy}on {result.dataset}, {in_rounds(result.rounds)} ({file.name})"
        return write_source(folder, id, run.name, file.stem, title, evaluated(file, shares), most), shares

    states = {id: (stat.st_mtime_ns, stat.st_size) for id, (*_, file) in jobs.items() for stat in [file.stat()]}
    changed = [id for id, state in states.items() if id not in kept or kept[id][0] != state]
    for id, made in zip(changed, parallel_map(write, changed), strict=True):
        kept[id] = (states[id], *made)
    for id, (_, result, _) in jobs.items():
        if result is not None:
            result.shares = kept[id][2]
    sources = [kept[id][1] for id in jobs]
    written = {f"{source.id}-{chunk:03}.js" for source in sources for chunk in range(source.chunks)}
    for old in folder.glob("s[0-9]*-[0-9]*.js"):
        if old.name not in written:
            old.unlink()
    return [source for source in sources if source.total]


def write_source(
    folder: Path,
    id: str,
    run: str,
    name: str,
    title: str,
    questions: Questions,
    most: int,
    known_flags: Sequence[str] = FLAGS,
) -> Source:
    """Write the scripts of one source; `questions` have `flags`, of which only `known_flags` are counted."""
    sample, counts = EvenSample(most), Counter[str]()
    for question in questions:
        counts.update(question.pop("flags", ()))
        if sample.wants_next():
            sample.keep(visible_json(question))
    chunks: list[list[str]] = []
    size = CHUNK_BYTES
    for text in sample.items:
        if size >= CHUNK_BYTES:
            chunks.append([])
            size = 0
        chunks[-1].append(text)
        size += len(text)
    for number, texts in enumerate(chunks):
        write_text(folder / f"{id}-{number:03}.js", script(id, number, texts))
    known = {flag: counts[flag] for flag in known_flags}
    return Source(id, visible(run), visible(name), visible(title), len(sample.items), sample.seen, len(chunks), known)


def script(id: str, number: int, texts: Sequence[str]) -> str:
    """`motifEpisodes(id, number, "<JSON>")`: ASCII without `<`, so that nothing takes it for markup or code."""
    literal = json.dumps(f"[{','.join(texts)}]").replace("<", "\\u003c")
    return f"motifEpisodes({json.dumps(id)},{number},{literal});\n"


def evaluated(file: Path, shares: Shares) -> Questions:
    """The records of an evaluation as questions with nested replies; each is added to `shares`."""
    for record in question_records(file):
        shares.add(record)
        samples = record["samples"]
        yield {
            **{key: record.get(key) for key in ("id", "question", "gold", "facts")},
            "replies": [nested(sample) for sample in samples if sample.get("replies")],
            "flags": {flag for sample in samples for flag in flags_of(sample)},
        }


def flags_of(sample: Mapping[str, Any]) -> list[str]:
    flags = [] if sample["correct"] else ["wrong"]
    if sample.get("strict", sample["correct"]) != sample["correct"]:
        flags.append("disagree")
    return flags + [flag for flag in ("truncated", "unparsable", "copied") if sample.get(flag)]


def nested(sample: Mapping[str, Any]) -> dict[str, Any]:
    """One evaluated episode as nested replies; the last one has the prediction and the flags."""
    replies = sample["replies"]

    def of_round(key: str, place: int) -> Any:
        values = sample.get(key) or ()
        return values[place] if place < len(values) else None

    node: dict[str, Any] = {}
    for place in reversed(range(len(replies))):
        last = place == len(replies) - 1
        children = [node] if node else []
        node = {
            "round": place + 1,
            "text": replies[place],
            "tokens": of_round("tokens_by_round", place),
            "correct": of_round("correct_by_round", place),
            "carried": None if last else of_round("carried", place),
        }
        if last:
            node |= {"prediction": sample.get("prediction"), "strict": sample.get("strict"), "flags": flags_of(sample)}
        node["children"] = children
    return node


def training_trees(file: Path) -> Questions:
    """The trees of a training, whose last replies have flags."""
    for tree in recorded_trees(file):
        flags: set[str] = set()
        for root in tree["replies"]:
            flag_ends(root, (), flags)
        yield {**tree, "flags": flags}


def recorded_trees(file: Path) -> Questions:
    """The trees of a training as they are recorded; what a kill tore is left out."""
    try:
        with gzip.open(file) as stream:
            for line in stream:
                tree = parsed_line(line)
                if tree and isinstance(tree.get("replies"), list):
                    yield tree
    except (EOFError, OSError, zlib.error):
        return


def flag_ends(node: dict[str, Any], before: tuple[Any, ...], flags: set[str]) -> None:
    """Give flags to the last replies of the tree below `node`, and add them to `flags`; `before` are the predictions of
    the rounds above it."""
    prediction = node.get("prediction")
    for child in node["children"]:
        flag_ends(child, (*before, prediction), flags)
    if not node["children"]:
        sample = {
            "correct": node["correct"],
            "strict": node.get("strict", node["correct"]),
            "truncated": not node["finished"],
            "unparsable": prediction is None,
            "copied": prediction is not None and prediction in before,
        }
        node["flags"] = flags_of(sample)
        flags.update(node["flags"])
