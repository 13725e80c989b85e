"""Text made safe: secrets are hidden in what is written or shown, and signs that act or hide are made visible.

A secret is a value of the environment whose name says so (`HF_TOKEN`, `AWS_SECRET_ACCESS_KEY`), the value of a setting
with such a name, a text with the form of a well-known service's key, and what is before the @ of an address. A key of
no known form, typed as the value of a setting with another name, looks like any word and is not hidden.

Text that others wrote, models above all, is stored as it is and shown harmless: a sign that would act or hide is shown
by its number, as ‹U+202E›. Letters, combining marks, and joiners where a script or an emoji needs them, stay.
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[hidden]"
SHORTEST = 8  # signs of a secret of the environment; a shorter one would be part of ordinary words
NAME = r"(?<=[_-])key|(?:api|access)key|token|secret|password|passwd|passphrase|credentials?"
NAMED = re.compile(rf"(?:^|.*[._-])(?:{NAME})", re.IGNORECASE)
FORMS = (
    r"\bhf_[A-Za-z0-9]{16,}",
    r"\bsk-[\w-]{16,}",
    r"\bwandb_v\d_\w{16,}",
    r"\b(?:gh[a-z]_|github_pat_|glpat-|pypi-)[\w-]{16,}",
    r"\bxox[a-z]-[\w-]{10,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    r"\bAIza[\w-]{30,}",
    r"\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.|\n)*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
    r"(?<=://)[^/\s@?#]+(?=@)",
)
KNOWN = re.compile("|".join(FORMS))
SETTING = re.compile(rf"(?i)((?:^|[?&\s,{{.])[\w.@/+~-]*?(?:\b|_)(?:{NAME})=)(?!\[hidden\])[^&\s,}}'\"]+")


def in_environment() -> list[str]:
    """The secrets of the environment, longest first. A path is no secret, as one of a file with a token in it."""
    secrets = {value for name, value in os.environ.items() if NAMED.fullmatch(name) and not value.startswith("/")}
    return sorted((value for value in secrets if len(value) >= SHORTEST), key=len, reverse=True)


def masked(value: Any) -> Any:
    """`value`, a text or nested mappings and lists of texts, with `[hidden]` in place of every secret."""
    return _masked(value, in_environment())


def _masked(value: Any, secrets: Iterable[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return SETTING.sub(rf"\g<1>{HIDDEN}", KNOWN.sub(HIDDEN, value))
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if isinstance(item, str) and item and NAMED.fullmatch(str(key)) else _masked(item, secrets)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(item, secrets) for item in value]
    return value


MARKS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls that terminals obey; tab and line end are not among them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn text
    "\u2028\u2029"  # line ends to some, nothing to others
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U00013430-\U0001343f\U000e0000-\U000e0fff"  # unseen
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # no letters at all
)
MARK = re.compile(f"[{MARKS}]")
JOINERS, SELECTORS, IDEOGRAPHIC = "\u200c\u200d", "\ufe00-\ufe0f", "\U000e0100-\U000e01ef"
STAY = re.compile(  # joiners between letters beyond ASCII or parts of an emoji, and one selector after a sign
    rf"(?<=[^\x00-\xff{MARKS}])[{SELECTORS}]?[{JOINERS}](?=[^\x00-\xff{MARKS}])"
    rf"|(?<=[^\s{MARKS}])[{SELECTORS}]"
    rf"|(?<=[\u3400-\u9fff\U00020000-\U0003ffff])[{IDEOGRAPHIC}]"
)
ESCAPE, HARMLESS = re.compile(r"\\."), {r"\n", r"\t", r"\"", r"\\"}  # of JSON
FORMULA = re.compile(r"\s*[=+@\t\r-]")
NUMBER = re.compile(r"[+-]?(?:\d[\d.,]*|\.\d+)(?:e[+-]?\d+)?%?", re.IGNORECASE)


def visible(text: str) -> str:
    """`text` for a terminal or a page: signs that act, turn or hide are shown by their numbers."""
    if MARK.search(text) is None:
        return text
    stay = {place for match in STAY.finditer(text) for place in range(*match.span())}
    return MARK.sub(lambda mark: mark[0] if mark.start() in stay else f"‹U+{ord(mark[0]):04X}›", text)


def all_visible(value: Any) -> Any:
    """Nested mappings and lists with every text in them `visible`, keys too."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(key) if isinstance(key, str) else key: all_visible(item) for key, item in value.items()}
    return [all_visible(item) for item in value] if isinstance(value, list | tuple) else value


def visible_json(value: Any) -> str:
    """`all_visible(value)` as one line of JSON, in ASCII.

    Most texts have no sign to hide: their JSON has no escape but those of line ends, tabs, quotes and backslashes.
    """
    text = json.dumps(value, separators=(",", ":"))
    if "\x7f" not in text and HARMLESS.issuperset(ESCAPE.findall(text)):
        return text
    return json.dumps(all_visible(value), separators=(",", ":"))


def encodable(text: str) -> str:
    """`text` with � for lone surrogates, which UTF-8 does not have and no tokenizer reads."""
    return text.encode("utf-8", "replace").decode() if re.search("[\ud800-\udfff]", text) else text


def markdown(text: str) -> str:
    """`text` for a line of Markdown or a cell of a table, in which it is no markup, link, image, formula or HTML."""
    text = " ".join(visible(text).split())
    text = re.sub(r"[\\`*\[\]|$~]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
    # what begins a list, a heading, a quotation
    text = re.sub(r"^(\d*)(?=[.)](?:\s|$)|[#+=-]+(?:\s|$)|>)", r"\1\\", text)
    return text.replace("&", "&amp;").replace("<", "&lt;")


def cell(text: str, most: int) -> str:
    """`text` for a table that may go to a spreadsheet: it is no formula there, and it is cut at `most` signs."""
    start, left = visible(text[:most]), len(text) - most
    start = f"'{start}" if FORMULA.match(text) and not NUMBER.fullmatch(start.strip()) else start
    return start if left <= 0 else f"{start}… ({left:,} signs more)"
