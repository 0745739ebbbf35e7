"""Entities, contracts and records in a browser: a field is added, two versions are compared, a value is revealed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from governance.models import Contract, Entity
from governance.services import activate_schema, load_canonical_model
from hub.records.store import forget_profiles
from tests.browser.tools import Visit
from tests.records.builders import example, put, stream

Open = Callable[..., Visit]


@pytest.fixture
def resource(domains: Any) -> Any:
    forget_profiles()
    load_canonical_model()
    return put(Entity.objects.get(slug="resource"), [example("resource")], stream("hris", "employees"))[0]


def test_a_field_is_added_and_the_versions_are_compared(visit: Open, ada: Any, resource: Any) -> None:
    here = visit(ada)
    page = here.go("/contracts/")
    page.get_by_role("link", name="Project", exact=True).click()
    page.get_by_role("link", name="Add field").click()
    page.get_by_label("Name").fill("Delivery region")
    page.get_by_label("Title").fill("Delivery region")
    page.get_by_role("button", name="Add field").click()
    page.get_by_role("alert").get_by_text("cannot be the name of a field").wait_for()
    here.assert_accessible()
    page.get_by_label("Name").fill("delivery_region")
    page.get_by_role("button", name="Add field").click()
    page.get_by_text("Saved. Version 2 of the contract is active.").wait_for()
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("button", name="Compare").click()
    page.get_by_role("heading", name="From version 1 to version 2").wait_for()
    assert page.get_by_label("Delivery region").get_by_text("Text, optional.").is_visible()
    here.assert_accessible()


def test_a_breaking_change_says_who_breaks_and_how_to_make_it_safely(visit: Open, ada: Any, resource: Any) -> None:
    contract = Contract.objects.get(slug="resource")
    schema = {**contract.versions.get().schema}
    schema["properties"] = {**schema["properties"], "badge": {"type": "string"}, "grade": {"type": "integer"}}
    schema["properties"].pop("email", None)
    schema["required"] = [name for name in schema["required"] if name in schema["properties"]] + ["badge"]
    activate_schema(contract=contract, schema=schema, by=ada)
    here = visit(ada)
    page = here.go("/contracts/resource/versions/?compare=1..2")
    verdict = page.get_by_role("region", name="What version 2 breaks")
    assert verdict.get_by_text("Breaking", exact=True).is_visible()
    assert verdict.get_by_text("records of the version before", exact=True).first.is_visible()
    assert verdict.get_by_text("Required field added").is_visible()
    here.inspect("/contracts/resource/versions/?compare=1..2", "verdict")


def test_a_masked_value_is_revealed_and_masked_again(visit: Open, make_person: Any, resource: Any) -> None:
    here = visit(make_person("Audra", "auditor"))
    page = here.go("/records/?q=000042")
    page.get_by_role("link", name="000042").click()
    assert not page.get_by_text("68.00").count()
    page.get_by_role("button", name="Reveal 5 masked values").click()
    page.get_by_text("68.00").first.wait_for()
    assert page.get_by_label("Revealed").get_by_text("Audra").is_visible()
    here.assert_accessible()
    page.get_by_role("link", name="Mask them again").click()
    assert not page.get_by_text("68.00").count()


@pytest.mark.parametrize("width", [1440, 360])
def test_pages_of_contracts_and_records_are_accessible(visit: Open, ada: Any, resource: Any, width: int) -> None:
    here = visit(ada, width=width, dark=width == 360)
    for path in (
        "/contracts/",
        "/contracts/resource/",
        "/contracts/resource/versions/?compare=1..1",
        "/contracts/resource/schema/",
        "/contracts/resource/history/",
        "/contracts/resource/settings/",
        "/contracts/resource/fields/cost_rate/",
        "/contracts/resource/fields/cost_rate/remove/",
        "/contracts/new/",
        "/records/",
        "/records/resource/",
        f"/records/resource/{resource.pk}/",
    ):
        here.go(path)
        here.assert_accessible()
