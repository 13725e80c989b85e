"""How a program ends: a mistake is one line on stderr. A fault of ours is one line too, and its traceback is in a file.

This module does not know what a program does. The programs that Hydra starts end in `motif.cli` and `motif.sweeps`,
with these words.
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

from motif.system import processes
from motif.system.errors import UserError, hint
from motif.system.files import append, unusable, unwritable
from motif.system.safe_text import masked, visible

MISTAKE = 2  # exit status of the programs without Hydra, which is that of a mistyped option


class Parser(argparse.ArgumentParser):
    """A parser that says in one line what is wrong with a command line."""

    def error(self, message: str) -> NoReturn:
        options = [option for action in self._actions for option in action.option_strings]
        if message.startswith("unrecognized arguments: -"):
            message += f"{hint(message.split()[2].split('=')[0], options)} (valid: {', '.join(options)})"
        self.exit(MISTAKE, f"error: {message}\n")


def words(error: BaseException, folder: Path | None = None) -> str:
    """What a person is told of `error`, in one line.

    The line about a fault of ours names the file of its traceback: error.log of the run in `folder`, or a new file.
    """
    if line := mistake(error, folder):
        return line
    what = one_line(f"{type(error).__name__}: {error}")[:300]
    return f"{what} (a fault of motif's own; its traceback lies in {traceback_file(error, folder)})"


def mistake(error: BaseException, folder: Path | None = None) -> str | None:
    """What is wrong, in one line, where its reader can mend it; None for a fault of ours.

    `folder` is the one that was written to, if any.
    """
    if isinstance(error, UserError):
        return one_line(str(error))
    if processes.lost(error):
        return f"another process ended, or did not answer for {processes.patience:g} s (patience=)"
    return unusable(error) or (unwritable(error, folder) if folder else None)


def one_line(text: str) -> str:
    """`text` in one line, harmless on a terminal and without secrets."""
    return visible(masked(" ".join(text.split())))


def traceback_file(error: BaseException, folder: Path | None) -> str:
    """Append the traceback of `error` to a file and return the file's name. Where no file can be written, return the
    traceback."""
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


def pipe_closed() -> int:
    """The exit status where whoever reads the output has closed it, as `head` does; what is still written is lost."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 128 + signal.SIGPIPE


def program(main: Callable[[Sequence[str] | None], int | None]) -> Callable[..., int]:
    """`main(arguments)` as a program: it returns its exit status, and says on stderr what went wrong."""

    @wraps(main)
    def ended(arguments: Sequence[str] | None = None) -> int:
        try:
            status = main(arguments) or 0
            sys.stdout.flush()
            return status
        except UserError as error:
            print(f"error: {words(error)}", file=sys.stderr)
            return MISTAKE
        except BrokenPipeError:
            return pipe_closed()
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
            return 128 + signal.SIGINT
        except Exception as error:
            print(f"error: {words(error)}", file=sys.stderr)
            return 1

    return ended
