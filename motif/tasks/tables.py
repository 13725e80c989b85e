"""Tables of rows, read by the library `datasets`: from files, folders of files, folders that it saved, or the hub.

Whatever cannot be read is a `UserError` of one line, which says where and what would be right. This module does not
know what the columns mean.
"""

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motif.system.errors import UserError

if TYPE_CHECKING:
    from datasets import Dataset

FORMATS = {  # of files, looked for in this order
    **{".jsonl": "json", ".jsonl.gz": "json", ".json": "json", ".json.gz": "json"},
    **{".csv": "csv", ".csv.gz": "csv", ".parquet": "parquet"},
}
HUB_SECONDS = 10  # to answer at all


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


def read_table(files: Sequence[Path], text_columns: Sequence[str]) -> "Dataset":
    """The table in `files`, which are shards of one.

    Args:
        files: one file, one folder that `datasets` saved, or several files with the same columns.
        text_columns: columns that stay text in a CSV, so that `025` is `025`.

    Raises:
        UserError: where the files cannot be read, hold no rows, or are of no known format.
    """
    import datasets

    first = files[0]
    if first.is_dir():
        return _rows(first, lambda: datasets.load_from_disk(str(first)))
    file_format = next((FORMATS[end] for end in FORMATS if first.name.lower().endswith(end)), None)
    if file_format is None:
        raise UserError(f"dataset.path={first} is of no known kind; known are {', '.join(FORMATS)}")
    options: dict[str, Any] = {}
    if file_format == "csv":
        options = {"converters": dict.fromkeys(text_columns, str), "keep_default_na": False, "na_values": [""]}
    names = [escape(str(file.resolve())) for file in files]
    return _rows(first, lambda: datasets.load_dataset(file_format, data_files=names, split="train", **options))


def _rows(path: Path, load: "Callable[[], Dataset]") -> "Dataset":
    """What `load` reads from `path`; a `UserError` where that fails or has no rows."""
    try:
        with _quiet_libraries():
            table = load()
    except Exception as error:
        if isinstance(error, StopIteration) or "no data" in str(error):
            raise UserError(f"dataset.path={path} holds no rows") from error
        raise UserError(f"dataset.path={path} cannot be read: {_reason(error)}") from error
    if not len(table):
        raise UserError(f"dataset.path={path} holds no rows")
    return table


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
