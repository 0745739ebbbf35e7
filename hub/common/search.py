"""Search across the hub: packages register a provider that finds their own things by name, key or any external id.

    @search.provider(order=20)
    def find_connections(q: str, user: User) -> list[Hit]: ...

A provider checks permissions itself, answers from an index, and returns its best few hits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from hub.common import nav

log = logging.getLogger(__name__)

PER_GROUP = 8
MAX_LENGTH = 200


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found; hits of the same `group` are shown together."""

    title: str
    url: str
    group: str
    subtitle: str = ""
    icon: str = "search"


Provider = Callable[[str, Any], Iterable[Hit]]
_providers: dict[str, tuple[int, Provider]] = {}


def provider(order: int = 50) -> Callable[[Provider], Provider]:
    """Register a provider; lower orders are shown first."""

    def register(find: Provider) -> Provider:
        _providers[f"{find.__module__}.{find.__qualname__}"] = (order, find)
        return find

    return register


def find(q: str, user: Any) -> list[tuple[str, list[Hit]]]:
    """Hits by group, in the order of the providers; one provider's failure costs only its own hits."""
    q = q.strip()[:MAX_LENGTH]
    groups: dict[str, list[Hit]] = {}
    for _, ask in sorted(_providers.values(), key=lambda item: item[0]):
        for hit in _ask(ask, q, user):
            groups.setdefault(hit.group, []).append(hit)
    return [(group, hits[:PER_GROUP]) for group, hits in groups.items()]


def _ask(ask: Provider, q: str, user: Any) -> list[Hit]:
    try:
        return list(ask(q, user))
    except Exception:
        log.exception("A search provider failed.", extra={"provider": ask.__qualname__})
        return []


@provider(order=90)
def find_pages(q: str, user: Any) -> list[Hit]:
    """The pages of the navigation; all of them while nothing is typed."""
    return [
        Hit(entry.label, url, "Go to", icon=entry.icon)
        for entry, url in nav.pages_for(user)
        if q.lower() in entry.label.lower()
    ]
