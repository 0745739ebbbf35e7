"""A database is asked by a read-only query for one number; whatever else it gives, or does not, is told."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from connectors import circuits
from connectors.services import open_connection
from governance.terms.probes import Probe
from hub.common.errors import ConfigError, HubError
from monitoring.glossary.measuring import look
from monitoring.glossary.periods import Span
from monitoring.glossary.probing import ask
from tests.glossary import builders as build

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("model")]
POSTED = "select sum(hours) from posted where state = 'P'"


@pytest.fixture
def erp(books: Any) -> Any:
    books.execute(
        "insert into posted values ('1', 7.5, 'P', '2026-03-02'), ('2', 2.25, 'P', '2026-04-01'), ('3', 1, 'D', null)"
    )
    return build.sql_connection()


def number(connection: Any, query: str, span: Span | None = None) -> Decimal:
    return ask(Probe("erp", query=query), connection, span)


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (POSTED, "9.75"),
        (f"{POSTED};", "9.75"),
        ("with p as (select hours from posted where state = 'P') select max(hours) from p -- the largest", "7.5"),
        ("select count(*) from posted where number <> 'a;b'", "3"),
        ("select count(*)::int from posted", "3"),
        ("select 1 / 3.0", "0.333333"),
    ],
)
def test_a_second_database_gives_its_number(erp: Any, query: str, value: str) -> None:
    assert number(erp, query) == Decimal(value)


def test_a_query_may_name_the_days_of_the_period(erp: Any) -> None:
    march = Span(date(2026, 3, 1), date(2026, 3, 31))
    query = "select coalesce(sum(hours), 0) from posted where day between :period_start and :period_end"
    assert number(erp, query, march) == Decimal("7.5")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("delete from posted", "must begin with select"),
        ("select 1; delete from posted", "more than one statement"),
        ("with gone as (delete from posted returning 1) select count(*) from gone", "The database says"),
        ("select 1) asked; delete from posted; select * from (select 1", "more than one statement"),
        ("select count(*) from nowhere", "does not exist"),
        ("select hours from posted", "several rows"),
        ("select 1, 2", "2 columns"),
        ("select 1 where false", "no row"),
        ("select sum(hours) from posted where false", "gave null"),
        ("select 'many'", "not a number"),
        ("select sum(hours) from posted where day > :since", "Nothing is known of :since"),
    ],
)
def test_anything_but_one_number_is_refused(erp: Any, books: Any, query: str, said: str) -> None:
    with pytest.raises(HubError, match=said):
        number(erp, query)
    assert books.execute("select count(*) from posted").fetchone() == (3,)


def test_a_function_that_writes_is_stopped_by_the_transaction(erp: Any, books: Any) -> None:
    books.execute("create function sweep() returns int language sql as $$ delete from posted; select 1 $$")
    with pytest.raises(HubError, match="read-only"):
        number(erp, "select sweep()")
    assert books.execute("select count(*) from posted").fetchone() == (3,)


def test_a_query_that_takes_too_long_is_given_up(erp: Any) -> None:
    with open_connection(erp) as connector, pytest.raises(HubError, match="timeout"):
        connector.ask("select 1 from pg_sleep(5)", parameters={}, seconds=1)


def test_a_database_that_cannot_be_reached_says_so(model: None) -> None:
    build.entries({"hours": "7.5", "status": "approved"})
    build.sql_connection("gone", host="127.0.0.1", port=1)
    found = look(build.term(probes=[{"connection": "gone", "query": POSTED}]))
    assert found.state == "unmeasured"
    assert found.readings[0].note


def test_a_system_that_is_left_alone_is_not_asked(erp: Any) -> None:
    circuits.note_failure(erp.pk, "The server is on fire.", trip=True)
    build.entries({"hours": "7.5", "status": "approved"})
    found = look(build.term(probes=[{"connection": "erp", "query": POSTED}]))
    assert "The server is on fire." in found.readings[0].note
    assert found.readings[0].value is None


def test_a_system_without_a_query_language_is_read_by_its_streams() -> None:
    build.memory_connection("psa2", [])
    with pytest.raises(ConfigError, match="takes no queries"):
        build.term(probes=[{"connection": "psa2", "query": "select 1"}])


def test_the_systems_differ_in_one_measurement(erp: Any) -> None:
    build.entries({"hours": "7.5", "status": "approved"})
    build.memory_connection("psa2", [{"id": 1, "hours": "7.5", "state": "OK"}])
    term = build.term(probes=[{"connection": "erp", "query": POSTED}, build.stream_probe("psa2")])
    found = look(term)
    assert [(each.connection, each.state, each.difference) for each in found.readings] == [
        ("erp", "apart", Decimal("2.25")),
        ("psa2", "equal", Decimal(0)),
    ]
