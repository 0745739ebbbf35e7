"""What is written down about exceptions: events, mentions, and the figures of a group."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
from django.db import connection
from django.db.models import Q
from django.db.models.functions import Now

from hub.accounts.models import User
from hub.common.times import business_now
from monitoring.models import ExceptionItem, Mention

# A comment keeps what a person writes at length; reasons are shorter.
MAX_COMMENT = 4_000
_MENTION = re.compile(r"(?<![\w@.])@([\w.+-]+@[\w-]+(?:\.[\w-]+)+|\w[\w.-]*\w|\w)")


def note(
    item_ids: Iterable[int],
    act: str,
    *,
    by: Any,
    text: str = "",
    before: Mapping[int, Any] | None = None,
    after: Any = None,
    transactions: Mapping[int, int | None] | None = None,
    texts: Mapping[int, str] | None = None,
    at: datetime | None = None,
) -> list[int]:
    """An event of each item, in one statement; `before`, `transactions` and `texts` are by item. Returns the events' ids."""
    ids = list(item_ids)
    if not ids:
        return []
    columns: list[Any] = [
        ids,
        [(texts or {}).get(pk, text) for pk in ids],
        [_json((before or {}).get(pk)) for pk in ids],
        [(transactions or {}).get(pk) for pk in ids],
    ]
    with connection.cursor() as cursor:
        cursor.execute(_NOTE, [at or business_now(), getattr(by, "pk", None), act, _json(after), *columns])
        return [row[0] for row in cursor.fetchall()]


_NOTE = """
insert into monitoring_exceptionevent (at, by_id, act, after, item_id, text, before, transaction_id)
select %s, %s, %s, %s::jsonb, r.* from unnest(%s::bigint[], %s::text[], %s::jsonb[], %s::bigint[]) r returning id
"""


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, default=str).decode()


# Mentions --------------------------------------------------------------------------------------------------
def mentioned(text: str) -> list[User]:
    """The people whom `@ada` or `@ada@firm.com` names: by e-mail, by its part before the @, or by a name without blanks."""
    words = list(dict.fromkeys(word.lower() for word in _MENTION.findall(text)))[:20]
    if not words:
        return []
    condition = Q()
    for word in words:
        condition |= Q(email__iexact=word) if "@" in word else Q(email__istartswith=f"{word}@") | Q(name__iexact=word)
    return list(User.objects.filter(condition, is_active=True, is_service=False).order_by("pk")[:20])


def mention(event_ids: Sequence[int], people: Iterable[User]) -> None:
    """These comments name these people."""
    found = list(people)
    Mention.objects.bulk_create(
        [Mention(event_id=pk, person=person) for pk in event_ids for person in found], ignore_conflicts=True
    )


def see(user: User, item: ExceptionItem) -> None:
    """The person has opened the item: what named them there does not wait for them any more."""
    Mention.objects.filter(person=user, event__item=item, seen_at__isnull=True).update(seen_at=Now())


# Figures ---------------------------------------------------------------------------------------------------
_FIGURES = """
update monitoring_exceptiongroup g set open_items = c.number, amount_firm = c.total, unconverted = c.unconverted,
  due_at = c.due_at, oldest_at = c.oldest_at, rank = c.rank
from (
  select a.id, count(i.id) as number, coalesce(sum(i.amount_firm), 0) as total,
    count(i.id) filter (where i.amount is not null and i.amount_firm is null) as unconverted,
    min(i.due_at) as due_at, min(i.opened_at) as oldest_at, coalesce(sum(i.rank), 0) as rank
  from unnest(%s::bigint[]) a(id)
  left join monitoring_exceptionitem i on i.group_id = a.id and i.state = any(%s) group by a.id) c
where g.id = c.id
"""


def refresh_groups(group_ids: Collection[int]) -> None:
    """Bring the figures of these groups up to their unsettled items."""
    if group_ids:
        with connection.cursor() as cursor:
            cursor.execute(_FIGURES, [sorted(group_ids), [str(state) for state in ExceptionItem.UNSETTLED]])
