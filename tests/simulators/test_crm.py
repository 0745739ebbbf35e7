"""The CRM's house style: SOQL, next-record addresses, upserts by external id, errors as arrays."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest

from connectors.simulators import crm
from connectors.simulators.client import Controls
from connectors.simulators.ids import crm_id, crm_suffix

from .conftest import crm_client


def _all(client: httpx.Client, soql: str, size: int = 2000) -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    answer = client.get("/query", params={"q": soql}, headers={"Sforce-Query-Options": f"batchSize={size}"}).json()
    while True:
        records += answer["records"]
        if answer["done"]:
            return records
        origin = str(client.base_url).partition("/services")[0]
        answer = client.get(
            f"{origin}{answer['nextRecordsUrl']}", headers={"Sforce-Query-Options": f"batchSize={size}"}
        ).json()


def test_ids_have_a_suffix_that_tells_upper_case_from_lower() -> None:
    assert crm_suffix("001D000000IqhSL") == "IAZ"
    assert len(crm_id("Account", 1)) == 18


def test_wrong_secret_gets_no_token(systems: Controls) -> None:
    form = {"grant_type": "client_credentials", "client_id": crm.CLIENT_ID, "client_secret": "wrong"}
    answer = httpx.post(f"{systems.crm.url}/services/oauth2/token", data=form)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_token_may_be_asked_for_with_basic_credentials(systems: Controls) -> None:
    answer = httpx.post(
        f"{systems.crm.url}/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=(crm.CLIENT_ID, crm.CLIENT_SECRET),
    )
    assert answer.json()["instance_url"] == systems.crm.url


def test_wrong_token_is_refused_in_an_array(systems: Controls) -> None:
    url = f"{systems.crm.url}/services/oauth2/userinfo"
    answer = httpx.get(url, headers={"Authorization": "Bearer nonsense"})
    assert answer.status_code == 401
    assert answer.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]


def test_a_token_ends_after_its_time(systems: Controls) -> None:
    systems.crm.settings(token_seconds=100)
    with crm_client(systems) as client:
        assert client.get("/limits").status_code == 200
        systems.crm.advance(101)
        assert client.get("/limits").json()[0]["errorCode"] == "INVALID_SESSION_ID"


def test_pages_hold_every_record_once(systems: Controls) -> None:
    with crm_client(systems) as client:
        one_by_one = _all(client, "SELECT Id, Name FROM Opportunity ORDER BY SystemModstamp, Id", size=1)
        at_once = _all(client, "SELECT Id, Name FROM Opportunity ORDER BY SystemModstamp, Id")
    assert one_by_one == at_once
    assert len({str(record["Id"]) for record in one_by_one}) == systems.crm.counts()["Opportunity"]


def test_a_locator_that_is_gone_is_said_so(systems: Controls) -> None:
    with crm_client(systems) as client:
        answer = client.get("/query/01gHV0000000099-2000")
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")


def test_records_carry_their_type_and_address(systems: Controls) -> None:
    with crm_client(systems) as client:
        record = _all(client, "SELECT Id FROM Account")[0]
    url = f"/services/data/v62.0/sobjects/Account/{record['Id']}"
    assert record == {"attributes": {"type": "Account", "url": url}, "Id": record["Id"]}


def test_amounts_are_numbers_with_all_their_digits(systems: Controls) -> None:
    with crm_client(systems) as client:
        answer = client.get("/query", params={"q": "SELECT Amount FROM Opportunity WHERE Deal_Number__c = 'D-2002'"})
    assert b'"Amount": 110000.00' in answer.content


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("IsWon = true", 3),
        ("IsWon = true AND Project_Code__c != null", 3),
        ("StageName IN ('Negotiation', 'Proposal')", 1),
        ("StageName NOT IN ('Closed Won')", 1),
        ("Amount > 100000", 2),
        ("(Amount > 100000 OR StageName = 'Negotiation') AND CurrencyIsoCode = 'GBP'", 3),
        ("NOT StageName = 'Closed Won'", 1),
        ("Name LIKE '%review%'", 1),
        ("Name = 'it''s not there' OR Name = 'it\\'s not'", None),
        ("CloseDate > 2026-12-01", 1),
        ("SystemModstamp >= 2020-01-01T00:00:00Z", 4),
        ("SystemModstamp < 2020-01-01T00:00:00.000+0000", 0),
        ("Nonsense = 1", None),
        ("Amount >", None),
    ],
)
def test_soql_conditions(systems: Controls, condition: str, count: int | None) -> None:
    with crm_client(systems) as client:
        answer = client.get("/query", params={"q": f"SELECT Id FROM Opportunity WHERE {condition}"})
    if count is None:
        assert answer.status_code == 400
        assert answer.json()[0]["errorCode"] in ("MALFORMED_QUERY", "INVALID_FIELD")
    else:
        assert answer.json()["totalSize"] == count


def test_an_unknown_object_is_told_from_an_unknown_field(systems: Controls) -> None:
    with crm_client(systems) as client:
        assert client.get("/query", params={"q": "SELECT Id FROM Lead"}).json()[0]["errorCode"] == "INVALID_TYPE"
        assert client.get("/sobjects/Lead/describe").json()[0]["errorCode"] == "NOT_FOUND"


def test_changed_records_come_back_with_the_cursor_of_the_last_reading(systems: Controls) -> None:
    systems.crm.freeze()
    systems.crm.set_clock("2026-11-24T10:00:00Z")
    with crm_client(systems) as client:
        client.patch(f"/sobjects/Account/{crm_id('Account', 1)}", json={"Name": "Northgate Group"}).raise_for_status()
        soql = "SELECT Id, Name, SystemModstamp FROM Account WHERE SystemModstamp >= 2026-11-24T10:00:00.000+0000"
        changed = _all(client, soql)
    assert [(r["Name"], r["SystemModstamp"]) for r in changed] == [("Northgate Group", "2026-11-24T10:00:00.000+0000")]


def test_upsert_creates_once_and_updates_after(systems: Controls) -> None:
    with crm_client(systems) as client:
        path = "/sobjects/Account/Hub_External_Id__c/C-7"
        first = client.patch(path, json={"Name": "New client"})
        second = client.patch(path, json={"Name": "New client, renamed"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json()["id"] == second.json()["id"]
    assert [row["Name"] for row in systems.crm.state("Account") if row["Hub_External_Id__c"] == "C-7"] == [
        "New client, renamed"
    ]


def test_upsert_on_a_value_that_two_records_have_is_refused(systems: Controls) -> None:
    with crm_client(systems) as client:
        client.post("/sobjects/Account", json={"Name": "Twin", "AccountNumber": "C-1001"}).raise_for_status()
        answer = client.patch("/sobjects/Account/AccountNumber/C-1001", json={"Name": "Which?"})
    assert answer.status_code == 300
    assert len(answer.json()) == 2


def test_a_collection_has_a_result_for_each_record(systems: Controls) -> None:
    records = [
        {"attributes": {"type": "Account"}, "Hub_External_Id__c": "A", "Name": "Good"},
        {"attributes": {"type": "Account"}, "Hub_External_Id__c": "B", "Name": None},
        {"attributes": {"type": "Account"}, "Hub_External_Id__c": "C", "Name": "Good too", "Colour": "red"},
    ]
    with crm_client(systems) as client:
        answer = client.patch(
            "/composite/sobjects/Account/Hub_External_Id__c", json={"allOrNone": False, "records": records}
        )
    assert answer.status_code == 200
    assert [result["success"] for result in answer.json()] == [True, False, False]
    codes = [result["errors"][0]["statusCode"] for result in answer.json() if not result["success"]]
    assert codes == ["REQUIRED_FIELD_MISSING", "INVALID_FIELD"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"Name": "x" * 256}, "STRING_TOO_LONG", "Name"),
        ({"Name": "x", "OwnerId": "005000000000000AAA"}, "INVALID_CROSS_REFERENCE_KEY", "OwnerId"),
        ({"Name": "x", "CurrencyIsoCode": "EURO"}, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "CurrencyIsoCode"),
        ({"Name": "x", "Id": "1"}, "INVALID_FIELD_FOR_INSERT_UPDATE", "Id"),
        ({}, "REQUIRED_FIELD_MISSING", "Name"),
    ],
)
def test_a_bad_record_is_refused_with_the_field(systems: Controls, body: dict[str, str], code: str, field: str) -> None:
    with crm_client(systems) as client:
        answer = client.post("/sobjects/Account", json=body)
    assert answer.status_code == 400
    assert (answer.json()[0]["errorCode"], answer.json()[0]["fields"]) == (code, [field])


def test_winning_a_deal_sets_what_follows_from_it(systems: Controls) -> None:
    deal = next(row for row in systems.crm.state("Opportunity") if row["StageName"] == "Negotiation")
    with crm_client(systems) as client:
        client.patch(f"/sobjects/Opportunity/{deal['Id']}", json={"StageName": "Closed Won"}).raise_for_status()
        row = client.get(f"/sobjects/Opportunity/{deal['Id'][:15]}").json()
    assert (row["IsClosed"], row["IsWon"]) == (True, True)


def test_deleted_records_stay_visible_to_those_who_ask(systems: Controls) -> None:
    key = crm_id("Opportunity", 1)
    with crm_client(systems) as client:
        client.delete(f"/sobjects/Opportunity/{key}").raise_for_status()
        gone = client.get("/queryAll", params={"q": "SELECT Id FROM Opportunity WHERE IsDeleted = true"}).json()
        window = {"start": "2026-01-01T00:00:00Z", "end": "2099-01-01T00:00:00Z"}
        listed = client.get("/sobjects/Opportunity/deleted", params=window).json()
        assert client.get(f"/sobjects/Opportunity/{key}").status_code == 404
    assert [record["Id"] for record in gone["records"]] == [key]
    assert [record["id"] for record in listed["deletedRecords"]] == [key]


def test_usage_is_counted_and_the_quota_enforced(systems: Controls) -> None:
    systems.crm.settings(daily_limit=2)
    with crm_client(systems) as client:
        assert client.get("/limits").headers["Sforce-Limit-Info"] == "api-usage=1/2"
        client.get("/limits")
        refused = client.get("/limits")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")


def test_description_tells_types_and_lengths(systems: Controls) -> None:
    with crm_client(systems) as client:
        fields = {f["name"]: f for f in client.get("/sobjects/Opportunity/describe").json()["fields"]}
    assert fields["Amount"]["type"] == "currency"
    assert fields["Project_Code__c"]["length"] == 20
    assert "Closed Won" in [value["value"] for value in fields["StageName"]["picklistValues"]]


def test_every_won_deal_with_a_project_has_a_contract(small: Controls) -> None:
    projects = {row["external_reference"] for row in small.psa.state("workspaces")}
    deals = [row for row in small.crm.state("Opportunity") if row["IsWon"] and row["Project_Code__c"] in projects]
    assert {row["Opportunity__c"] for row in small.crm.state("Contract")} == {deal["Id"] for deal in deals}
    assert sum(Decimal(str(row["Value__c"])) for row in small.crm.state("Contract")) > 0
