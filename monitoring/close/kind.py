"""Period as a configuration document: dates as YYYY-MM-DD, the time of closing as the wall clock of its zone."""

from __future__ import annotations

from datetime import date
from functools import partial
from typing import Any

from governance.models import BusinessCalendar
from hub.common import governed, registry
from hub.common.errors import ConfigError, HubError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem
from hub.common.times import business_now, time_zone
from monitoring.models import Period, PeriodStatus

KIND = "Period"
DATES = ("start_date", "end_date", "close_date")
# Addresses of pages beside those of periods.
RESERVED = frozenset({"new", "year", "import"})


class PeriodKind(ModelKind):
    def _value(self, found: Period, item: Attr | Ref) -> Any:
        value = super()._value(found, item)
        return value.isoformat() if isinstance(value, date) else value

    def normal(self, document: Document) -> Document:
        return super().normal({**document, **{name: str(document[name]) for name in DATES if document.get(name)}})

    def extra_validate(self, document: Document) -> list[Problem]:
        found = list(_zone_problems(document))
        start, end, close = (str(document[name]) for name in DATES)
        if end < start:
            found.append(Problem("end_date", f"The period ends on {end}, before it starts on {start}."))
        if close < end:
            found.append(Problem("close_date", f"It would close on {close}, before its last day {end}."))
        if document["slug"] in RESERVED:
            found.append(Problem("slug", f"{document['slug']!r} is the address of another page."))
        return found

    def before_save(self, found: Period, document: Document) -> None:
        """When it was closed or frozen by hand; one that is new was closed when it should have been."""
        stored = Period.objects.filter(pk=found.pk).first() if found.pk else None
        now = business_now()
        found.start_date, found.end_date, found.close_date = (date.fromisoformat(str(document[n])) for n in DATES)
        if found.status != PeriodStatus.CLOSED:
            found.closed_at = None
        elif found.closed_at is None:
            found.closed_at = now if stored else min(now, found.closes_at)
        found.frozen_at = (found.frozen_at or now) if found.is_frozen else None

    def extra_apply(self, found: Period, document: Document, *, by: Any) -> None:
        governed.settle(("periods", found.legal_entity), partial(check_days, found.legal_entity))


def _zone_problems(document: Document) -> list[Problem]:
    try:
        time_zone(str(document.get("time_zone", "UTC")))
    except HubError as error:
        return [Problem("time_zone", str(error))]
    return []


def check_days(legal_entity: str) -> None:
    """A day belongs to one period of a legal entity; ConfigError names two that share some."""
    before: Period | None = None
    for each in Period.objects.filter(legal_entity=legal_entity).order_by("start_date", "pk"):
        if before and each.start_date <= before.end_date:
            raise ConfigError(
                f"{each} starts on {each.start_date}, and {before} ends on {before.end_date}.",
                where="start_date",
                fix="Let a period start on the day after the one before it ends.",
                code="PERIOD_OVERLAP",
            )
        before = each


def register() -> None:
    registry.register(
        PeriodKind(
            name=KIND,
            model=Period,
            after=["BusinessCalendar"],
            fields=[
                *(Attr(name, required=True) for name in ("legal_entity", "period", *DATES)),
                *(Attr(name) for name in ("close_time", "time_zone")),
                Ref("calendar", lambda: BusinessCalendar, "BusinessCalendar"),
                *(Attr(name) for name in ("status", "is_frozen", "late_policy", "note")),
            ],
        )
    )
