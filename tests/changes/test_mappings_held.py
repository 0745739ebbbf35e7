"""Mappings and value maps go the same way as contracts."""

from __future__ import annotations

import pytest

from governance.changes import reviewing
from governance.models import ChangeRequest, ReviewGroup, ReviewPolicy
from hub.common.governed import Held
from hub.common.registry import kind
from mappings import drafts, entries, services
from mappings.entries import Entry
from mappings.models import Mapping, ValueMap
from tests.sync import worlds

pytestmark = pytest.mark.django_db


@pytest.fixture
def reviewed(domains, grace):
    firm = worlds.make()
    group = ReviewGroup.objects.create(slug="pmo", name="PMO", members=[grace.email])
    ReviewPolicy.objects.create(slug="all", name="All", group=group)
    return firm


def agree(by):
    change = ChangeRequest.objects.get()
    return reviewing.approve(change, by=by, seen=change.content_hash)


def test_a_draft_stays_one_until_its_change_is_applied(reviewed, ada, grace):
    mapping = Mapping.objects.get(slug="psa-projects")
    rules = mapping.versions.get(status="active").rules
    kept = [rule for rule in rules if rule["target"] != "name"]
    draft = services.save_draft_rules(mapping=mapping, rules=kept, by=ada)
    with pytest.raises(Held):
        drafts.publish(mapping=mapping, errors=0, seen=drafts.rules_mark(draft.rules), by=ada)
    assert mapping.versions.get(status="active").rules == rules
    assert mapping.versions.filter(status="draft").exists()
    assert agree(grace).state == "applied"
    assert mapping.versions.get(status="active").rules == kept
    assert not mapping.versions.filter(status="draft").exists()


def test_entries_that_are_added_one_by_one_wait_together(reviewed, ada, grace, domains):
    value_map = ValueMap.objects.create(slug="centres", name="Cost centres")
    for source in ("a", "b"):
        with pytest.raises(Held):
            entries.add_entry(value_map=value_map, entry=Entry(source, source.upper()), by=ada)
    assert not value_map.entries.exists()
    agree(grace)
    assert [row["target"] for row in kind("ValueMap").dump("centres")["entries"]] == ["A", "B"]
