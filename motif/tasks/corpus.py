"""Data sets whose questions and answers are rows, from the hub or from files.

A YAML in conf/dataset says which columns hold what and how the gold answer is read from them. Nothing is loaded when a
`Corpus` is built; each split is prepared when it is first asked for, and kept. Rows that cannot be used are counted and
shown, never dropped in silence. How an answer is graded is not decided here.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from motif.system import UserError, console, hint, number, of_kind, one_of, shown, whole
from motif.system.rows import Number, value_at
from motif.tasks.grading.answers import final_answer
from motif.tasks.questions import Question, Step, normalised, question_id, question_text
from motif.tasks.solutions import steps_of
from motif.tasks.tables import FORMATS, Table, fetch_table, find_table, is_saved_dict, is_table, read_table, table_of

MOST_UNREADABLE = 0.01  # of the rows of a split; above this the columns are likely wrong
THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def gold_in_field(value: object) -> str | None:
    """The gold in a column of its own, as it is written, but 27.0 is `27`; None where there is none."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
    if isinstance(value, Number):
        return value.removesuffix(".0")
    if isinstance(value, bool):
        return str(value).lower()  # as JSON writes it
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else None
    return (str(value).strip() or None) if isinstance(value, str | int | date | time) else None


def gold_after_hashes(value: object) -> str | None:
    """The gold after the last `####` of a worked solution, without commas between thousands (GSM8K)."""
    if not isinstance(value, str) or "####" not in value:
        return None
    return THOUSANDS.sub("", value.rpartition("####")[2].strip()) or None


def gold_in_box(value: object) -> str | None:
    """The gold in the last complete box of a worked solution."""
    return final_answer(value) if isinstance(value, str) else None


def as_written(value: object, gold: str) -> str | None:
    """How the data write `gold` after the last `####`, where that differs; None elsewhere."""
    text = value.rpartition("####")[2].strip() if isinstance(value, str) else gold
    return text if text != gold and THOUSANDS.sub("", text) == gold else None


LONGEST = 1_000_000  # characters of a question
GOLDS = {"field": gold_in_field, "hashes": gold_after_hashes, "boxed": gold_in_box}


@dataclass(frozen=True)
class Corpus:
    r"""Questions of the column `question`, whose gold answers are read from the column `answer`.

    Rows come from the hub (`hub`, `config`, `revision`, `splits`) or from `path`.

    A `trainable` set holds out a `validation_share` of its train rows by a hash of `split_seed` and the normalised
    text, so that no row moves when others are added or reordered. Where it has no test rows of its own, as in a single
    file, the validation questions are its test questions. Any other set is for evaluation: all its rows are test
    questions.

    Columns are names, or dotted paths to nested values, such as `reward_model.ground_truth`. A question is text, or a
    list of messages (`question_text`).

    Attributes:
        splits: the names of the hub's splits for `train` and `test`.
        path: a file (JSONL, JSON, CSV, TSV, gzipped or not, or Parquet), or a folder. A folder is one that `datasets`
            saved, or holds `<name>_<split>`, `<name>-<split>`, `<split>` or `<name>` as such a file.
        gold: how the gold is read: `field` as it stands, `hashes` after the last `####`, `boxed` from the last complete
            `\boxed{}`.
        solution: the column of worked solutions, if that is not the one that the gold is read from.
        facts, id: columns that are kept beside a question.
        unboxed: that of its questions.
        tokens_per_round: the number of new tokens a round that suits them.
        licence, citation, url: for people.

    Raises:
        UserError: where a setting is invalid.
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
    solution: str | None = None
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
        for key in ("hub", "config", "revision", "path", "id", "solution", "question", "answer"):
            value = getattr(self, key)
            if not (isinstance(value, str) and value.strip()) and (value is not None or key in ("question", "answer")):
                raise UserError(f"dataset.{key} must be text, got {shown(value)}")
        if self.answer == self.question:
            raise UserError(f"dataset.answer={self.answer} is the column of questions: name that of answers")
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
        return list(self._train_and_validation[0])

    def validation(self) -> list[Question]:
        """The train questions that are held out. A `UserError` where the set is for evaluation alone."""
        return list(self._train_and_validation[1])

    def test(self) -> list[Question]:
        """The test questions; those of validation where a trainable set has no others."""
        return list(self._test)

    @cached_property
    def _train_and_validation(self) -> tuple[list[Question], list[Question]]:
        if not self.trainable:
            raise UserError(
                f"dataset={self.name} is an evaluation set and is not trained on; train on gsm8k, chain or local, "
                f"and name it in evaluation.datasets=[{self.name}]"
            )
        questions = self._questions("train")
        if questions is None:
            raise UserError(f"dataset={self.name}: {self._why_missing('train')}")
        train = [question for key, question in questions.items() if not self._is_held_out(key)]
        if not train:
            raise UserError(f"dataset.validation_share={self.validation_share} leaves no question to train on")
        return train, [question for key, question in questions.items() if self._is_held_out(key)]

    @cached_property
    def _test(self) -> list[Question]:
        questions = self._questions("test")
        if questions is not None:
            return list(questions.values())
        if not self.trainable:
            raise UserError(f"dataset={self.name}: {self._why_missing('test')}")
        validation = self.validation()
        if not validation:
            raise UserError(
                f"dataset={self.name} has no test rows, and dataset.validation_share={self.validation_share} holds out "
                f"none of its {len(self.train())} questions: raise it, or give a folder with a test file"
            )
        console.say(f"{self.name}: no test rows, so its {len(validation)} validation questions are its test questions")
        return validation

    def _is_held_out(self, key: str) -> bool:
        """Whether a question belongs to validation, by its normalised text alone."""
        digest = hashlib.sha256(f"{self.split_seed}/{key}".encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") < self.validation_share * 2**64

    def _questions(self, split: str) -> dict[str, Question] | None:
        """The questions of `split` by their normalised text, each once; None where there is no such split."""
        table = self._table(split)
        if table is None:
            return None
        kept_columns = ({"id": self.id} if self.id else {}) | {column: column for column in self.facts}
        self._check_columns(table)
        questions: dict[str, Question] = {}
        unreadable, repeated, contradicting, systems = [], 0, 0, 0
        for place, values in table.rows:
            asked, answer = value_at(values, self.question), value_at(values, self.answer)
            answer = answer[0] if isinstance(answer, list) and len(answer) == 1 else answer
            text, gold = question_text(asked), GOLDS[self.gold](answer)
            systems += text is not None and isinstance(asked, list) and len(asked) > 1
            if text is not None and len(text) > LONGEST:
                words = f"{place}: a question of {len(text):,} characters, more than a policy reads"
                raise UserError(f"dataset={self.name}: {words} (at most {LONGEST:,}): shorten it, or take the row out")
            if text is None or not (key := normalised(text)):
                unreadable.append(f"{place}: {self.question}={shown(asked)}")
            elif gold is None:
                unreadable.append(f"{place}: {self.answer}={shown(answer)}")
            elif key in questions:
                repeated += 1
                contradicting += gold != questions[key].gold
            else:
                facts = {name: as_json(value_at(values, column)) for name, column in kept_columns.items()}
                id = question_id(self.name, text.strip())
                told = (text.strip(), gold, facts, self.unboxed, as_written(answer, gold), self._steps(values, answer))
                questions[key] = Question(id, *told)
        rows = f"{len(table.rows)} rows of {self.name} {split}"
        if unreadable:
            words = f"{len(unreadable)} of {rows} have no question or no readable gold"
            if len(unreadable) > MOST_UNREADABLE * len(table.rows):
                settings = f"dataset.question, dataset.answer and dataset.gold={self.gold}"
                raise UserError(f"{words} ({unreadable[0]}); see {settings}")
            console.say(f"{words} and are left out ({unreadable[0]})", style="yellow")
        if systems:
            console.say(f"{systems} of {rows} have a system message: it stands above their questions")
        if repeated:
            words = f"{repeated} of {rows} repeat a question and are left out"
            console.say(f"{words} ({contradicting} with another gold)" if contradicting else words, style="yellow")
        return questions

    def _steps(self, values: Mapping[str, Any], answer: object) -> tuple[Step, ...]:
        """The worked solution of a row: what its answer says besides the gold, or a column of its own."""
        if self.solution is not None:
            answer = value_at(values, self.solution)
        elif self.gold == "field":
            return ()
        return steps_of(answer.rpartition("####")[0] or answer) if isinstance(answer, str) else ()

    def _table(self, split: str) -> Table | None:
        columns = [self.question, self.answer, *self.facts, *filter(None, (self.id, self.solution))]
        if self.path is None:
            hub_split = self.splits.get(split)
            if not hub_split:
                return None
            return table_of(fetch_table(self.name, str(self.hub), self.config, self.revision, hub_split), columns)
        files = find_table(*self._where(split))
        return read_table(files, columns) if files else None

    def _where(self, split: str) -> tuple[Path, list[str]]:
        """The table or folder at `path` that may hold `split`, and the names to look for in it."""
        folder = Path(str(self.path)).expanduser()
        if not folder.exists():
            raise UserError(f"dataset.path={self.path}: there is no such file or folder")
        if (inner := folder / self.name).is_dir() and not is_table(inner):
            folder = inner
        whole_set = [self.name] if split == ("train" if self.trainable else "test") else []
        if is_table(folder):
            return folder, whole_set
        if is_saved_dict(folder):
            return folder, [self.splits.get(split, split), split]
        return folder, [f"{self.name}_{split}", f"{self.name}-{split}", split, *whole_set]

    def _why_missing(self, split: str) -> str:
        """Why there are no rows of `split`."""
        if self.path is None:
            return f"dataset.splits names no {split} split of {self.hub}"
        folder, stems = self._where(split)
        return f"dataset.path={folder} holds none of {', '.join(stems)} (as {', '.join(FORMATS)})"

    def _check_columns(self, table: Table) -> None:
        settings = [("question", self.question), ("answer", self.answer), *(("facts", fact) for fact in self.facts)]
        settings += [(key, column) for key, column in (("id", self.id), ("solution", self.solution)) if column]
        for key, column in settings:
            if column not in table.columns and all(value_at(row.values, column) is None for row in table.rows):
                raise UserError(
                    f"dataset.{key}={column} is no column of {self.path or self.hub}{hint(column, table.columns)} "
                    f"(columns: {', '.join(table.columns)})"
                )


def as_json(value: object) -> Any:
    """`value` as JSON can hold it: other kinds of values than text, numbers, true, false and null become text.

    So does a number that JSON would write in another way.
    """
    if isinstance(value, Number):
        number = float(value) if set(value) & set(".eE") else int(value[:4000])
        return number if str(number) == value else str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
