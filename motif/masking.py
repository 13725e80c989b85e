"""Secrets, and text without them: no key, token or password reaches a file, a screen or W&B.

A secret is what the environment keeps under a name that says so (`HF_TOKEN`, `AWS_SECRET_ACCESS_KEY`), the value of a
setting of such a name, what has the form of a key of a well-known service, and what stands before the @ of an address.
A key of no known form, typed as the value of a setting that is called something else, cannot be told from a word.
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
