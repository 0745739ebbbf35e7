"""How parts of the hub put things before people: each origin says what is open now, the queue does the rest.

    @intake.origin("gap")
    def unexplained() -> Iterator[Found]: ...

A source gives *all* that is open at this moment, however often it is asked: what it no longer gives is resolved, what it gives
for the first time is opened. So nothing is lost when a message is, and nothing is opened twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclasses.dataclass(slots=True)
class Found:
    """One thing that is open. `key` is unique within its origin and stays the same while it is open.

    `cause` is the slug of a Classification where the source knows it, else it is classified by `error_code`, `field` and
    `detail`. `facts` are what it is recognised by; those that its classification names are the group's fingerprint, all of
    them where it names none: items of one cause with equal facts are cleared together. `name` is what people call the
    record. Amounts are in `currency`; `business` tells who has to act, None leaves it to the classification.
    """

    key: str
    title: str
    detail: str = ""
    cause: str = ""
    business: bool | None = None
    error_code: str = ""
    field: str = ""
    facts: dict[str, str] = dataclasses.field(default_factory=dict)
    entity_id: int | None = None
    domain_id: int | None = None
    sync_id: int | None = None
    record_id: int | None = None
    external_id: str | None = None
    transaction_id: int | None = None
    client: str = ""
    project: str = ""
    period: str = ""
    legal_entity: str = ""
    amount: Decimal | None = None
    currency: str = ""
    amount_note: str = ""
    due_at: datetime | None = None
    since: datetime | None = None
    body: dict[str, Any] | None = None
    name: str = ""
    client_name: str = ""
    project_name: str = ""


Source = Callable[[], Iterable[Found]]
_sources: dict[str, Source] = {}


def origin(name: str) -> Callable[[Source], Source]:
    """Register the source of one ExceptionItem.Origin."""

    def register(source: Source) -> Source:
        _sources[name] = source
        return source

    return register


def sources() -> dict[str, Source]:
    return dict(_sources)
