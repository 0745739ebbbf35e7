"""ODCS 3.1: a contract goes out and comes back as it was, in the standard's own fields where it has them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from governance.canonical_model import shipped_documents
from governance.exchange.odcs import Agreement, from_odcs, to_odcs
from governance.schemas import schema_problems
from hub.common.errors import ConfigError

SHIPPED = {contract["slug"]: (entity, contract) for entity, contract in shipped_documents()}
KEYS = {
    slug: next(n for n, s in c["schema"]["properties"].items() if s.get("x-key")) for slug, (_, c) in SHIPPED.items()
}
SETTINGS = {"mode": "freeze", "compatibility": "FULL"}

RICH: dict[str, Any] = {
    "title": "Invoice line",
    "description": "One line of an invoice.",
    "type": "object",
    "required": ["line", "invoice", "amount"],
    "x-owner": "billing@firm.example",
    "x-sla": [{"property": "latency", "value": 4, "unit": "h", "element": "invoice_line.amount", "driver": "regulatory"}],
    "x-tags": ["finance", "close"],
    "additionalProperties": False,
    "allOf": [{"title": "Tax comes with a code.", "if": {"required": ["tax"]}, "then": {"required": ["tax_code"]}}],
    "properties": {
        "invoice": {"type": "string", "x-key": True, "x-ref": "invoice", "minLength": 1},
        "line": {"type": "string", "x-key": True},
        "amount": {
            "type": "string", "format": "decimal", "x-money": "currency", "x-unit": "EUR", "x-rounding": "half-even, 2",
            "x-meaning": "net of tax", "x-classification": "confidential", "examples": ["12.50"], "title": "Amount",
        },
        "tax": {"type": ["string", "null"], "format": "decimal", "pattern": "^[0-9.]+$", "x-aliases": ["vat"]},
        "tax_code": {"enum": ["S", "Z", None], "description": "Which rate."},
        "currency": {"type": "string", "format": "currency", "x-currency": True},
        "posted_on": {"type": ["string", "null"], "format": "date", "x-term": "posted"},
        "seen_at": {"type": ["string", "null"], "format": "date-time", "x-updated-at": True, "x-time-zone": "UTC"},
        "quantity": {"type": ["integer", "null"], "minimum": 0, "exclusiveMaximum": 100, "default": 1},
        "share": {"type": ["number", "null"], "multipleOf": 0.25},
        "is_final": {"type": ["boolean", "null"]},
        "kind": {"type": "string", "enum": ["a", "b"], "x-customer": True, "x-tags": ["t"]},
        "either": {"anyOf": [{"type": "string"}, {"type": "integer"}], "x-odd": {"deep": [1, 2]}},
        "address": {
            "type": "object", "required": ["city"],
            "properties": {"city": {"type": "string", "maxLength": 9}, "lines": {"type": "array", "items": {"type": "string"}}},
        },
        "parts": {
            "type": ["array", "null"], "maxItems": 3, "items": {"type": "object", "properties": {"n": {"type": "integer"}}},
        },
    },
}  # fmt: skip


def agreement(schema: dict[str, Any], slug: str = "invoice_line") -> Agreement:
    return Agreement(slug, "Invoice line", schema, slug, "Lines.", "billing-gl", "3.0.0", "active", SETTINGS)


def back(given: Agreement) -> Agreement:
    """Through the text of a file, as another system would write it."""
    return from_odcs(json.loads(json.dumps(to_odcs(given, KEYS))), set(KEYS))


@pytest.mark.parametrize("slug", SHIPPED)
def test_every_shipped_contract_comes_back_as_it_went(slug: str) -> None:
    entity, contract = SHIPPED[slug]
    given = Agreement(slug, contract["name"], contract["schema"], slug, entity["description"], entity["domain"])
    found = back(given)
    assert found == given
    assert list(found.schema["properties"]) == list(given.schema["properties"])


def test_meaning_unit_currency_rounding_classification_owner_sla_key_and_markers_come_back() -> None:
    assert back(agreement(RICH)) == agreement(RICH)


def test_what_the_standard_has_a_field_for_stands_in_that_field() -> None:
    found = to_odcs(agreement(RICH), KEYS)
    table = found["schema"][0]
    fields = {each["name"]: each for each in table["properties"]}
    assert (found["domain"], found["version"], found["status"]) == ("billing-gl", "3.0.0", "active")
    assert found["team"] == {"members": [{"username": "billing@firm.example", "role": "owner"}]}
    assert (found["slaProperties"], found["tags"]) == (RICH["x-sla"], ["finance", "close"])
    assert found["description"] == {"purpose": "Lines."}
    assert (fields["line"]["primaryKey"], fields["line"]["primaryKeyPosition"], fields["line"]["required"]) == (
        True,
        2,
        True,
    )
    assert fields["invoice"]["relationships"] == [{"type": "foreignKey", "to": f"invoice.{KEYS['invoice']}"}]
    assert (fields["amount"]["logicalType"], fields["amount"]["physicalType"]) == ("number", "decimal")
    assert (fields["amount"]["classification"], fields["amount"]["examples"]) == ("confidential", ["12.50"])
    custom = {each["property"]: each["value"] for each in fields["amount"]["customProperties"]}
    assert custom == {"currencyField": "currency", "unit": "EUR", "rounding": "half-even, 2", "meaning": "net of tax"}
    assert fields["tax_code"]["quality"][0]["arguments"] == {"validValues": ["S", "Z"]}
    assert fields["quantity"]["logicalTypeOptions"] == {"minimum": 0, "exclusiveMaximum": 100}
    assert fields["posted_on"]["logicalType"] == "date"
    assert table["quality"][0]["name"] == "Tax comes with a code."
    assert {each["property"]: each["value"] for each in found["customProperties"]} == {
        "unknownFields": "freeze",
        "compatibility": "FULL",
    }


FOREIGN: dict[str, Any] = {
    "apiVersion": "v3.0.2", "kind": "DataContract", "id": "5358", "name": "Payments", "version": "1.1.0", "status": "active",
    "domain": "seller", "tenant": "Quantum", "price": {"priceAmount": 9.95},
    "team": [{"username": "ann", "role": "Owner"}, {"username": "bob", "role": "steward"}],
    "servers": [{"server": "pg", "type": "postgres", "host": "h", "port": 1, "database": "d", "schema": "s"}],
    "description": {"purpose": "Payments.", "limitations": "None."},
    "customProperties": [{"property": "refRulesetName", "value": "gcsc"}],
    "slaProperties": [{"property": "retention", "value": 3, "unit": "y"}],
    "schema": [
        {
            "name": "payments", "physicalName": "payments_1", "physicalType": "table", "tags": ["x"],
            "quality": [{"type": "text", "description": "Looks right."}],
            "properties": [
                {"name": "country", "logicalType": "string", "primaryKey": True, "primaryKeyPosition": 2, "tags": []},
                {"name": "code", "logicalType": "string", "primaryKey": True, "primaryKeyPosition": 1, "partitioned": False},
                {
                    "name": "amount", "logicalType": "number", "physicalType": "decimal(18,2)", "classification": "restricted",
                    "quality": [{"type": "sql", "query": "select 1", "mustBe": 1}],
                    "relationships": [{"to": "ledgers.id"}],
                    "customProperties": [{"property": "anonymizationStrategy", "value": "none"}],
                },
                {"name": "day", "logicalType": "date", "logicalTypeOptions": {"format": "yyyy-MM-dd"}, "required": True},
            ],
        }
    ],
}  # fmt: skip


def test_a_document_of_others_is_read_and_goes_out_with_all_it_said() -> None:
    found = from_odcs(FOREIGN, set(KEYS))
    assert found.schema["x-owner"] == "ann"
    assert [n for n, spec in found.schema["properties"].items() if spec.get("x-key")] == ["code", "country"]
    assert found.schema["properties"]["amount"]["type"] == ["string", "null"]
    assert found.schema["properties"]["amount"]["format"] == "decimal"
    assert found.schema["required"] == ["code", "country", "day"]
    assert not schema_problems(found.schema)
    out = to_odcs(found, KEYS)
    assert from_odcs(out, set(KEYS)) == found
    for word in ("tenant", "price", "servers", "slaProperties", "customProperties"):
        assert out[word] == FOREIGN[word]
    assert out["description"] == FOREIGN["description"]
    [table], [origin] = out["schema"], FOREIGN["schema"]
    assert (table["physicalName"], table["quality"], table["tags"]) == (
        origin["physicalName"], origin["quality"], origin["tags"],
    )  # fmt: skip
    amount, day = table["properties"][2:]
    for word in ("quality", "relationships", "customProperties"):
        assert amount[word] == origin["properties"][2][word]
    assert day["logicalTypeOptions"] == {"format": "yyyy-MM-dd"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "Table"}, "no ODCS document"),
        ({"apiVersion": "v2.2.2"}, "not understood"),
        ({"schema": []}, "about one table"),
        ({"schema": [{"name": "a"}, {"name": "b"}]}, "a, b"),
        ({"schema": "x"}, "list of mappings"),
        ({"schema": [{"name": "a", "properties": [{"name": "x"}, {"name": "x"}]}]}, "stands twice"),
        ({"schema": [{"name": "a", "properties": [{}]}]}, "has no name"),
        ({"schema": [{"name": "a", "properties": [{"name": "x", "quality": 3}]}]}, "list of mappings"),
        ({"team": "me"}, "has to be a mapping"),
    ],
)
def test_a_document_of_another_shape_is_refused_with_a_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        from_odcs({**FOREIGN, **change}, set(KEYS))


@pytest.mark.skipif("HUB_ODCS_SCHEMA" not in os.environ, reason="names a copy of odcs-json-schema-v3.1.0.json")
@pytest.mark.parametrize("slug", [*SHIPPED, "rich", "foreign"])
def test_the_standard_itself_accepts_what_goes_out(slug: str) -> None:
    standard = jsonschema_rs.validator_for(json.loads(Path(os.environ["HUB_ODCS_SCHEMA"]).read_text()))
    given = {"rich": agreement(RICH), "foreign": from_odcs(FOREIGN, set(KEYS))}.get(slug) or Agreement(
        slug, slug, SHIPPED[slug][1]["schema"], slug, domain="billing-gl"
    )
    assert [error.message for error in standard.iter_errors(to_odcs(given, KEYS))] == []
