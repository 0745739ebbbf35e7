"""The registry of kinds: what config as code, change requests and impact pages know about configuration models.

A kind is told apart by `name` ("Connection") and its objects by slug. Packages register theirs in `ready()`; nothing here
or in hub.config knows a model by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hub.common.errors import ConfigError

Document = dict[str, Any]  # {"kind": …, "slug": …, everything else}
# What says that the object shall be gone: {"kind": …, "slug": …, "removed": true}. No kind has a field of this name.
REMOVED = "removed"


def removal(name: str, slug: str) -> Document:
    """The document of an object that shall be gone."""
    return {"kind": name, "slug": slug, REMOVED: True}


def is_removal(document: Document) -> bool:
    return document.get(REMOVED) is True


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a document: `path` inside it (dotted), and a sentence that says what to do."""

    path: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between a document and the hub; `before`/`after` are None where the value is absent."""

    path: str
    before: Any
    after: Any


class Kind(Protocol):
    """How objects of one kind are written down, checked and brought in."""

    name: str
    # Kinds whose objects this one refers to: they are applied first.
    after: Sequence[str]
    # Whether an object can be removed at all; others are taken out of use on their own page.
    is_removable: bool

    def slugs(self) -> Iterable[str]:
        """Slugs of all objects, in stable order."""

    def dump(self, slug: str) -> Document | None:
        """The object as a document without secrets, keys in stable order; None when there is no such object."""

    def validate(self, document: Document) -> list[Problem]:
        """Everything wrong with the document on its own; references are checked by the caller."""

    def references(self, document: Document) -> list[tuple[str, str, str]]:
        """(path, kind, slug) of every object that the document names."""

    def diff(self, document: Document) -> list[Change]:
        """What applying the document would change; empty when nothing."""

    def notes(self, document: Document) -> list[str]:
        """Sentences about what a person still has to do, e.g. a secret without a value."""

    def apply(self, document: Document, *, by: Any) -> None:
        """Create or change the object. Runs inside the caller's transaction."""

    def keep_secrets(self, slug: str, secrets: dict[str, dict[str, str | None]]) -> None:
        """Store secrets of an object by the column that holds them; None removes one."""

    def remove(self, slug: str, *, by: Any) -> None:
        """Remove the object, in the caller's transaction. Raises ConfigError where others need it or it has to stay."""

    def below(self, slug: str) -> list[tuple[str, str]]:
        """(kind, slug) of the objects that go when this one goes, those that are to be removed first, first."""

    def impact(self, slug: str) -> list[tuple[str, str]]:
        """(kind, slug) of the objects that use this one."""


_kinds: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    if kind.name in _kinds and type(_kinds[kind.name]) is not type(kind):
        raise ConfigError(f"Two kinds are called {kind.name!r}.")
    _kinds[kind.name] = kind


def kinds() -> Mapping[str, Kind]:
    """All kinds, those that others refer to first."""
    ordered: dict[str, Kind] = {}

    def place(name: str, trail: tuple[str, ...] = ()) -> None:
        if name in trail:
            raise ConfigError(f"Kinds refer to each other in a circle: {' → '.join([*trail, name])}.")
        if name not in ordered:
            for needed in _kinds[name].after:
                place(needed, (*trail, name))
            ordered[name] = _kinds[name]

    for name in sorted(_kinds):
        place(name)
    return ordered


def kind(name: str) -> Kind:
    try:
        return _kinds[name]
    except KeyError:
        known = ", ".join(sorted(_kinds))
        raise ConfigError(f"There is no kind {name!r}.", fix=f"Use one of: {known}.") from None
