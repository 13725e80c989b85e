"""Trees as lines of JSON in episodes.jsonl.gz, and back.

A record holds texts and numbers of tokens, but no token ids. The parts of a reply, and whether it ends its episode, are
not recorded: its episode reads them from the text again.
"""

import gzip
import itertools
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from motif.rounds.episode import Episode, Node, Tree
from motif.rounds.replies import Reply
from motif.system.errors import UserError
from motif.system.files import parsed_line
from motif.tasks.questions import Question

UNKNOWN = -1  # stands for a token in a tree that was read back


def as_record(tree: Tree, extra: Mapping[int, Mapping[str, Any]] | None = None) -> dict[str, Any]:
    """A tree as JSON: the question and the nested nodes. `extra` has further keys of a node, by the node's `id()`."""

    def node(item: Node) -> dict[str, Any]:
        return {
            "round": item.round,
            "text": item.reply.text,
            "tokens": len(item.reply.token_ids),
            "prompt_tokens": len(item.reply.prompt_ids),
            "finished": item.reply.finished,
            "carried": item.carried,
            "events": list(item.events),
            "prediction": item.prediction,
            "correct": item.correct,
            **(extra or {}).get(id(item), {}),
            "children": [node(child) for child in item.children],
        }

    question = tree.question
    return {
        "id": question.id,
        "question": question.text,
        "gold": question.gold,
        "facts": question.facts,
        "replies": [node(root) for root in tree.roots],
    }


def tree_of_record(record: Mapping[str, Any], episode: Episode) -> Tree:
    """The tree that `as_record` wrote.

    Args:
        record: a line of episodes.jsonl.gz.
        episode: the episode as it was in training.

    Raises:
        UserError: the record lacks something, or its branches end where those of `episode` do not.
    """

    def node(item: Mapping[str, Any], round: int) -> Node:
        sizes = ([UNKNOWN] * item["tokens"], [UNKNOWN] * item["prompt_tokens"])
        made = episode.read(Reply(item["text"], *sizes, item["finished"]), round)
        made.carried, made.events = item["carried"], tuple(item["events"])
        made.prediction, made.correct = item["prediction"], item["correct"]
        if made.ended == bool(item["children"]) or item["round"] != round:
            how = "goes on" if item["children"] else "ends"
            raise UserError(f"a reply of round {item['round']} {how}, which it does not in the episode of config.yaml")
        made.children = [node(child, round + 1) for child in item["children"]]
        return made

    try:
        question = Question(record["id"], record["question"], record["gold"], record["facts"] or {})
        tree = Tree(question, [node(root, 1) for root in record["replies"]])
    except KeyError as error:
        raise UserError(f"it lacks {error.args[0]}: another version of motif recorded it") from None
    except (TypeError, AttributeError):
        raise UserError("it is no record of an episode") from None
    if not tree.roots:
        raise UserError("it has no reply")
    return tree


def steps_of(file: Path, torn: list[str]) -> Iterator[list[dict[str, Any]]]:
    """The records of one training step after another. Where the end of `file` is torn, a line is added to `torn`."""
    for _, records in itertools.groupby(_records(file, torn), key=lambda record: record.get("step")):
        yield list(records)


def _records(file: Path, torn: list[str]) -> Iterator[dict[str, Any]]:
    try:
        with gzip.open(file) as stream:
            for place, line in enumerate(stream, 1):
                if (record := parsed_line(line)) is None:
                    torn.append(f"{file}: line {place} is torn; what comes before it is used")
                    return
                yield record
    except (EOFError, gzip.BadGzipFile, zlib.error):
        torn.append(f"{file}: its end is torn; what comes before it is used")
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
