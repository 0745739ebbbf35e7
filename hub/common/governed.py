"""The one door for changing governed configuration: forms, API and commands put documents through it.

Without a gate a document is applied at once. The gate that change requests install may keep it for review instead: then
nothing is written, and what is live stays live.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from hub.common.errors import ConfigError
from hub.common.registry import Document, kind


@dataclass(frozen=True, slots=True)
class Put:
    """What became of documents: `said` is a sentence for the person, `url` where a proposal is discussed."""

    is_applied: bool
    said: str = "Saved."
    url: str = ""


# A gate answers None for what nobody has to review.
Gate = Callable[[Sequence[Document], Any, str], Put | None]
_gates: list[Gate] = []


def install(gate: Gate) -> None:
    _gates[:] = [gate]


@transaction.atomic
def put(documents: Sequence[Document], *, by: Any, reason: str = "") -> Put:
    """Apply the documents, all or none, or hand them to the reviewers. Raises ConfigError for what a kind refuses."""
    for document in documents:
        for problem in kind(document["kind"]).validate(document):
            where = f"{document['kind']} {document.get('slug', '')}: {problem.path}".rstrip(": ")
            raise ConfigError(problem.sentence, where=where)
    for gate in _gates:
        if held := gate(documents, by, reason):
            return held
    with together():
        for document in documents:
            kind(document["kind"]).apply(document, by=by)
    return Put(is_applied=True)


# Checks over several objects --------------------------------------------------------------------------------

_waiting: ContextVar[dict[Hashable, Callable[[], None]] | None] = ContextVar("waiting", default=None)


@contextmanager
def together() -> Iterator[None]:
    """Whoever applies several documents in one transaction does it in here: what must hold for all of them together is
    checked when the last one is applied, not in between."""
    if _waiting.get() is not None:
        yield
        return
    checks: dict[Hashable, Callable[[], None]] = {}
    token = _waiting.set(checks)
    try:
        yield
        for check in checks.values():
            check()
    finally:
        _waiting.reset(token)


def settle(key: Hashable, check: Callable[[], None]) -> None:
    """Run a check that raises ConfigError: once for each key at the end of `together()`, at once outside of it."""
    waiting = _waiting.get()
    if waiting is None:
        check()
    else:
        waiting[key] = check
