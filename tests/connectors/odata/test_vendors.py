"""The shipped declarations of the Microsoft systems, carried out against services that behave like them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from hub.common.errors import TransientError
from hub.common.records import Record, StreamSpec, WriteItem

from .conftest import NAMES, Service, opened, put, read_all, write

Services = dict[str, Service]


@dataclass(frozen=True)
class Target:
    """A stream that can be written: `good` makes a sound body for a key, `bad` spoils one, `name` is a field to change."""

    stream: str
    key: str
    name: str
    more: dict[str, Any]
    bad: dict[str, Any]

    def good(self, key: str, name: str = "First name") -> Record:
        return {self.key: key, self.name: name, **self.more}


TARGETS = {
    "business_central": Target("customers", "number", "displayName", {}, {"type": "Neither"}),
    "dynamics_finance": Target(
        "CustomersV3", "CustomerAccount", "OrganizationName",
        {"CustomerGroupId": "10", "SalesCurrencyCode": "GBP"}, {"SalesCurrencyCode": "POUNDS"},
    ),
    "dataverse": Target("accounts", "accountnumber", "name", {}, {"name": "x" * 161}),
}  # fmt: skip


def fill(service: Service, connector: Any, target: Target) -> None:
    """Five more records, half an hour before what follows."""
    keys = [f"K-{n}" for n in range(5)]
    done = write(connector, target.stream, *(WriteItem(key, "upsert", target.good(key)) for key in keys))
    assert {outcome.status for outcome in done} == {"created"}
    service.control.advance(1_800)


@pytest.mark.parametrize("name", NAMES)
def test_the_test_of_the_connection_says_who_we_are(services: Services, name: str) -> None:
    with opened(services[name]) as connector:
        steps = list(connector.check())
    assert [step.name for step in steps] == ["resolve", "connect", "authenticate", "read"]
    assert all(step.ok for step in steps), steps


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_secret_is_told_in_the_vendors_words(services: Services, name: str) -> None:
    with opened(services[name], client_secret="wrong") as connector:
        last = list(connector.check())[-1]
    assert (last.name, last.ok) == ("authenticate", False)
    assert "AADSTS7000215" in last.cause


@pytest.mark.parametrize("name", NAMES)
def test_every_stream_is_read_whole_whatever_the_page_size(services: Services, name: str) -> None:
    service = services[name]
    with opened(service) as connector:
        for info in connector.discover():
            whole = read_all(connector, info.name)
            assert len(whole) == len(_expected(service, info.name)), info.name
            assert read_all(connector, info.name, page_size=max(2, len(whole) // 3)) == whole, info.name


def _expected(service: Service, stream: str) -> list[Record]:
    rows = service.rows("ProjectHourJournalLines" if stream == "HourJournalLines" else stream)
    company = service.simulator.credentials().get("company")
    return [row for row in rows if not company or row.get("dataAreaId", company) == company]


@pytest.mark.parametrize("name", NAMES)
def test_declared_streams_tell_their_keys_lengths_and_choices(services: Services, name: str) -> None:
    with opened(services[name]) as connector:
        found = {info.name: info for info in connector.discover()}
    info = found[TARGETS[name].stream]
    by_path = {each.path: each for each in info.fields}
    assert set(info.key) <= set(by_path)
    assert all(by_path[key].required for key in info.key)
    assert by_path[TARGETS[name].name].max_length >= 100
    assert info.writable


TIMED = {
    "business_central": (TARGETS["business_central"], ""),
    "dynamics_finance": (TARGETS["dynamics_finance"], "ModifiedDateTime"),
    "dataverse": (Target("bookableresources", "hub_externalid", "name", {"resourcetype": 3}, {}), ""),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_second_reading_brings_only_what_changed(services: Services, name: str) -> None:
    """Finance has no time field that all accounts share: there the connection chooses one."""
    service, (target, cursor) = services[name], TIMED[name]
    spec = StreamSpec(target.stream, cursor=cursor)
    with opened(service) as connector:
        fill(service, connector, target)
        first = list(connector.read(spec, cursor=None))
        assert put(connector, target.stream, "C-9", target.good("C-9")).status == "created"
        again = [r for page in connector.read(spec, cursor=first[-1].cursor) for r in page.records]
    keys = [record[target.key] for record in again]
    assert keys[-1] == "C-9"
    assert "K-4" in keys
    assert set(keys) <= {f"K-{n}" for n in range(5)} | {"C-9"}


@pytest.mark.parametrize("name", NAMES)
def test_an_upsert_twice_leaves_one_object(services: Services, name: str) -> None:
    service, target = services[name], TARGETS[name]
    before = len(service.rows(target.stream))
    with opened(service) as connector:
        first = put(connector, target.stream, "C-9", target.good("C-9"))
        second = put(connector, target.stream, "C-9", target.good("C-9", "Second name"))
    assert (first.status, second.status) == ("created", "updated"), (first, second)
    assert first.ref == second.ref
    rows = [row for row in service.rows(target.stream) if row[target.key] == "C-9"]
    assert [row[target.name] for row in rows] == ["Second name"]
    assert len(service.rows(target.stream)) == before + 1


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_in_a_batch_touches_only_the_failed_records(services: Services, name: str) -> None:
    service, target = services[name], TARGETS[name]
    keys = [f"C-90{n}" for n in range(5)]
    bodies = [target.good(key) | (target.bad if n == 2 else {}) for n, key in enumerate(keys)]
    with opened(service) as connector:
        done = write(connector, target.stream, *(WriteItem(k, "upsert", b) for k, b in zip(keys, bodies, strict=True)))
    assert [outcome.status for outcome in done] == ["created", "created", "failed", "created", "created"]
    assert done[2].error is not None
    assert done[2].error.code == "VALIDATION"
    held = {row[target.key] for row in service.rows(target.stream)}
    assert [key in held for key in keys] == [True, True, False, True, True]
    assert service.sent("POST", r"\$batch") == 1


@pytest.mark.parametrize("name", NAMES)
def test_many_records_travel_in_one_request(services: Services, name: str) -> None:
    service, target = services[name], TARGETS[name]
    keys = [f"C-8{n:02d}" for n in range(40)]
    with opened(service) as connector:
        done = write(connector, target.stream, *(WriteItem(k, "upsert", target.good(k)) for k in keys))
        again = write(connector, target.stream, *(WriteItem(k, "upsert", target.good(k, "Other")) for k in keys))
    assert {outcome.status for outcome in done} == {"created"}
    assert {outcome.status for outcome in again} == {"updated"}
    assert [outcome.ref for outcome in done] == [outcome.ref for outcome in again]
    assert service.sent("POST", rf"/{target.stream}$") == 0
    assert service.sent("PATCH", target.stream) == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_throttled_request_is_tried_when_the_vendor_says(services: Services, name: str) -> None:
    service, target = services[name], TARGETS[name]
    with opened(service) as connector:
        read_all(connector, target.stream)
        service.control.add_fault("throttle", retry_after=7)
        with pytest.raises(TransientError) as caught:
            read_all(connector, target.stream)
        service.control.add_fault("throttle", retry_after=9, method="POST")
        batch = [WriteItem(f"C-70{n}", "create", target.good(f"C-70{n}")) for n in range(2)]
        if name == "dataverse":
            batch = [WriteItem(item.key, "upsert", item.body) for item in batch]
        done = write(connector, target.stream, *batch)
    assert caught.value.retry_after == 7
    assert [outcome.status for outcome in done] == ["failed", "failed"]
    assert all(isinstance(o.error, TransientError) and o.error.retry_after == 9 for o in done)


@pytest.mark.parametrize("name", NAMES)
def test_a_record_that_somebody_changed_meanwhile_is_read_again_and_written(services: Services, name: str) -> None:
    service, target = services[name], TARGETS[name]
    with opened(service) as connector:
        ref = put(connector, target.stream, "C-9", target.good("C-9")).ref
        overtaken = _Overtaking(service, target, "C-9")
        outcome = put(connector, target.stream, "C-9", {target.name: "Ours"}, "update", ref=ref)
        overtaken.stop()
    assert overtaken.times == 1
    assert outcome.status == "updated", outcome
    assert next(row for row in service.rows(target.stream) if row[target.key] == "C-9")[target.name] == "Ours"


class _Overtaking:
    """Changes the record right after its version was asked for, once."""

    def __init__(self, service: Service, target: Target, key: str) -> None:
        self.simulator, self.times = service.simulator, 0
        self._inner = self.simulator._dispatch

        def dispatch(request: Any) -> Any:
            reply = self._inner(request)
            if request.method == "GET" and "(" in request.path.rpartition("/")[2] and not self.times:
                self.times += 1
                table = self.simulator.tables[target.stream]
                found = next(k for k, row in table.rows.items() if row[target.key] == key)
                self.simulator.update(table.kind, found, {target.name: "Theirs"})
            return reply

        self.simulator._dispatch = dispatch  # type: ignore[method-assign]

    def stop(self) -> None:
        del self.simulator.__dict__["_dispatch"]


@pytest.mark.parametrize("name", NAMES)
def test_a_token_that_expires_in_the_middle_is_renewed_once(services: Services, name: str) -> None:
    service, target = services[name], TARGETS[name]
    with opened(service) as connector:
        fill(service, connector, target)
        pages = connector.read(StreamSpec(target.stream, page_size=2), cursor=None)
        found = list(next(pages).records)
        fault = service.control.add_fault("expire_token", path=target.stream)
        found += [record for page in pages for record in page.records]
    assert service.control.fired(fault) == 1
    assert len(found) == len(_expected(service, target.stream))
    assert service.sent("POST", "oauth2/v2.0/token") == 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", ["drop", "partial", "truncate", "status", "html"])
def test_a_broken_answer_of_a_reading_is_no_end_of_the_data(services: Services, name: str, kind: str) -> None:
    service, target = services[name], TARGETS[name]
    with opened(service) as connector:
        read_all(connector, target.stream)
        service.control.add_fault(kind, times=None, **({"status": 502} if kind == "html" else {}))
        with pytest.raises(TransientError):
            read_all(connector, target.stream)


def test_amounts_keep_all_their_digits(bc: Service, finance: Service) -> None:
    with opened(bc) as connector:
        put(connector, "customers", "C-9", {"number": "C-9", "displayName": "X", "creditLimit": "90071992547409.93"})
        found = connector.find(StreamSpec("customers"), ["C-9"])
    assert found["C-9"]["creditLimit"] == "90071992547409.93"
    line = {
        "JournalBatchNumber": "J-1",
        "LineNumber": "1",
        "AccountDisplayValue": "401100",
        "DebitAmount": "90071992547409.93",
    }
    with opened(finance) as connector:
        assert put(connector, "LedgerJournalLines", "J-1|1", line).status == "created"
    assert finance.rows("LedgerJournalLines")[0]["DebitAmount"] == Decimal("90071992547409.93")


def test_a_company_sees_its_own_records_only(finance: Service) -> None:
    areas = {row["dataAreaId"] for row in finance.rows("CustomersV3")}
    assert len(areas) > 1
    with opened(finance) as connector:
        seen = {record["dataAreaId"] for record in read_all(connector, "CustomersV3")}
    assert seen == {finance.simulator.credentials()["company"]}


def test_a_key_of_several_fields_is_the_address(finance: Service) -> None:
    company = finance.simulator.credentials()["company"]
    with opened(finance) as connector:
        outcome = put(
            connector, "CustomersV3", "O'Neil & Söhne/1", TARGETS["dynamics_finance"].good("O'Neil & Söhne/1")
        )
        again = put(
            connector, "CustomersV3", "O'Neil & Söhne/1", {"OrganizationName": "New"}, "update", ref=outcome.ref
        )
    assert outcome.ref == f"{company}|O'Neil & Söhne/1"
    assert again.status == "updated", again


def test_the_infolog_says_why_finance_refuses(finance: Service) -> None:
    with opened(finance) as connector:
        outcome = put(
            connector, "ProjectsV2", "P-9", {"ProjectID": "P-9", "ProjectName": "X", "CustomerAccount": "C-404"}
        )
    assert outcome.status == "failed"
    assert "Infolog: Error: The value 'C-404' in field 'Customer account'" in str(outcome.error)


def test_a_record_that_appeared_meanwhile_is_updated_and_not_doubled(finance: Service) -> None:
    target = TARGETS["dynamics_finance"]
    with opened(finance) as connector:
        missed = finance.control.add_fault("status", method="GET", path="CustomersV3", status=404)
        put(connector, target.stream, "C-9", target.good("C-9"))
        finance.control.clear_faults()
        finance.control.add_fault("status", method="GET", path="CustomersV3", status=404)
        outcome = put(connector, target.stream, "C-9", target.good("C-9", "Again"))
    assert missed
    assert outcome.status == "updated", outcome
    assert [r[target.name] for r in finance.rows(target.stream) if r[target.key] == "C-9"] == ["Again"]


def test_a_create_only_write_meets_what_is_there(dataverse: Service) -> None:
    """If-None-Match protects a record that exists; without it the same address would change it."""
    from connectors import catalog
    from connectors.registry import open_connector

    from .conftest import declared

    body = {**declared("dataverse").body, "name": "only_new"}
    accounts = {**body["streams"]["accounts"]}
    accounts["write"] = {
        "create": {
            "method": "PATCH", "alternate_key": ["accountnumber"], "headers": {"If-None-Match": "*"}, "safety": "B",
        }
    }  # fmt: skip
    declaration = catalog.parse({**body, "streams": {"accounts": accounts}, "check": {"path": "/WhoAmI"}})
    url = dataverse.server.url
    given = {**dataverse.simulator.credentials(), "url": url, "login_url": url, "allowed_networks": ["127.0.0.0/8"]}
    with open_connector(declaration=declaration, config=given, secrets=given) as connector:
        first = put(connector, "accounts", "C-9", {"name": "X"}, "create")
        second = put(connector, "accounts", "C-9", {"name": "Y"}, "create")
    assert first.status == "created"
    assert second.error is not None
    assert second.error.code == "DUPLICATE"


def test_lookups_are_bound_by_the_address_of_the_other_record(dataverse: Service) -> None:
    project = dataverse.rows("msdyn_projects")[0]["msdyn_projectid"]
    body = {"msdyn_date": "2026-11-20", "msdyn_duration": 90, "msdyn_project@odata.bind": f"/msdyn_projects({project})"}
    with opened(dataverse) as connector:
        outcome = put(connector, "msdyn_timeentries", "TS-9", body)
        found = connector.find(StreamSpec("msdyn_timeentries"), ["TS-9"])
    assert outcome.status == "created", outcome
    assert (found["TS-9"]["_msdyn_project_value"], found["TS-9"]["msdyn_entrystatus"]) == (project, 192350000)


def test_a_project_is_made_by_the_scheduling_service(dataverse: Service) -> None:
    body = {"hub_externalid": "NEW-1", "msdyn_subject": "New project"}
    with opened(dataverse) as connector:
        outcome = put(connector, "msdyn_projects", "NEW-1", body)
    row = next(row for row in dataverse.rows("msdyn_projects") if row["hub_externalid"] == "NEW-1")
    assert (outcome.status, outcome.ref) == ("created", row["msdyn_projectid"])
