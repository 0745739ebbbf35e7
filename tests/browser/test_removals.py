"""Pages about records that are gone: a suspect run, its question, and the settings of both directions."""

from __future__ import annotations

from typing import Any

import pytest

from hub.records.models import CanonicalRecord
from hub.sync.models import Run, Sync
from hub.sync.removals import merges
from tests.removals.conftest import rows
from tests.sync import worlds

PAGES = {
    "removals_home": "/",
    "removals_run": "/runs/{suspect}/",
    "removals_in": "/syncs/psa-projects/removals/",
    "removals_out": "/syncs/erp-jobs/removals/",
    "merges": "/merges/",
    "merge": "/merges/{merge}/",
    "merge_new": "/merges/new/project/{loser}/",
    "record_merged": "/records/project/{merged}/",
}


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    made = worlds.make()
    Sync.objects.filter(pk=made.inbound.pk).update(mode="full", removals="detect", name="Projects from the PSA")
    made.inbound = Sync.objects.get(pk=made.inbound.pk)
    made.erp.removals = frozenset({"deactivate"})
    return made


@pytest.fixture
def half(firm: worlds.Firm) -> Run:
    firm.read(*rows(*range(60)))
    firm.read(*rows(*range(1, 60)))
    return firm.read(*rows(*range(1, 30)))


@pytest.mark.parametrize("name", PAGES)
def test_pages_look_right_and_are_accessible(visit: Any, ada: Any, half: Run, name: str) -> None:
    two, three, four = (CanonicalRecord.objects.get(key=f"P-000{n}") for n in (2, 3, 4))
    made = merges.merge(loser=two, winner=three, reason="The same engagement under two codes.", by=ada)
    found = {"suspect": half.pk, "merge": made.pk, "loser": four.pk, "merged": two.pk}
    visit(ada).inspect(PAGES[name].format(**found), name)


def test_before_anything_was_read_the_tab_says_so(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    visit(ada).inspect("/syncs/psa-projects/removals/", "removals_empty")


def test_a_person_says_that_the_records_are_gone(visit: Any, olga: Any, half: Run) -> None:
    page = visit(olga).go(f"/runs/{half.pk}/")
    page.get_by_role("button", name="These 30 records are really gone…").click()
    page.get_by_label("Reason").fill("The old projects were archived.")
    page.get_by_role("button", name="They are gone").click()
    page.get_by_text("takes the missing records away").wait_for()
    half.refresh_from_db()
    assert half.status == "succeeded"


def test_a_wrong_setting_is_named_at_its_field(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    one = visit(ada)
    page = one.go("/syncs/erp-jobs/removals/")
    page.get_by_label("When a record is gone").select_option("delete")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("declares no way to delete a record").first.wait_for()
    one.shoot("removals_out_wrong")
