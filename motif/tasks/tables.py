"""Tables of rows: from files and folders of files, read as they are written, and from the library `datasets`: folders
that it saved, and the hub.

Whatever cannot be read is a `UserError` of one line, which says where and what would be right. This module does not
know what the columns mean.
"""

import logging
import re
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from motif.system.errors import UserError
from motif.system.rows import Row, columns_of, read_rows

if TYPE_CHECKING:
    from datasets import Dataset

FORMATS = {  # of files, looked for in this order
    **{".jsonl": "json", ".jsonl.gz": "json", ".json": "json", ".json.gz": "json"},
    **{".csv": "csv", ".csv.gz": "csv", ".tsv": "tsv", ".tsv.gz": "tsv", ".parquet": "parquet"},
}
HUB_SECONDS = 10  # to answer at all


class Table(NamedTuple):
    """The rows of a table, and the names of its columns, those of nested ones as dotted paths."""

    columns: list[str]
    rows: list[Row]


def is_table(path: Path) -> bool:
    """Whether `path` is one table: a file, or the folder of a saved `datasets.Dataset`."""
    return path.is_file() or is_saved(path)


def is_saved(path: Path) -> bool:
    """Whether `path` is the folder of a saved `datasets.Dataset`."""
    return (path / "state.json").is_file()


def is_saved_dict(path: Path) -> bool:
    """Whether `path` is the folder of a saved `datasets.DatasetDict`, whose subfolders are its splits."""
    return (path / "dataset_dict.json").is_file()


def find_table(folder: Path, stems: Sequence[str]) -> list[Path]:
    """The files of the first table of these names in a folder.

    Args:
        folder: where to look; a folder that is one table itself has every name.
        stems: file names without extension, the first one that exists wins.

    Returns:
        One file or folder, or the shards of one table in order; nothing where there is no such table.
    """
    if is_table(folder):
        return [folder] if stems else []
    for stem in stems:
        if is_saved(folder / stem):
            return [folder / stem]
        for extension in FORMATS:
            if (file := folder / f"{stem}{extension}").is_file():
                return [file]
        if shards := sorted(folder.glob(f"{escape(stem)}-[0-9]*-of-[0-9]*.parquet")):
            return shards
    return []


def read_table(files: Sequence[Path], columns: Sequence[str]) -> Table:
    """The table in `files`, which are shards of one.

    Args:
        files: one file, one folder that `datasets` saved, or several files of one table.
        columns: those that are needed of a folder that `datasets` saved.

    Raises:
        UserError: where the files cannot be read, hold no rows, or are of no known format.
    """
    first = files[0]
    if first.is_dir():
        import datasets

        try:
            with _quiet_libraries():
                table = table_of(datasets.load_from_disk(str(first)), columns, f"{first.name}, ")
        except Exception as error:
            raise UserError(f"dataset.path={first} cannot be read: {_reason(error)}") from error
    else:
        rows = [row for file in files for row in _rows(file)]
        table = Table(columns_of(rows), rows)
    if not table.rows:
        raise UserError(f"dataset.path={first} holds no rows")
    return table


def _rows(file: Path) -> list[Row]:
    kind = next((FORMATS[end] for end in FORMATS if file.name.lower().endswith(end)), None)
    if kind is None:
        raise UserError(f"dataset.path={file} is of no known kind; known are {', '.join(FORMATS)}")
    try:
        return read_rows(file, kind)
    except (ValueError, OSError, EOFError, zlib.error) as error:  # what pyarrow raises is one of the first two
        raise UserError(f"dataset.path={file} cannot be read: {str(error).strip().splitlines()[0][:200]}") from error


def table_of(dataset: "Dataset", columns: Sequence[str], where: str = "") -> Table:
    """The `columns` of a data set of the library `datasets`, and what is nested in them."""
    needed = {*columns, *(column.split(".")[0] for column in columns)}
    known = dataset.select_columns([name for name in dataset.column_names if name in needed])
    rows = [Row(f"{where}row {number}", values) for number, values in enumerate(known.to_list(), 1)]
    return Table(list(dict.fromkeys([*dataset.column_names, *columns_of(rows)])), rows)


def fetch_table(name: str, hub: str, config: str | None, revision: str | None, split: str) -> "Dataset":
    """A split of a data set on the hub, or of its copy in the cache of `datasets` where the hub cannot be reached.

    The hub is asked once first, because `datasets` itself tries for half a minute before it turns to its cache.

    Args:
        name: what the data set is called in messages.
        hub: its name on the hub, `owner/name`.
        config: which configuration of it, None for the only one.
        revision: which commit or branch of it, None for the newest.
        split: which of its splits.

    Raises:
        UserError: where neither the hub nor the cache has the split, or the cache has another revision of it.
    """
    import datasets
    from huggingface_hub import HfApi

    unreachable = None
    with _quiet_libraries():
        offline = datasets.config.HF_HUB_OFFLINE
        try:
            HfApi().dataset_info(hub, revision=revision, timeout=HUB_SECONDS)
        except Exception as error:
            unreachable = _reason(error)
            datasets.config.HF_HUB_OFFLINE = True
        try:
            table = datasets.load_dataset(hub, config, revision=revision, split=split)
        except Exception as error:
            raise UserError(
                f"dataset={name}: {split} of {hub} cannot be had from the hub ({unreachable or _reason(error)}); "
                "with a copy of it: dataset.path=FILE_OR_FOLDER"
            ) from error
        finally:
            datasets.config.HF_HUB_OFFLINE = offline
    cached = [str(file["filename"]) for file in table.cache_files]
    is_commit = re.fullmatch("[0-9a-f]{40}", revision or "")
    if unreachable and is_commit and not any(str(revision) in file for file in cached):
        raise UserError(
            f"dataset={name}: the hub cannot be reached ({unreachable}) and the cache holds another revision of {hub} "
            f"than dataset.revision={revision}; with a copy of it: dataset.path=FILE_OR_FOLDER"
        )
    return table


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Within it, the libraries log nothing: this module raises their errors in one line."""
    loggers = [logging.getLogger(library) for library in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _reason(error: BaseException) -> str:
    """The first line of the cause of `error`."""
    error = error.__cause__ or error
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
