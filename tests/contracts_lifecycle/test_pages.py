"""The life of a version on screen and over the API, the breaches, and the drifts."""

from __future__ import annotations

import csv
from io import StringIO
from typing import Any

import pytest
from rest_framework.test import APIClient

from governance import breaches, drift, lifecycle
from governance.models import AuditEntry, Contract, ContractVersion, Drift
from governance.treatment import Breach
from hub.accounts.services import create_token
from tests.contracts_lifecycle.builders import TEXT, approved, contract_of, in_force, schema
from tests.sync import builders

pytestmark = pytest.mark.django_db


@pytest.fixture
def contract(domains: Any) -> Contract:
    return contract_of(domains["resource"], schema(name=TEXT))


@pytest.fixture
def draft(contract: Contract, ada: Any) -> ContractVersion:
    return lifecycle.propose(contract=contract, schema=schema(("name",), name=TEXT), by=ada)


def call(user: Any) -> APIClient:
    _, secret = create_token(user, name="test", days=None, by=user)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def url(version: ContractVersion, act: str = "") -> str:
    return f"/contracts/truck/versions/{version.number}/{f'{act}/' if act else ''}"


def test_a_version_is_proposed_as_text(contract: Contract, ada: Any, browse: Any) -> None:
    client = browse(ada)
    assert "additionalProperties" not in client.get("/contracts/truck/versions/new/").content.decode()
    text = "type: object\nproperties: {code: {type: string, x-key: true}, name: {type: string}, size: {type: integer}}"
    answer = client.post("/contracts/truck/versions/new/", {"schema": text, "note": "Sizes."}, follow=True)
    made = contract.versions.get(number=3)
    assert (made.status, made.note, "size" in made.schema["properties"]) == ("draft", "Sizes.", True)
    assert "Version 3 is a draft." in answer.content.decode()


@pytest.mark.parametrize("text", ["{", "type: object", "[]", "properties: {a: {type: nothing}}"])
def test_a_proposal_that_is_no_contract_is_refused(contract: Contract, ada: Any, browse: Any, text: str) -> None:
    assert browse(ada).post("/contracts/truck/versions/new/", {"schema": text}).status_code == 422
    assert contract.versions.count() == 2


def test_a_version_walks_by_buttons_and_a_break_wants_its_reason(
    draft: ContractVersion, ada: Any, grace: Any, browse: Any
) -> None:
    admin, approver = browse(ada), browse(grace)
    assert "Hand to the reviewers" in admin.get(url(draft)).content.decode()
    admin.post(url(draft, "submit"))
    assert "somebody else has to agree" not in approver.get(url(draft)).content.decode()
    assert approver.post(url(draft, "activate")).status_code == 403
    approver.post(url(draft, "approve"), {"reason": "Good."})
    page = admin.get(url(draft)).content.decode()
    assert "Why the break is accepted" in page
    assert "Breaks BACKWARD: name." in page
    assert "Nobody uses the contract" in page
    refused = admin.post(url(draft, "activate"))
    assert (refused.status_code, "Breaks BACKWARD: name." in refused.content.decode()) == (422, True)
    admin.post(url(draft, "activate"), {"accepted_break": "All have names."})
    draft.refresh_from_db()
    assert (draft.status, draft.accepted_break) == ("active", "All have names.")


def test_a_field_of_a_contract_that_is_used_breaks_nothing_by_form_without_a_reason(
    domains: Any, ada: Any, browse: Any
) -> None:
    source = builders.stream(builders.connection("crm"), "projects")
    target = builders.entity("project", builders.PROJECT)
    builders.sync("in", "in", source, target, builders.PROJECT_RULES)
    data = {"title": "Customer", "type": "string", "classification": "internal", "required": "on", "seen": "2"}
    client = browse(ada)
    refused = client.post("/contracts/project/fields/customer/", data)
    assert refused.status_code == 422
    assert "Why the break is accepted" in refused.content.decode()
    client.post("/contracts/project/fields/customer/", data | {"accepted_break": "Every project has one."})
    version = target.contract.versions.get(status="active")
    assert (version.number, version.accepted_break) == (3, "Every project has one.")


def test_only_who_may_decide_approves(draft: ContractVersion, ada: Any, finn: Any, browse: Any) -> None:
    lifecycle.submit(draft, by=ada)
    for person in (ada, finn):
        assert browse(person).post(url(draft, "approve")).status_code == 403


def test_a_deprecated_version_shows_its_consumers_and_why_it_stays(contract: Contract, ada: Any, browse: Any) -> None:
    in_force(contract, schema(name=TEXT, note=TEXT))
    old = contract.versions.get(number=2)
    client = browse(ada)
    assert client.post(url(old, "sunset"), {"sunset_date": "soon"}).status_code == 422
    client.post(url(old, "sunset"), {"sunset_date": "2099-01-01"})
    page = client.get(url(old)).content.decode()
    assert "It is served until its sunset on 2099-01-01." in page
    assert client.post(url(old, "retire"), {"reason": "x"}).status_code == 422
    assert AuditEntry.objects.filter(act="contract.sunset_announced", actor=str(ada)).exists()


@pytest.mark.parametrize("address", ["versions/9/", "versions/9/submit/", "versions/2/explode/"])
def test_there_is_no_such_thing(contract: Contract, ada: Any, browse: Any, address: str) -> None:
    method = "post" if address.count("/") > 2 else "get"
    assert getattr(browse(ada), method)(f"/contracts/truck/{address}").status_code == 404


def test_the_versions_page_leads_to_each_version(draft: ContractVersion, ada: Any, browse: Any) -> None:
    page = browse(ada).get("/contracts/truck/versions/").content.decode()
    assert url(draft) in page
    assert "Propose a version" in page


# Breaches ---------------------------------------------------------------------------------------------------


@pytest.fixture
def kept(contract: Contract) -> None:
    version = contract.versions.get(status="active")
    rows = [
        ("T-1", Breach("name", "type", "5", "name is 5, which is not text.", "quarantined"), False),
        ("T-2", Breach("size", "enum", '"XL"', "size is 'XL'.", "value_dropped"), True),
    ]
    breaches.write(version_id=version.pk, sync="trucks", run_id=7, rows=rows)


@pytest.mark.parametrize(
    ("query", "shown"),
    [("", {"T-1", "T-2"}), ("?field=name", {"T-1"}), ("?action=value_dropped", {"T-2"}), ("?q=run:8", set())],
)
def test_breaches_are_listed_and_filtered(kept: None, ada: Any, browse: Any, query: str, shown: set[str]) -> None:
    page = browse(ada).get(f"/contracts/breaches/{query}").content.decode()
    assert {name for name in ("T-1", "T-2") if f">{name}<" in page} == shown


def test_breaches_are_exported(kept: None, ada: Any, browse: Any) -> None:
    answer = browse(ada).get("/contracts/breaches.csv?contract=truck")
    rows = list(csv.DictReader(StringIO(b"".join(answer).decode("utf-8-sig"))))
    assert [(row["Record"], row["Field"], row["Rule"], row["Value"]) for row in rows] == [
        ("T-1", "name", "type", "5"),
        ("T-2", "size", "enum", '"XL"'),
    ]


def test_breaches_of_other_domains_are_not_shown(kept: None, make_person: Any, browse: Any) -> None:
    elsewhere = make_person("Eve", ("viewer", "billing-gl"))
    assert "T-1" not in browse(elsewhere).get("/contracts/breaches/").content.decode()
    assert call(elsewhere).get("/api/v1/contract-breaches/").json()["results"] == []


# API --------------------------------------------------------------------------------------------------------


def test_the_api_walks_a_version(contract: Contract, ada: Any, grace: Any) -> None:
    admin, approver = call(ada), call(grace)
    base = "/api/v1/contracts/truck/versions/"
    made = admin.post(base, {"schema": schema(name=TEXT, size=TEXT)}, format="json").json()
    at = f"{base}{made['number']}/"
    assert admin.post(f"{at}submit/").json()["status"] == "in_review"
    assert admin.post(f"{at}approve/").status_code == 403
    assert approver.post(f"{at}approve/").json()["status"] == "approved"
    assert admin.post(f"{at}activate/").json()["status"] == "active"
    assert admin.post(f"{at}submit/").status_code == 422
    old = f"{base}2/"
    assert admin.post(f"{old}sunset/", {"sunset_date": "2099-01-01"}).json()["sunset_date"] == "2099-01-01"
    assert admin.get(old).headers["Sunset"] == "Thu, 01 Jan 2099 00:00:00 GMT"
    assert admin.post(f"{old}retire/", {"reason": "x"}).status_code == 409
    assert admin.get(f"{old}consumers/").json() == []


def test_the_api_shows_the_effective_verdict(contract: Contract, ada: Any) -> None:
    approved(contract, schema(("name",), name=TEXT))
    said = call(ada).get("/api/v1/contracts/truck/diff/?old=2&new=3").json()
    assert (said["breaking"], said["effective"]["breaking"]) == (True, False)


# Drifts -----------------------------------------------------------------------------------------------------


@pytest.fixture
def drifted(domains: Any) -> Drift:
    source = builders.stream(builders.connection("crm"), "trucks")
    before = [{"path": "id", "type": "string"}, {"path": "size", "type": "string"}]
    found = drift.note(source, before, before[1:], seen_in="discovery")
    assert found
    return found


def test_a_drift_is_shown_and_decided_with_a_reason(drifted: Drift, ada: Any, olga: Any, browse: Any) -> None:
    page = browse(olga).get("/drifts/").content.decode()
    assert f"/drifts/{drifted.pk}/" in page
    assert "Accept the new shape" not in browse(olga).get(f"/drifts/{drifted.pk}/").content.decode()
    assert browse(olga).post(f"/drifts/{drifted.pk}/accept/").status_code == 403
    client = browse(ada)
    assert "Accept the new shape" in client.get(f"/drifts/{drifted.pk}/").content.decode()
    assert client.post(f"/drifts/{drifted.pk}/dismiss/").status_code == 422
    client.post(f"/drifts/{drifted.pk}/dismiss/", {"reason": "A test."})
    drifted.refresh_from_db()
    assert (drifted.status, drifted.reason, drifted.decided_by) == ("dismissed", "A test.", ada)


def test_the_api_lists_and_decides_drifts(drifted: Drift, ada: Any, olga: Any) -> None:
    row = call(olga).get("/api/v1/drifts/?status=open").json()["results"][0]
    assert (row["stream"], row["is_breaking"], row["broken_paths"]) == ("crm-trucks", True, ["id"])
    assert call(olga).patch(f"/api/v1/drifts/{drifted.pk}/", {"status": "accepted"}).status_code == 403
    assert call(ada).patch(f"/api/v1/drifts/{drifted.pk}/", {"status": "accepted"}).json()["status"] == "accepted"
