"""How fast work flows: set-up, staffing, approved time to ERP and invoice, invoices, recovery of the integration."""

from __future__ import annotations

from monitoring.value.formulas import Formula, register
from monitoring.value.sql import (
    ROUTES,
    date,
    day_within,
    days_between,
    hours_between,
    instant,
    live,
    local_day,
    text,
    within,
)

_ARRIVED = "(1, 2, 3)"  # created, updated, unchanged: it is there
_CREATED = 1
_WON = f"coalesce({instant('o', 'won_at')}, ({date('o', 'close_date')})::timestamp at time zone %(zone)s)"

register(
    Formula(
        "project_setup",
        "Project set-up cycle time",
        "days",
        "median",
        "For each project of a won opportunity that became usable in the month: days from the win to the moment when the last"
        " of the named systems had it, as the ledger shows. Median over the projects.",
        f"""
select p.key, coalesce({text("p", "name")}, p.key) as label, 'project' as entity, p.id as record_id, p.key as project,
  coalesce({text("p", "practice")}, p.legal_entity, 'not known') as cause,
  {days_between(_WON, "there.usable_at")} as num, 1::numeric as den, '' as currency, there.usable_at as at
from records_canonicalrecord p
join records_canonicalrecord o on {live("opportunity", "o")} and o.key = {text("p", "opportunity")}
cross join lateral (
  select max(first_at) as usable_at, count(*) as systems from (
    select min(t.at) as first_at from sync_transaction t join ({ROUTES}) r on r.sync_id = t.sync_id
    where t.record_id = p.id and t.outcome in {_ARRIVED} and r.system = any(%(systems)s) group by r.system) each) there
where {live("project", "p")} and {_WON} is not null and there.systems = cardinality(%(systems)s)
  and {within("there.usable_at")} and there.usable_at >= {_WON}
""",
        needs=("project.opportunity", "opportunity"),
        parameters={"systems": (["psa", "erp"], "Short names of the systems that all have to have the project.")},
        cause_word="Practice or legal entity",
    )
)

register(
    Formula(
        "staffing_speed",
        "Staffing fulfilment speed",
        "days",
        "median",
        "For each resource request whose first confirmed assignment came to the hub in the month: days from the request to"
        " that assignment. Median over the requests.",
        f"""
select q.key, coalesce({text("q", "role")}, q.key) as label, 'resource_request' as entity, q.id as record_id,
  coalesce(q.project, '') as project, coalesce({text("q", "role")}, 'no role') as cause,
  {days_between(instant("q", "requested_at"), "filled.at")} as num, 1::numeric as den, '' as currency, filled.at
from records_canonicalrecord q
cross join lateral (
  select min(t.at) as at from records_canonicalrecord a join sync_transaction t on t.record_id = a.id and t.outcome = {_CREATED}
  where {live("assignment", "a")} and {text("a", "resource_request")} = q.key
    and a.body ->> 'status' in ('confirmed', 'completed')) filled
where {live("resource_request", "q")} and {instant("q", "requested_at")} is not null
  and {within("filled.at")} and filled.at >= {instant("q", "requested_at")}
""",
        needs=("resource_request.requested_at", "assignment.resource_request"),
        cause_word="Role",
    )
)

register(
    Formula(
        "time_to_erp",
        "Approved time until it is in the ERP",
        "hours",
        "median",
        "For each time entry that first arrived at the target in the month: hours from its approval to that arrival, as the"
        " ledger shows. Median, and the 90th percentile beside it.",
        f"""
select c.key, coalesce({text("c", "resource")}, c.key) as label, 'time_entry' as entity, c.id as record_id,
  coalesce(c.project, '') as project, coalesce(c.project, 'no project') as cause,
  {hours_between(instant("c", "approved_at"), "a.at")} as num, 1::numeric as den, '' as currency, a.at
from (
  select t.record_id, min(t.at) as at from sync_transaction t join ({ROUTES}) r on r.sync_id = t.sync_id
  where {within("t.at")} and t.outcome = {_CREATED} and r.direction = 'out' and r.system = %(target)s
  group by t.record_id) a
join records_canonicalrecord c on c.id = a.record_id
where {live("time_entry", "c")} and {instant("c", "approved_at")} <= a.at
""",
        needs=("time_entry.approved_at",),
        parameters={"target": ("erp", "Short name of the system where it has to arrive.")},
        cause_word="Project",
    )
)

register(
    Formula(
        "time_to_invoice",
        "Approved time until it is invoiced",
        "days",
        "median",
        "For each time entry on an invoice dated in the month: days from the day of its approval to the date of the invoice."
        " Median, and the 90th percentile beside it.",
        f"""
select c.key, i.key as label, 'time_entry' as entity, c.id as record_id, coalesce(c.project, '') as project,
  coalesce(i.customer, 'no client') as cause,
  ({date("i", "invoice_date")} - {local_day(instant("c", "approved_at"))})::numeric as num, 1::numeric as den, '' as currency,
  ({date("i", "invoice_date")})::timestamp at time zone %(zone)s as at
from records_canonicalrecord c
join records_canonicalrecord i on {live("invoice", "i")} and i.key = {text("c", "invoice")}
where {live("time_entry", "c")} and {instant("c", "approved_at")} is not null and {day_within(date("i", "invoice_date"))}
""",
        needs=("time_entry.invoice", "invoice"),
        cause_word="Client",
    )
)

register(
    Formula(
        "invoice_cycle",
        "Invoice cycle time",
        "days",
        "median",
        "For each invoice dated in the month that names its period: days from the last day of that period to the date of the"
        " invoice. Median over the invoices.",
        f"""
select i.key, coalesce(i.customer, i.key) as label, 'invoice' as entity, i.id as record_id, coalesce(i.project, '') as project,
  coalesce(i.legal_entity, 'not known') as cause,
  ({date("i", "invoice_date")} - ((i.period || '-01')::date + interval '1 month' - interval '1 day')::date)::numeric as num,
  1::numeric as den, '' as currency, ({date("i", "invoice_date")})::timestamp at time zone %(zone)s as at
from records_canonicalrecord i
where {live("invoice", "i")} and i.period ~ '^\\d{{4}}-(0[1-9]|1[0-2])$' and i.body ->> 'type' is distinct from 'credit_memo'
  and {day_within(date("i", "invoice_date"))}
""",
        needs=("invoice.period",),
        cause_word="Legal entity",
    )
)

register(
    Formula(
        "recovery",
        "Recovery time of the integration",
        "hours",
        "median",
        "For each outage of a sync that ended in the month: hours from the first failed run to the first one that went through"
        " again. Median over the outages.",
        f"""
with ended as (
  select r.id, r.sync_id, r.finished_at, r.error_code, r.status = 'failed' as failed,
    lag(r.status = 'failed') over (partition by r.sync_id order by r.id) as failed_before
  from sync_run r where r.trigger <> 'backfill' and r.finished_at is not null and r.finished_at < {{until}}
    and r.status in ('failed', 'succeeded', 'completed_with_errors', 'suspect')
), outages as (
  select e.id, e.sync_id, e.finished_at as began_at, coalesce(nullif(e.error_code, ''), 'not known') as cause,
    (select min(w.finished_at) from ended w where w.sync_id = e.sync_id and w.id > e.id and not w.failed) as ended_at
  from ended e where e.failed and not coalesce(e.failed_before, false)
)
select o.id::text as key, r.sync_name as label, 'run' as entity, o.id as record_id, '' as project, o.cause,
  {hours_between("o.began_at", "o.ended_at")} as num, 1::numeric as den, '' as currency, o.ended_at as at
from outages o join ({ROUTES}) r on r.sync_id = o.sync_id where {within("o.ended_at")}
""".replace("{until}", "(%(end)s::date + 1)::timestamp at time zone %(zone)s"),
        cause_word="Error",
    )
)
