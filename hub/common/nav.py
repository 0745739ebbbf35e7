"""The side navigation: packages register their entries beside their URLs, so a page and its link come together.

nav.register(Entry("Build", "Connections", "connectors:connection_list", icon="plug-connected",
                   permission="connections.view", order=10))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from hub.common.permissions import SIGNED_IN, is_allowed

GROUPS = ("Work", "Watch", "Build", "Govern")


@dataclass(frozen=True, slots=True)
class Badge:
    """A number beside an entry; `hot` draws attention to it."""

    count: int
    hot: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One link. `badge(user)` may give a number; entries are sorted by `order` within their group."""

    group: str
    label: str
    url_name: str
    icon: str
    permission: str = SIGNED_IN
    order: int = 50
    badge: Callable[[Any], Badge | None] | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as shown to one person on one page."""

    label: str
    url: str
    icon: str
    is_current: bool
    badge: Badge | None


_entries: dict[str, Entry] = {}


def register(entry: Entry) -> None:
    """Add an entry; the same URL name registered again replaces the earlier one."""
    if entry.group not in GROUPS:
        raise ValueError(f"Navigation group {entry.group!r} is not one of {', '.join(GROUPS)}.")
    _entries[entry.url_name] = entry


def links_for(request: HttpRequest) -> list[tuple[str, list[Link]]]:
    """The groups and links that this person may follow; the link whose address is the longest match is current."""
    found = [(entry, url) for entry, url in _reachable() if is_allowed(request.user, entry.permission)]
    current = max((url for _, url in found if _covers(url, request.path)), key=len, default="")
    groups: dict[str, list[Link]] = {group: [] for group in GROUPS}
    for entry, url in found:
        badge = entry.badge(request.user) if entry.badge else None
        groups[entry.group].append(Link(entry.label, url, entry.icon, url == current, badge))
    return [(group, links) for group, links in groups.items() if links]


def pages_for(user: Any) -> list[tuple[Entry, str]]:
    """All entries this person may open, for the palette."""
    return [(entry, url) for entry, url in _reachable() if is_allowed(user, entry.permission)]


def _reachable() -> Iterator[tuple[Entry, str]]:
    """Entries whose page exists in this installation."""
    for entry in sorted(_entries.values(), key=lambda entry: (entry.order, entry.label)):
        try:
            yield entry, reverse(entry.url_name)
        except NoReverseMatch:
            continue


def _covers(url: str, path: str) -> bool:
    return path == url if url == "/" else path.startswith(url)
