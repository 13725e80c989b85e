"""Overrides as they are typed: a word `KEY=VALUE` of the command line, of a function's caller, or of an agent of W&B.

What is said here stands before Hydra's grammar: which values are quoted, what a Python value is called, which word of
W&B's means what. The grammar itself, and what is text in it, is Hydra's and `motif.hydra_private`'s.
"""

import ast
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from motif.hydra_private import PARSER
from motif.system import UserError, shown
from motif.system.config import CONF

PATHS = (  # settings that are the place of a file or folder, which is taken as it is typed
    *("policy", "outputs", "dataset.path", "model.path", "evaluation.path", "budget.match", "options.base"),
)
AGENT = "WANDB_SWEEP_ID"  # in the environment of what an agent of W&B runs


def arguments(words: Sequence[str]) -> list[str]:
    """What is typed after a program's name, as Hydra reads it: options stand first, `-v` is Hydra's word for being told
    more, a path and a value with `=` in it are quoted, and W&B's words are Hydra's."""
    found = [each for word in words for each in of_agent(word)]
    many = ("-m", "--multirun", "--multi", "hydra.mode=MULTIRUN")
    several = any(word in many or word.startswith("sweeps=") for word in found)
    read = ["hydra.verbose=true" if word == "-v" else quoted(word, several) for word in found]
    return sorted(read, key=lambda word: word not in ("-m", "--multirun"))  # behind a word Hydra takes none any more


def quoted(word: str, several: bool = True) -> str:
    """The override `word`, each of its values quoted that is a path, or has `=` in it and nothing else that has to be
    quoted. With `several` a comma divides values."""
    key, equals, value = word.partition("=")
    if equals and key.lstrip("+") in PATHS and value and value[0] not in "\"'[{" and "${" not in value:
        values = value.split(",") if several else [value]
        if key.lstrip("+") in ("policy", "outputs", "budget.match"):  # the others are expanded where they are read
            values = [os.path.expanduser(each) for each in values]
        if not re.match(r"(choice|glob|sort|shuffle|tag|range|interval)\(", value):
            return f"{key}={','.join(each if each == 'null' else written(key, each) for each in values)}"
    found = re.fullmatch(r"([+~]{0,2}[A-Za-z_][\w.@/]+)=([^\s\"'\\(){}\[\]$]*=[^\s\"'\\(){}\[\]$]*)", word)
    if found is None:
        return word
    values = [f'"{value}"' if "=" in value else value for value in found[2].split(",")]
    return f"{found[1]}={','.join(values)}"


def of_agent(word: str) -> list[str]:
    """The override `word` in Hydra's words, where it may come from an agent of W&B, which writes values as Python does.

    `None` is null, and a dict of a group is its settings. An agent quotes nothing, and asks for one run: what Hydra
    cannot read from it, or would read as several values, is text. A name that it gives as None is none.
    """
    key, _, value = word.partition("=")
    if not value or not re.fullmatch(r"\+{0,2}[A-Za-z_][\w./@]*", key) or key.startswith("hydra"):
        return [word]
    agent = AGENT in os.environ
    if value == "None" and (agent or key.lstrip("+") != "name"):
        return [] if key.lstrip("+") == "name" else [f"{key}=null"]
    found = literal(value)
    if isinstance(found, Mapping) and (CONF / key.lstrip("+").replace(".", "/")).is_dir():
        return [setting(f"{key}.{name}", each) for name, each in found.items()]
    if isinstance(found, Mapping) or (isinstance(found, list) and "None" in value):
        return [setting(key, found)]
    if not agent:
        return [word]
    try:
        several = PARSER.parse_override(word).is_sweep_override()
    except HydraException:
        several = True
    return [setting(key, value)] if several else [word]


def literal(value: str) -> Any:
    """The list or dict that `value` is in Python; None where it is none."""
    try:
        return ast.literal_eval(value) if value[0] in "[{" else None
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None


def setting(key: str, value: Any) -> str:
    """The override that gives `key` a Python value."""
    return f"{key}={written(key, value)}"


def written(key: str, value: Any) -> str:
    """A Python value in Hydra's grammar."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str):
        return value if is_plain(value) else QuotedString(text=value, quote=Quote.double).with_quotes()
    if isinstance(value, Mapping):
        return f"{{{','.join(f'{name}:{written(key, each)}' for name, each in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{','.join(written(key, each) for each in value)}]"
    raise UserError(f"{key} must be text, a number, a list or a dict, got {shown(value)}")


def is_plain(text: str) -> bool:
    """Whether Hydra reads `text` as it stands."""
    try:
        read = PARSER.parse_override(f"key={text}")
    except HydraException:
        return False
    return bool(text) and not read.is_sweep_override() and read.value() == text
