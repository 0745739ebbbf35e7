"""The pages of entities and contracts: who sees and changes what, and what a form answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.test import Client

from governance.models import Contract, ContractVersion, Entity
from governance.services import load_canonical_model, remove_field, save_field

pytestmark = pytest.mark.django_db
Browse = Callable[[Any], Client]

FIELD = {
    "name": "delivery_region",
    "title": "Delivery region",
    "description": "Where the team sits.",
    "type": "string",
    "values": "North\nSouth",
    "classification": "internal",
    "example": "North",
    "seen": 1,
}


@pytest.fixture(autouse=True)
def model(domains: Any) -> None:
    load_canonical_model()


@pytest.fixture
def edit(ada: Any, browse: Browse) -> Client:
    return browse(ada)


@pytest.fixture
def vera(make_person: Any) -> Any:
    """May look at projects, and at nothing else."""
    return make_person("Vera", ("viewer", "project-wbs"))


@pytest.fixture
def otto(make_person: Any) -> Any:
    """Builds in one domain, looks at all."""
    return make_person("Otto", ("integration_admin", "project-wbs"), "viewer")


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


# The list ---------------------------------------------------------------------------------------------------


def test_the_list_shows_every_entity_with_its_key_and_version(edit: Client) -> None:
    page = text(edit.get("/contracts/"))
    assert "Ledger posting" in page
    assert "legal_entity, journal, line_number" in page
    assert "version 1" in page
    assert 'href="/contracts/new/"' in page


def test_the_list_shows_only_domains_that_one_may_see(vera: Any, browse: Browse) -> None:
    page = text(browse(vera).get("/contracts/"))
    assert "Work item" in page
    assert "Invoice" not in page
    assert "/contracts/new/" not in page


@pytest.mark.parametrize(
    ("query", "shown", "hidden"),
    [
        ("?domain=billing-gl", "Ledger posting", "Milestone"),
        ("?q=domain:billing-gl", "Ledger posting", "Milestone"),
        ("?q=skill", "Resource skill", "Milestone"),
        ("?mode=freeze", "No entity matches", "Milestone"),
    ],
)
def test_the_list_filters(edit: Client, query: str, shown: str, hidden: str) -> None:
    page = text(edit.get(f"/contracts/{query}"))
    assert shown in page
    assert hidden not in page


def test_an_empty_hub_says_what_to_do(edit: Client) -> None:
    ContractVersion.objects.all().delete()
    Contract.objects.all().delete()
    Entity.objects.all().delete()
    assert "No entities yet" in text(edit.get("/contracts/"))


def test_the_list_is_a_file_too(edit: Client) -> None:
    response = edit.get("/contracts.json?q=ledger")
    [row] = orjson.loads(b"".join(response))
    assert row["entity"] == "gl_posting"
    assert (row["domain"], row["version"], row["mode"]) == ("billing-gl", 1, "discard_value")
    assert edit.get("/contracts.csv")["Content-Disposition"].endswith('"contracts.csv"')


def test_without_a_role_there_is_nothing_to_see(mallory: Any, browse: Browse) -> None:
    client = browse(mallory)
    for path in ("/contracts/", "/contracts/project/", "/contracts/project.schema.json", "/contracts/new/"):
        assert client.get(path).status_code == 403


# One contract -----------------------------------------------------------------------------------------------


def test_fields_are_shown_with_what_they_mean(edit: Client) -> None:
    page = text(edit.get("/contracts/time_entry/"))
    assert "Hours worked; corrections change the entry" in page
    assert "choice of 5" in page
    assert "money in currency" in page
    assert "restricted" in page
    assert "Approved billable time does not come with an empty bill rate." in page
    assert 'href="/contracts/project/"' in page


def test_a_viewer_sees_no_way_to_change_anything(vera: Any, browse: Browse) -> None:
    page = text(browse(vera).get("/contracts/project/"))
    assert "Project code that all systems agree on." in page
    assert "Add field" not in page
    assert "/fields/" not in page


def test_a_contract_of_another_domain_is_not_there(vera: Any, browse: Browse) -> None:
    for tab in ("", "versions/", "schema/", "history/"):
        assert browse(vera).get(f"/contracts/invoice/{tab}").status_code == 404
    assert browse(vera).get("/contracts/invoice.schema.json").status_code == 404


def test_an_entity_without_a_contract_says_so(edit: Client, domains: Any) -> None:
    Entity.objects.create(slug="bare", name="Bare", domain=domains["resource"])
    for tab in ("", "versions/", "schema/", "history/", "settings/"):
        assert edit.get(f"/contracts/bare/{tab}").status_code == 200
    assert edit.get("/contracts/bare/fields/new/").status_code == 404
    assert "No contract yet" in text(edit.get("/contracts/bare/"))
    assert "No contract" in text(edit.get("/contracts/"))


def test_two_versions_are_compared_in_words(edit: Client, ada: Any) -> None:
    contract = Contract.objects.get(slug="project")
    save_field(contract=contract, name="desk", spec={"type": "string", "title": "Desk"}, required=True, by=ada)
    remove_field(contract=contract, name="region", by=ada)
    page = text(edit.get("/contracts/project/versions/?compare=1..3"))
    assert "From version 1 to version 3" in page
    assert "Text, required." in page
    assert "Text, optional. Region as the firm reports it." in page
    assert "From version 1 to version 3" in text(edit.get("/contracts/project/versions/?from=1&to=3"))


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [("1..9", "There is no version 9."), ("x", "names no two versions"), ("1..", "names no two versions")],
)
def test_versions_that_are_not_there_get_a_sentence(edit: Client, asked: str, sentence: str) -> None:
    assert sentence in text(edit.get("/contracts/project/versions/", {"compare": asked}))


def test_the_same_version_twice_has_no_difference(edit: Client) -> None:
    assert "no difference in any field" in text(edit.get("/contracts/project/versions/?compare=1..1"))


def test_the_schema_is_a_file_that_any_validator_can_use(edit: Client) -> None:
    response = edit.get("/contracts/expense.schema.json")
    schema = orjson.loads(response.content)
    assert response["Content-Type"] == "application/schema+json"
    assert response["Content-Disposition"] == 'attachment; filename="expense.v1.schema.json"'
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert "format" not in schema["properties"]["amount"]
    assert schema["properties"]["amount"]["pattern"]


def test_an_older_version_of_the_schema_can_be_read(edit: Client) -> None:
    save_field(
        contract=Contract.objects.get(slug="skill"), name="desk", spec={"type": "string"}, required=False, by=None
    )
    assert "desk" in text(edit.get("/contracts/skill/schema/"))
    assert "desk" not in text(edit.get("/contracts/skill/schema/?version=1"))
    assert edit.get("/contracts/skill.schema.json?version=9").status_code == 404
    assert edit.get("/contracts/skill.schema.json?version=x").status_code == 404


def test_history_tells_who_changed_what(edit: Client) -> None:
    edit.post("/contracts/skill/fields/new/", FIELD)
    edit.post("/contracts/skill/settings/", SETTINGS)
    page = text(edit.get("/contracts/skill/history/"))
    assert "Version 2: Field delivery_region added." in page
    assert "domain changed from Resource to Organisation" in page
    assert "mode changed from “Discard value” to “Freeze”" in page
    assert "by Ada" in page


# Entities ---------------------------------------------------------------------------------------------------

ENTITY = {
    "name": "Purchase order",
    "slug": "purchase_order",
    "key_fields": "order, line_number",
    "description": "What we buy.",
}
SETTINGS = {
    "name": "Skill",
    "description": "Something.",
    "mode": "freeze",
    "compatibility": "FULL",
    "load_order": 20,
    "max_wait_minutes": 1440,
}


@pytest.fixture(autouse=True)
def domain_ids(domains: Any) -> None:
    ENTITY["domain"] = domains["billing-gl"].pk
    SETTINGS["domain"] = domains["organisation"].pk


def test_a_new_entity_is_made_by_form(edit: Client) -> None:
    response = edit.post("/contracts/new/", ENTITY, follow=True)
    assert response.redirect_chain == [("/contracts/purchase_order/", 302)]
    assert "Purchase order is made. Add the fields that its records hold." in text(response)
    version = ContractVersion.objects.get(contract__slug="purchase_order")
    assert list(version.schema["properties"]) == ["order", "line_number"]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"slug": "project"}, "There is already an entity called “project”."),
        ({"slug": "new"}, "is a word of the addresses"),
        ({"slug": "Pürchase"}, "Enter a valid"),
        ({"key_fields": "Order No"}, "“Order” cannot be the name of a field."),
        ({"key_fields": "a a"}, "A key field stands twice."),
        ({"name": ""}, "This field is required."),
    ],
)
def test_an_entity_that_cannot_be_made_gets_a_sentence(edit: Client, changes: dict[str, str], sentence: str) -> None:
    response = edit.post("/contracts/new/", ENTITY | changes)
    assert response.status_code == 422
    assert sentence in text(response)
    assert not Entity.objects.filter(slug="purchase_order").exists()


def test_an_entity_can_only_be_made_where_one_may_edit(otto: Any, browse: Browse, domains: Any) -> None:
    client = browse(otto)
    assert client.post("/contracts/new/", ENTITY).status_code == 422
    assert client.post("/contracts/new/", ENTITY | {"domain": domains["project-wbs"].pk}).status_code == 302


def test_settings_are_saved(edit: Client) -> None:
    response = edit.post("/contracts/skill/settings/", SETTINGS | {"max_wait_minutes": 60}, follow=True)
    assert "The settings of Skill are saved." in text(response)
    skill = Entity.objects.get(slug="skill")
    assert (skill.domain.slug, skill.contract.mode, skill.max_wait_seconds) == ("organisation", "freeze", 3600)


def test_seconds_that_are_no_minutes_stay_when_nobody_touches_them(edit: Client) -> None:
    Entity.objects.filter(slug="skill").update(max_wait_seconds=90)
    edit.post("/contracts/skill/settings/", SETTINGS | {"max_wait_minutes": 1})
    assert Entity.objects.get(slug="skill").max_wait_seconds == 90


def test_wrong_settings_keep_the_page_and_say_why(edit: Client) -> None:
    response = edit.post("/contracts/skill/settings/", SETTINGS | {"name": "", "max_wait_minutes": 0})
    assert response.status_code == 422
    assert "greater than or equal to 1" in text(response)
    assert "Settings of Skill" in text(response)


# Fields -----------------------------------------------------------------------------------------------------


def test_a_field_is_added_by_form(edit: Client) -> None:
    response = edit.post("/contracts/project/fields/new/", FIELD, follow=True)
    assert "Saved. Version 2 of the contract is active." in text(response)
    version = ContractVersion.objects.get(contract__slug="project", status="active")
    assert version.schema["properties"]["delivery_region"] == {
        "enum": ["North", "South", None],
        "title": "Delivery region",
        "description": "Where the team sits.",
        "examples": ["North"],
        "x-classification": "internal",
    }


def test_an_amount_of_money_names_the_field_of_its_currency(edit: Client) -> None:
    money = FIELD | {"type": "decimal", "values": "", "example": "12.50", "money": "currency"}
    assert edit.post("/contracts/project/fields/new/", money).status_code == 302
    schema = ContractVersion.objects.get(contract__slug="project", status="active").schema
    assert schema["properties"]["delivery_region"]["x-money"] == "currency"
    assert edit.post("/contracts/skill/fields/new/", money).status_code == 422, "a skill has no currency"


def test_a_field_may_refer_to_another_entity(edit: Client) -> None:
    edit.post("/contracts/project/fields/new/", FIELD | {"values": "", "reference": "skill"})
    schema = ContractVersion.objects.get(contract__slug="project", status="active").schema
    assert schema["properties"]["delivery_region"]["x-ref"] == "skill"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": "Region"}, "“Region” cannot be the name of a field."),
        ({"name": "code"}, "The contract already has a field “code”."),
        ({"title": ""}, "This field is required."),
        ({"values": "a\na"}, "The value “a” stands twice."),
        ({"example": "West"}, "The example is &#x27;West&#x27;, which is not one of North, South."),
        ({"type": "integer", "values": "", "example": "x"}, "which is not a whole number"),
        ({"type": "integer"}, "Only a text has allowed values."),
        ({"type": "date", "values": "", "max_length": 3}, "Only a text has a length."),
        ({"type": "date", "values": "", "reference": "skill"}, "A reference is the key of another record"),
        ({"money": "currency"}, "An amount of money is a decimal number."),
        ({"seen": 9}, "Somebody else has changed this contract"),
    ],
)
def test_a_field_that_cannot_be_saved_gets_a_sentence(edit: Client, changes: dict[str, Any], sentence: str) -> None:
    response = edit.post("/contracts/project/fields/new/", FIELD | changes)
    assert response.status_code == 422
    assert sentence in text(response)
    assert ContractVersion.objects.filter(contract__slug="project").count() == 1


def form_of(client: Client, path: str) -> dict[str, Any]:
    """What the form would send if nobody touched it."""
    form = client.get(path).context["form"]
    values = {field.name: field.value() for field in form}
    return {name: value for name, value in values.items() if value not in (None, False)}


def test_a_field_is_changed_by_form(edit: Client) -> None:
    path = "/contracts/project/fields/health/"
    sent = form_of(edit, path) | {"values": "green\namber\nred\nunknown", "required": "on"}
    assert edit.post(path, sent).status_code == 302
    schema = ContractVersion.objects.get(contract__slug="project", status="active").schema
    assert schema["properties"]["health"]["enum"] == ["green", "amber", "red", "unknown"]
    assert schema["required"] == ["code", "name", "health"]


@pytest.mark.parametrize("path", ["project/fields/code", "time_entry/fields/hours", "assignment/fields/daily_hours"])
def test_an_untouched_form_makes_no_version(edit: Client, path: str) -> None:
    response = edit.post(f"/contracts/{path}/", form_of(edit, f"/contracts/{path}/"), follow=True)
    assert "Nothing changed." in text(response)
    assert ContractVersion.objects.filter(status="deprecated").count() == 0


def test_a_key_field_stays_required(edit: Client) -> None:
    path = "/contracts/project/fields/code/"
    sent = form_of(edit, path) | {"title": "Project code"}
    sent.pop("required", None)
    edit.post(path, sent)
    schema = ContractVersion.objects.get(contract__slug="project", status="active").schema
    assert schema["properties"]["code"]["title"] == "Project code"
    assert schema["properties"]["code"]["x-key"] is True
    assert "code" in schema["required"]


def test_a_field_is_removed_after_asking(edit: Client) -> None:
    path = "/contracts/project/fields/region/remove/"
    page = text(edit.get(path))
    assert "Remove region from Project?" in page
    assert "What mappings put into the field is dropped from now on." in page
    response = edit.post(path, {"seen": 1}, follow=True)
    assert "The field region is no longer part of the contract." in text(response)
    assert "region" not in ContractVersion.objects.get(contract__slug="project", status="active").schema["properties"]


def test_a_field_that_is_needed_is_not_removed(edit: Client) -> None:
    response = edit.post("/contracts/project/fields/currency/remove/", {"seen": 1})
    assert response.status_code == 422
    assert "The field holds the currency of budget_revenue." in text(response)


def test_removing_needs_the_version_that_was_seen(edit: Client) -> None:
    save_field(
        contract=Contract.objects.get(slug="project"), name="desk", spec={"type": "string"}, required=False, by=None
    )
    assert "Somebody else has changed" in text(edit.post("/contracts/project/fields/region/remove/", {"seen": 1}))


def test_a_field_that_is_not_there_is_not_found(edit: Client) -> None:
    assert edit.get("/contracts/project/fields/nothing/").status_code == 404
    assert edit.post("/contracts/project/fields/nothing/remove/").status_code == 404


@pytest.mark.parametrize("person", ["vera", "olga"])
def test_who_may_only_look_changes_nothing(person: str, request: Any, browse: Browse) -> None:
    client = browse(request.getfixturevalue(person))
    for path in (
        "new/",
        "project/settings/",
        "project/fields/new/",
        "project/fields/code/",
        "project/fields/region/remove/",
    ):
        assert client.post(f"/contracts/{path}", FIELD).status_code == 403
    assert ContractVersion.objects.filter(contract__slug="project").count() == 1


def test_editing_in_one_domain_does_not_reach_into_another(otto: Any, browse: Browse) -> None:
    client = browse(otto)
    assert "Add field" not in text(client.get("/contracts/invoice/"))
    for path in ("settings/", "fields/new/", "fields/number/", "fields/period/remove/"):
        assert client.get(f"/contracts/invoice/{path}").status_code == 404
        assert client.post(f"/contracts/invoice/{path}", FIELD).status_code == 404
    assert client.post("/contracts/project/fields/new/", FIELD).status_code == 302
