"""Writes of event types."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction

from hub.common.governed import Put
from hub.common.registry import Document
from hub.common.saving import remove, save
from hub.events import business
from hub.events.models import EventType

KIND = "EventType"
# Told the name of an event, a later package says which (kind, slug) of its own do something on it.
users: list[Callable[[str], Iterable[tuple[str, str]]]] = []


def save_event_type(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make or change an event type. It counts from the next page of records on; what has happened is not told again."""
    return save({"kind": KIND, **document}, act="event_type.saved", by=by, reason=reason)


def delete_event_type(found: EventType, *, by: Any) -> None:
    """Only one that nobody is told of: ConfigError names who is. Held where reviewers have to agree."""
    remove(KIND, found.slug, act="event_type.deleted", by=by)


def was_applied() -> None:
    transaction.on_commit(business.forget)
