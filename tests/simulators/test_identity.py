"""SCIM as the simulated identity providers speak it: filters, pages from one, PATCH by path, versions, two manners."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from connectors.certification.rehearsal import simulator_of
from connectors.simulators.clock import Clock
from connectors.simulators.identity.filters import BadFilter, parse_filter
from connectors.simulators.identity.patching import BadPatch, Manner, patched
from connectors.simulators.wire import SimulatorServer

from .conftest import NO_TLS, TODAY

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
PERSON: dict[str, Any] = {
    "userName": "Imani@example.com",
    "active": True,
    "name": {"familyName": "Solberg"},
    "emails": [{"type": "work", "value": "imani@example.com"}, {"type": "home", "value": "i@example.org"}],
    "meta": {"lastModified": "2026-11-20T10:00:00Z"},
    ENTERPRISE: {"department": "Delivery", "manager": {"value": "7"}},
}


@pytest.fixture(params=["scim"])
def client(request: Any) -> Iterator[httpx.Client]:
    kind = simulator_of(request.param)
    assert kind is not None
    server = SimulatorServer(kind(Clock()))
    server.start()
    try:
        server.control.seed("tiny", 1, TODAY.isoformat())
        headers = {"Authorization": "Bearer scim-rehearsal-token"}
        with httpx.Client(base_url=server.url, headers=headers, verify=NO_TLS) as found:
            yield found
    finally:
        server.stop()


def patch(client: httpx.Client, key: str, *operations: dict[str, Any], **headers: str) -> httpx.Response:
    body = {"schemas": [PATCH], "Operations": list(operations)}
    return client.patch(f"/Users/{key}", json=body, headers=headers)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ('userName eq "imani@EXAMPLE.com"', True),
        ('USERNAME eq "imani@example.com"', True),
        ('userName ne "imani@example.com"', False),
        ('userName sw "ima" and name.familyName co "lber"', True),
        ('userName ew ".org" or active eq true', True),
        ("not (active eq true)", False),
        ('active eq "true"', False),
        ("title pr", False),
        ("name.familyName pr", True),
        ('emails[type eq "work" and value co "@example.com"]', True),
        ('emails[type eq "work" and value co "@example.org"]', False),
        ('emails.value eq "i@example.org"', True),
        ('meta.lastModified gt "2026-11-20T10:00:00Z"', False),
        ('meta.lastModified ge "2026-11-20T10:00:00Z"', True),
        (f'{ENTERPRISE}:department eq "delivery"', True),
        (f'{ENTERPRISE}:manager.value eq "7"', True),
        (f'{USER}:userName eq "imani@example.com"', True),
        ('active eq false or userName pr and title eq "x"', False),
        ("externalId eq null", False),
    ],
)
def test_a_filter_means_what_the_standard_says(text: str, fits: bool) -> None:
    assert parse_filter(text)(PERSON) is fits


@pytest.mark.parametrize(
    "text",
    [
        "",
        "userName",
        "userName like 1",
        "userName eq imani",
        '(userName eq "x"',
        'userName eq "x" or',
        '"x" eq 1',
        "a eq 1 b",
    ],
)
def test_a_filter_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(BadFilter):
        parse_filter(text)


@pytest.mark.parametrize(
    ("operation", "path", "value", "then"),
    [
        ("replace", "active", False, lambda p: p["active"] is False),
        ("replace", "name.givenName", "Imani", lambda p: p["name"] == {"familyName": "Solberg", "givenName": "Imani"}),
        (
            "replace",
            'emails[type eq "work"].value',
            "new@example.com",
            lambda p: p["emails"][0]["value"] == "new@example.com",
        ),
        ("remove", 'emails[type eq "home"]', None, lambda p: [e["type"] for e in p["emails"]] == ["work"]),
        ("add", "emails", [{"type": "other", "value": "o@example.com"}], lambda p: len(p["emails"]) == 3),
        ("replace", f"{ENTERPRISE}:department", "Sales", lambda p: p[ENTERPRISE]["department"] == "Sales"),
        ("remove", "name.familyName", None, lambda p: p["name"] == {}),
        ("replace", None, {"title": "Lead", ENTERPRISE: {"department": "HR"}}, lambda p: p["title"] == "Lead"),
        ("replace", None, {ENTERPRISE: {"department": "HR"}}, lambda p: p[ENTERPRISE]["manager"] == {"value": "7"}),
    ],
)
def test_a_patch_changes_what_its_path_names(operation: str, path: str | None, value: Any, then: Any) -> None:
    changed = patched(PERSON, [{"op": operation, "path": path, "value": value}], Manner())
    assert then(changed)
    assert PERSON["active"] is True


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ({"op": "Replace", "path": "active", "value": False}, "invalidSyntax"),
        ({"op": "replace", "path": "active", "value": "False"}, "invalidValue"),
        ({"op": "replace", "path": "id", "value": "9"}, "mutability"),
        ({"op": "replace", "path": "a..b", "value": 1}, "invalidPath"),
        ({"op": "replace", "path": 'emails[type eq "fax"].value', "value": "x"}, "noTarget"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "replace", "value": "x"}, "invalidValue"),
    ],
)
def test_a_patch_by_the_book_is_refused_by_its_kind(operation: dict[str, Any], kind: str) -> None:
    with pytest.raises(BadPatch) as caught:
        patched(PERSON, [operation], Manner())
    assert caught.value.kind == kind


def test_entra_s_manner_takes_capitals_and_booleans_as_text() -> None:
    changed = patched(PERSON, [{"op": "Replace", "path": "active", "value": "False"}], Manner(lenient=True))
    assert changed["active"] is False


def test_pages_count_from_one_and_hold_a_hundred_at_most(client: httpx.Client) -> None:
    whole = client.get("/Users", params={"count": 500}).json()
    second = client.get("/Users", params={"startIndex": 2, "count": 2}).json()
    beyond = client.get("/Users", params={"startIndex": 99}).json()
    assert (whole["totalResults"], whole["startIndex"]) == (6, 1)
    assert [r["id"] for r in second["Resources"]] == [r["id"] for r in whole["Resources"]][1:3]
    assert client.get("/Users", params={"startIndex": 0}).json()["startIndex"] == 1
    assert (beyond["totalResults"], beyond["Resources"]) == (6, [])


def test_a_name_is_unique_in_any_case(client: httpx.Client) -> None:
    taken = client.get("/Users").json()["Resources"][0]["userName"].upper()
    answer = client.post("/Users", json={"schemas": [USER], "userName": taken})
    assert (answer.status_code, answer.json()["scimType"], answer.json()["status"]) == (409, "uniqueness", "409")


def test_a_version_that_has_passed_is_412(client: httpx.Client) -> None:
    account = client.get("/Users").json()["Resources"][0]
    stale = account["meta"]["version"]
    first = patch(client, account["id"], {"op": "replace", "path": "title", "value": "A"}, **{"If-Match": stale})
    second = patch(client, account["id"], {"op": "replace", "path": "title", "value": "B"}, **{"If-Match": stale})
    assert (first.status_code, first.headers["etag"] != stale, second.status_code) == (200, True, 412)


def test_a_patch_of_which_one_part_fails_changes_nothing(client: httpx.Client) -> None:
    account = client.get("/Users").json()["Resources"][0]
    good, bad = {"op": "replace", "path": "title", "value": "A"}, {"op": "replace", "path": "id", "value": "1"}
    assert patch(client, account["id"], good, bad).json()["scimType"] == "mutability"
    assert client.get(f"/Users/{account['id']}").json() == account


def test_a_put_empties_what_it_does_not_name(client: httpx.Client) -> None:
    account = client.get("/Users").json()["Resources"][0]
    answer = client.put(f"/Users/{account['id']}", json={"schemas": [USER], "userName": account["userName"]}).json()
    assert ("title" in account, "title" in answer, answer["id"]) == (True, False, account["id"])


@pytest.mark.parametrize("client", ["okta"], indirect=True)
def test_okta_s_manner_patches_the_state_alone(client: httpx.Client) -> None:
    account = client.get("/Users").json()["Resources"][0]
    assert patch(client, account["id"], {"op": "replace", "path": "active", "value": False}).status_code == 200
    assert patch(client, account["id"], {"op": "replace", "value": {"title": "Lead"}}).status_code == 501


def test_everything_answers_as_scim(client: httpx.Client) -> None:
    for path in ("/ServiceProviderConfig", "/Users", "/users", "/Groups", "/Users/none"):
        assert client.get(path).headers["content-type"].startswith("application/scim+json")
    assert client.get("/Users", params={"filter": "userName"}).json()["scimType"] == "invalidFilter"
