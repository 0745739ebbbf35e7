"""Doubles that are in the hub already are found by the match rules, told once, and end when they are merged or parted."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from governance.models import MatchRule
from hub.records.models import CanonicalRecord
from hub.sync import services
from hub.sync.duplicates import likeness
from hub.sync.models import Duplicate, Likeness
from tests import memory
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    found = worlds.make()
    fields = [{"field": "name", "compare": "fuzzy", "form": "company", "threshold": 88}]
    MatchRule.objects.create(slug="alike", entity=found.inbound.entity, name="Alike", fields=fields)
    return found


def pairs():
    return [(row.record.key, row.other.key) for row in likeness.standing()]


def named(number, title):
    return build.project_row(number, title=title)


def test_two_of_one_system_that_are_alike_are_found_in_one_page(firm):
    firm.read(named(1, "Northgate Logistics Limited"), named(2, "NORTHGATE  Logistics Ltd."), named(3, "Other"))
    assert likeness.advance() == 1
    assert pairs() == [("P-0002", "P-0001")]


def test_nothing_is_held_back_for_it(firm):
    firm.read(named(1, "Northgate Logistics"), named(2, "Northgate Logistics Ltd"))
    assert CanonicalRecord.objects.count() == 2


def test_what_was_compared_is_not_compared_again(firm):
    firm.read(named(1, "Northgate Logistics"), named(2, "Northgate Logistics Ltd"))
    assert (likeness.advance(), likeness.advance()) == (1, 0)
    firm.read(named(3, "Northgate Logistik"))
    assert likeness.advance() == 2
    assert Likeness.objects.count() == 3


def test_a_new_rule_looks_at_everything_again(firm):
    MatchRule.objects.update(is_active=False)
    firm.read(named(1, "Northgate Logistics"), named(2, "Northgate Logistics Ltd"))
    assert likeness.advance() == 0
    MatchRule.objects.update(is_active=True)
    firm.read(named(3, "Elsewhere"))
    assert likeness.advance() == 1


def test_it_ends_when_one_of_the_two_is_gone(firm):
    firm.read(named(1, "Northgate Logistics"), named(2, "Northgate Logistics Ltd"))
    likeness.advance()
    CanonicalRecord.objects.filter(key="P-0002").update(deleted_at=Now())
    assert pairs() == []


def test_what_a_person_has_called_new_is_not_asked_about_again(firm):
    firm.read(named(1, "Northgate Logistics"), named(2, "Northgate Logistics Ltd"))
    Duplicate.objects.create(
        sync=firm.inbound, external_id="2", key="P-0002", body={}, score=90, rule="alike", run_id=1,
        status="done", decision="new", decided_at=timezone.now(),
    )  # fmt: skip
    assert likeness.advance() == 0


def test_an_entity_without_rules_costs_nothing(firm, django_assert_num_queries):
    MatchRule.objects.all().delete()
    with django_assert_num_queries(1):
        assert likeness.advance() == 0


def test_another_systems_record_that_is_alike_is_held_and_not_told_twice(firm):
    firm.read(named(1, "Northgate Logistics"))
    crm = build.connection("crm")
    second = build.sync("crm-projects", "in", build.stream(crm, "projects"), firm.inbound.entity, build.PROJECT_RULES)
    memory.system("crm").sources["projects"] = [named(9, "Northgate Logistics Ltd")]
    services.run_here(sync=second)
    assert Duplicate.objects.count() == 1
    assert likeness.advance() == 0
