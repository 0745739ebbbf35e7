"""The mapping editor and value maps as people see them, and what only a browser can show: lists, previews, focus."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from hub.accounts.models import User
from mappings import drafts
from mappings.models import Mapping, ValueMap
from mappings.rules import FieldRule, parse_rules
from mappings.samples import read_samples
from mappings.services import activate_rules
from tests.mappings_web import world

LOOKS = [(1440, False), (1440, True), (360, False), (360, True), (1024, False)]


@pytest.fixture
def busy(domains: Any, ada: User) -> Mapping:
    """A mapping that is live, with a draft that adds, changes and breaks fields, and samples that were read."""
    mapping = world.mapping(rules=world.RULES, by=ada)
    kinds = world.value_map(description="What the PSA calls work, and what the hub calls it.")
    kinds.entries.create(source="OLD", target="travel", valid_to="2020-12-31")
    rules: list[dict[str, Any]] = [
        {"target": "comment", "source": "notes", "convert": ["trim", "upper"]},
        {"target": "activity", "kind": "value_map", "source": "kind", "value_map": "kinds"},
        {"target": "cost_rate", "source": "cost_rate", "type": "decimal"},
        {"target": "date", "kind": "template", "text": "{worked_on}", "type": "date"},
    ]
    order = list(world.SCHEMA["properties"])
    for rule in parse_rules(rules):
        drafts.save_rule(mapping=mapping, rule=rule, seen=drafts.row_mark(None), by=ada, order=order)
    drafts.remove_rule(mapping=mapping, target="person", seen=_mark(mapping, "person"), by=ada)
    read_samples(mapping, ada)
    return mapping


def _mark(mapping: Mapping, target: str) -> str:
    rules = parse_rules(mapping.versions.get(status="draft").rules)
    return drafts.row_mark(next((rule for rule in rules if rule.target == target), None))


def look(here: Any, name: str) -> None:
    """In the middle of a journey: axe and pictures leave empty style attributes, which htmx would copy."""
    here.shoot(name)
    here.assert_accessible()
    here.page.evaluate("document.querySelectorAll('[style=\"\"]').forEach((each) => each.removeAttribute('style'))")


@pytest.mark.parametrize(("width", "dark"), LOOKS, ids=lambda value: str(value))
def test_pages_of_mappings(visit: Any, ada: User, busy: Mapping, width: int, dark: bool) -> None:
    here = visit(ada, width=width, dark=dark)
    version = busy.versions.get(status="active")
    activate_rules(mapping=busy, rules=version.rules[:2], by=ada, note="Without hours.")
    pages = {
        "mappings": "/mappings/",
        "mapping_new": "/mappings/new/",
        "mapping": "/mappings/times/",
        "mapping_inspector": "/mappings/times/?field=comment&sample=3",
        "mapping_value_map": "/mappings/times/?field=activity",
        "mapping_restricted": "/mappings/times/?field=cost_rate&panel=output",
        "mapping_unmapped": "/mappings/times/?field=person&panel=unused",
        "mapping_none": "/mappings/times/?q=nothing&panel=changes",
        "mapping_suggestions": "/mappings/times/suggestions/",
        "mapping_activate": "/mappings/times/activate/",
        "mapping_versions": "/mappings/times/versions/?from=1&to=2",
        "mapping_document": "/mappings/times/document/",
        "mapping_settings": "/mappings/times/settings/",
        "value_maps": "/mappings/value-maps/",
        "value_map": "/mappings/value-maps/kinds/",
        "value_map_edit": f"/mappings/value-maps/kinds/?edit={ValueMap.objects.get().entries.get(source='DES').pk}",
        "value_map_settings": "/mappings/value-maps/kinds/edit/",
        "value_map_history": "/mappings/value-maps/kinds/history/",
        "value_map_import": "/mappings/value-maps/kinds/import/",
    }
    for name, path in pages.items():
        here.go(path)
        here.shoot(f"{name}_{width}{'_dark' if dark else ''}")
        here.assert_accessible()


def test_empty_pages(visit: Any, ada: User, finn: User) -> None:
    here = visit(ada)
    for name, path in {
        "mappings_empty": "/mappings/",
        "value_maps_empty": "/mappings/value-maps/",
        "mappings_none": "/mappings/?q=nothing",
    }.items():
        here.go(path)
        here.shoot(name)
        here.assert_accessible()


def test_from_an_empty_draft_to_a_live_mapping(visit: Any, ada: User, domains: Any) -> None:
    world.mapping(rules=world.RULES)
    here = visit(ada)
    page = here.go("/mappings/")
    page.get_by_role("link", name="New mapping").click()
    page.get_by_label("Stream").select_option(label="PSA: Time entries")
    page.get_by_label("Entity").select_option(label="Time entry")
    page.get_by_label("Name").fill("Hours")
    page.get_by_role("button", name="Make the draft").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Hours")

    # by hand: the list comes with samples, arrow keys choose, the row is saved at once
    page.get_by_role("button", name="Read sample records").click()
    expect(page.locator(".map-samples")).to_contain_text("TE-90112")
    source = page.get_by_label("Source of person")
    source.click()
    expect(page.get_by_role("listbox", name="Sources for person")).to_be_visible()
    source.fill("mail")
    expect(page.get_by_role("option", name=re.compile("user.email"))).to_be_visible()
    look(here, "mapping_listbox")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#r-person .map-out")).to_contain_text("person0@example.com")
    expect(page.locator("#tiles")).to_contain_text("1 of 3")

    # by mouse
    page.get_by_label("Source of comment").click()
    page.get_by_role("option", name=re.compile("^notes")).click()
    expect(page.locator("#r-comment .map-out")).to_contain_text("Plan")

    # the inspector: a conversion, the preview while typing, saving
    row = page.locator("#r-comment")
    row.get_by_role("link", name="comment").click()
    inspector = page.get_by_label("Field inspector")
    expect(inspector.get_by_role("heading", name="comment")).to_be_focused()
    expect(row).to_have_class(re.compile("cursor"))
    inspector.get_by_label("Conversion to add").select_option("truncate")
    inspector.get_by_role("button", name="Add conversion").click()
    expect(inspector.get_by_label("Length")).to_be_visible()
    here.settle()
    inspector.get_by_label("Length").fill("3")
    expect(page.locator("#live")).to_contain_text("A w")
    expect(page.locator("#live")).to_contain_text("Not saved.")
    look(here, "mapping_preview")
    inspector.get_by_role("button", name="Save field").click()
    expect(row).to_contain_text("truncate 3")
    expect(page.locator("#said")).to_have_text("comment is saved.")

    # an expression that is wrong is pointed at
    inspector.get_by_label("How it is filled").select_option("expression")
    expect(inspector.get_by_label("Expression (JSONata)")).to_be_visible()
    here.settle()
    inspector.get_by_label("Expression (JSONata)").fill("notes & & 1")
    expect(page.locator("#live")).to_contain_text("Line 1, column")
    look(here, "mapping_expression_wrong")
    page.keyboard.press("Escape")
    expect(page.get_by_label("Field inspector")).to_have_count(0)

    # suggestions, then live
    page.get_by_role("link", name="review and accept").click()
    look(here, "mapping_suggestions_journey")
    page.get_by_role("button", name=re.compile("Accept ≥ 0.90")).click()
    expect(page.locator("#tiles")).to_contain_text("3 of 3")
    page.get_by_role("link", name="Activate…").click()
    look(here, "mapping_activate_journey")
    page.get_by_label("Note").fill("The first version.")
    page.get_by_role("button", name="Activate").click()
    expect(page.locator(".page-h .sub")).to_contain_text("live v1")
    made = Mapping.objects.get(slug="hours").versions.get()
    assert made.status == "active"
    assert {rule["target"] for rule in made.rules} >= {"number", "person", "hours", "comment"}


def test_a_conflict_is_said_and_nothing_is_lost(visit: Any, ada: User, busy: Mapping, make_person: Any) -> None:
    page = visit(ada).go("/mappings/times/")
    ben = make_person("Ben", "integration_admin")
    drafts.save_rule(
        mapping=busy, rule=FieldRule("person", source="number"), seen=drafts.row_mark(None), by=ben, order=[]
    )
    source = page.get_by_label("Source of person")
    source.fill("user.email")
    expect(page.get_by_role("option", name=re.compile("user.email"))).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#conflict")).to_contain_text("person was changed by Ben meanwhile.")
    expect(page.get_by_label("Source of person")).to_have_value("number")


def test_a_source_is_cleared_and_the_clearing_undone(visit: Any, ada: User, busy: Mapping) -> None:
    page = visit(ada).go("/mappings/times/")
    page.get_by_label("Source of hours").click()
    page.get_by_role("option", name=re.compile("Don’t map")).click()
    expect(page.locator("#r-hours")).to_contain_text("Required, no source")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Source of hours")).to_have_value("hours")


def test_a_quick_fix_and_the_filters_spare_reloads(visit: Any, ada: User, busy: Mapping) -> None:
    here = visit(ada)
    page = here.go("/mappings/times/")
    page.get_by_role("button", name="Cut after 12 characters").click()
    expect(page.locator("#r-comment")).to_contain_text("truncate 12")
    page.get_by_role("navigation", name="Which fields").get_by_role("link", name=re.compile("Changed")).click()
    expect(page.locator("#r-hours")).to_have_count(0)
    expect(page).to_have_url(re.compile(r"show=changed"))
    page.get_by_label("Find a field").fill("comm")
    expect(page.locator("#rows tr:not(.grp)")).to_have_count(1)
    expect(page.get_by_label("Find a field")).to_be_focused()


def test_the_editor_works_without_script(chromium: Any, live_server: Any, ada: User, busy: Mapping) -> None:
    from tests.browser.conftest import _session_cookie

    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([_session_cookie(ada, live_server.url)])
    page = context.new_page()
    page.goto(live_server.url + "/mappings/times/")
    page.get_by_label("Source of person").fill("user.email")
    page.locator("#r-person").get_by_role("button", name="Set").click()
    expect(page.locator("#r-person")).to_contain_text("person0@example.com")
    page.locator("#r-hours").get_by_role("link", name="hours").click()
    page.get_by_text("Type, missing values, writing, note").click()
    page.get_by_label("Decimals").fill("1")
    page.get_by_label("Rounding").select_option("half_up")
    page.get_by_role("button", name="Save field").click()
    expect(page.locator("#r-hours")).to_contain_text("8.0")
    context.close()


def test_finance_changes_an_entry_in_the_table(visit: Any, finn: User, busy: Mapping) -> None:
    here = visit(finn)
    page = here.go("/mappings/value-maps/kinds/")
    page.get_by_label("Change DES").click()
    form = page.locator("tr", has=page.get_by_role("button", name="Save"))
    form.get_by_label("Target value").fill("travel")
    form.get_by_role("button", name="Save").click()
    expect(page.locator("#toasts")).to_contain_text("DES → travel is saved.")
    page.get_by_label("Source value").fill("NEW")
    page.get_by_label("Target value").fill("design")
    page.get_by_role("button", name="Add entry").click()
    expect(page.get_by_role("row", name=re.compile("NEW"))).to_be_visible()
    page.get_by_role("link", name="Import CSV").click()
    page.get_by_label("CSV file").set_input_files(
        {"name": "kinds.csv", "mimeType": "text/csv", "buffer": b"source,target\nDES,design\nADM,design\n"}
    )
    page.get_by_role("button", name="Show what it changes").click()
    here.shoot("value_map_plan")
    here.assert_accessible()
    page.get_by_role("button", name="Import", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("entries changed.")
