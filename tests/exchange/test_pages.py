"""Import, downloads and rulesets on screen and over the API: the same rules, and nothing made before it was shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from rest_framework.test import APIClient

from governance.models import Contract, ContractVersion, Entity, Ruleset
from governance.rulesets.services import load_shipped
from governance.services import load_canonical_model, save_agreement, save_field
from hub.accounts.services import create_token

pytestmark = pytest.mark.django_db
Browse = Callable[[Any], Client]


@pytest.fixture(autouse=True)
def model(domains: Any) -> None:
    load_canonical_model()
    load_shipped()


@pytest.fixture
def edit(ada: Any, browse: Browse) -> Client:
    return browse(ada)


@pytest.fixture
def otto(make_person: Any) -> Any:
    """Builds in one domain, looks at all."""
    return make_person("Otto", ("integration_admin", "project-wbs"), "viewer")


def caller(user: Any) -> APIClient:
    _, secret = create_token(user, name="test", days=None, by=user)
    made = APIClient()
    made.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return made


@pytest.fixture
def api(ada: Any) -> APIClient:
    return caller(ada)


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def odcs(client: Client, slug: str, *, required: bool = False, **document: Any) -> str:
    """The contract as its page gives it away, with one field more."""
    found = yaml.safe_load(client.get(f"/contracts/{slug}.odcs.yaml").content)
    found["schema"][0]["properties"].append({"name": "mood", "logicalType": "string", "required": required})
    return str(yaml.safe_dump({**found, **document}, sort_keys=False))


def send(client: Client, content: bytes | str, **more: Any) -> Any:
    data = content.encode() if isinstance(content, str) else content
    file = SimpleUploadedFile("given.yaml", data)
    return client.post("/contracts/import/", {"format": "odcs", "file": file, **more})


def active(slug: str) -> int:
    return ContractVersion.objects.get(contract__slug=slug, status="active").number


# Import ------------------------------------------------------------------------------------------------------
def test_a_file_is_compared_first_and_becomes_a_version_on_the_second_press(edit: Client) -> None:
    given = odcs(edit, "skill")
    page = text(send(edit, given))
    assert "skill: from version 1 to version 2" in page
    assert "Optional field added" in page
    assert active("skill") == 1
    press = {"format": "odcs", "text": given, "seen": 1, "apply": "1"}
    assert edit.post("/contracts/import/", press).headers["Location"] == "/contracts/skill/versions/"
    assert active("skill") == 2


def test_a_breaking_file_needs_a_tick(edit: Client) -> None:
    given = odcs(edit, "skill", required=True)
    page = text(send(edit, given))
    assert "I know that this breaks what the contract promises" in page
    press = {"format": "odcs", "text": given, "seen": 1, "apply": "1"}
    assert edit.post("/contracts/import/", press).status_code == 422
    assert active("skill") == 1
    assert edit.post("/contracts/import/", press | {"is_breaking_accepted": "on"}).status_code == 302


def test_a_version_that_came_meanwhile_is_not_overwritten(edit: Client, ada: Any) -> None:
    given = odcs(edit, "skill")
    save_field(
        contract=Contract.objects.get(slug="skill"), name="desk", spec={"type": "string"}, required=False, by=ada
    )
    response = edit.post("/contracts/import/", {"format": "odcs", "text": given, "seen": 1, "apply": "1"})
    assert response.status_code == 422
    assert "the comparison was made with version 1" in text(response)
    assert active("skill") == 2


def test_a_new_entity_comes_from_a_file(edit: Client) -> None:
    given = odcs(edit, "skill")
    page = text(send(edit, given, name="craft", domain="resource"))
    assert "craft would be new" in page
    press = {"format": "odcs", "text": given, "name": "craft", "domain": "resource", "seen": 0, "apply": "1"}
    assert edit.post("/contracts/import/", press).status_code == 302
    assert Entity.objects.get(slug="craft").domain.slug == "resource"


def test_what_a_file_says_already_makes_no_version(edit: Client) -> None:
    assert "says this already" in text(send(edit, edit.get("/contracts/skill.odcs.yaml").content))


def test_an_error_of_a_ruleset_refuses_the_file(edit: Client) -> None:
    Ruleset.objects.create(slug="strict", name="Strict", rules=[{"rule": "has_owner"}])
    given = odcs(edit, "skill")
    assert "The contract names no owner." in text(send(edit, given))
    response = edit.post("/contracts/import/", {"format": "odcs", "text": given, "seen": 1, "apply": "1"})
    assert response.status_code == 422
    owned = odcs(edit, "skill", team={"members": [{"username": "ann", "role": "owner"}]})
    assert (
        edit.post("/contracts/import/", {"format": "odcs", "text": owned, "seen": 1, "apply": "1"}).status_code == 302
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"a: &a [*a]", "own anchor"),
        (b"[]", "not a mapping"),
        (b"kind: X", "no ODCS document"),
    ],
)
def test_a_bad_file_is_refused_on_the_page_with_a_sentence(edit: Client, content: bytes, words: str) -> None:
    response = send(edit, content)
    assert response.status_code == 422
    assert words in text(response)


def test_no_file_is_asked_for(edit: Client) -> None:
    assert "Choose a file." in text(edit.post("/contracts/import/", {"format": "odcs"}))
    assert edit.get("/contracts/import/").status_code == 200


def test_only_who_may_edit_a_domain_imports_into_it(otto: Any, browse: Browse, edit: Client) -> None:
    client = browse(otto)
    assert send(client, odcs(edit, "skill")).status_code == 403
    assert send(client, odcs(edit, "project")).status_code == 200
    assert client.get("/contracts/import/").status_code == 200


# Downloads ---------------------------------------------------------------------------------------------------
def test_the_files_of_a_contract_are_named_after_it(edit: Client) -> None:
    for ending in ("odcs.yaml", "asyncapi.yaml", "schema.json"):
        response = edit.get(f"/contracts/skill.{ending}?version=1")
        assert response.headers["Content-Disposition"] == f'attachment; filename="skill.v1.{ending}"'
        assert edit.get(f"/contracts/skill.{ending}?version=9").status_code == 404
    whole = yaml.safe_load(edit.get("/contracts.asyncapi.yaml").content)
    assert "invoice" in whole["channels"]
    page = text(edit.get("/contracts/skill/schema/"))
    assert 'href="/contracts/skill.odcs.yaml?version=1"' in page


def test_files_hold_only_what_one_may_see(make_person: Any, browse: Browse) -> None:
    client = browse(make_person("Vera", ("viewer", "project-wbs")))
    assert client.get("/contracts/invoice.odcs.yaml").status_code == 404
    assert "invoice" not in yaml.safe_load(client.get("/contracts.asyncapi.yaml").content)["channels"]


# Owner and service levels -----------------------------------------------------------------------------------
def test_owner_tags_and_service_levels_are_written_by_form_as_a_version(edit: Client) -> None:
    given = {
        "owner": "ann",
        "tags": "finance, close",
        "levels": "latency 4 h of amount\navailability 99.5 %",
        "seen": 1,
    }
    assert edit.get("/contracts/invoice/agreement/").status_code == 200
    assert edit.post("/contracts/invoice/agreement/", given).status_code == 302
    schema = ContractVersion.objects.get(contract__slug="invoice", status="active").schema
    assert (schema["x-owner"], schema["x-tags"]) == ("ann", ["finance", "close"])
    assert schema["x-sla"] == [
        {"property": "latency", "value": 4, "unit": "h", "element": "amount"},
        {"property": "availability", "value": 99.5, "unit": "%"},
    ]
    page = text(edit.get("/contracts/invoice/"))
    assert "owned by ann" in page
    assert "The contract names no owner." not in page
    again = text(edit.get("/contracts/invoice/agreement/"))
    assert "latency 4 h of amount" in again
    emptied = {"owner": "", "tags": "", "levels": "", "seen": 2}
    assert edit.post("/contracts/invoice/agreement/", emptied).status_code == 302
    schema = ContractVersion.objects.get(contract__slug="invoice", status="active").schema
    assert not {"x-owner", "x-tags", "x-sla"} & set(schema)


def test_what_a_line_of_a_service_level_does_not_say_is_kept(edit: Client) -> None:
    levels = [
        {"property": "latency", "value": 4, "unit": "h", "driver": "regulatory"},
        {"property": "support", "value": "9-17"},
    ]
    contract = Contract.objects.get(slug="skill")
    save_agreement(contract=contract, owner="", tags=[], levels=levels, by=None)
    given = {"owner": "ann", "tags": "", "levels": "latency 2 h\nsupport 9-17", "seen": 2}
    assert edit.post("/contracts/skill/agreement/", given).status_code == 302
    schema = ContractVersion.objects.get(contract__slug="skill", status="active").schema
    assert schema["x-sla"] == [{**levels[0], "value": 2}, levels[1]]


@pytest.mark.parametrize(
    ("change", "words"),
    [({"levels": "soon"}, "is no service level"), ({"seen": 9}, "Somebody else has changed this contract")],
)
def test_a_wrong_agreement_keeps_the_page_and_says_why(edit: Client, change: dict[str, Any], words: str) -> None:
    response = edit.post("/contracts/skill/agreement/", {"owner": "ann", "tags": "", "levels": "", "seen": 1} | change)
    assert response.status_code == 422
    assert words in text(response)
    assert active("skill") == 1


# Rulesets ----------------------------------------------------------------------------------------------------
def test_the_page_says_which_contract_fails_what(edit: Client) -> None:
    page = text(edit.get("/rulesets/"))
    assert "Finance contracts" in page
    assert "The contract names no owner." in page
    only = text(edit.get("/rulesets/?severity=error"))
    assert "Nothing that fails matches" in only
    rows = b"".join(edit.get("/rulesets.csv?ruleset=finance-contracts&domain=billing-gl")).decode()
    assert "invoice,billing-gl,finance-contracts,Names its owner,warning,The contract names no owner." in rows
    assert "The contract names no owner." in text(edit.get("/contracts/invoice/"))


def test_a_hub_without_rulesets_says_so(edit: Client) -> None:
    Ruleset.objects.all().delete()
    assert "No rulesets yet" in text(edit.get("/rulesets/"))


def test_a_contract_that_meets_everything_is_told_so(edit: Client) -> None:
    Ruleset.objects.all().delete()
    Ruleset.objects.create(slug="easy", name="Easy", rules=[{"rule": "has_key"}])
    assert "Every contract meets its rulesets" in text(edit.get("/rulesets/"))


def test_a_ruleset_is_written_as_yaml(edit: Client) -> None:
    given = "slug: mine\nname: Mine\nrules:\n- {rule: has_owner, severity: warning}\n"
    assert edit.get("/rulesets/new/").status_code == 200
    assert edit.post("/rulesets/new/", {"text": given}).status_code == 302
    assert "already a ruleset" in text(edit.post("/rulesets/new/", {"text": given}))
    assert "Mine" in text(edit.get("/rulesets/mine/"))
    assert edit.post("/rulesets/mine/", {"text": given.replace("Mine", "Ours")}).status_code == 302
    assert Ruleset.objects.get(slug="mine").name == "Ours"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("slug: other\nname: x\nrules: [{rule: has_owner}]", "cannot change"),
        ("name: x\nrules: [{rule: nice}]", "no rule"),
        ("name: x", "needs"),
        ("a: &a [*a]", "own anchor"),
        ("[", "neither JSON nor YAML"),
    ],
)
def test_a_ruleset_that_is_wrong_keeps_the_page_and_says_why(edit: Client, given: str, words: str) -> None:
    response = edit.post("/rulesets/every-contract/", {"text": given})
    assert response.status_code == 422
    assert words in text(response)


def test_rulesets_reach_over_domains_so_one_domain_is_not_enough(otto: Any, browse: Browse) -> None:
    client = browse(otto)
    assert client.post("/rulesets/every-contract/", {"text": "name: x\nrules: [{rule: has_key}]"}).status_code == 403
    page = text(client.get("/rulesets/every-contract/"))
    assert "to change them needs a role for all domains" in page
    assert "Save ruleset" not in page


# API ---------------------------------------------------------------------------------------------------------
def test_the_api_exports_and_imports_the_same(api: APIClient, edit: Client) -> None:
    given = api.get("/api/v1/contracts/skill/export/odcs/").content.decode()
    assert given == edit.get("/contracts/skill.odcs.yaml").content.decode()
    assert api.get("/api/v1/contracts/skill/export/csv/").status_code == 404
    assert api.get("/api/v1/contracts/skill/export/odcs/?version=9").status_code == 404
    assert "invoice" in yaml.safe_load(api.get("/api/v1/asyncapi/").content)["channels"]
    body = {"format": "odcs", "content": odcs(edit, "skill"), "dry_run": True}
    found = api.post("/api/v1/contract-imports/", body, format="json").json()
    assert (found["contract"], found["applied"], found["verdict"], active("skill")) == ("skill", False, "FULL", 1)
    made = api.post("/api/v1/contract-imports/", body | {"dry_run": False, "seen": 1}, format="json")
    assert (made.status_code, made.json()["version"]) == (201, 2)
    again = api.post("/api/v1/contract-imports/", body | {"dry_run": False}, format="json")
    assert (again.status_code, again.json()["version"]) == (200, 2)


@pytest.mark.parametrize(
    ("content", "code"),
    [("a: &a [*a]", "UNREADABLE"), ("[" * 5000, "UNREADABLE"), ("kind: X", "ODCS")],
)
def test_the_api_refuses_bad_input_with_a_sentence(api: APIClient, content: str, code: str) -> None:
    response = api.post("/api/v1/contract-imports/", {"format": "odcs", "content": content}, format="json")
    assert (response.status_code, response.json()["code"]) == (422, code)


def test_the_api_imports_nothing_breaking_by_accident_and_nothing_into_other_domains(
    api: APIClient, otto: Any, edit: Client
) -> None:
    body = {"format": "odcs", "content": odcs(edit, "skill", required=True)}
    response = api.post("/api/v1/contract-imports/", body, format="json")
    assert (response.status_code, response.json()["code"]) == (422, "BREAKING")
    assert caller(otto).post("/api/v1/contract-imports/", body, format="json").status_code == 403
    assert api.post("/api/v1/contract-imports/", body | {"breaking": True}, format="json").status_code == 201


def test_rulesets_over_the_api(api: APIClient, otto: Any) -> None:
    body = {"slug": "mine", "name": "Mine", "rules": [{"rule": "has_owner", "severity": "warning"}]}
    assert api.post("/api/v1/rulesets/", body, format="json").status_code == 201
    assert api.post("/api/v1/rulesets/", body, format="json").status_code == 422
    assert api.put("/api/v1/rulesets/mine/", body | {"name": "Ours"}, format="json").json()["name"] == "Ours"
    assert api.put("/api/v1/rulesets/none/", body, format="json").status_code == 404
    assert api.post("/api/v1/rulesets/", body | {"slug": "x", "rules": []}, format="json").status_code == 422
    assert [row["slug"] for row in api.get("/api/v1/rulesets/").json()["results"]][-1] == "mine"
    found = api.get("/api/v1/rulesets/findings/").json()
    assert {row["ruleset"] for row in found} >= {"finance-contracts", "mine"}
    assert caller(otto).post("/api/v1/rulesets/", body | {"slug": "y"}, format="json").status_code == 403
