"""The text of a query that a person wrote to read one number: what is refused before any database is asked."""

from __future__ import annotations

import re
from collections.abc import Collection

# Comments, texts and quoted names, in which a word or a semicolon means nothing.
_SKIPPED = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"[^\"]*\"|`[^`]*`|\$(\w*)\$.*?\$\1\$", re.DOTALL)
_BEGINS = re.compile(r"\s*(select|with)\b", re.IGNORECASE)
_NAMES = re.compile(r"(?<![:\w]):(\w+)")


def problem(query: str, known: Collection[str]) -> str:
    """What keeps a text from being asked, as a sentence; empty when nothing does. `known` are names of parameters."""
    bare = _SKIPPED.sub(" ", query)
    if not _BEGINS.match(bare):
        return "The query must begin with select or with: it may only read."
    if ";" in bare.strip().rstrip(";"):
        return "The query holds more than one statement."
    if unknown := parameters_of(query) - set(known):
        allowed = f"Use {' and '.join(f':{name}' for name in known)}." if known else "It takes no parameters here."
        return f"Nothing is known of :{min(unknown)}. {allowed}"
    return ""


def parameters_of(query: str) -> set[str]:
    """The names that stand in a query as `:name`."""
    return set(_NAMES.findall(_SKIPPED.sub(" ", query)))
