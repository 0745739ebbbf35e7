"""A record as people may see it: what is masked, who supplied what, where references lead."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from governance.models import Contract, Entity
from governance.services import load_canonical_model, remove_field, save_field
from hub.records.models import CanonicalRecord
from hub.records.reading import Described, plain_amount, show, sources_of, title_of
from tests.records.builders import example, put, stream

pytestmark = pytest.mark.django_db


@pytest.fixture
def entities(domains: Any) -> dict[str, Entity]:
    load_canonical_model()
    return {entity.slug: entity for entity in Entity.objects.all()}


@pytest.fixture
def resource(entities: dict[str, Entity]) -> CanonicalRecord:
    return put(entities["resource"], [example("resource")], stream("hris", "employees"))[0]


def shown(record: CanonicalRecord, **options: Any) -> dict[str, Any]:
    return {item.field.name: item for item in show(record, Described(record.entity), **options)}


def test_classified_values_are_masked(resource: CanonicalRecord) -> None:
    fields = shown(resource)
    assert (fields["cost_rate"].is_masked, fields["cost_rate"].value) == (True, None)
    assert (fields["given_name"].is_masked, fields["given_name"].value) == (False, "Imani")
    assert Described(resource.entity).masked(resource.body) == {
        "bill_rate",
        "cost_rate",
        "hire_date",
        "termination_date",
        "login",
    }


def test_revealed_values_are_shown(resource: CanonicalRecord) -> None:
    cost = shown(resource, revealed=True)["cost_rate"]
    assert (cost.value, cost.look, cost.currency, cost.is_masked) == ("68.00", "amount", "GBP", False)


def test_nothing_is_masked_where_there_is_nothing(entities: dict[str, Entity]) -> None:
    record = put(entities["resource"], [example("resource", cost_rate=None)], stream("hris", "employees"))[0]
    assert not shown(record)["cost_rate"].is_masked


def test_a_field_that_left_the_contract_stays_as_secret_as_it_was(resource: CanonicalRecord) -> None:
    contract = Contract.objects.get(slug="resource")
    remove_field(contract=contract, name="cost_rate", by=None)
    remove_field(contract=contract, name="grade", by=None)
    fields = shown(resource)
    assert (fields["cost_rate"].is_masked, fields["cost_rate"].is_known) == (True, False)
    assert (fields["grade"].value, fields["grade"].is_known) == ("C3", False)


def test_a_field_follows_its_newest_classification(resource: CanonicalRecord) -> None:
    contract = Contract.objects.get(slug="resource")
    spec = contract.versions.get(status="active").schema["properties"]["grade"] | {"x-classification": "restricted"}
    save_field(contract=contract, name="grade", spec=spec, required=False, by=None)
    assert shown(resource)["grade"].is_masked


def test_what_no_contract_ever_described_is_secret(entities: dict[str, Entity]) -> None:
    record = put(entities["skill"], [example("skill", surprise="hello")], stream("hris", "skills"))[0]
    assert (shown(record)["surprise"].is_masked, shown(record)["surprise"].is_known) == (True, False)
    assert "surprise" not in Described(record.entity).open_body(record.body)


def test_fields_come_in_the_order_of_the_contract(resource: CanonicalRecord) -> None:
    assert list(shown(resource))[:4] == ["employee_number", "type", "name", "given_name"]


def test_each_field_names_its_system(resource: CanonicalRecord) -> None:
    assert shown(resource)["given_name"].source == "HRIS"
    assert sources_of(resource, "slug")["given_name"] == "hris"


def test_a_reference_leads_to_the_record_when_it_is_here(
    entities: dict[str, Entity], resource: CanonicalRecord
) -> None:
    assert shown(resource)["legal_entity"].record is None
    company = put(entities["legal_entity"], [example("legal_entity")], stream("erp", "companies"))[0]
    assert shown(resource)["legal_entity"].record == company.pk


def test_values_look_like_what_they_are(entities: dict[str, Entity]) -> None:
    body = example("assignment", spread=None, status="")
    record = put(entities["assignment"], [body], stream("psa", "allocations"))[0]
    looks = {name: item.look for name, item in shown(record).items()}
    assert looks["start_date"] == "date"
    assert looks["source_updated_at"] == "instant"
    assert looks["is_billable"] == "yesno"
    assert looks["daily_hours"] == "json"
    assert looks["spread"] == looks["status"] == "nothing"
    assert looks["role"] == "text"


def test_lists_show_the_columns_that_the_contract_fills(entities: dict[str, Entity]) -> None:
    assert Described(entities["time_entry"]).columns == ["project", "period"]
    assert Described(entities["project"]).columns == ["legal_entity", "customer"], "its own code is the key"
    assert Described(entities["skill"]).columns == []


def test_a_record_is_called_by_its_name(entities: dict[str, Entity], resource: CanonicalRecord) -> None:
    assert title_of(resource, Described(resource.entity)) == "Imani Solberg"
    skill = put(entities["skill"], [example("skill")], stream("hris", "skills"))[0]
    assert title_of(skill, Described(skill.entity)) == "SAP Finance"


@pytest.mark.parametrize(
    ("amount", "currency", "plain"),
    [
        ("125000.0000", "GBP", "125000.00"),
        ("0.8342", "GBP", "0.8342"),
        ("12.5000", "JPY", "12.5"),
        ("1000.0000", "JPY", "1000"),
        ("-3.1000", "EUR", "-3.10"),
        ("0.0000", "EUR", "0.00"),
        ("7.0000", None, "7"),
    ],
)
def test_an_amount_has_the_decimals_of_its_currency(amount: str, currency: str | None, plain: str) -> None:
    found = plain_amount(CanonicalRecord(amount=Decimal(amount), currency=currency))
    assert f"{found:f}" == plain


def test_a_record_without_amount_has_none() -> None:
    assert plain_amount(CanonicalRecord()) is None
