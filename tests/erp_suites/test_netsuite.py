"""NetSuite as declared, against a system that checks signatures, counts requests at once and carries jobs out later."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from connectors import catalog
from connectors.jobs import MemoryBook
from connectors.simulators.netsuite import NetSuiteSimulator
from hub.common.errors import AuthError, RecordError, TransientError
from tests.erp_suites.bench import Bench, item, last_cursor, read_all, write

TABLES = {
    "customers": "customer",
    "jobs": "job",
    "project_tasks": "projectTask",
    "resource_allocations": "resourceAllocation",
    "employees": "employee",
    "time_bills": "timeBill",
    "invoices": "invoice",
    "transaction_lines": "transactionLine",
    "subsidiaries": "subsidiary",
    "departments": "department",
    "invoice_ids": "invoice",
    "invoice_documents": "invoice",
}
# one body for each stream that is written: what is written first, and what changes
WRITES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "customers": ({"entityId": "C-77", "companyName": "Fenwick"}, {"companyName": "Fenwick & Co"}),
    "jobs": ({"entityId": "P-77", "companyName": "Move"}, {"companyName": "Move on"}),
    "project_tasks": ({"company": {"id": "1000"}, "title": "Plan"}, {"title": "Plan again"}),
    "resource_allocations": (
        {
            "allocationResource": {"id": "200"},
            "project": {"id": "1000"},
            "startDate": "2026-12-01",
            "endDate": "2026-12-31",
            "allocationAmount": 50,
        },
        {"allocationAmount": 60},
    ),
    "employees": ({"entityId": "E-77", "firstName": "Ada", "lastName": "Moss"}, {"lastName": "Moor"}),
    "time_bills": (
        {"externalId": "T-77", "employee": {"id": "200"}, "tranDate": "2026-11-20", "hours": "7:30"},
        {"hours": "8:00"},
    ),
    "invoices": ({"entity": {"id": "100"}, "tranDate": "2026-11-20"}, {"memo": "late"}),
}


@pytest.fixture
def bench() -> Iterator[Bench]:
    found = Bench(NetSuiteSimulator)
    yield found
    found.close()


@pytest.fixture(scope="module")
def full() -> Iterator[Bench]:
    """A firm with hours and invoices; nobody writes here."""
    found = Bench(NetSuiteSimulator, "small")
    yield found
    found.close()


# --- signing in ----------------------------------------------------------------------------------------------------


def test_the_test_of_the_connection_says_who_we_are(bench: Bench) -> None:
    with bench.connect() as connector:
        steps = list(connector.check())
    assert [(step.name, step.ok) for step in steps] == [
        (name, True) for name in ("resolve", "connect", "authenticate", "read")
    ], steps
    assert "Harrow & Vale" in steps[2].detail


def pem_of(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("algorithm", "sentence"), [("PS256", "does not fit the certificate"), ("RS256", "RS256 is not allowed")]
)
def test_an_assertion_that_the_system_cannot_accept_is_refused_in_its_words(
    bench: Bench, algorithm: str, sentence: str
) -> None:
    key = pem_of(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    text = (catalog.SHIPPED / "netsuite.yaml").read_text().replace("${config.algorithm}", algorithm)
    opened = bench.connect(catalog.parse(text), secrets={"private_key": key})
    with opened as connector, pytest.raises(AuthError, match=sentence):
        read_all(connector, "customers")


TOKEN = {"sign_in": "token"}


def test_requests_that_are_signed_with_a_token_are_let_in(bench: Bench) -> None:
    with bench.connect(config=TOKEN) as connector:
        assert len(read_all(connector, "customers", page_size=2)) == bench.control.counts()["customer"]
        assert read_all(connector, "invoice_ids") is not None
    assert not bench.asked("oauth2/v1/token")


@pytest.mark.parametrize(
    ("config", "secrets", "sentence"),
    [
        ({}, {"token_secret": "another"}, "signature is wrong"),
        ({"account": "7654321"}, {}, "realm must be the account"),
        ({}, {"consumer_key": "unknown"}, "consumer key or the token is not known"),
    ],
)
def test_a_wrong_signature_is_refused_with_the_system_s_sentence(
    bench: Bench, config: dict[str, Any], secrets: dict[str, str], sentence: str
) -> None:
    with bench.connect(config={**TOKEN, **config}, secrets=secrets) as connector:
        failed = list(connector.check())[-1]
    assert (failed.name, failed.ok) == ("authenticate", False)
    assert sentence in failed.cause


def test_a_signed_request_cannot_be_played_again(bench: Bench) -> None:
    seen: list[dict[str, str]] = []
    guard = bench.simulator.guard
    bench.simulator.guard = lambda request: (seen.append(dict(request.headers)), guard(request))[1]  # type: ignore[method-assign, func-returns-value]
    with bench.connect(config=TOKEN) as connector:
        read_all(connector, "invoice_ids")
    url = f"{bench.server.url}/services/rest/record/v1/invoice?limit=1000&offset=0"
    again = httpx.get(url, headers={"Authorization": seen[0]["authorization"]})
    assert again.status_code == 401
    assert "nonce has been used" in again.text


def test_a_token_that_ends_in_the_middle_is_renewed_once(bench: Bench) -> None:
    with bench.connect() as connector:
        read_all(connector, "subsidiaries")
        bench.control.add_fault("expire_token", path="suiteql")
        assert read_all(connector, "customers")
    assert len(bench.asked("oauth2/v1/token")) == 2


# --- reading -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", TABLES)
def test_every_stream_is_read_whole_whatever_the_page(full: Bench, stream: str) -> None:
    with full.connect() as connector:
        key = full.declaration().streams[stream]["key"]
        ids = [record[key] for record in read_all(connector, stream)]
        small = [record[key] for record in read_all(connector, stream, page_size=90)]
    assert len(ids) == len(set(ids)) == full.control.counts()[TABLES[stream]]
    assert small == ids


def test_more_rows_than_a_query_reaches_are_read_by_key(full: Bench) -> None:
    """A query by offset would end at the ceiling and look complete."""
    full.control.settings(row_limit=501)
    with full.connect() as connector:
        found = read_all(connector, "time_bills", page_size=500)
    full.control.settings(row_limit=0)
    assert len(found) == full.control.counts()["timeBill"] > 501


def test_the_cursor_leads_to_what_changed_since(bench: Bench) -> None:
    with bench.connect(config={"time_zone": "UTC"}) as connector:
        cursor = last_cursor(connector, "customers")
        write(connector, "customers", item("NEW-1", {"entityId": "NEW-1", "companyName": "New"}))
        assert "NEW-1" in {record["entityid"] for record in read_all(connector, "customers", cursor)}
        assert len(read_all(connector, "jobs", last_cursor(connector, "jobs"))) < bench.control.counts()["job"]


def test_a_list_of_ids_is_followed_to_each_record_with_its_lines(full: Bench) -> None:
    with full.connect() as connector:
        documents = read_all(connector, "invoice_documents")
    rows = {row["id"]: row for row in full.control.state("invoice")}
    assert documents
    assert all(len(doc["item"]["items"]) == len(rows[doc["id"]]["item"]["items"]) for doc in documents)


# --- writing: one proof for each operation -------------------------------------------------------------------------


@pytest.mark.parametrize("stream", WRITES)
def test_writing_twice_makes_one_object(bench: Bench, stream: str) -> None:
    before = bench.control.counts()[TABLES[stream]]
    made, changed = WRITES[stream]
    with bench.connect() as connector:
        first, again = (write(connector, stream, item("T-77", made))[0] for _ in range(2))
        third = write(connector, stream, item("T-77", {**made, **changed}, attempt="2"))[0]
    assert [outcome.error for outcome in (first, again, third)] == [None, None, None]
    assert first.ref
    assert first.ref == again.ref == third.ref
    assert bench.control.counts()[TABLES[stream]] == before + 1
    row = next(row for row in bench.control.state(TABLES[stream]) if row["externalId"] == "T-77")
    assert {name: row[name] for name in changed} == changed


def test_a_record_is_closed_and_deleted_by_its_id(bench: Bench) -> None:
    with bench.connect() as connector:
        made = write(connector, "customers", item("T-78", {"entityId": "T-78", "companyName": "Gone"}))[0]
        closed = write(connector, "customers", item("T-78", {}, "deactivate", made.ref))[0]
        assert closed.status == "updated"
        assert next(r for r in bench.control.state("customer") if r["externalId"] == "T-78")["isInactive"] is True
        for _ in range(2):
            assert write(connector, "customers", item("T-78", {}, "delete", made.ref))[0].error is None
    assert not [r for r in bench.control.state("customer") if r["externalId"] == "T-78"]


def test_one_bad_record_touches_no_other(bench: Bench) -> None:
    good = {"employee": {"id": "200"}, "tranDate": "2026-11-20", "hours": "7:30"}
    bodies = [{**good, "externalId": f"B-{n}"} for n in range(5)]
    bodies[2]["hours"] = "half a day"
    with bench.connect() as connector:
        outcomes = write(connector, "time_bills", *[item(body["externalId"], body) for body in bodies])
    assert [outcome.status for outcome in outcomes] == ["created", "created", "failed", "created", "created"]
    error = outcomes[2].error
    assert isinstance(error, RecordError)
    assert error.field == "hours"
    assert "half a day" in str(error)


def test_an_external_id_with_odd_characters_is_refused_in_a_sentence(bench: Bench) -> None:
    with bench.connect() as connector:
        outcome = write(connector, "customers", item("A|B", {"entityId": "X", "companyName": "X"}))[0]
    assert outcome.status == "failed"
    assert "letters, digits, - or _" in str(outcome.error)


# --- jobs ----------------------------------------------------------------------------------------------------------

TIME = {"externalId": "J-1", "employee": {"id": "200"}, "tranDate": "2026-11-20", "hours": "1:00"}


def made_jobs(bench: Bench) -> int:
    return len(bench.simulator.jobs.jobs)  # type: ignore[attr-defined]


def test_a_write_that_is_still_at_work_is_asked_about_and_not_sent_again(bench: Bench) -> None:
    bench.control.settings(job_steps=3)
    book = MemoryBook()
    with bench.connect(limits={"job_wait_seconds": 0}) as connector:
        connector.jobs = book
        outcomes = [write(connector, "time_bills", item("J-1", TIME))[0] for _ in range(4)]
    assert [outcome.status for outcome in outcomes] == ["failed", "failed", "failed", "created"]
    waiting = outcomes[0].error
    assert isinstance(waiting, TransientError)
    assert (waiting.code, waiting.retry_after) == ("RUNNING", 0.01)
    assert made_jobs(bench) == 1
    assert book.find("time_bills", ["J-1"]) == {}


def test_an_answer_to_the_submission_that_is_lost_makes_no_second_object(bench: Bench) -> None:
    """The same key is refused with the address of the job that the lost answer named."""
    bench.control.add_fault("drop", method="POST", path="record/v1/timeBill", when="after")
    before = bench.control.counts()["timeBill"]
    with bench.connect() as connector:
        lost, again = (write(connector, "time_bills", item("J-1", TIME))[0] for _ in range(2))
    assert lost.status == "failed"
    assert again.status == "created"
    assert made_jobs(bench) == 1
    assert bench.control.counts()["timeBill"] == before + 1


def test_a_newer_version_waits_until_the_job_of_the_older_one_is_over(bench: Bench) -> None:
    bench.control.settings(job_steps=2)
    with bench.connect(limits={"job_wait_seconds": 0}) as connector:
        connector.jobs = MemoryBook()
        write(connector, "time_bills", item("J-1", TIME))
        newer = item("J-1", {**TIME, "hours": "2:00"}, attempt="2")
        assert write(connector, "time_bills", newer)[0].error.code == "RUNNING"  # type: ignore[union-attr]
        for _ in range(3):
            outcome = write(connector, "time_bills", newer)[0]
    assert outcome.status == "updated"
    hours = [row["hours"] for row in bench.control.state("timeBill") if row["externalId"] == "J-1"]
    assert hours == ["2:00"]


# --- limits --------------------------------------------------------------------------------------------------------


def test_too_many_requests_at_once_are_understood_with_either_status(bench: Bench) -> None:
    bench.control.settings(concurrency=1)
    bench.control.add_fault("latency", path="suiteql", seconds=0.3, times=None)
    with bench.connect() as connector:
        connector.api.sign_in()  # type: ignore[attr-defined]
        with ThreadPoolExecutor(3) as pool:
            tries = [pool.submit(read_all, connector, "customers") for _ in range(3)]
        errors = [error for error in (future.exception() for future in tries) if error]
    statuses = {entry["status"] for entry in bench.asked("suiteql")}
    assert {400, 429} & statuses
    assert errors
    assert all(isinstance(error, TransientError) and error.code == "THROTTLED" for error in errors)
    assert all(error.retry_after == 5 for error in errors)  # type: ignore[union-attr]


def test_the_wait_that_the_system_asks_for_is_told_to_the_engine(bench: Bench) -> None:
    bench.control.add_fault("throttle", path="record", retry_after=7)
    with bench.connect() as connector:
        connector.api.sign_in()  # type: ignore[attr-defined]
        outcome = write(connector, "customers", item("T-1", {"entityId": "T-1", "companyName": "T"}))[0]
    assert isinstance(outcome.error, TransientError)
    assert outcome.error.retry_after == 7


# --- the simulator itself ------------------------------------------------------------------------------------------


def test_a_reused_idempotency_key_must_be_a_uuid_and_names_the_job(bench: Bench) -> None:
    with bench.connect() as connector:
        connector.api.sign_in()  # type: ignore[attr-defined]
        token = connector.api.auth.credentials().headers  # type: ignore[attr-defined]
    url = f"{bench.server.url}/services/rest/record/v1/timeBill"
    head = {**token, "Prefer": "respond-async", "X-NetSuite-idempotency-key": "cac827ea-3543-4cda-add2-bae634326c27"}
    first, again = (httpx.post(url, content=orjson.dumps(TIME), headers=head) for _ in range(2))
    odd = httpx.post(url, content=orjson.dumps(TIME), headers={**head, "X-NetSuite-idempotency-key": "mine"})
    assert (first.status_code, again.status_code, odd.status_code) == (202, 400, 400)
    assert first.headers["location"] == again.headers["location"]
