"""The first page is put together from what packages register: needs, panels, and the first steps of a new hub.

    @home.needs("approvals.decide")
    def waiting_for_me(request) -> list[Need]: ...

    @home.panel("main", order=20, permission="syncs.view")
    def sync_strips(request) -> Panel | None: ...

    home.step(Step(10, "Connect your systems", "…", "connectors:new", "New connection", "connections.edit", is_done))

One that fails is replaced by a sentence; the rest of the page stays usable.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal, TypeVar

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from hub.common.permissions import SIGNED_IN, may

log = logging.getLogger(__name__)

Area = Literal["tiles", "main", "side"]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Need:
    """Something that waits for this person; `due` and `detail` are words, `due_at` sorts."""

    title: str
    url: str
    action: str = "Open"
    detail: str = ""
    client: str = ""
    amount: Decimal | None = None
    currency: str = ""
    due: str = ""
    due_at: datetime | None = None
    state: str = "queued"


@dataclass(frozen=True, slots=True)
class Panel:
    """A template and what it needs; the template draws its own <section class="panel">."""

    template: str
    context: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """A step that a new hub is taken through, until `is_done(request)`."""

    order: int
    title: str
    detail: str
    url_name: str
    action: str
    permission: str
    is_done: Callable[[HttpRequest], bool]


_needs: list[tuple[str, Callable[[HttpRequest], Iterable[Need]]]] = []
_panels: list[tuple[Area, int, str, Callable[[HttpRequest], Panel | None]]] = []
_steps: dict[str, Step] = {}


def needs(permission: str = SIGNED_IN) -> Callable[[F], F]:
    """Register a source of needs for people who hold the permission."""

    def register(source: F) -> F:
        _needs.append((permission, source))
        return source

    return register


def panel(area: Area, order: int = 50, permission: str = SIGNED_IN) -> Callable[[F], F]:
    """Register a panel for people who hold the permission; it may answer None to stay away."""

    def register(source: F) -> F:
        _panels.append((area, order, permission, source))
        return source

    return register


def step(item: Step) -> None:
    """Register a first step; one for each address."""
    _steps[item.url_name] = item


def needs_for(request: HttpRequest) -> list[Need]:
    """All that waits for this person: soonest first, then largest."""
    found = [need for permission, ask in _needs if may(request, permission) for need in _ask(ask, request, ())]
    return sorted(found, key=lambda need: (need.due_at is None, need.due_at, -(need.amount or 0)))


def panels_for(request: HttpRequest) -> dict[Area, list[Panel]]:
    """The panels of each area, in order."""
    areas: dict[Area, list[Panel]] = {"tiles": [], "main": [], "side": []}
    failed = Panel("components/panel_failed.html")
    for area, _, permission, ask in sorted(_panels, key=lambda item: item[1]):
        if may(request, permission) and (found := _ask(ask, request, failed)):
            areas[area].append(found)
    return areas


def steps_for(request: HttpRequest) -> list[tuple[Step, str, bool]]:
    """(step, address, done) of the steps this person may take; empty when all are done."""
    found = [
        (item, url, _ask(item.is_done, request, False))
        for item in sorted(_steps.values(), key=lambda item: item.order)
        if may(request, item.permission) and (url := _address(item.url_name))
    ]
    return [] if all(done for _, _, done in found) else found


def _ask(ask: Callable[[HttpRequest], Any], request: HttpRequest, instead: Any) -> Any:
    try:
        return ask(request)
    except Exception:
        log.exception("A part of the first page failed.", extra={"part": getattr(ask, "__qualname__", repr(ask))})
        return instead


def _address(url_name: str) -> str:
    try:
        return reverse(url_name)
    except NoReverseMatch:
        return ""
