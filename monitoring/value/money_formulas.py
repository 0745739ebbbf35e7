"""What is lost or saved: unbilled work, rates that differ, margins that do not agree, touches and interfaces saved."""

from __future__ import annotations

from monitoring.value.formulas import Formula, register
from monitoring.value.sql import ROUTES, date, day_within, entity, instant, live, local_day, number, text, within

_UNBILLED = "('unbilled', 'on_hold', 'ready')"
_WORTH = f"coalesce(c.amount, round({number('c', 'hours')} * {number('c', 'bill_rate')}, 2))"
_AGE = f"(%(today)s::date - coalesce({local_day(instant('c', 'approved_at'))}, {date('c', 'date')}))"

register(
    Formula(
        "unbilled_time",
        "Leakage: approved work that is not billed",
        "money",
        "sum",
        "As of now: the amounts of approved billable time by age since its approval, and of reached billing milestones, that no"
        " system reports as billed or written off. Where an entry has no amount, hours times bill rate.",
        f"""
select c.key, coalesce({text("c", "resource")}, c.key) as label, 'time_entry' as entity, c.id as record_id,
  coalesce(c.project, '') as project,
  case when {_AGE} <= 7 then 'Time, up to 7 days' when {_AGE} <= 30 then 'Time, 8 to 30 days'
    when {_AGE} <= 60 then 'Time, 31 to 60 days' when {_AGE} > 60 then 'Time, more than 60 days'
    else 'Time of unknown age' end as cause,
  {_WORTH} as num, 1::numeric as den, coalesce(c.currency, '') as currency,
  coalesce({instant("c", "approved_at")}, c.updated_at) as at
from records_canonicalrecord c
where {live("time_entry", "c")} and c.body ->> 'status' = 'approved' and c.body ->> 'billing_status' in {_UNBILLED}
  and c.body ->> 'is_billable' is distinct from 'false' and {_WORTH} <> 0
union all
select c.key, coalesce({text("c", "name")}, c.key), 'milestone', c.id, coalesce(c.project, ''),
  'Milestones that were reached', c.amount, 1::numeric, coalesce(c.currency, ''), c.updated_at
from records_canonicalrecord c
where {live("milestone", "c")} and c.body ->> 'status' in ('completed', 'accepted')
  and c.body ->> 'billing_status' in {_UNBILLED} and c.amount <> 0
""",
        needs=("time_entry.billing_status",),
        is_stock=True,
        cause_word="Age",
    )
)

register(
    Formula(
        "cost_mismatch",
        "Cost assumptions that differ",
        "money",
        "sum",
        "For the time worked in the month: hours times the difference between the cost rate of the entry and that of the"
        " person, where both are in one currency. What the margin is wrong by, in either direction.",
        f"""
select c.key, coalesce({text("p", "name")}, p.key) as label, 'time_entry' as entity, c.id as record_id,
  coalesce(c.project, '') as project, coalesce({text("c", "role")}, {text("p", "role")}, 'no role') as cause,
  round({number("c", "hours")} * abs({number("c", "cost_rate")} - {number("p", "cost_rate")}), 2) as num,
  1::numeric as den, coalesce(c.currency, '') as currency, ({date("c", "date")})::timestamp at time zone %(zone)s as at
from records_canonicalrecord c
join records_canonicalrecord p on {live("resource", "p")} and p.key = {text("c", "resource")}
where {live("time_entry", "c")} and {day_within(date("c", "date"))} and p.currency = c.currency
  and {number("c", "cost_rate")} <> {number("p", "cost_rate")}
""",
        needs=("time_entry.cost_rate", "resource.cost_rate"),
        cause_word="Role",
    )
)

register(
    Formula(
        "margin_consistency",
        "Margins that agree between PSA and ERP",
        "percent",
        "share",
        "For each project with figures of the PSA for the month and postings in the ERP until its end: whether the margin of"
        " both differs by no more than the tolerance, in percentage points. Share of such projects.",
        f"""
with told as (
  select distinct on (f.project) f.id, f.project,
    {number("f", "actual_revenue")} as revenue,
    coalesce({number("f", "actual_labour_cost")}, 0) + coalesce({number("f", "actual_other_cost")}, 0) as cost,
    {date("f", "as_of_date")} as day
  from records_canonicalrecord f
  where {live("project_financials", "f")} and {day_within(date("f", "as_of_date"))} and f.project is not null
  order by f.project, f.body ->> 'as_of_date' desc
), posted as (
  select g.project, sum(-g.amount) filter (where g.body ->> 'category' = 'revenue') as revenue,
    sum(g.amount) filter (where g.body ->> 'category' = 'cost') as cost
  from records_canonicalrecord g
  where {live("gl_posting", "g")} and {date("g", "posting_date")} <= %(end)s::date and g.project is not null group by g.project
), margins as (
  select t.id, t.project, t.day, 100 * (t.revenue - t.cost) / nullif(t.revenue, 0) as psa,
    100 * (p.revenue - coalesce(p.cost, 0)) / nullif(p.revenue, 0) as erp
  from told t join posted p on p.project = t.project
)
select m.project as key, m.project as label, 'project_financials' as entity, m.id as record_id, m.project,
  case when abs(m.psa - m.erp) <= %(tolerance)s::numeric then 'Agree' when m.psa > m.erp then 'The PSA shows more'
    else 'The ERP shows more' end as cause,
  (abs(m.psa - m.erp) <= %(tolerance)s::numeric)::int::numeric as num, 1::numeric as den, '' as currency,
  m.day::timestamp at time zone %(zone)s as at
from margins m where m.psa is not null and m.erp is not null
""",
        needs=("project_financials.actual_revenue", "gl_posting.category"),
        parameters={"tolerance": ("0.5", "Percentage points by which two margins may differ.")},
        cause_word="Which shows more",
    )
)

register(
    Formula(
        "touches_avoided",
        "Manual touches avoided",
        "records",
        "sum",
        "Records that the hub created or changed at a system in the month, each of which somebody would have keyed, less the"
        " exceptions of the same sync that a person settled. Nobody's minutes are guessed.",
        f"""
select r.sync_id::text as key, r.sync_name as label, 'sync' as entity, r.sync_id as record_id, '' as project,
  r.system as cause, (n.written - n.touched)::numeric as num, n.written::numeric as den, '' as currency, {{until}} as at
from ({ROUTES}) r cross join lateral (
  select (select count(*) from sync_transaction t where t.sync_id = r.sync_id and t.outcome in (1, 2) and {within("t.at")})
      as written,
    (select count(*) from monitoring_exceptionitem i where i.sync_id = r.sync_id and i.resolved_by_id is not null
      and {within("i.resolved_at")}) as touched) n
where r.direction = 'out' and (n.written > 0 or n.touched > 0)
""".replace("{until}", "%(end)s::date::timestamp at time zone %(zone)s"),
        cause_word="System",
    )
)

register(
    Formula(
        "interfaces_replaced",
        "Interfaces replaced",
        "interfaces",
        "sum",
        "As of now: for each entity, the pairs of a system that supplies it and another that receives it. Without a hub each"
        " pair would be an interface of its own.",
        f"""
select e.slug as key, e.name as label, 'entity' as entity, null::bigint as record_id, '' as project, e.name as cause,
  count(*)::numeric as num, count(*)::numeric as den, '' as currency, now() as at
from (select distinct i.entity_id, i.system as source, o.system as target from ({ROUTES}) i join ({ROUTES}) o
  on o.entity_id = i.entity_id and i.direction = 'in' and o.direction = 'out' and i.system <> o.system) pairs
join governance_entity e on e.id = pairs.entity_id group by e.slug, e.name
""",
        is_stock=True,
        cause_word="Entity",
    )
)

# Hours of a resource's working day: a fifth of its week, else eight.
_DAY_HOURS = (
    f"coalesce((select {number('p', 'weekly_hours')} / 5 from records_canonicalrecord p where {{who}} limit 1), 8)"
)
_PERSON = f"p.entity_id = {entity('resource')} and p.key = d.resource"
_DAYS = f"""
planned as (
  select d.resource, d.day, sum(d.hours) as hours, sum(d.percent) as percent, min(d.id) as id from (
    select {text("a", "resource")} as resource, day::date as day, a.id,
      case when {number("a", "percent")} is not null then {number("a", "percent")}
        else 0 end as percent,
      case when {number("a", "percent")} is null and {number("a", "hours")} is not null then
        {number("a", "hours")} / greatest(1, (select count(*) from generate_series({date("a", "start_date")},
          coalesce({date("a", "end_date")}, {date("a", "start_date")}), interval '1 day') w where extract(isodow from w) < 6))
        else 0 end as hours
    from records_canonicalrecord a
    cross join lateral generate_series(greatest({date("a", "start_date")}, %(start)s::date),
      least(coalesce({date("a", "end_date")}, %(end)s::date), %(end)s::date), interval '1 day') day
    where {live("assignment", "a")} and a.body ->> 'status' in ('confirmed', 'completed')
      and {text("a", "resource")} is not null
      and {date("a", "start_date")} is not null and extract(isodow from day) < 6) d
  group by d.resource, d.day
), loads as (
  select d.resource, d.day, d.id, d.hours + d.percent * {_DAY_HOURS.format(who=_PERSON)} / 100 as hours,
    {_DAY_HOURS.format(who=_PERSON)} as capacity from planned d
)"""

register(
    Formula(
        "forecast_accuracy",
        "Accuracy of the utilisation forecast",
        "percent",
        "share",
        "For each person with confirmed assignments in the month: planned hours less the difference to the hours booked, over"
        " planned hours. A percentage of an assignment is of a fifth of the person's week, on weekdays.",
        f"""
with {_DAYS}, plan as (
  select l.resource, min(l.id) as id, sum(l.hours) as hours from loads l group by l.resource
), booked as (
  select {text("c", "resource")} as resource, sum({number("c", "hours")}) as hours from records_canonicalrecord c
  where {live("time_entry", "c")} and {day_within(date("c", "date"))} and c.body ->> 'status' is distinct from 'rejected'
  group by 1
)
select p.resource as key, p.resource as label, 'assignment' as entity, p.id as record_id, '' as project,
  case when coalesce(b.hours, 0) > p.hours then 'More was booked' when coalesce(b.hours, 0) < p.hours then 'Less was booked'
    else 'As planned' end as cause,
  round(p.hours - abs(p.hours - coalesce(b.hours, 0)), 6) as num, round(p.hours, 6) as den, '' as currency,
  %(end)s::date::timestamp at time zone %(zone)s as at
from plan p left join booked b on b.resource = p.resource where p.hours > 0
""",
        needs=("assignment", "time_entry"),
        cause_word="Difference",
    )
)

register(
    Formula(
        "over_allocation",
        "Over-allocation",
        "hours",
        "sum",
        "For each person: hours of confirmed assignments on weekdays of the month beyond a fifth of the person's week.",
        f"""
with {_DAYS}
select l.resource as key, l.resource as label, 'assignment' as entity, min(l.id) as record_id, '' as project,
  to_char(min(l.day), 'IYYY-"W"IW') as cause, round(sum(l.hours - l.capacity), 6) as num, 1::numeric as den, '' as currency,
  min(l.day)::timestamp at time zone %(zone)s as at
from loads l where l.hours > l.capacity group by l.resource, date_trunc('week', l.day)
""",
        needs=("assignment",),
        cause_word="Week",
    )
)

register(
    Formula(
        "bench",
        "Bench time",
        "hours",
        "sum",
        "For each person: capacity of the month less approved absence and booked hours, on days where something is left.",
        f"""
select d.resource as key, d.resource as label, 'availability' as entity, min(d.id) as record_id, '' as project,
  coalesce((select {text("p", "practice")} from records_canonicalrecord p where {_PERSON} limit 1), 'no practice') as cause,
  round(sum(d.hours), 6) as num, 1::numeric as den, '' as currency, %(end)s::date::timestamp at time zone %(zone)s as at
from (
  select {text("v", "resource")} as resource, v.id, coalesce({number("v", "capacity_hours")}, 0)
    - case when v.body ->> 'absence_status' = 'approved' then coalesce({number("v", "absence_hours")}, 0) else 0 end
    - coalesce({number("v", "booked_hours")}, 0) as hours
  from records_canonicalrecord v where {live("availability", "v")} and {day_within(date("v", "date"))}) d
where d.hours > 0 and d.resource is not null group by d.resource
""",
        needs=("availability.capacity_hours",),
        cause_word="Practice",
    )
)
