"""A term is measured in the hub and in every system; what cannot be measured says why and is never equal."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from governance.terms.parsing import parse
from hub.common.errors import PermanentError
from hub.common.times import set_business_clock
from monitoring.glossary import canonical
from monitoring.glossary.measuring import look, measure
from monitoring.glossary.periods import Span, span_of
from monitoring.glossary.streams import StreamTally
from monitoring.glossary.tallies import Unmeasured
from tests import memory
from tests.glossary import builders as build

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("model")]
MARCH = Span(date(2026, 3, 1), date(2026, 3, 31))


def hub(text: str, span: Span | None = None, currency: str = "") -> Decimal:
    return canonical.measure(parse(text), span=span, currency=currency)


@pytest.fixture
def time(model: Any) -> None:
    build.entries(
        {"hours": "7.50", "status": "approved", "date": "2026-03-02", "is_billable": True, "invoice": "I-1"},
        {"hours": "2.25", "status": "approved", "date": "2026-04-01", "is_billable": False, "invoice": None},
        {"hours": "1.00", "status": "draft", "date": "2026-03-31", "is_billable": None, "invoice": ""},
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (build.APPROVED, "9.75"),
        ("sum(hours) of time_entry where date in period", "8.5"),
        ("count() of time_entry where status != 'approved'", "1"),
        ("count(invoice) of time_entry", "1"),
        ("count() of time_entry where invoice is blank", "2"),
        ("count() of time_entry where not is_billable = true", "2"),
        ("distinct(status) of time_entry", "2"),
        ("avg(hours) of time_entry where status = 'approved'", "4.875"),
        ("sum(hours * 2 - 1) of time_entry where hours >= 2 and hours < 7.5", "3.5"),
        ("count() of time_entry where status in ('draft', 'approved') and not date > '2026-03-31'", "2"),
        ("sum(hours) of time_entry where status = 'approved' / sum(hours) of time_entry", "0.906977"),
        ("100 * (count() of time_entry - 1) / count() of time_entry", "66.666667"),
        ("sum(hours) of time_entry where status = 'rejected'", "0"),
    ],
)
def test_the_hub_computes(time: None, text: str, number: str) -> None:
    assert hub(text, MARCH) == Decimal(number)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("count() of project", "holds no record of project yet"),
        ("avg(hours) of time_entry where status = 'rejected'", "no average"),
        ("count() of time_entry / count() of time_entry where status = 'rejected'", "divided by nothing"),
        ("count() of time_entry where date in period", "taken over all time"),
    ],
)
def test_what_the_hub_cannot_compute_it_says(time: None, text: str, said: str) -> None:
    with pytest.raises(Unmeasured, match=said):
        hub(text)


def test_amounts_of_another_currency_are_never_added_up() -> None:
    build.entries({"amount": "10", "currency": "EUR"}, {"amount": "10", "currency": "USD"})
    with pytest.raises(Unmeasured, match="1 amounts are in another currency"):
        hub("sum(amount) of time_entry", currency="EUR")
    assert hub('sum(amount) of time_entry where currency = "EUR"', currency="EUR") == 10


def test_a_record_that_is_gone_does_not_count(time: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("update records_canonicalrecord set deleted_at = now() where body ->> 'status' = 'approved'")
    assert hub("count() of time_entry") == 1


def test_text_of_an_author_never_stands_in_the_sql(time: None) -> None:
    assert hub("""count() of time_entry where notes = "x'; drop table records_canonicalrecord; --" """) == 0
    assert hub("count() of time_entry where notes = '%s %(entity)s'") == 0


RECORD = st.fixed_dictionaries(
    {
        "hours": st.sampled_from(["0", "0.25", "7.5", "24", "1e1"]),
        "status": st.sampled_from(["approved", "draft", None, ""]),
        "is_billable": st.sampled_from([True, False, None]),
        "date": st.sampled_from(["2026-02-28", "2026-03-01", "2026-03-31", "2026-04-01"]),
        "role": st.sampled_from([None, "", "a", "B", "é", "zz"]),
    }
)
LEAF = st.sampled_from(
    [
        "status = 'approved'", "status != 'draft'", "is_billable = true", "is_billable != false", "hours > 1", "hours <= 7.5",
        "hours != 24", "date in period", "date not in period", "role is blank", "role is not blank", "role >= 'a'",
        "role in ('B', 'zz')", "date < '2026-03-31'",
    ]
)  # fmt: skip
CONDITION = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        inner.map(lambda text: f"not ({text})"),
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
    ),
    max_leaves=5,
)
VALUE = st.sampled_from(["sum(hours)", "count()", "count(role)", "distinct(role)", "sum(hours * 2 - 1)", "avg(hours)"])


@given(records=st.lists(RECORD, min_size=1, max_size=6), value=VALUE, condition=CONDITION)
@hypothesis_settings(max_examples=150)
def test_the_store_and_a_stream_of_the_same_records_give_the_same_number(
    records: list[dict[str, Any]], value: str, condition: str
) -> None:
    from django.db import transaction

    stream = StreamTally(parse(f"{value} where {condition}", of_stream=True), MARCH)
    stream.add(records)
    with transaction.atomic():
        build.entries(*records)
        assert told(lambda: hub(f"{value} of time_entry where {condition}", MARCH)) == told(stream.number)
        transaction.set_rollback(True)


def told(compute: Any) -> Any:
    try:
        return compute()
    except Unmeasured as error:
        return error.what


# --- systems --------------------------------------------------------------------------------------------------------


def test_a_stream_is_counted_in_the_systems_own_words(time: None) -> None:
    records = [{"id": n, "hours": h, "state": s} for n, (h, s) in enumerate([(7.5, "OK"), ("2.25", "OK"), (9, "NO")])]
    build.memory_connection("psa2", records)
    found = look(build.term(probes=[build.stream_probe("psa2")]))
    assert [each.as_data() for each in found.readings] == [
        {
            "system": "psa2",
            "name": "PSA2",
            "connection": "psa2",
            "value": "9.75",
            "difference": "0",
            "state": "equal",
            "note": "",
        }
    ]
    assert found.state == "equal"


def test_a_system_that_is_down_says_so_and_is_not_equal(time: None) -> None:
    build.memory_connection("psa2", [])
    memory.system("psa2").fail_with.append(PermanentError("The system is closed for the night."))
    made = measure(build.term(probes=[build.stream_probe("psa2")]))
    assert made.state == "unmeasured"
    assert made.systems[0]["state"] == "unmeasured"
    assert "closed for the night" in made.systems[0]["note"]


def test_an_empty_stream_is_no_zero(model: None) -> None:
    build.entries({"hours": "1", "status": "draft"})
    build.memory_connection("psa2", [])
    found = look(build.term(probes=[build.stream_probe("psa2")]))
    assert found.hub == 0
    assert found.state == "unmeasured"
    assert "shows no record" in found.readings[0].note


def test_a_record_that_cannot_be_counted_leaves_no_number(time: None) -> None:
    build.memory_connection("psa2", [{"id": 1, "hours": "seven", "state": "OK"}])
    found = look(build.term(probes=[build.stream_probe("psa2")]))
    assert "A record cannot be counted" in found.readings[0].note


def test_a_term_without_a_probe_is_measured_in_the_hub_and_is_not_equal_to_anything(time: None) -> None:
    made = measure(build.term())
    assert (made.hub, made.systems, made.state) == (Decimal("9.75"), [], "unmeasured")


def test_a_system_has_a_number_where_the_hub_has_none() -> None:
    build.memory_connection("psa2", [{"id": 1, "hours": "7", "state": "OK"}])
    found = look(build.term(probes=[build.stream_probe("psa2")]))
    assert "no record of time_entry" in found.hub_note
    assert found.readings[0].value == 7
    assert found.state == "unmeasured"


@pytest.mark.parametrize(
    ("tolerance", "kind", "state"),
    [("0", "absolute", "apart"), ("0.25", "absolute", "equal"), ("2", "percent", "apart"), ("2.6", "percent", "equal")],
)
def test_numbers_part_beyond_the_tolerance(time: None, tolerance: str, kind: str, state: str) -> None:
    build.memory_connection("psa2", [{"id": 1, "hours": "10", "state": "OK"}])
    term = build.term(probes=[build.stream_probe("psa2")], tolerance=tolerance, tolerance_kind=kind)
    found = look(term)
    assert found.readings[0].difference == Decimal("0.25")
    assert found.state == state


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("week", "2026-03-30", "2026-04-05"),
        ("last_week", "2026-03-23", "2026-03-29"),
        ("month", "2026-04-01", "2026-04-30"),
        ("last_month", "2026-03-01", "2026-03-31"),
        ("quarter", "2026-04-01", "2026-06-30"),
        ("last_quarter", "2026-01-01", "2026-03-31"),
        ("year", "2026-01-01", "2026-12-31"),
    ],
)
def test_periods_are_whole(period: str, start: str, end: str) -> None:
    assert str(span_of(period, date(2026, 4, 2))) == f"{start} to {end}"


def test_the_period_follows_the_business_clock(time: None) -> None:
    from datetime import UTC, datetime

    set_business_clock(datetime(2026, 4, 2, tzinfo=UTC))
    found = look(build.term(expression=f"{build.APPROVED} and date in period", period="last_month"))
    assert (found.hub, found.span) == (Decimal("7.5"), MARCH)
