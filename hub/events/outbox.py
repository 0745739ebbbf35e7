"""Writing down what is to be told, with COPY, in the transaction in which it happened."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.events import bell
from hub.records.copying import NULL, json_bytes, json_text, text

# Characters of a subject by which events are kept in order: an index holds no long texts.
ORDERED_BY = 500


@dataclass(slots=True)
class Draft:
    """An event to be written; `at` is the transaction's time as text, `tell` the ids of the subscriptions."""

    type: str
    subject: str
    data: dict[str, Any]
    tell: Sequence[int]
    record: dict[str, Any] | None = None
    version: int = 1
    uid: uuid.UUID = field(default_factory=uuid.uuid4)


def write(cursor: Any, drafts: Sequence[Draft], *, at: str | None = None) -> list[int]:
    """Store the events and who is told of them, and ring once that has committed; the ids of the events.

    `cursor` is a plain cursor inside the transaction that stores what the events tell of, `at` that transaction's time.
    """
    if not drafts:
        return []
    at = at or cursor.execute("select now()::text").fetchone()[0]
    numbers = _numbers(cursor, len(drafts))
    pairs = list(zip(numbers, drafts, strict=True))
    with cursor.copy("copy events_event (id, uid, type, version, subject, at, data, record) from stdin") as copy:
        copy.write("".join([_event(number, draft, at) for number, draft in pairs]))
    with cursor.copy("copy events_notification (event_id, subscription_id, subject) from stdin") as copy:
        copy.write("".join([_notifications(number, draft) for number, draft in pairs]))
    bell.ring({subscription_id for draft in drafts for subscription_id in draft.tell})
    return numbers


def _numbers(cursor: Any, count: int) -> list[int]:
    """Taken while the subject's row is locked, so that they count up for each subject."""
    cursor.execute("select nextval(pg_get_serial_sequence('events_event', 'id')) from generate_series(1, %s)", [count])
    return [row[0] for row in cursor.fetchall()]


def _event(number: int, draft: Draft, at: str) -> str:
    record = NULL if draft.record is None else json_text(json_bytes(draft.record))
    data = json_text(json_bytes(draft.data))
    return f"{number}\t{draft.uid}\t{draft.type}\t{draft.version}\t{text(draft.subject)}\t{at}\t{data}\t{record}\n"


def _notifications(number: int, draft: Draft) -> str:
    return "".join(
        [f"{number}\t{subscription_id}\t{text(draft.subject[:ORDERED_BY])}\n" for subscription_id in draft.tell]
    )
