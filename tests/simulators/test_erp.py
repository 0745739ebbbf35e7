"""The ERP's house style: OData, next links, ETags, unique numbers, and finance's own rules."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connectors.simulators import erp
from connectors.simulators.client import Controls

from .conftest import erp_client

CUSTOMER = {"number": "C-77", "displayName": "New client", "currencyCode": "GBP"}


def _time(**fields: Any) -> dict[str, Any]:
    return {
        "externalReference": "TS-1", "employeeNumber": "000421", "jobNumber": "NLL-101", "date": "2026-11-20",
        "quantity": 7.5, "unitPrice": 130,
    } | fields  # fmt: skip


def test_wrong_secret_gets_no_token(systems: Controls) -> None:
    form = {
        "grant_type": "client_credentials", "client_id": erp.CLIENT_ID, "client_secret": "wrong", "scope": erp.SCOPE,
    }  # fmt: skip
    answer = httpx.post(f"{systems.erp.url}/{erp.TENANT}/oauth2/v2.0/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_wrong_token_is_refused_in_an_error_object(systems: Controls) -> None:
    url = f"{systems.erp.url}/v2.0/{erp.TENANT}/{erp.ENVIRONMENT}/api/v2.0/companies"
    answer = httpx.get(url, headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "Authentication_InvalidCredentials"


def test_companies_tell_who_we_are(systems: Controls) -> None:
    with erp_client(systems) as client:
        url = str(client.base_url).partition("/companies(")[0] + "/companies"
        assert client.get(url).json()["value"][0]["displayName"] == "Harrow & Vale"


def test_another_company_is_not_found(systems: Controls) -> None:
    with erp_client(systems) as client:
        url = str(client.base_url).replace(erp.COMPANY_ID, "00000000-0000-0000-0000-000000000000")
        assert client.get(f"{url}/customers").json()["error"]["code"] == "BadRequest_ResourceNotFound"


@pytest.mark.parametrize("order", ["", "lastModifiedDateTime", "number desc"])
def test_next_links_lead_through_all_rows(small: Controls, order: str) -> None:
    numbers: list[str] = []
    with erp_client(small) as client:
        query = {"$orderby": order} if order else {}
        answer = client.get("/employees", params=query, headers={"Prefer": "odata.maxpagesize=7"}).json()
        while True:
            numbers += [row["number"] for row in answer["value"]]
            if "@odata.nextLink" not in answer:
                break
            answer = client.get(answer["@odata.nextLink"], headers={"Prefer": "odata.maxpagesize=7"}).json()
    assert len(set(numbers)) == len(numbers) == 40
    assert order != "number desc" or numbers == sorted(numbers, reverse=True)


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("number eq 'NLL-101'", 1),
        ("number eq 'NLL-101' or number eq 'NLL-102'", 2),
        ("customerNumber eq 'C-1001' and not (number eq 'NLL-101')", 1),
        ("contains(displayName,'training')", 1),
        ("startswith(number,'NLL')", 2),
        ("endswith(number,'1')", 1),
        ("budgetRevenue gt 105000", 1),
        ("budgetRevenue le 102500.00", 2),
        ("lastModifiedDateTime ge 2020-01-01T00:00:00Z", 3),
        ("startingDate lt 2026-05-01", 1),
        ("status ne 'Open'", 0),
        ("number eq 'it''s'", 0),
        ("colour eq 'red'", None),
        ("number eq", None),
        ("number like 'x'", None),
        ("budgetRevenue gt 'x'", None),
    ],
)
def test_filters(systems: Controls, condition: str, count: int | None) -> None:
    with erp_client(systems) as client:
        answer = client.get("/projects", params={"$filter": condition})
    if count is None:
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "BadRequest")
    else:
        assert len(answer.json()["value"]) == count


def test_money_has_two_digits(small: Controls) -> None:
    with erp_client(small) as client:
        answer = client.get("/salesInvoices", params={"$top": 1})
        created = client.post("/timeRegistrationEntries", json=_time(employeeNumber="000470"))
    assert b'"totalTaxAmount": ' in answer.content
    assert b'"quantity": 7.50' in created.content
    assert b'"lineAmount": 975.00' in created.content


def test_select_count_and_top(small: Controls) -> None:
    with erp_client(small) as client:
        answer = client.get("/employees", params={"$select": "number", "$count": "true", "$top": "3"}).json()
    assert answer["@odata.count"] == 3
    assert set(answer["value"][0]) == {"@odata.etag", "number"}


def test_a_number_exists_once(systems: Controls) -> None:
    with erp_client(systems) as client:
        first = client.post("/customers", json=CUSTOMER)
        second = client.post("/customers", json=CUSTOMER)
    assert (first.status_code, second.status_code) == (201, 400)
    assert second.json()["error"]["code"] == "Internal_EntityWithSameKeyExists"
    assert len([row for row in systems.erp.state("customers") if row["number"] == "C-77"]) == 1


def test_an_update_needs_the_newest_etag(systems: Controls) -> None:
    with erp_client(systems) as client:
        created = client.post("/customers", json=CUSTOMER)
        url, etag = f"/customers({created.json()['id']})", created.headers["ETag"]
        change = {"displayName": "Renamed"}
        assert client.patch(url, json=change).status_code == 400
        assert client.patch(url, json=change, headers={"If-Match": etag}).status_code == 200
        stale = client.patch(url, json=change, headers={"If-Match": etag})
        anyway = client.patch(url, json=change, headers={"If-Match": "*"})
    assert (stale.status_code, stale.json()["error"]["code"]) == (412, "Request_EntityChanged")
    assert anyway.headers["ETag"] != etag


def test_etags_differ_even_when_the_clock_stands_still(systems: Controls) -> None:
    systems.erp.freeze()
    with erp_client(systems) as client:
        created = client.post("/customers", json=CUSTOMER)
        url = f"/customers({created.json()['id']})"
        changed = client.patch(url, json={"city": "Leeds"}, headers={"If-Match": created.headers["ETag"]})
    assert changed.headers["ETag"] != created.headers["ETag"]


@pytest.mark.parametrize(
    ("fields", "code", "target"),
    [
        ({"jobNumber": "NONE-1"}, "Application_RecordNotFound", "jobNumber"),
        ({"employeeNumber": "407"}, "Application_RecordNotFound", "employeeNumber"),
        ({"quantity": -4}, "Application_DialogException", "quantity"),
        ({"quantity": 25}, "Application_DialogException", "quantity"),
        ({"quantity": "7.5"}, "Application_InvalidValue", "quantity"),
        ({"date": "20/11/2026"}, "Application_InvalidValue", "date"),
        ({"currencyCode": "EURO"}, "Application_InvalidValue", "currencyCode"),
        ({"description": "x" * 251}, "Application_StringExceededLength", "description"),
        ({"colour": "red"}, "BadRequest", "colour"),
        ({"lineAmount": 1}, "BadRequest_ReadOnly", "lineAmount"),
        ({"externalReference": ""}, "Application_FieldValidationException", "externalReference"),
    ],
)
def test_finance_refuses_bad_time(systems: Controls, fields: dict[str, Any], code: str, target: str) -> None:
    with erp_client(systems) as client:
        answer = client.post("/timeRegistrationEntries", json=_time(**fields))
    assert answer.status_code == 400
    assert (answer.json()["error"]["code"], answer.json()["error"]["target"]) == (code, target)
    assert systems.erp.state("timeRegistrationEntries") == []


def test_id_and_number_of_a_job_bring_each_other(systems: Controls) -> None:
    with erp_client(systems) as client:
        job = client.get("/projects", params={"$filter": "number eq 'NLL-101'"}).json()["value"][0]
        by_id = {name: value for name, value in _time(jobId=job["id"]).items() if name != "jobNumber"}
        assert client.post("/timeRegistrationEntries", json=by_id).json()["jobNumber"] == "NLL-101"
        by_number = client.post("/timeRegistrationEntries", json=_time(externalReference="TS-2")).json()
        changed = client.patch(
            f"/timeRegistrationEntries({by_number['id']})", json={"jobNumber": "NLL-102"}, headers={"If-Match": "*"}
        ).json()
    assert by_number["jobId"] == job["id"]
    assert changed["jobNumber"] == "NLL-102"
    assert changed["jobId"] != job["id"]


def test_decimals_may_come_as_text_when_the_content_type_says_so(systems: Controls) -> None:
    headers = {"Content-Type": "application/json;IEEE754Compatible=true"}
    with erp_client(systems) as client:
        good = client.post("/timeRegistrationEntries", json=_time(quantity="7.25"), headers=headers)
        bad = client.post("/timeRegistrationEntries", json=_time(quantity="many"), headers=headers)
    assert b'"quantity": 7.25' in good.content
    assert bad.json()["error"]["code"] == "Application_InvalidValue"


def test_time_is_taken_once_per_external_reference(systems: Controls) -> None:
    with erp_client(systems) as client:
        client.post("/timeRegistrationEntries", json=_time()).raise_for_status()
        again = client.post("/timeRegistrationEntries", json=_time())
        found = client.get("/timeRegistrationEntries", params={"$filter": "externalReference eq 'TS-1'"}).json()
    assert again.json()["error"]["code"] == "Internal_EntityWithSameKeyExists"
    assert len(found["value"]) == 1


def test_an_invoice_takes_its_total_from_its_lines_and_posts_to_the_ledger(systems: Controls) -> None:
    lines = [
        {"description": "Blueprint", "quantity": 1, "unitPrice": 1000.10},
        {"description": "Workshop", "quantity": 2.5, "unitPrice": 100},
    ]
    body = {
        "externalDocumentNumber": "MS-1", "customerNumber": "C-1001", "jobNumber": "NLL-101",
        "invoiceDate": "2026-11-24", "currencyCode": "GBP", "salesInvoiceLines": lines,
    }  # fmt: skip
    with erp_client(systems) as client:
        created = client.post("/salesInvoices", json=body)
        assert b'"totalAmountExcludingTax": 1250.10' in created.content
        url = f"/salesInvoices({created.json()['id']})"
        assert client.post(f"{url}/Microsoft.NAV.post").status_code == 204
        assert client.post(f"{url}/Microsoft.NAV.post").status_code == 400
        assert client.get(url).json()["status"] == "Open"
        again = client.post("/salesInvoices", json=body)
    assert again.json()["error"]["code"] == "Internal_EntityWithSameKeyExists"
    ledger = systems.erp.state("generalLedgerEntries")
    assert sum(row["debitAmount"] for row in ledger) == sum(row["creditAmount"] for row in ledger) == 1500.12


def test_the_ledger_is_written_by_posting_only(systems: Controls) -> None:
    with erp_client(systems) as client:
        assert client.post("/generalLedgerEntries", json={"accountNumber": "1"}).status_code == 405


def test_changed_rows_come_back_and_keep_their_milliseconds(systems: Controls) -> None:
    systems.erp.freeze()
    systems.erp.set_clock("2026-11-24T10:00:00.123Z")
    with erp_client(systems) as client:
        client.post("/customers", json=CUSTOMER).raise_for_status()
        found = client.get("/customers", params={"$filter": "lastModifiedDateTime ge 2026-11-24T10:00:00.123Z"})
    assert [row["lastModifiedDateTime"] for row in found.json()["value"]] == ["2026-11-24T10:00:00.123Z"]


def test_debits_are_credits_in_the_seeded_ledger(small: Controls) -> None:
    ledger = small.erp.state("generalLedgerEntries")
    assert ledger
    assert round(sum(row["debitAmount"] - row["creditAmount"] for row in ledger), 2) == 0


def test_a_client_that_finance_does_not_know_has_no_projects_there(small: Controls) -> None:
    known = {row["number"] for row in small.erp.state("customers")}
    assert known == {"C-1001", "C-1002"}
    assert {row["customerNumber"] for row in small.erp.state("projects")} - {""} <= known
