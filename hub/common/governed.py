"""The one door for changing governed configuration: forms, API and commands put documents through it.

Without a gate a document is applied at once. The gate that change requests install may keep it for review instead: then
nothing is written, and what is live stays live.

    done = governed.put([document], by=ada, reason="…")                         # a whole document
    saved = governed.edit("Contract", "order", lambda: services.save_field(…), by=ada)    # whatever a service changes
    if isinstance(saved, Put): …                                                # it waits for its reviewers
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import transaction

from hub.common.errors import ConfigError
from hub.common.registry import Document, kind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Put:
    """What became of documents: `said` is a sentence for the person, `url` where a proposal is discussed."""

    is_applied: bool
    said: str = "Saved."
    url: str = ""


# A gate answers None for what nobody has to review.
Gate = Callable[[Sequence[Document], Any, str], Put | None]


def _every_kind(name: str) -> bool:
    return True


def _as_it_is(document: Document) -> Document:
    return document


@dataclass(frozen=True, slots=True)
class _Installed:
    gate: Gate
    watches: Callable[[str], bool]
    joined: Callable[[Document], Document]


_gates: list[_Installed] = []


def install(
    gate: Gate,
    *,
    watches: Callable[[str], bool] = _every_kind,
    joined: Callable[[Document], Document] = _as_it_is,
) -> None:
    """`watches` tells kinds that the gate may hold; `joined` puts an edit of what is live onto one that waits already."""
    _gates[:] = [_Installed(gate, watches, joined)]


@transaction.atomic
def put(documents: Sequence[Document], *, by: Any, reason: str = "") -> Put:
    """Apply the documents, all or none, or hand them to the reviewers. Raises ConfigError for what a kind refuses."""
    if held := hold(documents, by=by, reason=reason):
        return held
    for document in documents:
        kind(document["kind"]).apply(document, by=by)
    return Put(is_applied=True)


def hold(documents: Sequence[Document], *, by: Any, reason: str = "") -> Put | None:
    """Hand the documents to the reviewers, or answer None: then the caller may write them."""
    for document in documents:
        for problem in kind(document["kind"]).validate(document):
            where = f"{document['kind']} {document.get('slug', '')}: {problem.path}".rstrip(": ")
            raise ConfigError(problem.sentence, where=where)
    for installed in _gates:
        if held := installed.gate(documents, by, reason):
            return held
    return None


def edit(name: str, slug: str, write: Callable[[], T], *, by: Any, reason: str = "") -> T | Put:
    """Do `write`, which changes one object, or hand what it would make of the object to the reviewers.

    Where somebody may have to look, `write` is done and undone first, to see the document that comes of it.
    """
    found = next((installed for installed in _gates if installed.watches(name)), None)
    if found is None:
        return write()
    with transaction.atomic():
        document = _rehearsed(name, slug, write)
        held = hold([found.joined(document)], by=by, reason=reason) if document else None
        return held or write()


def _rehearsed(name: str, slug: str, write: Callable[[], T]) -> Document | None:
    with transaction.atomic():
        write()
        document = kind(name).dump(slug)
        transaction.set_rollback(True)
    return document
