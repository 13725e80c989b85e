"""Files that are complete or not there: they are written in a draft and renamed, or appended to by whole lines.

Only this module knows what a full disk looks like: libraries that save weights each say it in their own words. A file
that cannot be read, or that a newer motif wrote, is one line that names the file.
"""

import errno
import hashlib
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

LINES = json.JSONDecoder(parse_constant=lambda _: None)
FORMAT = 1  # of a run's files; a newer motif writes a higher number
WRITING = {  # errors that a person can do something about, and what
    errno.ENOSPC: "make room",
    errno.EDQUOT: "make room within your quota",
    errno.EFBIG: "allow larger files (ulimit -f)",
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "make it writable"),
    errno.EEXIST: "move away what lies there",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EIO: "see to the disk",
    errno.ESTALE: "mount it again",
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), "put it back"),
}


def write_text(file: Path, text: str, durable: bool = False) -> None:
    """Write all of `text` or nothing. `durable` waits until it would survive a loss of power."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        draft.write_text(text, encoding="utf-8")
        if durable:
            sync(draft)
        draft.replace(file)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def left_of(path: Path, name: str) -> bool:
    """Whether `path` is a draft of a file called `name`, which a kill left there."""
    return path.name.startswith(f".{name}.")


def write_json(file: Path, value: Any) -> None:
    """Write `value` as JSON, as `write_text` does, durably."""
    write_text(file, json.dumps(value, indent=2) + "\n", durable=True)


def read_json(file: Path) -> dict[str, Any]:
    """The mapping in `file`. A `UserError` where it cannot be read, holds something else, or has a newer format."""
    return _mapping(file, "JSON", json.loads)


def read_yaml(file: Path) -> dict[str, Any]:
    """As `read_json`, of YAML."""
    return _mapping(file, "YAML", parsed_yaml)


def parsed_yaml(text: str) -> Any:
    """What `text` in YAML holds.

    libyaml reads it six times faster than Python. But in deeply nested text it could overrun the stack and end the
    process, where Python's reader raises an error. So Python's reader gets text that may be nested deeply.
    """
    indents = re.findall("[ ?:-]+", text)
    depth = text.count("[") + text.count("{") + max(map(len, indents), default=0)  # or less
    return yaml.load(text, Loader=yaml.SafeLoader if depth > 100 else getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def _mapping(file: Path, kind: str, parse: Callable[[str], Any]) -> dict[str, Any]:
    """What `parse` makes of `file`, which must be a mapping."""
    try:
        content = parse(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UserError(f"{file} is torn or no {kind}; put a whole copy in its place, or move it away") from error
    if not isinstance(content, dict):
        raise UserError(f"{file} must hold a mapping in {kind}, got {shown(content)}; put a whole copy in its place")
    check_format(file, content)
    return content


def check_format(file: Path, content: Mapping[str, Any]) -> None:
    """A `UserError` where the `content` of `file` says that a newer motif wrote it."""
    if isinstance(number := content.get("format"), int) and number > FORMAT:
        raise UserError(f"{file} has format {number}, and this motif knows {FORMAT} at most: a newer motif is needed")


def append(file: Path, content: bytes) -> None:
    """Append all of `content`, or leave the file as it was, because nobody can read half a line."""
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
    """Wait until a file, or a folder's list of names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # the file system cannot do it, for folders say
            raise
    finally:
        os.close(descriptor)


def sync_all(folder: Path) -> list[Path]:
    """Wait until all that is in a folder is on disk. Returns its files, in order."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    for path in (*files, *(path for path in folder.rglob("*") if path.is_dir()), folder):
        sync(path)
    return files


def remove(folder: Path) -> None:
    """Remove a folder. It gets another name first, so that nobody finds what a kill or a faulty disk leaves of it."""
    removing = folder.with_name(f".removing-{folder.name}")
    shutil.rmtree(removing, ignore_errors=True)
    folder.rename(removing)
    shutil.rmtree(removing, ignore_errors=True)


def digest(file: Path) -> str:
    """The SHA-256 of a file's contents, in hex digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def cache_folder() -> Path:
    """Where made policies are kept: `$MOTIF_CACHE`, else `motif` in the user's cache folder."""
    users = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("MOTIF_CACHE") or users / "motif")


def make_whole(folder: Path, make: Callable[[Path], None]) -> None:
    """Let `make` fill a draft, and rename that to `folder`: it is there complete or not at all."""
    draft = folder.with_name(f"{folder.name}.making")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    make(draft)
    sync_all(draft)
    draft.rename(folder)


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """`folder` of the cache, which one process makes on first use (`make_whole`); others wait for it."""
    from filelock import FileLock

    if not folder.is_dir():
        with explained(folder.parent, "or set MOTIF_CACHE to where made policies may lie"):
            folder.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(f"{folder}.lock"):
                if not folder.is_dir():
                    make_whole(folder, make)
    return folder


def size(folder: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    files = folder.rglob("*") if folder.is_dir() else [folder]
    return sum(file.lstat().st_size for file in files if file.is_file() and not file.is_symlink())


def as_size(amount: float) -> str:
    """`amount` bytes in words: `12 MB`, `3.4 GB`."""
    for unit, worth in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if amount >= worth:
            return f"{amount / worth:.{0 if amount >= 10 * worth else 1}f} {unit}"
    return f"{amount:.0f} B"


def unwritable(error: BaseException, folder: Path) -> str | None:
    """Why `folder` could not be written, and what to do, in one line; None where `error` says something else.

    safetensors and torch raise other errors than the system: the first name its number, the second do not.
    """
    if isinstance(error, OSError):
        number = error.errno
        if error.filename is not None:
            path, whole = Path(os.fsdecode(error.filename)).absolute(), folder.absolute()
            if not path.is_relative_to(whole) and not whole.is_relative_to(path):
                return None
    elif system := re.search(r"os error (\d+)", str(error)):
        number = int(system[1])
    elif re.search(r"inline_container|PytorchStreamWriter|iostream error", str(error)):
        number = errno.ENOSPC if free(folder) < 1 << 20 else errno.EIO
    else:
        return None
    if number not in WRITING:
        return None
    if number == errno.ENOENT and folder.exists():
        return None  # something in it is missing, which is a fault of ours
    room = f" ({as_size(free(folder))} free)" if number in (errno.ENOSPC, errno.EDQUOT) else ""
    return f"{folder} cannot be written: {os.strerror(number)}{room}; {WRITING[number]}"


@contextmanager
def explained(folder: Path, help: str) -> Iterator[None]:
    """Within it, a `folder` that cannot be written is a `UserError` that ends with `help`."""
    try:
        yield
    except Exception as error:
        if words := unwritable(error, folder):
            raise UserError(f"{words}, {help}") from error
        raise


def unusable(error: BaseException) -> str | None:
    """Why a file cannot be used, and what to do, in one line; None where `error` says something else.

    A file that is missing may be a fault of ours, so that is something else.
    """
    ours = (errno.ENOENT, errno.ENOTDIR, errno.EEXIST)
    if not isinstance(error, OSError) or error.errno not in WRITING or error.errno in ours:
        return None
    where = "a file" if error.filename is None else shortened(os.fsdecode(error.filename))
    return f"{where} cannot be used: {os.strerror(error.errno)}; {WRITING[error.errno]}"


def shortened(text: str, most: int = 200) -> str:
    """`text`, cut at `most` characters."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def free(folder: Path) -> int:
    """The free bytes of the disk where `folder` is or will be."""
    ground = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    return shutil.disk_usage(ground).free


def parsed_line(line: str | bytes) -> dict[str, Any] | None:
    """The mapping in a line of JSON; None where it has none. NaN and infinities, which browsers refuse, become None."""
    try:
        content = LINES.decode(line if isinstance(line, str) else line.decode("utf-8", "surrogatepass"))
    except ValueError:
        return None
    return content if isinstance(content, dict) else None


def there(paths: Sequence[Path]) -> Sequence[Path]:
    """`paths` as typed; a `UserError` where one of them is not there."""
    if missing := [path for path in paths if not os.path.lexists(path)]:
        raise UserError(f"{named(missing)} is not there; name run folders, as in outputs/*")
    return paths


def named(paths: Sequence[Path]) -> str:
    """`paths` as a message shows them."""
    return shortened(", ".join(map(str, paths)))
