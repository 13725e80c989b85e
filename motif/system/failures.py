"""How a program ends: a mistake is one line on stderr, so is a fault of ours, whose traceback is kept in a file.

Nothing here knows what a program does. The programs of Hydra's end in `motif.cli` and `motif.sweeps`, by these
words.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import NoReturn

from motif.system.errors import UserError, hint
from motif.system.files import append, unusable, unwritable
from motif.system.safe_text import masked, visible

MISTAKE = 2  # exit status of the programs without Hydra, which is that of a mistyped option


class Parser(argparse.ArgumentParser):
    """Says what is wrong with a command line in one line."""

    def error(self, message: str) -> NoReturn:
        options = [option for action in self._actions for option in action.option_strings]
        if message.startswith("unrecognized arguments: -"):
            message += f"{hint(message.split()[2].split('=')[0], options)} (valid: {', '.join(options)})"
        self.exit(MISTAKE, f"error: {message}\n")


def words(error: BaseException, folder: Path | None = None) -> str:
    """What a person is told of `error`, in one line. Of a fault of ours that is where its traceback lies: in error.log
    of the run in `folder`, or where there is none in a file of its own."""
    if told := mistake(error, folder):
        return told
    what = one_line(f"{type(error).__name__}: {error}")[:300]
    return f"{what} (a fault of motif's own; its traceback lies in {kept(error, folder)})"


def mistake(error: BaseException, folder: Path | None = None) -> str | None:
    """What is wrong, in one line, where its reader can mend it; None for a fault of ours. `folder` is where was
    written to."""
    if isinstance(error, UserError):
        return one_line(str(error))
    return unusable(error) or (unwritable(error, folder) if folder else None)


def one_line(text: str) -> str:
    return visible(masked(" ".join(text.split())))


def kept(error: BaseException, folder: Path | None) -> str:
    """The file that the traceback of `error` was appended to; itself where nothing can be written."""
    head = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {sys.argv}\n"
    trace = masked(head + "".join(traceback.format_exception(error))).encode(errors="backslashreplace")
    with suppress(OSError):  # a full disk, say
        if folder and (folder / "run.json").is_file():
            append(folder / "error.log", trace)
            return str(folder / "error.log")
    with suppress(OSError):
        number, name = tempfile.mkstemp(prefix="motif-error-", suffix=".log")
        os.close(number)
        append(Path(name), trace)
        return name
    return one_line(trace.decode())


def program(main: Callable[[Sequence[str] | None], int | None]) -> Callable[..., int]:
    """`main(arguments)` as a program: it returns its exit status, and what went wrong is said on stderr."""

    @wraps(main)
    def ended(arguments: Sequence[str] | None = None) -> int:
        try:
            status = main(arguments) or 0
            sys.stdout.flush()
            return status
        except UserError as error:
            print(f"error: {words(error)}", file=sys.stderr)
            return MISTAKE
        except BrokenPipeError:  # who reads the output has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return 128 + signal.SIGINT
        except Exception as error:
            print(f"error: {words(error)}", file=sys.stderr)
            return 1

    return ended
