"""Changing entities and contracts: a change is a new version, and what records stand on cannot be pulled away."""

from __future__ import annotations

from typing import Any

import pytest

from governance.models import Contract, ContractVersion, Entity
from governance.schemas import markers_of
from governance.services import activate_schema, change_entity, create_entity, remove_field, save_field
from hub.common import facts
from hub.common.errors import ConfigError

pytestmark = pytest.mark.django_db
TEXT = {"type": "string"}


@pytest.fixture
def entity(domains: Any, ada: Any) -> Entity:
    return create_entity(
        name="Purchase order", slug="purchase_order", domain=domains["billing-gl"], by=ada, key_fields=("order", "line")
    )


@pytest.fixture
def contract(entity: Entity) -> Contract:
    return entity.contract


def active(contract: Contract) -> ContractVersion:
    return contract.versions.get(status="active")


def test_a_new_entity_has_a_contract_of_its_key(contract: Contract, ada: Any) -> None:
    version = active(contract)
    assert (version.number, version.note, version.created_by) == (1, "First version.", ada)
    assert markers_of(version.schema).key == ("order", "line")
    assert version.schema["required"] == ["order", "line"]


def test_a_key_field_has_a_name_that_mappings_can_write(domains: Any) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a field"):
        create_entity(name="X", slug="x", domain=domains["resource"], by=None, key_field="Order No")
    assert not Entity.objects.filter(slug="x").exists()


def test_a_field_makes_a_new_version_and_leaves_the_old_one_alone(contract: Contract, ada: Any) -> None:
    version = save_field(contract=contract, name="buyer", spec=TEXT, required=True, by=ada)
    first = contract.versions.get(number=1)
    assert (version.number, version.note) == (2, "Field buyer added.")
    assert version.schema["required"] == ["order", "line", "buyer"]
    assert (first.status, "buyer" in first.schema["properties"]) == ("deprecated", False)


def test_the_same_field_again_is_no_new_version(contract: Contract, ada: Any) -> None:
    save_field(contract=contract, name="buyer", spec=TEXT, required=False, by=ada)
    save_field(contract=contract, name="buyer", spec=dict(TEXT), required=False, by=ada)
    assert contract.versions.count() == 2


def test_a_field_becomes_optional_again(contract: Contract) -> None:
    save_field(contract=contract, name="buyer", spec=TEXT, required=True, by=None)
    version = save_field(contract=contract, name="buyer", spec=TEXT, required=False, by=None)
    assert version.schema["required"] == ["order", "line"]
    assert version.note == "Field buyer changed."


def test_a_field_is_removed(contract: Contract) -> None:
    save_field(contract=contract, name="buyer", spec=TEXT, required=True, by=None)
    version = remove_field(contract=contract, name="buyer", by=None)
    assert list(version.schema["properties"]) == ["order", "line"]
    assert version.schema["required"] == ["order", "line"]


@pytest.mark.parametrize("name", ["", "Buyer", "2nd", "a b", "a.b", "a" * 61, "straße"])
def test_a_field_needs_a_name_that_mappings_can_write(contract: Contract, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be the name of a field"):
        save_field(contract=contract, name=name, spec=TEXT, required=False, by=None)


def test_the_key_cannot_change_below_its_records(contract: Contract) -> None:
    with pytest.raises(ConfigError, match="Which fields form the key cannot change"):
        save_field(contract=contract, name="order", spec=TEXT, required=True, by=None)
    with pytest.raises(ConfigError, match="Which fields form the key cannot change"):
        save_field(contract=contract, name="extra", spec=TEXT | {"x-key": True}, required=True, by=None)
    with pytest.raises(ConfigError, match="part of the key"):
        remove_field(contract=contract, name="line", by=None)


def test_a_key_field_stays_required_whatever_is_asked(contract: Contract) -> None:
    version = save_field(contract=contract, name="line", spec=TEXT | {"x-key": True}, required=False, by=None)
    assert version.schema["required"] == ["order", "line"]


def test_the_parts_of_a_key_never_change_places(contract: Contract) -> None:
    schema = active(contract).schema
    turned = {name: schema["properties"][name] for name in reversed(schema["properties"])}
    with pytest.raises(ConfigError, match="from order, line to line, order"):
        activate_schema(contract=contract, schema=schema | {"properties": turned, "title": "New"}, by=None)


def test_a_reference_leads_to_an_entity_that_exists(contract: Contract) -> None:
    with pytest.raises(ConfigError, match="There is no entity 'supplier'"):
        save_field(contract=contract, name="supplier", spec=TEXT | {"x-ref": "supplier"}, required=False, by=None)
    save_field(contract=contract, name="parent", spec=TEXT | {"x-ref": "purchase_order"}, required=False, by=None)


def test_a_currency_stays_while_an_amount_needs_it(contract: Contract) -> None:
    save_field(contract=contract, name="currency", spec=TEXT, required=False, by=None)
    save_field(contract=contract, name="net", spec=TEXT | {"x-money": "currency"}, required=False, by=None)
    with pytest.raises(ConfigError, match="holds the currency of net"):
        remove_field(contract=contract, name="currency", by=None)
    remove_field(contract=contract, name="net", by=None)
    remove_field(contract=contract, name="currency", by=None)


def test_an_amount_needs_a_field_with_its_currency(contract: Contract) -> None:
    with pytest.raises(ConfigError, match="no property 'currency' that could hold the currency"):
        save_field(contract=contract, name="net", spec=TEXT | {"x-money": "currency"}, required=False, by=None)


def test_a_field_stays_while_a_rule_needs_it(contract: Contract) -> None:
    schema = active(contract).schema
    rule = {"title": "An order has a buyer.", "anyOf": [{"required": ["buyer"]}]}
    properties = schema["properties"] | {"buyer": TEXT}
    activate_schema(contract=contract, schema=schema | {"properties": properties, "allOf": [rule]}, by=None)
    with pytest.raises(ConfigError, match="An order has a buyer"):
        remove_field(contract=contract, name="buyer", by=None)


def test_a_field_that_is_not_there_cannot_be_removed(contract: Contract) -> None:
    with pytest.raises(ConfigError, match="no field 'buyer'"):
        remove_field(contract=contract, name="buyer", by=None)


def test_who_saw_an_older_version_is_asked_to_look_again(contract: Contract) -> None:
    save_field(contract=contract, name="buyer", spec=TEXT, required=False, by=None, seen=1)
    with pytest.raises(ConfigError, match="version 2 is active now, you saw version 1") as caught:
        save_field(contract=contract, name="buyer", spec={"type": "integer"}, required=False, by=None, seen=1)
    assert caught.value.code == "CHANGED_MEANWHILE"
    with pytest.raises(ConfigError, match="Somebody else has changed this contract"):
        remove_field(contract=contract, name="buyer", by=None, seen=1)


def test_an_unsound_schema_is_never_activated(contract: Contract) -> None:
    with pytest.raises(ConfigError, match="not JSON Schema 2020-12"):
        save_field(contract=contract, name="buyer", spec={"type": "strin"}, required=False, by=None)
    assert contract.versions.count() == 1


def test_a_version_without_a_note_says_what_changed(contract: Contract) -> None:
    schema = active(contract).schema
    version = activate_schema(
        contract=contract, schema=schema | {"properties": schema["properties"] | {"buyer": TEXT}}, by=None
    )
    assert version.note == "Buyer added."


def test_whoever_listens_is_told_of_a_new_version(contract: Contract, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[Any] = []
    monkeypatch.setitem(facts._subscribers, "contract_activated", [lambda version: heard.append(version)])
    version = save_field(contract=contract, name="buyer", spec=TEXT, required=False, by=None)
    assert heard == [version]


def test_settings_change_and_history_keeps_who_did_it(entity: Entity, grace: Any, domains: Any) -> None:
    change_entity(entity, by=grace, name="Order", mode="freeze", domain=domains["organisation"], load_order=9)
    entity.refresh_from_db()
    assert (entity.name, entity.domain.slug, entity.load_order) == ("Order", "organisation", 9)
    assert (entity.contract.name, entity.contract.mode) == ("Order", "freeze")
    assert entity.history.first().history_user == entity.contract.history.first().history_user == grace
