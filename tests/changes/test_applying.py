"""Approved is not applied: at once, at its time, never past what is live, and taken back as a change of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, transaction

from governance import services as contracts
from governance.changes import applying, emergency, reviewing, services
from governance.models import AuditEntry, ChangeRequest, ReviewPolicy
from governance.tasks import apply_due_changes
from hub.common import governed
from hub.common.errors import ConfigError
from hub.common.registry import kind
from hub.common.times import set_business_clock
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db
OTHER = {"type": "string", "title": "Who buys"}
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)  # a Friday


def fields():
    return kind("Contract").dump("order")["schema"]["properties"]


def agree(change, by):
    change.refresh_from_db()
    return reviewing.approve(change, by=by, seen=change.content_hash)


def test_a_scheduled_change_takes_effect_at_its_time(watched, edited, ada, grace):
    set_business_clock(NOW)
    change = services.open_change([edited(buyer=OTHER)], by=ada, effective_at=NOW + timedelta(hours=1))
    assert agree(change, grace).state == "scheduled"
    assert apply_due_changes() == 0
    set_business_clock(NOW + timedelta(hours=1))
    assert apply_due_changes() == 1
    change.refresh_from_db()
    assert (change.state, fields()["buyer"]["title"]) == ("applied", "Who buys")


def test_a_change_that_was_overtaken_is_not_applied_and_says_by_what(watched, edited, ada, grace):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    rate = edited()["schema"]["properties"]["rate"] | {"title": "Rate"}
    with governed.passing():
        contracts.save_field(contract=watched, name="rate", spec=rate, required=False, by=ada)
    done = agree(change, grace)
    assert done.state == "approved"
    assert "schema.properties.rate.title added" in done.problem
    with pytest.raises(ConfigError, match="changed meanwhile"):
        applying.apply_change(done, by=ada)


def test_an_overtaken_change_can_be_brought_up_and_keeps_its_approvals(watched, edited, ada, grace):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    with governed.passing():
        contracts.save_field(contract=watched, name="memo", spec=OTHER, required=False, by=ada)
    agree(change, grace)
    change = applying.rebase(change, by=ada)
    assert change.reviews.approvals().get().reviewer == grace
    assert change.state == "open"
    reviewing.advance(change, by=ada)
    assert {"memo", "buyer"} <= set(fields())
    assert fields()["buyer"]["title"] == "Who buys"


def test_what_is_brought_up_and_still_approved_takes_effect(watched, edited, ada, grace):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    with governed.passing():
        contracts.save_field(contract=watched, name="memo", spec=OTHER, required=False, by=ada)
    agree(change, grace)
    assert reviewing.bring_up(change, by=ada).state == "applied"


def test_taking_back_is_a_change_of_its_own(watched, edited, ada, grace):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    agree(change, grace)
    back = applying.roll_back(change, by=ada, reason="Wrong word.")
    assert (back.state, back.reverts) == ("open", change)
    agree(back, grace)
    change.refresh_from_db()
    assert (change.state, "title" in fields()["buyer"]) == ("rolled_back", False)
    assert watched.versions.count() == 5


def test_taking_back_what_nobody_reviews_any_more_is_done_at_once(watched, edited, ada, grace):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    agree(change, grace)
    ReviewPolicy.objects.all().delete()
    assert applying.roll_back(change, by=ada).state == "rolled_back"
    assert "title" not in fields()["buyer"]


def test_what_was_new_cannot_be_taken_back(contract, ada, grace, pmo, domains):
    ReviewPolicy.objects.create(slug="e", name="Entities", kind="Entity", group=pmo)
    change = services.open_change([{"kind": "Entity", "slug": "truck", "name": "Truck", "domain": "resource"}], by=ada)
    assert agree(change, grace).state == "applied"
    with pytest.raises(ConfigError, match="nothing before it"):
        applying.roll_back(change, by=ada)


def test_strangers_neither_plan_nor_apply_nor_withdraw(watched, edited, ada, olga):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    for act in (
        lambda: applying.schedule(change, by=olga, at=None),
        lambda: services.withdraw(change, by=olga),
        lambda: emergency.declare(change, by=olga, reason="Now."),
    ):
        with pytest.raises(ConfigError, match="Only whoever wrote"):
            act()


def test_an_emergency_takes_two_names_and_a_third_looks_afterwards(watched, edited, ada, grace, finn):
    set_business_clock(NOW)
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    emergency.declare(change, by=ada, reason="Invoices go out tonight.")
    with pytest.raises(ConfigError, match="You wrote or edited"):
        emergency.confirm(change, by=ada, seen=change.content_hash, reason="Yes.", password=PASSWORD)
    done = emergency.confirm(change, by=grace, seen=change.content_hash, reason="Agreed.", password=PASSWORD)
    assert (done.state, fields()["buyer"]["title"]) == ("applied", "Who buys")
    assert done.review_due_at == datetime(2026, 11, 24, 9, tzinfo=UTC)
    for somebody in (ada, grace):
        with pytest.raises(ConfigError):
            emergency.review_afterwards(done, by=somebody, note="Fine.")
        with pytest.raises(DatabaseError), transaction.atomic():
            ChangeRequest.objects.filter(pk=done.pk).update(reviewed_after_by=somebody)
    assert emergency.review_afterwards(done, by=finn, note="It was right.").reviewed_after_by == finn


def test_one_reviewer_of_several_does_not_make_an_emergency_take_effect(watched, edited, ada, grace):
    rate = edited()["schema"]["properties"]["rate"] | {"title": "Rate"}
    change = services.open_change([edited(rate=rate)], by=ada)
    emergency.declare(change, by=ada, reason="Tonight.")
    assert agree(change, grace).state == "open"


def test_every_step_is_in_the_audit(watched, edited, ada, grace):
    change = services.open_change([edited(buyer=OTHER)], by=ada)
    agree(change, grace)
    acts = list(
        AuditEntry.objects.filter(kind="ChangeRequest", name=str(change.pk))
        .order_by("pk")
        .values_list("act", "actor_id")
    )
    assert acts == [
        ("change.opened", ada.pk),
        ("change.approved", grace.pk),
        ("change.agreed", grace.pk),
        ("change.applied", grace.pk),
    ]
    brought = AuditEntry.objects.get(act="change.brought_in")
    assert (brought.name, brought.before_hash != brought.after_hash) == ("order", True)
