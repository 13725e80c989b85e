"""Files that are whole or not there: written beside and renamed, appended to whole lines, and a reason where it fails.

The only module that knows what a full disk looks like; libraries that save weights each say it in their own words. What
cannot be read, or was written by a newer suite, is a line that names the file.
"""

import errno
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from motif.system.errors import UserError, shown

FORMAT = 1  # of a run's files; one with a higher number was written by a newer suite
WRITING = {  # that a person can do something about, and what
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room within your quota",
    errno.EFBIG: "allow larger files (ulimit -f)",
    errno.EROFS: "make it writable",
    errno.EACCES: "make it writable",
    errno.EPERM: "make it writable",
    errno.EEXIST: "move away what lies there",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "see to the disk",
    errno.ESTALE: "mount it again",
    errno.ENOENT: "put it back",
    errno.ENOTDIR: "put it back",
}


def write_text(file: Path, text: str, durable: bool = False) -> None:
    """Write whole or not at all; `durable` also keeps it through a loss of power, at the price of waiting."""
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        beside.write_text(text, encoding="utf-8")
        if durable:
            sync(beside)
        beside.replace(file)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def left_of(path: Path, name: str) -> bool:
    """Whether `path` is what a kill left of writing a file called `name`."""
    return path.name.startswith(f".{name}.")


def write_json(file: Path, value: Any) -> None:
    write_text(file, json.dumps(value, indent=2) + "\n", durable=True)


def read_json(file: Path) -> dict[str, Any]:
    """The mapping in `file`. A `UserError` where it cannot be read, is torn or something else, or of a newer format."""
    return _mapping(file, "JSON", json.loads)


def read_yaml(file: Path) -> dict[str, Any]:
    """As `read_json`, of YAML."""
    return _mapping(file, "YAML", parsed_yaml)


def parsed_yaml(text: str) -> Any:
    """What `text` in YAML holds. libyaml reads it, six times faster than Python, unless it may be nested deeply: then
    libyaml could overrun the stack, which ends the process, and Python's reader raises an error."""
    indents = re.findall("[ ?:-]+", text)
    depth = text.count("[") + text.count("{") + max(map(len, indents), default=0)  # or less
    return yaml.load(text, Loader=yaml.SafeLoader if depth > 100 else getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _mapping(file: Path, kind: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        found = parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{file} is torn or no {kind}; put a whole copy in its place, or move it away") from error
    if not isinstance(found, dict):
        raise UserError(f"{file} must hold a mapping in {kind}, got {shown(found)}; put a whole copy in its place")
    check_format(file, found)
    return found


def check_format(file: Path, found: Mapping[str, Any]) -> None:
    """A `UserError` where what was `found` in `file` says that a newer suite wrote it."""
    if isinstance(number := found.get("format"), int) and number > FORMAT:
        raise UserError(f"{file} has format {number}, and this motif knows {FORMAT} at most: a newer motif is needed")


def append(file: Path, content: bytes) -> None:
    """Append all of `content`, or leave the file as it was: half a line is of no use to a reader."""
    with file.open("ab", buffering=0) as opened:
        before = opened.seek(0, os.SEEK_END)
        try:
            written = 0
            while written < len(content):
                written += opened.write(content[written:])
        except BaseException:
            with suppress(OSError):
                os.ftruncate(opened.fileno(), before)
            raise


def sync(path: Path) -> None:
    """Have a file, or a folder's list of names, on disk before going on."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that cannot, for folders say
            raise
    finally:
        os.close(descriptor)


def sync_all(folder: Path) -> list[Path]:
    """Have all that is in a folder on disk before going on; its files, in order."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    for path in (*files, *(path for path in folder.rglob("*") if path.is_dir()), folder):
        sync(path)
    return files


def remove(folder: Path) -> None:
    """Remove a folder; what a kill leaves of it, or a disk that refuses, has a name that nobody looks for."""
    going = folder.with_name(f".removing-{folder.name}")
    shutil.rmtree(going, ignore_errors=True)
    folder.rename(going)
    shutil.rmtree(going, ignore_errors=True)


def size(folder: Path) -> int:
    """Bytes of the files in a folder, or of a file."""
    files = folder.rglob("*") if folder.is_dir() else [folder]
    return sum(file.lstat().st_size for file in files if file.is_file() and not file.is_symlink())


def as_size(amount: float) -> str:
    """`12 MB`, `3.4 GB`."""
    for unit, worth in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if amount >= worth:
            return f"{amount / worth:.{0 if amount >= 10 * worth else 1}f} {unit}"
    return f"{amount:.0f} B"


def unwritable(error: BaseException, folder: Path) -> str | None:
    """Why `folder` could not be written to, and what to do, in one line; None where `error` is of another kind.

    safetensors and torch raise errors of their own: the first names the number of the system's error, the second none.
    """
    if isinstance(error, OSError):
        number = error.errno
        if error.filename is not None and not _within(Path(os.fsdecode(error.filename)), folder):
            return None
    elif found := re.search(r"os error (\d+)", str(error)):
        number = int(found[1])
    elif re.search(r"inline_container|PytorchStreamWriter|iostream error", str(error)):
        number = errno.ENOSPC if free(folder) < 1 << 20 else errno.EIO
    else:
        return None
    if number not in WRITING:
        return None
    if number == errno.ENOENT and folder.exists():
        return None  # something in it is missing, and that is a fault of ours
    there = f" ({as_size(free(folder))} free)" if number in (errno.ENOSPC, errno.EDQUOT) else ""
    return f"{folder} cannot be written: {os.strerror(number)}{there}; {WRITING[number]}"


@contextmanager
def explained(folder: Path, help: str) -> Iterator[None]:
    """Within it, `folder` that cannot be written is a `UserError` that ends with `help`."""
    try:
        yield
    except Exception as error:
        if words := unwritable(error, folder):
            raise UserError(f"{words}, {help}") from error
        raise


def unusable(error: BaseException) -> str | None:
    """Why the file that a system's error names cannot be used, and what to do, in one line; None where `error` is of
    another kind, as where a file is missing, which may be a fault of ours."""
    ours = (errno.ENOENT, errno.ENOTDIR, errno.EEXIST)
    if not isinstance(error, OSError) or error.errno not in WRITING or error.errno in ours:
        return None
    where = "a file" if error.filename is None else shortened(os.fsdecode(error.filename))
    return f"{where} cannot be used: {os.strerror(error.errno)}; {WRITING[error.errno]}"


def shortened(text: str, most: int = 200) -> str:
    """`text` as a message shows it, in the middle of a line."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def _within(path: Path, folder: Path) -> bool:
    return path.absolute().is_relative_to(folder.absolute()) or folder.absolute().is_relative_to(path.absolute())


def free(folder: Path) -> int:
    """Bytes that are free where `folder` lies, or will lie."""
    ground = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(ground).free


def parsed_line(line: str | bytes) -> dict[str, Any] | None:
    """The mapping that a line of JSON holds, or None. NaN and infinities, which browsers' JSON lacks, become None."""
    try:
        found = json.loads(line, parse_constant=lambda _: None)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def there(paths: Sequence[Path]) -> Sequence[Path]:
    """`paths` as typed; a `UserError` where one of them is not there."""
    if missing := [path for path in paths if not os.path.lexists(path)]:
        raise UserError(f"{named(missing)} is not there; name run folders, as in outputs/*")
    return paths


def named(paths: Sequence[Path]) -> str:
    """`paths` as a message shows them."""
    return shortened(", ".join(map(str, paths)))
