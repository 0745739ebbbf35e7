"""The default mappings of these vendors name entities and fields that exist, and give values that the contracts take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from governance.canonical_model import shipped_documents
from mappings.expressions import compile_expression
from mappings.paths import MISSING
from tests.connectors.planners.vendors import VENDORS, Stand, read_all, standing

MODEL: Mapping[str, Any] = {
    entity["slug"]: contract["schema"]["properties"] for entity, contract in shipped_documents()
}


@pytest.fixture(scope="module", params=list(VENDORS))
def stand(request: Any) -> Iterator[Stand]:
    with standing(request.param) as found:
        yield found


def mapped(stand: Stand, stream: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """What the default mapping makes of a record; fields without a value are left out."""
    fields = stand.declaration.streams[stream]["canonical"]["fields"]
    found = {name: compile_expression(source).evaluate(dict(record)) for name, source in fields.items()}
    return {name: value for name, value in found.items() if value is not MISSING and value is not None}


def test_every_entity_and_field_is_in_the_model(stand: Stand) -> None:
    for name, stream in stand.declaration.streams.items():
        canonical = stream.get("canonical")
        if canonical:
            assert set(canonical["fields"]) <= set(MODEL[canonical["entity"]]), name


def test_every_record_gets_values_that_the_contract_takes(stand: Stand) -> None:
    with stand.connected() as connector:
        for name, stream in stand.declaration.streams.items():
            if "canonical" not in stream:
                continue
            for record in read_all(connector, name)[:15]:
                for field, value in mapped(stand, name, record).items():
                    allowed = MODEL[stream["canonical"]["entity"]][field].get("enum")
                    assert allowed is None or value in allowed, f"{name}.{field} is {value!r}"


HOURS = {
    "kantata": "time_entries",
    "harvest": "time_entries",
    "openair": "time_entries",
    "runn": "actuals",
    "float": "logged_time",
}


@pytest.mark.parametrize("name", HOURS)
def test_the_firm_s_hours_add_up_the_same_in_every_system(name: str) -> None:
    with standing(name) as stand:
        minutes = sum(entry.minutes for entry in stand.firm().time_entries)
        with stand.connected() as connector:
            found = [mapped(stand, HOURS[name], record) for record in read_all(connector, HOURS[name])]
    assert all({"number", "resource", "project", "date", "hours"} <= set(entry) for entry in found)
    # a third of an hour has no end in decimals: half a minute may be lost with each entry
    assert abs(sum(Decimal(str(entry["hours"])) * 60 for entry in found) - minutes) <= len(found) / 2
