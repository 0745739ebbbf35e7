"""A change is decided by the groups that it touches, and never by whoever wrote or edited it."""

from __future__ import annotations

import pytest
from django.db import DatabaseError, transaction

from governance.changes import reviewing, services
from governance.models import ChangeRequest, Delegation, Review
from hub.common.errors import ConfigError
from hub.common.registry import kind
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
LONGER = {"type": "string", "title": "Buyer"}
OTHER = {"type": "string", "title": "Who buys"}


def approve(change, by, **more):
    change.refresh_from_db()
    return reviewing.approve(change, by=by, seen=change.content_hash, **more)


def test_what_is_live_stays_live_until_the_last_group_agrees(watched, edited, ada, grace, finn):
    rate = {"type": "string", "format": "decimal", "title": "Rate"}
    change = services.open_change([edited(rate=rate)], by=ada, reason="A name for it.")
    assert sorted(seat.group.slug for seat in change.seats.all()) == ["finance", "pmo"]
    assert approve(change, grace).state == "open"
    assert "title" not in kind("Contract").dump("order")["schema"]["properties"]["rate"]
    assert approve(change, finn).state == "applied"
    assert kind("Contract").dump("order")["schema"]["properties"]["rate"]["title"] == "Rate"


def test_only_groups_whose_paths_are_touched_are_asked(watched, edited, ada):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    assert [seat.group.slug for seat in change.seats.all()] == ["pmo"]


def test_nobody_approves_their_own_change_superusers_included(watched, edited, grace, pmo):
    grace.is_superuser = True
    grace.save()
    change = services.open_change([edited(buyer=OTHER)], by=grace)
    with pytest.raises(ConfigError, match="You wrote or edited"):
        approve(change, grace)


def test_the_database_refuses_an_own_approval_whoever_asks(watched, edited, grace, pmo):
    change = services.open_change([edited(buyer=OTHER)], by=grace)
    seat = change.seats.get()
    with pytest.raises(DatabaseError, match="wrote or edited"), transaction.atomic():
        Review.objects.create(
            change=change,
            reviewer=grace,
            group=pmo,
            decision="approve",
            content_hash=change.content_hash,
            touched_hash=seat.touched_hash,
        )
    with pytest.raises(DatabaseError, match="lacks approvals"), transaction.atomic():
        ChangeRequest.objects.filter(pk=change.pk).update(state="approved")
    with pytest.raises(DatabaseError, match="stays its author"), transaction.atomic():
        ChangeRequest.objects.filter(pk=change.pk).update(author=None)


@pytest.mark.parametrize("state", ["applied", "scheduled", "rolled_back", "nonsense"])
def test_the_database_refuses_a_step_that_the_life_cycle_does_not_know(watched, edited, ada, state):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    with pytest.raises(DatabaseError, match="cannot go from open"), transaction.atomic():
        ChangeRequest.objects.filter(pk=change.pk).update(state=state)


def test_an_edit_voids_approvals_of_what_it_touched_and_no_others(watched, edited, ada, grace, finn):
    rate = {"type": "string", "format": "decimal", "title": "Rate"}
    change = services.open_change([edited(rate=rate)], by=ada)
    approve(change, finn)
    services.edit_change(change, [edited(rate=rate, buyer=OTHER)], by=ada)
    assert change.reviews.approvals().get().reviewer == finn
    services.edit_change(change, [edited(rate=rate | {"title": "Price"}, buyer=OTHER)], by=ada)
    assert not change.reviews.approvals().exists()
    assert change.reviews.get().void_reason == "What was approved has been edited."


def test_an_approval_of_a_content_that_was_edited_meanwhile_is_refused(watched, edited, ada, grace):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    seen = change.content_hash
    services.edit_change(change, [edited(buyer=LONGER)], by=ada)
    with pytest.raises(ConfigError, match="edited while you were looking"):
        reviewing.approve(change, by=grace, seen=seen)


def test_whoever_edits_after_approving_has_approved_nothing(watched, edited, ada, grace, finn):
    rate = {"type": "string", "format": "decimal", "title": "Rate"}
    change = services.open_change([edited(rate=rate)], by=ada)
    approve(change, finn)
    services.edit_change(change, [edited(rate=rate, buyer=OTHER)], by=finn)
    assert not change.reviews.approvals().exists()
    with pytest.raises(ConfigError, match="You wrote or edited"):
        approve(change, finn)


def test_breaking_needs_two_people_of_different_groups_and_a_password(watched, edited, ada, grace, finn):
    change = services.open_change([edited(buyer={"type": "integer"})], by=ada)
    assert change.is_breaking
    with pytest.raises(ConfigError, match="Say why"):
        approve(change, grace)
    with pytest.raises(ConfigError, match="password"):
        approve(change, grace, comment="Agreed with sales.", password="wrong")
    assert approve(change, grace, comment="Agreed with sales.", password=PASSWORD).state == "open"
    assert approve(change, finn, comment="Fine for billing.", password=PASSWORD).state == "applied"


def test_a_delegate_decides_for_the_delegator_but_not_on_what_they_wrote(
    watched, edited, ada, grace, make_person, today
):
    dora = make_person("Dora", "approver")
    Delegation.objects.create(delegator=grace, delegate=dora, from_date=today, to_date=today)
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    assert approve(change, dora).state == "applied"
    assert change.reviews.get().on_behalf_of == grace
    own = services.open_change([edited(buyer=LONGER)], by=grace)
    with pytest.raises(ConfigError, match="stand in for Grace"):
        approve(own, dora)
    with pytest.raises(DatabaseError, match="wrote or edited"), transaction.atomic():
        Review.objects.create(
            change=own,
            reviewer=dora,
            on_behalf_of=grace,
            group=own.seats.get().group,
            decision="approve",
            content_hash=own.content_hash,
        )


def test_changes_asked_for_send_it_back_until_it_is_handed_in_again(watched, edited, ada, grace):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    reviewing.request_changes(change, by=grace, seen=change.content_hash, comment="Name it as sales does.")
    change.refresh_from_db()
    assert change.state == "changes_requested"
    with pytest.raises(ConfigError, match="cannot be done"):
        approve(change, grace)
    services.edit_change(change, [edited(buyer=LONGER)], by=ada)
    services.submit(change, by=ada)
    assert approve(change, grace).state == "applied"


def test_a_rejected_change_is_over(watched, edited, ada, grace):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    reviewing.reject(change, by=grace, seen=change.content_hash, comment="No.")
    change.refresh_from_db()
    assert change.state == "rejected"
    with pytest.raises(ConfigError, match="cannot be done"):
        services.edit_change(change, [edited(buyer=LONGER)], by=ada)


def test_an_item_that_was_edited_without_a_name_takes_no_approval(watched, edited, ada, grace):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    item = change.items.get()
    item.proposed = edited(buyer=LONGER)
    item.save()
    with pytest.raises(DatabaseError, match="without a name"), transaction.atomic():
        approve(change, grace)


def test_what_no_policy_speaks_of_needs_one_who_decides_and_two_when_it_breaks(contract, edited, ada, grace, finn):
    change = services.open_change([edited(buyer=OTHER)], by=None, title="The source has changed.")
    assert reviewing.chairs_for(change, ada) == []
    assert approve(change, grace).state == "applied"
    breaking = services.open_change([edited(buyer={"type": "integer"})], by=None)
    given = {"comment": "Agreed.", "password": PASSWORD}
    assert approve(breaking, grace, **given).state == "open"
    with pytest.raises(DatabaseError, match="lacks approvals"), transaction.atomic():
        ChangeRequest.objects.filter(pk=breaking.pk).update(state="approved")
    assert approve(breaking, finn, **given).state == "applied"
