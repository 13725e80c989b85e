"""Tables of rows, from files, folders of files, folders saved by `datasets`, or the hub.

What could not be read is a `UserError` of one line that says where and what would be right. Nothing here knows what
the columns mean.
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

KINDS = {  # looked for in this order
    ".jsonl": "json",
    ".jsonl.gz": "json",
    ".json": "json",
    ".json.gz": "json",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".parquet": "parquet",
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


def find(folder: Path, stems: Sequence[str]) -> list[Path]:
    """The file of the first of `stems` in `folder`, or the shards of one table, or nothing.

    A `folder` that is one table itself is found under any stem.
    """
    if is_table(folder):
        return [folder] if stems else []
    for stem in stems:
        if is_saved(folder / stem):
            return [folder / stem]
        for extension in KINDS:
            if (file := folder / f"{stem}{extension}").is_file():
                return [file]
        if shards := sorted(folder.glob(f"{escape(stem)}-[0-9]*-of-[0-9]*.parquet")):
            return shards
    return []


def read(files: Sequence[Path], text_columns: Sequence[str]) -> "Dataset":
    """The table in `files`, shards of one; CSV's `text_columns` are read as they are written, `025` as `025`."""
    first = files[0]
    if first.is_dir():
        from datasets import load_from_disk

        return _attempt(first, lambda: load_from_disk(str(first)))
    kind = next((KINDS[extension] for extension in KINDS if first.name.lower().endswith(extension)), None)
    if kind is None:
        raise UserError(f"dataset.path={first} is of no known kind; known are {', '.join(KINDS)}")
    options: dict[str, Any] = {}
    if kind == "csv":
        options = {"converters": dict.fromkeys(text_columns, str), "keep_default_na": False, "na_values": [""]}
    names = [escape(str(file.resolve())) for file in files]
    from datasets import load_dataset

    return _attempt(first, lambda: load_dataset(kind, data_files=names, split="train", **options))


def _attempt(path: Path, load: "Callable[[], Dataset]") -> "Dataset":
    try:
        with _unheard():
            table = load()
    except Exception as error:
        if isinstance(error, StopIteration) or "no data" in str(error):
            raise UserError(f"dataset.path={path} holds no rows") from error
        raise UserError(f"dataset.path={path} cannot be read: {_reason(error)}") from error
    if not len(table):
        raise UserError(f"dataset.path={path} holds no rows")
    return table


def fetch(name: str, hub: str, config: str | None, revision: str | None, split: str) -> "Dataset":
    """`split` of the hub's data set `hub`, or of its copy in the cache of `datasets` where the hub is out of reach.

    The hub is asked once first, for `datasets` itself tries for half a minute before it turns to its cache.
    """
    import datasets
    from huggingface_hub import HfApi

    reason = None
    with _unheard():
        offline = datasets.config.HF_HUB_OFFLINE
        try:
            HfApi().dataset_info(hub, revision=revision, timeout=HUB_SECONDS)
        except Exception as error:
            reason = _reason(error)
            datasets.config.HF_HUB_OFFLINE = True
        try:
            table = datasets.load_dataset(hub, config, revision=revision, split=split)
        except Exception as error:
            raise UserError(
                f"dataset={name}: {split} of {hub} cannot be had from the hub ({reason or _reason(error)}); "
                "with a copy of it: dataset.path=FILE_OR_FOLDER"
            ) from error
        finally:
            datasets.config.HF_HUB_OFFLINE = offline
    held = [str(file["filename"]) for file in table.cache_files]
    if reason and re.fullmatch("[0-9a-f]{40}", revision or "") and not any(str(revision) in file for file in held):
        raise UserError(
            f"dataset={name}: the hub cannot be reached ({reason}) and the cache holds another revision of {hub} than "
            f"dataset.revision={revision}; with a copy of it: dataset.path=FILE_OR_FOLDER"
        )
    return table


@contextmanager
def _unheard() -> Iterator[None]:
    """Within it, the libraries say nothing of the errors that are raised here in one line."""
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
    """The first line of what lies behind `error`."""
    error = error.__cause__ or error
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
