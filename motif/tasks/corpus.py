"""Data sets of questions and answers as rows: from the hub, or from files of one's own.

A YAML in conf/dataset says which columns hold what and how the gold answer is read. Nothing is loaded when one is
built; each split is prepared when it is first asked for, and kept. Rows that cannot be used are counted and shown,
never dropped in silence. How an answer is graded is not decided here.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif.system import console
from motif.system.errors import UserError, hint, number, of_kind, one_of, shown, whole
from motif.tasks import tables
from motif.tasks.grading.answers import final_answer
from motif.tasks.questions import Question, normalised, question_id

if TYPE_CHECKING:
    from datasets import Dataset

MOST_UNREADABLE = 0.01  # of the rows of a split; above this the columns are likely wrong
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def as_it_stands(value: object) -> str | None:
    """The answer in a column of its own: text, or a number (27.0 is `27`); None where there is none."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    return (str(value).strip() or None) if isinstance(value, str | int) else None


def after_hashes(value: object) -> str | None:
    """What follows the last `####` of a worked solution, without commas between thousands (GSM8K)."""
    if not isinstance(value, str) or "####" not in value:
        return None
    return THOUSANDS.sub("", value.rpartition("####")[2].strip()) or None


def last_box(value: object) -> str | None:
    """The last complete box of a worked solution."""
    return (final_answer(value) or None) if isinstance(value, str) else None


GOLDS = {"field": as_it_stands, "hashes": after_hashes, "boxed": last_box}


@dataclass(frozen=True)
class Corpus:
    r"""Questions of the column `question`, whose gold answers are read from the column `answer`.

    `gold` says how: `field` as it stands, `hashes` after the last `####`, `boxed` the last complete `\boxed{}`.
    Rows come from the `hub` data set at `config` and `revision`, `splits` naming the hub's splits for `train` and
    `test`; or from `path`: a file (JSONL, JSON, CSV, gzipped or not, or Parquet), or a folder, saved by `datasets` or
    holding `<name>_<split>`, `<name>-<split>`, `<split>` or `<name>` as such a file. `facts` and `id` name columns that
    are kept beside a question.

    A `trainable` set holds out a `validation_share` of its train rows by a hash of `split_seed` and the normalised
    text, so that no row moves when others are added or reordered; without test rows of its own, as in a single file,
    the validation questions are its test questions. Any other set is for evaluation: all its rows are test questions.
    `unboxed` is that of its questions; `tokens_per_round` the window that suits them. `licence`, `citation` and `url`
    are for people.
    """

    name: str
    hub: str | None = None
    config: str | None = None
    revision: str | None = None
    path: str | None = None
    splits: Mapping[str, str] = field(default_factory=lambda: {"train": "train", "test": "test"})
    question: str = "question"
    answer: str = "answer"
    gold: str = "field"
    facts: Sequence[str] = ()
    id: str | None = None
    trainable: bool = False
    validation_share: float = 0.05
    split_seed: int = 0
    unboxed: bool = False
    tokens_per_round: int = 1024
    licence: str = ""
    citation: str = ""
    url: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w.-]+", self.name):
            raise UserError(f"dataset.name must be of letters, digits, '.', '_' and '-', got {shown(self.name)}")
        for key in ("hub", "config", "revision", "path", "id", "question", "answer"):
            value = getattr(self, key)
            if not (isinstance(value, str) and value.strip()) and (value is not None or key in ("question", "answer")):
                raise UserError(f"dataset.{key} must be text, got {shown(value)}")
        if self.hub is None and self.path is None:
            raise UserError("dataset.path must be a file or a folder of questions, got None")
        listed = isinstance(self.facts, Sequence) and not isinstance(self.facts, str)
        if not listed or not all(isinstance(column, str) for column in self.facts):
            raise UserError(
                f"dataset.facts must be a list of columns, such as [subject,level], got {shown(self.facts)}"
            )
        of_kind("dataset.splits", self.splits, Mapping)
        for key in self.splits:
            one_of("dataset.splits", key, ("train", "test"))
        one_of("dataset.gold", self.gold, GOLDS)
        for key in ("trainable", "unboxed"):
            if not isinstance(getattr(self, key), bool):
                raise UserError(f"dataset.{key} must be true or false, got {shown(getattr(self, key))}")
        number("dataset.validation_share", self.validation_share, at_least=0, at_most=0.9)
        whole("dataset.split_seed", self.split_seed, at_least=0)
        whole("dataset.tokens_per_round", self.tokens_per_round)

    def train(self) -> list[Question]:
        """The train questions that are not held out. A `UserError` where the set is for evaluation alone."""
        return list(self._division[0])

    def validation(self) -> list[Question]:
        """The train questions that are held out. A `UserError` where the set is for evaluation alone."""
        return list(self._division[1])

    def test(self) -> list[Question]:
        """The test questions; those of validation where a trainable set has no others."""
        return list(self._test)

    @cached_property
    def _division(self) -> tuple[list[Question], list[Question]]:
        if not self.trainable:
            raise UserError(
                f"dataset={self.name} is an evaluation set and is not trained on; train on gsm8k, chain or local, "
                f"and name it in evaluation.datasets=[{self.name}]"
            )
        found = self._questions("train")
        if found is None:
            raise UserError(f"dataset={self.name}: {self._nothing('train')}")
        parts: tuple[list[Question], list[Question]] = ([], [])
        for key, question in found.items():
            parts[self._held_out(key)].append(question)
        if not parts[0]:
            raise UserError(f"dataset.validation_share={self.validation_share} leaves no question to train on")
        return parts

    @cached_property
    def _test(self) -> list[Question]:
        found = self._questions("test")
        if found is not None:
            return list(found.values())
        if not self.trainable:
            raise UserError(f"dataset={self.name}: {self._nothing('test')}")
        held = self.validation()
        if not held:
            raise UserError(
                f"dataset={self.name} has no test rows, and dataset.validation_share={self.validation_share} holds out "
                f"none of its {len(self.train())} questions: raise it, or give a folder with a test file"
            )
        console.say(f"{self.name}: no test rows, so its {len(held)} validation questions are its test questions")
        return held

    def _held_out(self, key: str) -> bool:
        """Whether a question belongs to validation, by its normalised text alone."""
        digest = hashlib.sha256(f"{self.split_seed}/{key}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") < self.validation_share * 2**64

    def _questions(self, split: str) -> dict[str, Question] | None:
        """The questions of `split` by their normalised text, each once; None where there is no such split."""
        table = self._table(split)
        if table is None:
            return None
        extra = {"id": self.id} if self.id else {}
        extra |= {column: column for column in self.facts}
        self._check_columns(table.column_names)
        columns = table.select_columns(list(dict.fromkeys([self.question, self.answer, *extra.values()]))).to_dict()
        found: dict[str, Question] = {}
        unreadable, repeated, contradicting = [], 0, 0
        for place, (text, answer) in enumerate(zip(columns[self.question], columns[self.answer], strict=True)):
            gold = GOLDS[self.gold](answer)
            if gold is None or not isinstance(text, str) or not (key := normalised(text)):
                unreadable.append(place)
            elif key in found:
                repeated += 1
                contradicting += gold != found[key].gold
            else:
                facts = {name: plain(columns[column][place]) for name, column in extra.items()}
                id = question_id(self.name, text.strip())
                found[key] = Question(id, text.strip(), gold, facts, self.unboxed)
        rows = len(columns[self.question])
        if unreadable:
            place = unreadable[0]
            words = f"{len(unreadable)} of {rows} rows of {self.name} {split} have no question or no readable gold"
            example = f"row {place + 1}: {self.answer}={shown(columns[self.answer][place])}"
            if len(unreadable) > MOST_UNREADABLE * rows:
                raise UserError(
                    f"{words} ({example}); see dataset.question, dataset.answer and dataset.gold={self.gold}"
                )
            console.say(f"{words} and are left out ({example})", style="yellow")
        if repeated:
            words = f"{repeated} of {rows} rows of {self.name} {split} repeat a question and are left out"
            console.say(f"{words} ({contradicting} with another gold)" if contradicting else words, style="yellow")
        return found

    def _table(self, split: str) -> "Dataset | None":
        if self.path is None:
            named = self.splits.get(split)
            return tables.fetch(self.name, str(self.hub), self.config, self.revision, named) if named else None
        folder, stems = self._places(split)
        files = tables.find(folder, stems)
        return tables.read(files, [self.question, self.answer]) if files else None

    def _places(self, split: str) -> tuple[Path, list[str]]:
        """Where the rows of `split` lie at `path`: a table, or a folder with the names to look for in it."""
        folder = Path(str(self.path)).expanduser()
        if not folder.exists():
            raise UserError(f"dataset.path={self.path}: there is no such file or folder")
        if (inner := folder / self.name).is_dir() and not tables.is_table(inner):
            folder = inner
        whole_set = [self.name] if split == ("train" if self.trainable else "test") else []
        if tables.is_table(folder):
            return folder, whole_set
        if tables.is_saved_dict(folder):
            return folder, [self.splits.get(split, split), split]
        return folder, [f"{self.name}_{split}", f"{self.name}-{split}", split, *whole_set]

    def _nothing(self, split: str) -> str:
        """Why there are no rows of `split`."""
        if self.path is None:
            return f"dataset.splits names no {split} split of {self.hub}"
        folder, stems = self._places(split)
        return f"dataset.path={folder} holds none of {', '.join(stems)} (as {', '.join(tables.KINDS)})"

    def _check_columns(self, there: Sequence[str]) -> None:
        asked = [("question", self.question), ("answer", self.answer), *(("facts", column) for column in self.facts)]
        for key, column in [*asked, *([("id", self.id)] if self.id else [])]:
            if column not in there:
                raise UserError(
                    f"dataset.{key}={column} is no column of {self.path or self.hub}{hint(column, there)} "
                    f"(columns: {', '.join(there)})"
                )


def plain(value: object) -> Any:
    """`value` as JSON can hold it."""
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
