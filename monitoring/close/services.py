"""Every write of periods: one, a year of them, a file of them, the freeze switch; all through the governed door."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import transaction

from governance.calendars.opening import is_business_day
from governance.models import BusinessCalendar
from governance.saving import save
from hub.common import governed
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.reasons import needed
from hub.common.registry import Document, kind
from hub.common.times import period_bounds, shift_period
from monitoring.close.kind import KIND
from monitoring.models import Period

MOST_ROWS = 5_000


def slug_of(legal_entity: str, period: str) -> str:
    """`hv-uk-2026-11`."""
    return f"{legal_entity}-{period}".lower().replace(".", "-").replace("_", "-")


def save_period(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make or change a period."""
    return save({"kind": KIND, **document}, act="period.saved", by=by, reason=reason)


@transaction.atomic
def save_periods(documents: Sequence[Document], *, by: Any, reason: str = "") -> Put:
    """Several at once, all or none. ConfigError names the first one that is refused."""
    written = [{"kind": KIND, **document} for document in documents]
    before = {one["slug"]: kind(KIND).dump(one["slug"]) for one in written}
    changed = [one for one in written if kind(KIND).diff(one)] if all(_sound(one) for one in written) else written
    if not changed:
        return Put(is_applied=True, said="Nothing changed.")
    done = governed.put(changed, by=by, reason=reason)
    if done.is_applied:
        for one in changed:
            slug = one["slug"]
            after = kind(KIND).dump(slug)
            tell(Act("period.saved", KIND, slug, by=by, reason=reason, before=before[slug], after=after))
        return Put(is_applied=True, said=f"{len(changed)} period{'' if len(changed) == 1 else 's'} saved.")
    return done


def _sound(document: Document) -> bool:
    return not kind(KIND).validate(document)


def freeze(period: Period, *, frozen: bool, by: Any, reason: str) -> Put:
    """Take no more postings, or take them again, whatever the ERP still allows."""
    words = needed(reason, "Say why: the reason stands in the audit.", where="reason")
    document = {**(kind(KIND).dump(period.slug) or {}), "is_frozen": frozen}
    act = "period.frozen" if frozen else "period.unfrozen"
    return save(document, act=act, by=by, reason=words)


@transaction.atomic
def delete_period(period: Period, *, by: Any) -> None:
    """What happened in it stays; it has no deadline any more."""
    tell(Act("period.deleted", KIND, period.slug, by=by, before=kind(KIND).dump(period.slug)))
    period.delete()


@dataclass(frozen=True, slots=True)
class Year:
    """What the form of a year asks: `close_after` business days (of the calendar, else Monday to Friday) after the end."""

    legal_entities: Sequence[str]
    first_period: str
    months: int
    close_after: int
    close_time: str
    time_zone: str
    calendar: BusinessCalendar | None = None
    late_policy: str = "next_period"


def year_documents(year: Year) -> list[Document]:
    """A document for each month and legal entity, calendar months one after the other."""
    periods = [shift_period(year.first_period, offset) for offset in range(year.months)]
    return [_month(year, code, period) for code in year.legal_entities for period in periods]


def _month(year: Year, code: str, period: str) -> Document:
    start, end = period_bounds(period)
    return {
        "slug": slug_of(code, period),
        "legal_entity": code,
        "period": period,
        "start_date": start.isoformat(),
        "end_date": end.isoformat(),
        "close_date": business_day_after(end, year.close_after, year.calendar).isoformat(),
        "close_time": year.close_time,
        "time_zone": year.time_zone,
        "calendar": year.calendar.slug if year.calendar else None,
        "late_policy": year.late_policy,
    }


def business_day_after(day: date, wanted: int, calendar: BusinessCalendar | None) -> date:
    """The day that is so many business days later; ConfigError when the calendar does not open for years."""
    hours = calendar.opening_hours if calendar else None
    for _ in range(1_500):
        if wanted <= 0:
            return day
        day += timedelta(days=1)
        wanted -= is_business_day(hours, day) if hours else day.weekday() < 5
    raise ConfigError("The business calendar does not open.", fix="Give it hours, or choose another one.")


# Files -------------------------------------------------------------------------------------------------------
COLUMNS = (
    "legal_entity", "period", "start_date", "end_date", "close_date", "close_time", "time_zone", "calendar",
    "status", "is_frozen", "late_policy", "note",
)  # fmt: skip
_TRUE = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}


def documents_of(rows: Iterable[dict[str, str]]) -> list[Document]:
    """Documents of the rows of a file, headings as in COLUMNS; ConfigError says which line is wrong."""
    found: list[Document] = []
    for line, row in enumerate(rows, start=2):
        if len(found) >= MOST_ROWS:
            raise ConfigError(f"The file has more than {MOST_ROWS} rows.", fix="Split it.")
        found.append(_document(row, line))
    if not found:
        raise ConfigError("The file has no rows.", fix="Its first line names the columns, each further line a period.")
    return found


def _document(row: dict[str, str], line: int) -> Document:
    given = {str(name).strip().lower(): (value or "").strip() for name, value in row.items() if name}
    unknown = sorted(set(given) - set(COLUMNS) - {"slug", "source"})
    if unknown:
        raise ConfigError(f"There is no column {unknown[0]!r}.", where=f"line {line}", fix=f"Use {', '.join(COLUMNS)}.")
    document: Document = {name: given[name] for name in COLUMNS if given.get(name)}
    frozen = given.get("is_frozen", "").lower()
    if frozen not in _TRUE:
        raise ConfigError(f"is_frozen is {frozen!r}, not yes or no.", where=f"line {line}")
    document["is_frozen"] = _TRUE[frozen]
    document["slug"] = given.get("slug") or slug_of(document.get("legal_entity", ""), document.get("period", ""))
    for problem in kind(KIND).validate({"kind": KIND, **document}):
        raise ConfigError(problem.sentence, where=f"line {line}, {problem.path}")
    return document
