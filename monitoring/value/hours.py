"""Where the approved hours of a month are: valid, in the ERP, invoiced, or stuck and by what cause. One statement."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from django.db import transaction

from governance.models import Firm
from hub.common.db import plain_cursor
from hub.common.times import period_bounds
from hub.sync.states import DeliveryState
from monitoring.models import ExceptionItem
from monitoring.value.sql import ROUTES, date, day_within, live, number, text

SECONDS = 30
NOTHING = Decimal(0)
WORDS = {
    "absent": "Not sent: nothing delivers it",
    "pending": "On the way",
    "unsure": "Outcome unknown",
    "waiting": "Waits for another record",
    "held": "Refused by the target",
    "dead": "Dead letter",
    "discarded": "Discarded",
}

_SQL = f"""
with entries as (
  select c.id, coalesce({number("c", "hours")}, 0) as hours,
    (c.body ->> 'billing_status' = 'billed' or {text("c", "invoice")} is not null) as invoiced,
    (select min(i.cause) from monitoring_exceptionitem i where i.record_id = c.id and i.state = any(%(unsettled)s)) as cause,
    (select d.state from sync_delivery d join ({ROUTES}) r on r.sync_id = d.sync_id
      where d.record_id = c.id and r.system = %(target)s order by d.state = %(delivered)s, d.state limit 1) as state
  from records_canonicalrecord c
  where {live("time_entry", "c")} and c.body ->> 'status' = 'approved' and {day_within(date("c", "date"))}
)
select case when invoiced then 'invoiced' when state = %(delivered)s and cause is null then 'in_erp'
    when cause is not null then 'exception' else 'delivery' end as stage,
  case when invoiced or (state = %(delivered)s and cause is null) then '' when cause is not null then cause
    else coalesce(state::text, '') end as why,
  count(*), sum(hours)
from entries group by 1, 2 order by 4 desc
"""


@dataclass(frozen=True, slots=True)
class Stuck:
    """Hours that do not go on, by cause; `stage` is where: valid (an exception) or in_erp (a delivery)."""

    stage: str
    cause: str
    entries: int
    hours: Decimal


@dataclass(slots=True)
class HoursFlow:
    """Hours of one month. approved = valid + stuck by exceptions; valid = in_erp + stuck on delivery; and so on."""

    month: str
    approved: Decimal = NOTHING
    valid: Decimal = NOTHING
    in_erp: Decimal = NOTHING
    invoiced: Decimal = NOTHING
    entries: int = 0
    stuck: list[Stuck] = field(default_factory=list)

    @property
    def not_invoiced(self) -> Decimal:
        return self.in_erp - self.invoiced


def flow(month: str, *, target: str = "erp") -> HoursFlow:
    """The hours of the entries dated in the month. An entry that is invoiced counts as in the ERP, whatever hangs on it."""
    firm = Firm.objects.first()
    start, end = period_bounds(month)
    asked = {
        "start": start,
        "end": end,
        "zone": firm.time_zone if firm else "UTC",
        "target": target,
        "delivered": int(DeliveryState.DELIVERED),
        "unsettled": list(ExceptionItem.UNSETTLED),
    }
    with transaction.atomic(), plain_cursor() as cursor:
        cursor.execute("select set_config('statement_timeout', %s, true)", [f"{SECONDS}s"])
        rows = cursor.execute(_SQL, asked).fetchall()
        cursor.execute("select set_config('statement_timeout', '0', true)")
    found = HoursFlow(month)
    for stage, why, entries, hours in rows:
        _add(found, stage, why, entries, hours)
    return found


def _add(found: HoursFlow, stage: str, why: str, entries: int, hours: Decimal) -> None:
    found.approved += hours
    found.entries += entries
    if stage == "exception":
        found.stuck.append(Stuck("valid", why.replace("_", " ").replace("-", " ").capitalize(), entries, hours))
        return
    found.valid += hours
    if stage == "delivery":
        name = DeliveryState(int(why)).name.lower() if why else "absent"
        found.stuck.append(Stuck("in_erp", WORDS.get(name, name), entries, hours))
        return
    found.in_erp += hours
    if stage == "invoiced":
        found.invoiced += hours
