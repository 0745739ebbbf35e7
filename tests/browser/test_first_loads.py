"""First loads as people see them: empty, in review, decided, done and stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hub.sync.adopt import queries, services
from hub.sync.models import Adoption, StagedRecord
from tests.sync.first_load import World, world


@pytest.fixture
def load(domains: Any) -> Iterator[World]:
    with world(60) as found:
        for sync, name in ((found.source, "Customers from the CRM"), (found.target, "Customers to the ERP")):
            sync.name = name
            sync.save()
        yield found


@pytest.fixture
def approver(make_person: Any) -> Any:
    return make_person("Noor", "integration_admin", "approver")


def test_the_pages_without_any_first_load(visit: Callable[..., Any], load: World, approver: Any) -> None:
    page = visit(approver)
    page.inspect("/first-loads/", "first_loads_empty")
    page.inspect("/first-loads/new/", "first_load_new")
    page.inspect("/first-loads/matching/new/?entity=customer", "match_definition_new")


def test_the_pages_of_a_first_load(visit: Callable[..., Any], load: World, approver: Any) -> None:
    adoption, page = load.plan(), visit(approver)
    maybe = services.undecided(adoption).exclude(candidates=[]).first()
    assert maybe is not None
    page.inspect("/first-loads/", "first_loads")
    for group in ("maybe", "conflict", "create", "target_only"):
        page.inspect(f"/first-loads/{adoption.pk}/?group={group}", f"first_load_{group}")
    page.inspect(f"/first-loads/{adoption.pk}/records/{maybe.pk}/", "first_load_record")
    page.inspect("/first-loads/matching/", "match_definitions")
    page.inspect("/first-loads/matching/customer/", "match_definition")


def test_a_first_load_that_stands_still_says_why(visit: Callable[..., Any], load: World, approver: Any) -> None:
    adoption = services.start(target=load.target, source=load.source, by=approver)
    Adoption.objects.filter(pk=adoption.pk).update(
        status="reading", read_source=4_200, is_halted=True, error="The CRM refuses the sign-in."
    )
    visit(approver).inspect(f"/first-loads/{adoption.pk}/", "first_load_stopped")


def test_deciding_and_approving_by_hand(visit: Callable[..., Any], load: World, approver: Any) -> None:
    """The whole way through the pages: compare, link, leave out the rest, approve."""
    adoption = load.plan()
    before = {group.name: group.number for group in queries.summary(adoption)}
    page = visit(approver).go(f"/first-loads/{adoption.pk}/")
    page.get_by_role("button", name="Leave out").first.click()
    page.wait_for_load_state()
    assert StagedRecord.objects.filter(adoption=adoption, decision="leave").count() == 1
    assert {group.name: group.number for group in queries.summary(adoption)}["maybe"] == before["maybe"] - 1
    page.get_by_role("button", name="Approve…").click()
    page.get_by_role("button", name="Approve", exact=True).click()
    page.wait_for_load_state()
    adoption.refresh_from_db()
    assert (adoption.status, adoption.approved_by) == ("linking", approver)
