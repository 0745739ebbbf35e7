"""The shipped canonical model: sound, complete, and untouched once a firm has made it its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from django.core.management import call_command

from governance.canonical_model import FOLDER, shipped_documents
from governance.contracts import ContractCheck
from governance.models import Contract, ContractVersion, Entity
from governance.schemas import Field, fields_of, markers_of, rules_of, schema_problems
from governance.services import create_entity, load_canonical_model, save_field
from hub.accounts.models import Domain
from hub.common.registry import kind
from hub.config import services as config

SHIPPED = {entity["slug"]: (entity, contract) for entity, contract in shipped_documents()}
SCHEMAS = {slug: contract["schema"] for slug, (_, contract) in SHIPPED.items()}
FIELDS = [(slug, field) for slug, schema in SCHEMAS.items() for field in fields_of(schema)]
EXPECTED = """
    customer contract project work_item resource availability skill resource_skill rate_card rate_line assignment
    time_entry expense milestone invoice invoice_line gl_posting legal_entity cost_center opportunity resource_request
    change_order project_financials purchase_cost exchange_rate fiscal_period
"""


def _id(value: Any) -> str:
    return value.name if isinstance(value, Field) else str(value)


def record(slug: str, **changes: Any) -> dict[str, Any]:
    """A record made of the examples of every field."""
    return {field.name: field.spec["examples"][0] for field in fields_of(SCHEMAS[slug])} | changes


def test_every_entity_of_the_business_is_shipped() -> None:
    assert set(SHIPPED) == set(EXPECTED.split())


@pytest.mark.parametrize("slug", SHIPPED)
def test_shipped_schema_is_sound(slug: str) -> None:
    assert schema_problems(SCHEMAS[slug]) == []


@pytest.mark.parametrize("slug", SHIPPED)
def test_each_file_is_named_after_its_entity_and_agrees_with_itself(slug: str) -> None:
    entity, contract = SHIPPED[slug]
    assert (FOLDER / f"{slug}.yaml").is_file()
    assert contract["slug"] == contract["entity"] == slug
    assert contract["name"] == contract["schema"]["title"] == entity["name"]


@pytest.mark.parametrize("slug", SHIPPED)
def test_every_entity_has_a_key_that_is_required(slug: str) -> None:
    key = markers_of(SCHEMAS[slug]).key
    assert key
    assert set(key) <= set(SCHEMAS[slug]["required"])


@pytest.mark.parametrize(("slug", "field"), FIELDS, ids=_id)
def test_every_field_says_what_it_means_with_an_example_that_passes(slug: str, field: Field) -> None:
    assert field.spec["title"]
    assert field.description.endswith(".")
    assert field.spec["x-classification"]
    check = ContractCheck({"type": "object", "properties": {"value": field.spec}})
    for example in field.spec["examples"]:
        assert check.explain({"value": example}) == []


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_record_of_all_examples_passes_its_contract(slug: str) -> None:
    assert ContractCheck(SCHEMAS[slug]).explain(record(slug)) == []


@pytest.mark.parametrize("slug", SHIPPED)
def test_a_source_may_leave_out_or_empty_whatever_is_not_required(slug: str) -> None:
    check, required = ContractCheck(SCHEMAS[slug]), set(SCHEMAS[slug]["required"])
    full = {name: value for name, value in record(slug).items() if name in required}
    empty = {field.name: None for field in fields_of(SCHEMAS[slug]) if field.name not in required}
    assert check.explain(full) == []
    assert check.explain(empty | full) == []


def test_references_lead_to_shipped_entities_that_load_earlier() -> None:
    """Two entities that refer to each other would wait for each other for ever."""
    for slug, field in FIELDS:
        if field.ref and field.ref != slug:
            assert SHIPPED[field.ref][0]["load_order"] < SHIPPED[slug][0]["load_order"], f"{slug}.{field.name}"


def test_fields_of_the_same_marker_stand_once_in_an_entity() -> None:
    for slug, schema in SCHEMAS.items():
        columns = [column for column, _ in markers_of(schema).promoted]
        assert len(columns) == len(set(columns)), slug


def test_every_amount_stands_beside_a_currency() -> None:
    for slug, field in FIELDS:
        if field.currency:
            assert SCHEMAS[slug]["properties"][field.currency]["format"] == "currency", f"{slug}.{field.name}"


def test_cost_rates_and_health_data_are_never_open() -> None:
    open_fields = {f"{slug}.{field.name}" for slug, field in FIELDS if not field.is_masked}
    assert not {
        name for name in open_fields if name.endswith(("cost_rate", "bill_rate", "absence_type", "budget_cost"))
    }


@pytest.mark.parametrize(
    ("slug", "changes", "sentence"),
    [
        ("time_entry", {"hours": "-4.00"}, "hours is '-4.00', which is not a number of hours from 0 to 24."),
        ("time_entry", {"hours": "25.00"}, "not a number of hours from 0 to 24"),
        ("time_entry", {"bill_rate": None}, "Approved billable time does not come with an empty bill rate."),
        ("opportunity", {"currency": "GPB"}, "not a currency code of ISO 4217"),
        ("opportunity", {"legal_entity": None}, "A won opportunity names its legal entity."),
        ("expense", {"currency": "EURO"}, "not a currency code of ISO 4217"),
        ("project", {"code": "P" * 46}, "longer than 20 characters: it has 46"),
        ("resource", {"work_email": None}, "An employee has a work e-mail address."),
        ("resource", {"work_email": ""}, "not an e-mail address"),
        ("milestone", {"planned_date": "2026-02-31"}, "not a date such as 2026-11-27"),
        ("exchange_rate", {"rate": "0.00"}, "not a rate above 0"),
    ],
)
def test_what_finance_could_not_use_is_stopped(slug: str, changes: dict[str, Any], sentence: str) -> None:
    errors = ContractCheck(SCHEMAS[slug]).explain(record(slug, **changes))
    assert len(errors) == 1
    assert sentence in errors[0].what


def test_unpriced_time_passes_where_its_source_keeps_no_rates() -> None:
    entry = record("time_entry")
    del entry["bill_rate"]
    assert ContractCheck(SCHEMAS["time_entry"]).passes(entry)


def test_rules_across_fields_have_words() -> None:
    assert rules_of(SCHEMAS["resource"]) == ["An employee has a work e-mail address."]


# In the database --------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_model_loads_once_and_is_then_left_alone(domains: Any) -> None:
    assert load_canonical_model() == len(SHIPPED)
    project = Contract.objects.get(slug="project")
    save_field(contract=project, name="desk", spec={"type": "string"}, required=False, by=None)
    assert load_canonical_model() == 0
    assert project.versions.count() == 2


@pytest.mark.django_db
def test_entity_that_a_firm_already_has_is_not_touched(domains: Any) -> None:
    create_entity(name="Our project", slug="project", domain=domains["project-wbs"], by=None)
    assert load_canonical_model() == len(SHIPPED) - 1
    assert Entity.objects.get(slug="project").name == "Our project"
    assert ContractVersion.objects.get(contract__slug="project").schema["required"] == ["code"]


@pytest.mark.django_db
def test_fields_keep_the_order_in_which_they_are_written(domains: Any) -> None:
    load_canonical_model()
    stored = ContractVersion.objects.get(contract__slug="gl_posting").schema
    assert list(stored["properties"]) == list(SCHEMAS["gl_posting"]["properties"])
    assert markers_of(stored).key == ("legal_entity", "journal", "line_number")


@pytest.mark.django_db
def test_export_of_the_model_is_the_model(domains: Any, tmp_path: Path) -> None:
    load_canonical_model()
    call_command("config", "export", str(tmp_path), verbosity=0)
    assert config.plan(tmp_path).steps == []
    for entity, contract in SHIPPED.values():
        assert kind("Entity").diff(entity) == []
        assert kind("Contract").diff(contract) == []


@pytest.mark.django_db
def test_exported_model_builds_the_same_hub_elsewhere(domains: Any, tmp_path: Path) -> None:
    load_canonical_model()
    call_command("config", "export", str(tmp_path), verbosity=0)
    before = {version.contract.slug: version.schema for version in ContractVersion.objects.select_related("contract")}
    Contract.objects.all().delete()
    Entity.objects.all().delete()
    config.apply(tmp_path)
    after = {version.contract.slug: version.schema for version in ContractVersion.objects.select_related("contract")}
    assert after == before
    assert [list(schema["properties"]) for schema in after.values()] == [
        list(before[slug]["properties"]) for slug in after
    ]


@pytest.mark.django_db
def test_prepare_restores_domains_and_says_what_it_made(capsys: Any) -> None:
    Domain.objects.all().delete()
    call_command("prepare")
    assert capsys.readouterr().out == f"{len(SHIPPED)} entities of the canonical model were created.\n"
    assert Domain.objects.get(slug="billing-gl").entities.count() == 3
    call_command("prepare")
    assert capsys.readouterr().out == ""


def test_schemas_are_plain_json_schema_of_2020_12() -> None:
    for schema in SCHEMAS.values():
        jsonschema_rs.meta.validate({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema})


def test_the_documentation_lists_every_entity_with_its_key() -> None:
    text = (FOLDER.parents[1] / "docs" / "canonical-model.md").read_text(encoding="utf-8")
    rows = {cells[2].strip(" `"): cells for line in text.splitlines() if len(cells := line.split("|")) == 8}
    for slug, (entity, contract) in SHIPPED.items():
        assert rows[slug][1].strip() == str(entity["load_order"])
        assert rows[slug][4].replace("`", "").strip() == ", ".join(markers_of(contract["schema"]).key)
