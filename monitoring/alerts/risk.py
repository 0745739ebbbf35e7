"""What hangs on a connection: its syncs, the promises over them, and what passes through it on a day.

"14 syncs · 3 service levels · about 210 records a day · about GBP 61,200 a day", from the ledger of the last 30 days.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Q
from django.utils import timezone

from connectors.models import Connection
from governance.models import ServiceLevel
from hub.common.db import plain_cursor
from hub.common.money import quantize
from hub.records.rates import rates_on
from hub.sync.models import Sync

DAYS = 30
NAMED = 5
# What passed: a record that was created, updated or removed; each version of a record counts once, whatever its legs.
PASSED = (1, 2, 21, 22, 23, 24)


@dataclass(slots=True)
class Impact:
    """`events` and the amounts are of `days` days; `currency` is the firm's, `rest` what has no rate."""

    syncs: list[str] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)
    days: Decimal = Decimal(DAYS)
    events: int = 0
    amount: Decimal | None = None
    currency: str = ""
    rest: dict[str, Decimal] = field(default_factory=dict)

    @property
    def events_a_day(self) -> int:
        return round(self.events / self.days)

    @property
    def amount_a_day(self) -> Decimal | None:
        return None if self.amount is None else self._daily(self.amount)

    def _daily(self, amount: Decimal) -> Decimal:
        """Whole units: it is about so much."""
        return quantize(amount / self.days, 0, "half_up")

    @property
    def sentence(self) -> str:
        parts = [_counted(len(self.syncs), "sync"), _counted(len(self.levels), "service level")]
        if self.events:
            parts.append(f"about {self.events_a_day:,} records a day")
        if self.amount_a_day is not None:
            parts.append(f"about {self.currency} {self.amount_a_day:,} a day")
        parts += [
            f"{code or 'no currency'} {self._daily(sum_):,} a day without a rate" for code, sum_ in self.rest.items()
        ]
        return ", ".join(parts)

    def lines(self) -> list[str]:
        found = [f"Hangs on it: {self.sentence}."]
        found += [f"Syncs: {_named(self.syncs)}."] if self.syncs else []
        return found + ([f"Service levels: {_named(self.levels)}."] if self.levels else [])


def impact_of(connection: Connection) -> Impact:
    """Reads a month of the ledger of its syncs: for the background, and for a page that is asked for it."""
    syncs = Sync.objects.filter(mapping__stream__connection=connection).order_by("name")
    impact = Impact(list(syncs.values_list("name", flat=True)), _levels(connection, syncs.values("mapping__entity")))
    ids = list(syncs.values_list("pk", flat=True))
    since = timezone.now() - timedelta(days=DAYS)
    if not ids:
        return impact
    rows, first = _passed(ids, since)
    impact.days = _days_since(max(first, since)) if first else impact.days
    impact.events = sum(number for _, number, _ in rows)
    amounts = [(currency, amount) for currency, _, amount in rows if amount]
    if amounts:
        rates = rates_on()
        total, impact.rest = rates.total(amounts)
        impact.currency = rates.currency
        impact.amount = total if len(impact.rest) < len(amounts) else None
    return impact


def _days_since(first: datetime) -> Decimal:
    """At least one, so that a busy first hour is not taken for the usual."""
    return max(Decimal(str(round((timezone.now() - first).total_seconds() / 86_400, 1))), Decimal(1))


def _levels(connection: Connection, entities: object) -> list[str]:
    """Promises about what these syncs carry, where no other system than this connection's is named."""
    mine = Q(source=connection.system_id) | Q(target=connection.system_id) | Q(source__isnull=True, target__isnull=True)
    about = Q(entity__in=entities) | Q(entity__isnull=True, domain__entities__in=entities)
    return list(ServiceLevel.objects.filter(mine, about).order_by("name").distinct().values_list("name", flat=True))


def _passed(
    sync_ids: list[int], since: datetime
) -> tuple[list[tuple[str | None, int, Decimal | None]], datetime | None]:
    """((currency, versions of records, their amount), the first of them)."""
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select currency, count(*), sum(amount), min(at) from (select distinct on (record_id, version)"
            " currency, amount, at from sync_transaction where at >= %s and sync_id = any(%s) and outcome = any(%s)"
            " order by record_id, version, id) once group by 1",
            [since, sync_ids, list(PASSED)],
        ).fetchall()
    return [row[:3] for row in rows], min((row[3] for row in rows), default=None)


def _counted(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _named(names: list[str]) -> str:
    rest = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {rest} more" if rest > 0 else "")
