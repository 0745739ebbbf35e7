"""Which consumer used which version on which day: one row each, counted up as the traffic passes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Max, QuerySet, Sum

from governance.models import ContractUse, ContractVersion
from hub.common.db import plain_cursor
from hub.common.times import business_now

# A version that nobody used for so many days may be retired.
QUIET_DAYS = 14


@dataclass(frozen=True, slots=True)
class Seen:
    """One consumer's traffic on one version."""

    kind: str
    name: str
    uses: int
    last_at: datetime


def note(version_id: int, kind: str, name: str, *, uses: int = 1) -> None:
    """Count uses of a version by one consumer today."""
    now = business_now()
    with plain_cursor() as cursor:
        cursor.execute(
            "insert into governance_contractuse as u (version_id, kind, name, day, uses, last_at)"
            " values (%s, %s, %s, %s, %s, %s) on conflict (version_id, kind, name, day)"
            " do update set uses = u.uses + excluded.uses, last_at = greatest(u.last_at, excluded.last_at)",
            [version_id, kind, name[:120], now.date(), uses, now],
        )


def seen(uses: QuerySet[ContractUse]) -> list[Seen]:
    """The traffic of these rows by consumer, the newest first."""
    found = uses.order_by().values_list("kind", "name").annotate(Sum("uses"), Max("last_at"))
    return sorted((Seen(*row) for row in found), key=lambda each: each.last_at, reverse=True)


def of_version(version: ContractVersion) -> list[Seen]:
    return seen(version.uses.all())


def remaining(version: ContractVersion) -> list[Seen]:
    """Who used the version in the last QUIET_DAYS days."""
    since = business_now() - timedelta(days=QUIET_DAYS)
    return seen(version.uses.filter(last_at__gte=since))
