"""Make it a rule: tried on the open queue, saved through the door of governed edits, by those who may."""

from __future__ import annotations

import pytest
from django.urls import reverse

from governance.models import AuditEntry
from hub.common.errors import ConfigError
from mappings.models import ValueMap
from mappings.services import activate_rules
from monitoring.exceptions import acts, lessons
from tests.exception_acts import builders as build
from tests.sync import builders as rows

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stopped(firm):
    value_map = ValueMap.objects.create(slug="status", name="Project status")
    value_map.entries.create(source="active", target="active")
    kept = [rule for rule in rows.PROJECT_RULES if rule["target"] != "status"]
    kept.append({"target": "status", "source": "status", "kind": "value_map", "value_map": "status"})
    activate_rules(mapping=firm.inbound.mapping, rules=kept, by=None)
    projects = [rows.project_row(n, status="running") for n in (1, 2)]
    firm.read(*projects, rows.project_row(3, status="on hold", currency="euro"))
    return build.of_held()


def test_a_default_is_tried_on_what_is_open_and_writes_nothing(stopped, finn):
    found = lessons.preview(stopped, "map_default", {"default": "active"}, by=finn)
    assert (found.number, found.would_pass, found.newly_fail) == (3, 2, 0)
    assert ValueMap.objects.get().on_unmapped == "fail"


def test_it_is_saved_and_told_to_the_audit(stopped, finn):
    done = lessons.save(stopped, "map_default", {"default": "active"}, by=finn, reason="Always so.")
    assert done.is_applied
    value_map = ValueMap.objects.get()
    assert (value_map.on_unmapped, value_map.default, value_map.entries.count()) == ("default", "active", 1)
    assert AuditEntry.objects.get(act="value_map.default_learned").reason == "Always so."


def test_a_default_of_a_field_is_made_by_those_who_keep_mappings(firm, ada, finn):
    firm.hold_one()
    items = build.of_held()
    items[0].field = "currency"
    assert "field_default" not in {offer.fix for offer in lessons.offers(items, by=finn)}
    with pytest.raises(ConfigError, match="not yours"):
        lessons.save(items, "field_default", {"default": "EUR"}, by=finn, reason="So.")
    lessons.save(items, "field_default", {"default": "EUR"}, by=ada, reason="So.")
    version = firm.inbound.mapping.versions.get(status="active")
    rule = next(rule for rule in version.rules if rule["target"] == "currency")
    assert (rule["on_missing"], rule["default"]) == ("default", "EUR")


def test_a_rule_without_a_value_is_refused(stopped, finn):
    with pytest.raises(ConfigError, match="Say which value"):
        lessons.preview(stopped, "map_default", {"default": " "}, by=finn)


def test_the_page_tries_and_saves(stopped, finn, browse):
    client = browse(finn)
    url = f"{reverse('exceptions:rule')}?group={stopped[0].group_id}"
    given = {"fix": "map_default", "default": "active"}
    assert client.post(url, given).context["preview"].would_pass == 2
    assert client.post(url, {**given, "default": ""}).status_code == 422
    client.post(url, {**given, "step": "save", "why": "Always so."})
    assert ValueMap.objects.get().default == "active"


def test_who_is_mentioned_finds_it_on_the_first_page(browse, ada, finn, domains):
    acts.comment(item=build.item(title="No bill rate"), text="@finn look", by=ada)
    assert "Ada asks you about No bill rate" in browse(finn).get("/").content.decode()
