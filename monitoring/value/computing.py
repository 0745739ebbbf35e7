"""Computing a measure: the rows of a month, its figure, and what is said instead of a figure that would be a lie."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import psycopg
from django.db import transaction
from django.db.models import Max, Min, Q

from governance.models import Firm
from hub.common.db import plain_cursor
from hub.common.money import CURRENCY_DIGITS
from hub.common.times import business_now, business_today, period_bounds, period_of, shift_period
from hub.records.rates import Rates, rates_on
from hub.sync.models import Run
from monitoring.models import Measure, MeasureValue
from monitoring.value import flow_formulas, money_formulas  # noqa: F401  (they register themselves)
from monitoring.value.formulas import SOURCES, Formula, find

State = MeasureValue.State
SECONDS = 60
CAUSES = 10
NAMES = {"gl_posting": "Ledger posting"}
MONTHS = 13
EVERY_SECONDS = 900
LOCK = 7_340_019
COLUMNS = ("key", "label", "entity", "record_id", "project", "cause", "num", "den", "currency", "at", "worth")


@dataclass(frozen=True, slots=True)
class MeasureRow:
    """One thing that counts. `worth` is what it adds to the figure: `num`, for money in the firm's currency (None: no rate)."""

    key: str
    label: str
    entity: str
    record_id: int | None
    project: str
    cause: str
    num: Decimal
    den: Decimal
    currency: str
    at: datetime
    worth: Decimal | None


@dataclass(slots=True)
class Asked:
    """A measure with everything that its statement is asked with."""

    measure: Measure
    formula: Formula
    month: str
    rates: Rates
    values: dict[str, Any]

    @property
    def statement(self) -> str:
        """The rows that count, each with its worth: rounded before it is added, so that a list adds up to its tile."""
        worth = "r.num" if self.formula.unit != "money" else "round(r.num * x.rate, %(digits)s)"
        return (
            "select r.key, r.label, r.entity, r.record_id, r.project, r.cause, r.num, r.den, r.currency, r.at,"
            f" {worth} as worth from ({self.formula.sql}) r"
            " left join unnest(%(codes)s::text[], %(rates)s::numeric[]) x(code, rate)"
            " on x.code = r.currency where not (r.project <> '' and r.project ~ any(%(no_projects)s::text[]))"
            " and not (r.cause ~ any(%(no_causes)s::text[]))"
        )


def ask(measure: Measure, month: str, *, rates: Rates | None = None) -> Asked | None:
    """None when the formula is gone."""
    formula = find(measure.formula)
    if formula is None:
        return None
    firm = Firm.objects.first()
    zone = firm.time_zone if firm else "UTC"
    rates = rates or rates_on()
    start, end = period_bounds(month)
    given = {name: measure.parameters.get(name, default) for name, (default, _) in formula.parameters.items()}
    values = {
        **given,
        "start": start,
        "end": end,
        "zone": zone,
        "today": business_today(zone),
        "digits": CURRENCY_DIGITS.get(rates.currency, 2),
        "codes": list(rates.by_currency),
        "rates": [rate.rate for rate in rates.by_currency.values()],
        "no_projects": patterns(measure.exclusions.get("project")),
        "no_causes": patterns(measure.exclusions.get("cause")),
    }
    return Asked(measure, formula, month, rates, values)


def patterns(globs: Any) -> list[str]:
    """`INT-*` as a regular expression of the database, anchored at both ends."""
    found = [str(one) for one in globs] if isinstance(globs, list) else []
    return [f"^(?:{'.*'.join(re.escape(part) for part in one.split('*'))})$" for one in found]


# Rows --------------------------------------------------------------------------------------------------------
def rows_of(asked: Asked, *, cause: str = "", limit: int | None = None) -> Iterator[MeasureRow]:
    """The rows behind the figure, largest first; those without a rate last."""
    narrowed = f"select * from ({asked.statement}) f where (%(cause)s = '' or f.cause = %(cause)s)"
    ordered = f"{narrowed} order by f.worth desc nulls last, f.key, f.record_id limit %(limit)s"
    with transaction.atomic(), plain_cursor() as cursor:
        _limit_time(cursor)
        cursor.execute(ordered, {**asked.values, "cause": cause, "limit": limit})
        found = cursor.fetchall()
        _limit_time(cursor, "0")
    for row in found:
        yield MeasureRow(*row)


def _limit_time(cursor: psycopg.Cursor[Any], seconds: str = f"{SECONDS}s") -> None:
    cursor.execute("select set_config('statement_timeout', %s, true)", [seconds])


@dataclass(frozen=True, slots=True)
class Figure:
    """What the rows of a month come to; `value` is None without a row that counts."""

    rows: int
    value: Decimal | None
    second: Decimal | None
    numerator: Decimal
    denominator: Decimal
    unconverted: Mapping[str, str]
    causes: Sequence[Sequence[Any]]


_FIGURE = """
with rows as materialized ({statement})
select count(worth), coalesce(sum(worth), 0), coalesce(sum(den) filter (where worth is not null), 0),
  percentile_cont(0.5) within group (order by worth)::numeric, percentile_cont(0.9) within group (order by worth)::numeric,
  coalesce((select jsonb_object_agg(currency, total::text) from (
    select currency, sum(num) as total from rows where worth is null group by currency) u), '{{}}')::text,
  coalesce((select jsonb_agg(jsonb_build_array(cause, n, total::text, parts::text) order by abs(total) desc, cause) from (
    select cause, count(*) as n, sum(worth) as total, sum(den) as parts from rows where worth is not null
    group by cause order by abs(sum(worth)) desc, cause limit %(causes)s) c), '[]')::text
from rows
"""


def figure(asked: Asked) -> Figure:
    """Raises psycopg errors for what a statement cannot do."""
    with transaction.atomic(), plain_cursor() as cursor:
        _limit_time(cursor)
        row = cursor.execute(_FIGURE.format(statement=asked.statement), {**asked.values, "causes": CAUSES}).fetchone()
        _limit_time(cursor, "0")
    assert row is not None
    count, numerator, denominator, median, ninetieth, unconverted, causes = row
    value, second = _value(asked.formula, count, numerator, denominator, median, ninetieth)
    return Figure(count, value, second, numerator, denominator, orjson.loads(unconverted), orjson.loads(causes))


def _value(
    formula: Formula,
    count: int,
    numerator: Decimal,
    denominator: Decimal,
    median: Decimal | None,
    ninetieth: Decimal | None,
) -> tuple[Decimal | None, Decimal | None]:
    if not count:
        return None, None
    if formula.aggregate == "median":
        assert median is not None
        assert ninetieth is not None
        return _rounded(median), _rounded(ninetieth)
    if formula.aggregate == "share":
        return (_rounded(100 * numerator / denominator) if denominator else None), None
    return numerator, None


def _rounded(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.000001"))


# What is missing -----------------------------------------------------------------------------------------------
def missing(formula: Formula) -> str:
    """What the formula needs and the hub does not have, as a sentence; empty when it has all."""
    lacking = [need for need in formula.needs if not _is_there(need)]
    if not lacking:
        return ""
    return f"Not connected: needs {' and '.join(_in_words(need) for need in lacking)}."


def _is_there(need: str) -> bool:
    entity, _, field = need.partition(".")
    filled = "" if not field else " and nullif(r.body ->> %(field)s, '') is not null"
    with plain_cursor() as cursor:
        row = cursor.execute(
            "select 1 from records_canonicalrecord r"
            " where r.entity_id = (select id from governance_entity where slug = %(entity)s)"
            f" and r.deleted_at is null{filled} limit 1",
            {"entity": entity, "field": field},
        ).fetchone()
    return row is not None


def _in_words(need: str) -> str:
    entity, _, field = need.partition(".")
    name = NAMES.get(entity) or entity.replace("_", " ").capitalize()
    what = f"the field {field.replace('_', ' ')} of {name}" if field else name
    return f"{what} from {SOURCES.get(entity, 'one of the systems')}"


def history_days() -> int:
    """For how many days the hub has been at work."""
    first = Run.objects.filter(started_at__isnull=False).aggregate(at=Min("started_at"))["at"]
    return max((business_now() - first).days, 0) if first else 0


# Keeping ---------------------------------------------------------------------------------------------------------
def compute(measure: Measure, month: str, *, rates: Rates | None = None) -> MeasureValue:
    """Compute one month and keep it. What cannot be computed is kept as such, with the reason."""
    kept = _judged(measure, month, rates)
    made, _ = MeasureValue.objects.update_or_create(measure=measure, month=month, defaults=kept)
    return made


def _judged(measure: Measure, month: str, rates: Rates | None) -> dict[str, Any]:
    blank: dict[str, Any] = {
        "value": None,
        "second": None,
        "rows": 0,
        "numerator": 0,
        "denominator": 0,
        "unconverted": {},
        "causes": [],
    }
    base = {**blank, "currency": "", "note": "", "computed_at": business_now()}
    asked = ask(measure, month, rates=rates)
    if asked is None:
        return {**base, "state": State.FAILED, "note": f"There is no formula {measure.formula!r}."}
    if sentence := missing(asked.formula):
        return {**base, "state": State.NOT_CONNECTED, "note": sentence}
    currency = asked.rates.currency if asked.formula.unit == "money" else ""
    if asked.formula.unit == "money" and not currency:
        return {**base, "state": State.NOT_CONNECTED, "note": "The firm has not said its currency."}
    try:
        found = figure(asked)
    except psycopg.errors.QueryCanceled:
        return {**base, "state": State.FAILED, "note": f"It took more than {SECONDS} s."}
    except psycopg.DataError as error:
        return {**base, "state": State.FAILED, "note": f"A value could not be read: {error.diag.message_primary}."}
    state = State.TOO_LITTLE if found.value is None else State.MEASURED
    return {**base, **_kept(found), "currency": currency, "state": state}


def _kept(found: Figure) -> dict[str, Any]:
    return {
        "value": found.value,
        "second": found.second,
        "rows": found.rows,
        "numerator": found.numerator,
        "denominator": found.denominator,
        "unconverted": dict(found.unconverted),
        "causes": [list(cause) for cause in found.causes],
        "note": "" if found.value is not None else "Nothing in this month counts yet.",
    }


def this_month() -> str:
    firm = Firm.objects.first()
    return period_of(business_today(firm.time_zone if firm else "UTC"))


def months_of(formula: Formula | None, *, whole: bool) -> list[str]:
    """The months that are computed: a stock has no past, the others this month and the last one, or all of a year."""
    now = this_month()
    if formula is not None and formula.is_stock:
        return [now]
    return [shift_period(now, -back) for back in range(MONTHS if whole else 2)][::-1]


def compute_due() -> int:
    """Measures that are new, and those whose figure is older than a quarter of an hour."""
    old = business_now() - timedelta(seconds=EVERY_SECONDS)
    rows = Measure.objects.annotate(at=Max("values__computed_at")).filter(Q(at__isnull=True) | Q(at__lt=old))
    due = list(rows.values_list("pk", flat=True))
    return compute_all(only=due) if due else 0


def compute_all(*, whole: bool = False, only: Sequence[int] | None = None) -> int:
    """Every measure, or those of these ids; returns how many values were kept. Two at once do no harm: the second finds the
    lock taken."""
    with transaction.atomic():
        with plain_cursor() as cursor:
            row = cursor.execute("select pg_try_advisory_xact_lock(%s)", [LOCK]).fetchone()
        if row is None or not row[0]:
            return 0
        rates, number = rates_on(), 0
        measures = Measure.objects.all() if only is None else Measure.objects.filter(pk__in=only)
        for measure in measures:
            fresh = whole or measure.values.count() <= 2
            for month in months_of(find(measure.formula), whole=fresh):
                compute(measure, month, rates=rates)
                number += 1
    return number
