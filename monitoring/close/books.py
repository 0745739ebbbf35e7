"""The periods of the firm's books: what the ERP says of each, what people planned, and what follows from both."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from connectors.models import System
from governance.models import Firm
from hub.common.db import plain_cursor
from hub.common.display import as_instant
from hub.common.errors import HubError
from hub.common.times import business_now, business_today, parse_date, period_bounds
from monitoring.models import LatePolicy, Period, PeriodStatus

ENTITY = "fiscal_period"
BY_HAND, BY_DATES = "set by hand", "by its dates"
Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Reported:
    """A period as a system of the firm delivers it; `system` is its name."""

    legal_entity: str
    period: str
    status: str
    system: str
    start_date: date | None
    end_date: date | None
    closed_at: datetime | None


@dataclass(frozen=True, slots=True)
class Book:
    """One period of one legal entity as it stands now.

    `source` says where the status comes from. `shut_at` is since when nothing may be posted: it is closed or frozen.
    """

    legal_entity: str
    period: str
    start_date: date
    end_date: date
    status: str
    source: str
    shut_at: datetime | None = None
    closes_at: datetime | None = None
    is_frozen: bool = False
    late_policy: str = LatePolicy.NEXT_PERIOD
    config: Period | None = None

    def __str__(self) -> str:
        return f"{self.legal_entity} {self.period}"

    @property
    def is_shut(self) -> bool:
        return self.shut_at is not None

    @property
    def name(self) -> Name:
        return self.legal_entity, self.period

    @property
    def is_running(self) -> bool:
        """Somebody works on its close now, or will next."""
        return self.status in (PeriodStatus.OPEN, PeriodStatus.CLOSING)

    @property
    def look(self) -> str:
        """A state of hub.common.states; its word is that of the status."""
        return {"open": "run", "closing": "warn", "closed": "closed"}.get(self.status, "muted")

    @property
    def word(self) -> str:
        word = PeriodStatus(self.status).label
        return f"{word}, frozen" if self.is_frozen and self.status != PeriodStatus.CLOSED else str(word)

    def seconds_left(self, now: datetime) -> float | None:
        """Until it closes, negative when it should have; None for one that is closed or has no deadline."""
        if self.closes_at is None or self.status == PeriodStatus.CLOSED:
            return None
        return (self.closes_at - now).total_seconds()


def reported(names: Iterable[Name] | None = None) -> dict[Name, Reported]:
    """What systems deliver, by (legal entity, period); all of it without names."""
    wanted = None if names is None else list(names)
    where = (
        "" if wanted is None else " and (r.legal_entity, r.period) in (select * from unnest(%s::text[], %s::text[]))"
    )
    given = [] if wanted is None else [[one for one, _ in wanted], [two for _, two in wanted]]
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select r.legal_entity, r.period, r.body ->> 'status', p.fields ->> 'status', r.body ->> 'start_date',"
            " r.body ->> 'end_date', coalesce(r.body ->> 'closed_at', r.updated_at::text)"
            " from records_canonicalrecord r left join records_provenanceprofile p on p.id = r.provenance_id"
            " where r.entity_id = (select id from governance_entity where slug = %s) and r.deleted_at is null"
            f" and r.legal_entity is not null and r.period is not null{where}",
            [ENTITY, *given],
        ).fetchall()
    systems = dict(System.objects.values_list("pk", "name"))
    found = (
        Reported(
            le, period, status or "", systems.get(_number(system), "the ERP"), _day(start), _day(end), as_instant(at)
        )
        for le, period, status, system, start, end, at in rows
    )
    return {(one.legal_entity, one.period): one for one in found if one.status in PeriodStatus.values}


def _number(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 0


def _day(text: str | None) -> date | None:
    try:
        return parse_date(text) if text else None
    except HubError:
        return None


def books(*, legal_entity: str = "", period: str = "") -> list[Book]:
    """Every period that is planned or delivered, by legal entity and period."""
    plans = Period.objects.select_related("calendar")
    plans = plans.filter(legal_entity=legal_entity) if legal_entity else plans
    plans = plans.filter(period=period) if period else plans
    told = reported([(legal_entity, period)] if legal_entity and period else None)
    told = {name: one for name, one in told.items() if legal_entity in ("", name[0]) and period in ("", name[1])}
    by_name = {(plan.legal_entity, plan.period): plan for plan in plans}
    now = business_now()
    found = [_book(by_name.get(name), told.get(name), now) for name in sorted({*by_name, *told})]
    return [book for book in found if book]


def takes_postings(legal_entity: str, period: str) -> bool:
    """Whether a period is open: by the firm's books where they know it, else by the calendar."""
    found = book_of(legal_entity, period)
    if found is not None:
        return not found.is_shut and found.start_date <= business_today()
    try:
        return period_bounds(period)[0] <= business_today()
    except HubError:
        return False


def book_of(legal_entity: str, period: str) -> Book | None:
    return next(iter(books(legal_entity=legal_entity, period=period)), None)


def _book(plan: Period | None, told: Reported | None, now: datetime) -> Book | None:
    base = _planned(plan, now) if plan else None
    if told is None:
        return base
    if base is None:
        try:
            first, last = period_bounds(told.period)
        except HubError:
            return None
        start, end = told.start_date or first, told.end_date or last
        base = Book(told.legal_entity, told.period, start, end, told.status, told.system)
    shut_at = (told.closed_at or now) if told.status == PeriodStatus.CLOSED else None
    frozen_at = plan.frozen_at if plan and plan.is_frozen else None
    return replace(base, status=told.status, source=told.system, shut_at=_earliest(shut_at, frozen_at))


def _planned(plan: Period, now: datetime) -> Book:
    status, source = (plan.status, BY_HAND) if plan.status else (_by_dates(plan, now), BY_DATES)
    closed_at = (plan.closed_at or plan.closes_at) if status == PeriodStatus.CLOSED else None
    return Book(
        plan.legal_entity,
        plan.period,
        plan.start_date,
        plan.end_date,
        status,
        source,
        _earliest(closed_at, plan.frozen_at if plan.is_frozen else None),
        plan.closes_at,
        plan.is_frozen,
        plan.late_policy,
        plan,
    )


def _earliest(*instants: datetime | None) -> datetime | None:
    return min((one for one in instants if one), default=None)


def _by_dates(plan: Period, now: datetime) -> str:
    if now >= plan.closes_at:
        return PeriodStatus.CLOSED
    today = business_today(plan.time_zone)
    if today < plan.start_date:
        return PeriodStatus.FUTURE
    return PeriodStatus.OPEN if today <= plan.end_date else PeriodStatus.CLOSING


def next_open(book: Book) -> Book | None:
    """The first later period of the same legal entity that takes postings."""
    later = (one for one in books(legal_entity=book.legal_entity) if one.start_date > book.start_date)
    return next((one for one in later if not one.is_shut and one.status != PeriodStatus.FUTURE), None)


def legal_entities() -> dict[str, tuple[str, str]]:
    """Code → (name, time zone) of the legal entities that the hub holds, and of those that have periods."""
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select key, coalesce(body ->> 'name', key), coalesce(body ->> 'time_zone', '') from records_canonicalrecord"
            " where entity_id = (select id from governance_entity where slug = 'legal_entity') and deleted_at is null"
            " order by key limit 500"
        ).fetchall()
    found: dict[str, tuple[str, str]] = {code: (name, zone) for code, name, zone in rows}
    for code in Period.objects.order_by().values_list("legal_entity", flat=True).distinct():
        found.setdefault(code, (code, ""))
    return dict(sorted(found.items()))


def default_zone() -> str:
    firm = Firm.objects.first()
    return firm.time_zone if firm else "UTC"
