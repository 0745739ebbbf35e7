"""The HRIS's house style: offset and total, every value text, the reason of an error in a header."""

from __future__ import annotations

import httpx
import pytest

from connectors.simulators.client import Controls

from .conftest import hris_client


def _new(**fields: str) -> dict[str, str]:
    return {"firstName": "Ida", "lastName": "Moss", "employeeNumber": "000999", "hireDate": "2026-12-01"} | fields


def test_wrong_key_is_refused_with_the_reason_in_a_header(systems: Controls) -> None:
    answer = httpx.get(f"{systems.hris.url}/api/gateway.php/harrowvale/v1/employees/0", auth=("wrong", "x"))
    assert answer.status_code == 401
    assert answer.headers["X-BambooHR-Error-Message"] == "The API key is not valid."


def test_another_company_is_none_of_our_business(systems: Controls) -> None:
    answer = httpx.get(f"{systems.hris.url}/api/gateway.php/other/v1/employees", auth=("demo-hris-key", "x"))
    assert answer.status_code == 403


def test_employee_zero_is_the_owner_of_the_key(systems: Controls) -> None:
    with hris_client(systems) as client:
        assert client.get("/employees/0").json()["displayName"] == "Integration user"


def test_offsets_lead_through_all_employees(small: Controls) -> None:
    found: list[str] = []
    with hris_client(small) as client:
        while True:
            page = client.get("/employees", params={"offset": len(found), "limit": 15}).json()
            found += [row["employeeNumber"] for row in page["data"]]
            if len(found) >= page["total"]:
                break
    assert len(set(found)) == len(found) == 40
    assert all(number.startswith("000") for number in found)


def test_a_page_has_a_hundred_records_at_most(small: Controls) -> None:
    with hris_client(small) as client:
        assert len(client.get("/employees", params={"limit": 1_000}).json()["data"]) == 40
        small.hris.settings(page_limit=9)
        assert len(client.get("/employees", params={"limit": 1_000}).json()["data"]) == 9


def test_every_value_is_text(small: Controls) -> None:
    for row in small.hris.state("employees") + small.hris.state("orgUnits"):
        assert {type(value) for value in row.values()} == {str}


def test_org_units_tell_no_time_of_change(systems: Controls) -> None:
    with hris_client(systems) as client:
        units = client.get("/orgUnits", params={"limit": 100}).json()["data"]
    assert {unit["kind"] for unit in units} == {"Company", "Cost Center"}
    assert all("lastChanged" not in unit for unit in units)


def test_org_units_are_read_by_kind(systems: Controls) -> None:
    with hris_client(systems) as client:
        found = client.get("/orgUnits", params={"kind": "Company"}).json()
        assert client.get("/orgUnits", params={"kind": "Team"}).json()["total"] == 0
    assert found["total"] == len(found["data"]) > 0
    assert {unit["kind"] for unit in found["data"]} == {"Company"}


def test_only_changed_employees_come_back(systems: Controls) -> None:
    systems.hris.freeze()
    systems.hris.set_clock("2026-11-24T10:00:00Z")
    with hris_client(systems) as client:
        client.post("/employees/103", json={"jobTitle": "Director"}).raise_for_status()
        page = client.get("/employees", params={"changedSince": "2026-11-24T10:00:00+00:00"}).json()
    assert [(row["id"], row["lastChanged"]) for row in page["data"]] == [("103", "2026-11-24T10:00:00+00:00")]


def test_a_new_employee_is_found_under_the_address_in_the_answer(systems: Controls) -> None:
    with hris_client(systems) as client:
        created = client.post("/employees", json=_new())
        assert (created.status_code, created.content) == (201, b"")
        assert client.get(created.headers["Location"]).json()["lastName"] == "Moss"
        found = client.get("/employees", params={"employeeNumber": "000999"}).json()
    assert found["total"] == 1


def test_leading_zeros_tell_numbers_apart(systems: Controls) -> None:
    with hris_client(systems) as client:
        assert client.get("/employees", params={"employeeNumber": "407"}).json()["total"] == 0
        assert client.get("/employees", params={"employeeNumber": "000407"}).json()["total"] == 1


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"employeeNumber": "000407"}, 409),
        ({"workEmail": "amelia.harrow@harrowvale.example"}, 409),
        ({"lastName": ""}, 400),
        ({"hireDate": "1 May 2027"}, 400),
        ({"costCenter": "CC-404"}, 400),
        ({"colour": "red"}, 400),
    ],
)
def test_bad_employees_are_refused(systems: Controls, fields: dict[str, str], status: int) -> None:
    with hris_client(systems) as client:
        answer = client.post("/employees", json=_new(**fields))
    assert answer.status_code == status
    assert answer.json()["errors"][0]["field"] == next(iter(fields))


def test_throttling_is_a_503_that_says_when_to_come_back(systems: Controls) -> None:
    systems.hris.add_fault("throttle", retry_after=7)
    with hris_client(systems) as client:
        answer = client.get("/employees")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_time_off_is_listed_by_days(small: Controls) -> None:
    with hris_client(small) as client:
        everything = client.get("/timeOffRequests").json()["total"]
        none = client.get("/timeOffRequests", params={"end": "2020-01-01"}).json()["total"]
    assert (everything, none) == (11, 0)
