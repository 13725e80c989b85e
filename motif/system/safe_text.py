"""Text made safe: secrets hidden in what is written or shown, and signs that act or hide made visible.

A secret is what the environment keeps under a name that says so (`HF_TOKEN`, `AWS_SECRET_ACCESS_KEY`), the value of a
setting of such a name, what has the form of a key of a well-known service, and what stands before the @ of an address.
A key of no known form, typed as the value of a setting with another name, cannot be told from a word.

Text that others wrote, models above all, is stored as it is and shown harmless: a sign that would act, or hide, is
shown by its number, as ‹U+202E›. Letters, combining marks, and joiners where a script or an emoji needs them, stay.
"""

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[hidden]"
SHORTEST = 8  # signs of a secret of the environment; a shorter one would be found in ordinary words
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
    """The secrets that the environment holds, longest first. A path is none, as of a file with a token in it."""
    found = {
        value
        for name, value in os.environ.items()
        if NAMED.fullmatch(name) and len(value) >= SHORTEST and not value.startswith("/")
    }
    return sorted(found, key=len, reverse=True)


def masked(value: Any) -> Any:
    """`value`, text or nested mappings and lists of it, with `[hidden]` in the place of every secret."""
    return _masked(value, in_environment())


def _masked(value: Any, secrets: Iterable[str]) -> Any:
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, HIDDEN)
        return SETTING.sub(rf"\g<1>{HIDDEN}", KNOWN.sub(HIDDEN, value))
    if isinstance(value, Mapping):
        return {
            key: HIDDEN if isinstance(each, str) and each and NAMED.fullmatch(str(key)) else _masked(each, secrets)
            for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(each, secrets) for each in value]
    return value


MARKS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls but for tab and line end: terminals obey them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # turn text
    "\u2028\u2029"  # line ends to some, nothing to others
    "\xad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U00013430-\U0001343f\U000e0000-\U000e0fff"  # unseen
    "\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff"  # no letters at all
)
MARK = re.compile(f"[{MARKS}]")
JOINERS, SELECTORS, IDEOGRAPHIC = "\u200c\u200d", "\ufe00-\ufe0f", "\U000e0100-\U000e01ef"
KEPT = re.compile(  # joiners between letters beyond ASCII or parts of an emoji, and one selector after a sign
    rf"(?<=[^\x00-\xff{MARKS}])[{SELECTORS}]?[{JOINERS}](?=[^\x00-\xff{MARKS}])"
    rf"|(?<=[^\s{MARKS}])[{SELECTORS}]"
    rf"|(?<=[\u3400-\u9fff\U00020000-\U0003ffff])[{IDEOGRAPHIC}]"
)
FORMULA = re.compile(r"\s*[=+@\t\r-]")
NUMBER = re.compile(r"[+-]?(?:\d[\d.,]*|\.\d+)(?:e[+-]?\d+)?%?", re.IGNORECASE)


def visible(text: str) -> str:
    """`text` for a terminal or a page: signs that act, turn or hide are shown by their numbers."""
    if MARK.search(text) is None:
        return text
    kept = {place for found in KEPT.finditer(text) for place in range(*found.span())}
    return MARK.sub(lambda found: found[0] if found.start() in kept else f"‹U+{ord(found[0]):04X}›", text)


def all_visible(value: Any) -> Any:
    """Nested mappings and lists with every text in them `visible`, keys too."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(key) if isinstance(key, str) else key: all_visible(each) for key, each in value.items()}
    return [all_visible(each) for each in value] if isinstance(value, list | tuple) else value


def encodable(text: str) -> str:
    """`text` with � for lone surrogates, which no file in UTF-8 holds and no tokenizer reads."""
    return text.encode("utf-8", "replace").decode() if re.search("[\ud800-\udfff]", text) else text


def markdown(text: str) -> str:
    """`text` within a line of Markdown, or a cell of a table: neither markup, link, image, formula nor HTML."""
    text = " ".join(visible(text).split())
    text = re.sub(r"[\\`*\[\]|$~]|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
    text = re.sub(
        r"^(\d*)(?=[.)](?:\s|$)|[#+=-]+(?:\s|$)|>)", r"\1\\", text
    )  # what begins a list, a heading, a quotation
    return text.replace("&", "&amp;").replace("<", "&lt;")


def cell(text: str, most: int) -> str:
    """`text` for a table that ends up in a spreadsheet: no formula, and the first `most` signs, which it says."""
    shown, left = visible(text[:most]), len(text) - most
    shown = f"'{shown}" if FORMULA.match(text) and not NUMBER.fullmatch(shown.strip()) else shown
    return shown if left <= 0 else f"{shown}… ({left:,} signs more)"
