"""Records of an entity for programs that copy them: in the order of their keys, with what was deleted, page by page.

A page looks at a limited number of keys, whatever it finds: with `updated_since` it may be short or empty and still name a
next one. So each takes the same time, however large the entity is.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Q

from governance.models import Entity
from hub.common.errors import ConfigError
from hub.records.models import CanonicalRecord
from hub.records.reading import Described

MOST_ROWS, USUAL_ROWS = 1_000, 200
LOOKED_AT = 5_000


@dataclass(frozen=True, slots=True)
class FeedPage:
    """`next` is the cursor of the next page, None after the last."""

    rows: list[dict[str, Any]]
    next: str | None


def page(entity: Entity, *, cursor: str, size: int, since: datetime | None) -> FeedPage:
    """The records whose keys follow the cursor; raises ConfigError for a cursor that is none."""
    rows = CanonicalRecord.objects.filter(entity=entity).order_by("key")
    rows = rows.filter(key__gt=read_cursor(cursor)) if cursor else rows
    end: str | None = None
    if since is not None:
        end = rows.values_list("key", flat=True)[LOOKED_AT - 1 : LOOKED_AT].first()
        rows = rows.filter(key__lte=end) if end is not None else rows
        rows = rows.filter(Q(updated_at__gte=since) | Q(deleted_at__gte=since))
    else:
        rows = rows.filter(deleted_at=None)
    found = list(rows[: size + 1])
    described = Described(entity)
    last = found[size - 1].key if len(found) > size else end
    return FeedPage([_row(each, described) for each in found[:size]], make_cursor(last) if last is not None else None)


def _row(record: CanonicalRecord, described: Described) -> dict[str, Any]:
    """A record without what is masked; of one that was deleted, no more than that."""
    gone = record.deleted_at is not None
    return {
        "key": record.key,
        "version": record.version,
        "updated_at": record.updated_at,
        "deleted_at": record.deleted_at,
        "body": {} if gone else described.open_body(record.body),
    }


def make_cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> str:
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise ConfigError("The cursor cannot be read.", fix="Take it from `next` of the page before.") from None
