"""What a source has under two ids is one record in the hub, and people are told that it was entered twice."""

from __future__ import annotations

import pytest
from django.db.models.functions import Now

from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync import services, twins
from hub.sync.models import Transaction, Twin
from tests import memory
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    return worlds.make()


def row(number, ident, **changes):
    """A project with its usual number, under an id of our choice."""
    return build.project_row(number, **changes) | {"id": ident}


def standing():
    return [(twin.other_id, twin.external_id) for twin in twins.standing()]


def test_a_key_that_comes_under_a_second_id_is_told_and_kept_once(firm):
    firm.read(row(1, "100"))
    assert Twin.objects.count() == 0
    firm.read(row(1, "200", title="Again"))
    assert CanonicalRecord.objects.count() == 1
    assert standing() == [("100", "200")]
    told = Transaction.objects.get(external_id="200")
    assert (told.error_code, told.error_detail) == (
        "ENTERED_TWICE",
        "The source has this record under 100 as well.",
    )


def test_two_ids_in_one_page_are_told_as_well(firm):
    firm.read(row(1, "100"), row(1, "200"))
    assert standing() == [("100", "200")]


def test_reading_them_again_tells_nothing_more(firm):
    firm.read(row(1, "100"), row(1, "200"))
    firm.read(row(1, "100", title="New"), row(1, "200", title="Newer"))
    assert standing() == [("100", "200")]
    assert Transaction.objects.filter(error_code="ENTERED_TWICE").count() == 1


def test_another_system_with_the_same_key_is_no_twin(firm):
    firm.read(row(1, "100"))
    crm = build.connection("crm")
    second = build.sync("crm-projects", "in", build.stream(crm, "projects"), firm.inbound.entity, build.PROJECT_RULES)
    memory.system("crm").sources["projects"] = [row(1, "900")]
    services.run_here(sync=second)
    assert Crosswalk.objects.filter(external_id="900").exists()
    assert standing() == []


@pytest.mark.parametrize("gone", ["100", "200"])
def test_it_ends_when_one_of_the_two_is_gone(firm, gone):
    firm.read(row(1, "100"), row(1, "200"))
    Crosswalk.objects.filter(external_id=gone).update(gone_at=Now())
    assert standing() == []
