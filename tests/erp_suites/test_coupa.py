"""Coupa as declared: pages of fifty, conditions in brackets, errors by field, and the export mark."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors.simulators.coupa import CLIENT_ID, CLIENT_SECRET, CoupaSimulator
from hub.common.errors import RecordError, TransientError
from hub.common.records import StreamSpec
from tests.erp_suites.bench import Bench, item, last_cursor, read_all, write

READ = ("suppliers", "purchase_orders", "invoices", "expense_reports", "requisitions", "users")


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench(CoupaSimulator)
    yield found
    found.close()


@pytest.fixture(scope="module")
def full() -> Iterator[Bench]:
    """A firm with expenses enough for several pages; nobody writes here."""
    found = Bench(CoupaSimulator, "small")
    yield found
    found.close()


@pytest.fixture
def client(full: Bench) -> Iterator[httpx.Client]:
    form = {
        "grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
        "scope": "core.invoice.read",
    }  # fmt: skip
    token = httpx.post(f"{full.server.url}/oauth2/token", data=form).json()["access_token"]
    with httpx.Client(base_url=f"{full.server.url}/api", headers={"Authorization": f"Bearer {token}"}) as found:
        yield found


# --- reading -------------------------------------------------------------------------------------------------------


def test_the_test_of_the_connection_passes_and_a_wrong_secret_is_refused(bench: Bench) -> None:
    with bench.connect() as connector:
        assert all(step.ok for step in connector.check())
    with bench.connect(secrets={"client_secret": "wrong"}) as connector:
        failed = list(connector.check())[-1]
    assert (failed.name, failed.ok) == ("authenticate", False)
    assert "Client authentication failed" in failed.cause


@pytest.mark.parametrize("stream", READ)
def test_every_stream_is_read_whole_by_pages_of_fifty(full: Bench, stream: str) -> None:
    with full.connect() as connector:
        ids = [record["id"] for record in read_all(connector, stream)]
        greedy = [record["id"] for record in read_all(connector, stream, page_size=400)]
    assert len(ids) == len(set(ids)) == full.control.counts()[stream]
    assert greedy == ids


def test_the_cursor_leads_to_what_changed_since(bench: Bench) -> None:
    with bench.connect() as connector:
        cursor = last_cursor(connector, "suppliers")
        write(connector, "suppliers", item("S-900", {"number": "S-900", "name": "New Supplier"}))
        changed = {record["number"] for record in read_all(connector, "suppliers", cursor)}
    assert "S-900" in changed
    assert len(changed) < bench.control.counts()["suppliers"]


# --- writing: one proof for each operation -------------------------------------------------------------------------

SUPPLIER = {"supplier": {"number": "S-1"}, "currency": {"code": "GBP"}}
WRITES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "suppliers": ("number", {"name": "Fenwick"}, {"name": "Fenwick & Co"}),
    "purchase_orders": ("external-ref-num", SUPPLIER, {"currency": {"code": "EUR"}}),
    "invoices": (
        "external-ref-num",
        {**SUPPLIER, "invoice-number": "N-1", "invoice-date": "2026-11-20"},
        {"invoice-number": "N-2"},
    ),
    "requisitions": ("external-ref-num", {"title": "Chairs"}, {"title": "Tables"}),
}


@pytest.mark.parametrize("stream", WRITES)
def test_writing_twice_makes_one_object(bench: Bench, stream: str) -> None:
    key, made, changed = WRITES[stream]
    before = bench.control.counts()[stream]
    with bench.connect() as connector:
        first, again = (write(connector, stream, item("T-77", {key: "T-77", **made}))[0] for _ in range(2))
        third = write(connector, stream, item("T-77", {key: "T-77", **made, **changed}, attempt="2"))[0]
    assert [outcome.status for outcome in (first, again, third)] == ["created", "updated", "updated"]
    assert first.ref == again.ref == third.ref
    assert bench.control.counts()[stream] == before + 1
    row = next(row for row in bench.control.state(stream) if row[key] == "T-77")
    assert {name: row[name] for name in changed} == changed


def test_a_supplier_is_closed_and_not_deleted(bench: Bench) -> None:
    with bench.connect() as connector:
        made = write(connector, "suppliers", item("S-901", {"number": "S-901", "name": "Gone"}))[0]
        assert write(connector, "suppliers", item("S-901", {}, "deactivate", made.ref))[0].status == "updated"
        assert connector.removals(StreamSpec("suppliers")) == {"deactivate"}
    assert next(row for row in bench.control.state("suppliers") if row["number"] == "S-901")["status"] == "inactive"


def test_the_export_mark_is_a_request_of_its_own_and_may_be_repeated(full: Bench) -> None:
    order = full.control.state("purchase_orders")[0]
    with full.connect() as connector:
        mark = item("x", {"status": "cancelled"}, "update", str(order["id"]))
        marks = [write(connector, "purchase_order_marks", mark)[0] for _ in range(2)]
    assert [mark.status for mark in marks] == ["updated", "updated"]
    after = full.control.state("purchase_orders")[0]
    assert (after["exported"], after["status"]) == (True, order["status"])
    assert after["last-exported-at"]


def test_one_bad_record_touches_no_other_and_names_its_field(bench: Bench) -> None:
    made = {**SUPPLIER, "invoice-date": "2026-11-20"}
    bodies = [{**made, "external-ref-num": f"B-{n}", "invoice-number": f"B-{n}"} for n in range(3)]
    bodies[1] = {**bodies[1], "supplier": {"number": "S-404"}}
    with bench.connect() as connector:
        outcomes = write(connector, "invoices", *[item(body["external-ref-num"], body) for body in bodies])
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "created"]
    error = outcomes[1].error
    assert isinstance(error, RecordError)
    assert (error.field, "S-404 could not be found" in str(error)) == ("supplier", True)


def test_a_lost_answer_is_settled_by_asking(bench: Bench) -> None:
    bench.control.add_fault("drop", method="POST", path="/api/suppliers", when="after")
    body = {"number": "S-902", "name": "Once"}
    with bench.connect() as connector:
        assert write(connector, "suppliers", item("S-902", body))[0].status == "unsure"
        assert set(connector.find(StreamSpec("suppliers"), ["S-902"])) == {"S-902"}
        assert write(connector, "suppliers", item("S-902", body))[0].status == "updated"
    assert sum(row["number"] == "S-902" for row in bench.control.state("suppliers")) == 1


def test_the_wait_that_the_system_asks_for_is_told_to_the_engine(bench: Bench) -> None:
    bench.control.add_fault("throttle", path="/api/", retry_after=9)
    with bench.connect() as connector, pytest.raises(TransientError) as caught:
        read_all(connector, "suppliers")
    assert (caught.value.code, caught.value.retry_after) == ("THROTTLED", 9)


# --- the simulator itself ------------------------------------------------------------------------------------------


def test_conditions_in_brackets_narrow_a_list(client: httpx.Client) -> None:
    def ids(**query: str) -> int:
        return len(client.get("/invoices", params=query).json())

    some = client.get("/invoices").json()
    assert len(some) == 50
    name = some[0]["supplier"]["name"]
    assert all(
        each["supplier"]["name"] == name for each in client.get("/invoices", params={"supplier[name]": name}).json()
    )
    assert ids(**{"invoice_number[in]": "INV-1,INV-2"}) == 2
    assert ids(**{"total_with_taxes[gt]": "100000000"}) == 0
    assert client.get("/invoices", params={"nonsense[gt]": "1"}).status_code == 400
    chosen = client.get("/invoices", params={"fields": '["id",{"supplier":["name"]}]', "limit": "1"}).json()[0]
    assert (set(chosen), set(chosen["supplier"])) == ({"id", "supplier"}, {"name"})


def test_the_same_is_told_in_xml(client: httpx.Client) -> None:
    answer = client.get("/invoices", params={"limit": "1"}, headers={"Accept": "application/xml"})
    assert answer.headers["content-type"] == "application/xml"
    assert answer.text.startswith('<?xml version="1.0" encoding="UTF-8"?><invoices type="array"><invoice><id>')
    assert "<errors>" in client.get("/invoices/1", headers={"Accept": "application/xml"}).text


def test_nothing_is_deleted_and_unknown_scopes_are_refused(full: Bench, client: httpx.Client) -> None:
    assert client.delete("/suppliers/1001").status_code == 405
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "scope": "all"}
    assert httpx.post(f"{full.server.url}/oauth2/token", data=form).json()["error"] == "invalid_scope"
