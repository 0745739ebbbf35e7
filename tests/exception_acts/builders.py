"""Exceptions laid straight into the tables, and a firm whose deliveries and held records stand behind them."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import Any

from django.utils import timezone

from governance.models import Firm
from hub.accounts.models import Domain
from hub.common.times import business_now
from hub.sync import engine, sweeper
from hub.sync.models import Delivery, HeldRecord, Run
from hub.sync.states import DeliveryState
from monitoring.exceptions import jobs, notes, work
from monitoring.models import ExceptionGroup, ExceptionItem, ExceptionJob
from tests.sync import worlds

_numbers = itertools.count(1)


def firm(currency: str = "EUR") -> Firm:
    found, _ = Firm.objects.update_or_create(slug="firm", defaults={"name": "Harrow & Vale", "currency": currency})
    return found


def domain(slug: str = "project-wbs") -> Domain:
    return Domain.objects.get(slug=slug)


def group(cause: str = "missing_rate", title: str = "No bill rate", **fields: Any) -> ExceptionGroup:
    number = next(_numbers)
    now = business_now()
    usual = {"fingerprint": f"{cause}:{number}", "domain": domain(), "first_at": now, "last_at": now}
    return ExceptionGroup.objects.create(**{**usual, "cause": cause, "title": title, **fields})


def item(of: ExceptionGroup | None = None, **fields: Any) -> ExceptionItem:
    """An open gap of 100 EUR unless said otherwise: nothing stands behind it that could be sent again."""
    of = of or group()
    number = next(_numbers)
    now = business_now()
    usual = {
        "group": of,
        "origin": "gap",
        "origin_key": f"gap:{number}",
        "kind": "business",
        "cause": of.cause,
        "title": f"Exception {number}",
        "domain": of.domain,
        "client": "Acme",
        "amount": Decimal(100),
        "currency": "EUR",
        "amount_firm": Decimal(100),
        "rank": Decimal(100),
        "opened_at": now,
        "seen_at": now,
    }
    made = ExceptionItem.objects.create(**{**usual, **fields})
    notes.refresh_groups([of.pk])
    return made


def items(number: int, of: ExceptionGroup | None = None, **fields: Any) -> list[ExceptionItem]:
    of = of or group()
    return [item(of, **fields) for _ in range(number)]


def of_held(of: ExceptionGroup | None = None) -> list[ExceptionItem]:
    """An exception of every held record, as it would be gathered."""
    of = of or group("unmapped", "No value for it")
    return [
        item(
            of,
            origin="held",
            origin_key=f"held:{held.sync_id}:{held.external_id}",
            sync_id=held.sync_id,
            external_id=held.external_id,
            error_code=held.error_code,
            detail=held.error_detail,
            field=held.field,
            entity=held.sync.mapping.entity,
        )
        for held in HeldRecord.objects.order_by("external_id")
    ]


def of_deliveries(of: ExceptionGroup | None = None) -> list[ExceptionItem]:
    of = of or group("rejected", "The account is closed")
    stopped = Delivery.objects.filter(state__in=[2, 3, 4, 5]).order_by("record_id")
    return [
        item(
            of,
            origin="delivery",
            origin_key=f"delivery:{row.sync_id}:{row.record_id}",
            sync_id=row.sync_id,
            record_id=row.record_id,
            error_code=row.error_code or "",
            detail=row.error_detail or "",
            entity=row.sync.mapping.entity,
        )
        for row in stopped
    ]


def world() -> worlds.Firm:
    return worlds.make()


def finish(job: ExceptionJob) -> dict[str, int]:
    """What the workers and the tick would do until nothing is left; the numbers of the job."""
    for _ in range(5):
        work.execute(job.pk)
        sweeper.start_due_deliveries()
        for run in Run.objects.filter(status="queued"):
            engine.execute(run.pk)
    job.refresh_from_db()
    return {name: number for name, number in jobs.numbers(job).items() if number}


def dead(number: int) -> int:
    return Delivery.objects.filter(state=DeliveryState.DEAD).count() - number


def now() -> Any:
    return timezone.now()
