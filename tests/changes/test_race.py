"""Approve and edit at the same time: never an approval of what nobody saw, never a change applied that was edited."""

from __future__ import annotations

import os
import threading

import pytest
from django.db import DatabaseError, connection, connections

from governance.changes import reviewing, services
from governance.models import ReviewGroup, ReviewPolicy
from hub.accounts.models import RoleAssignment, User
from hub.common.errors import HubError
from tests.conftest import PASSWORD

pytestmark = pytest.mark.django_db(transaction=True)
# More for a longer look: HUB_TEST_RACES=1000.
ROUNDS = int(os.environ.get("HUB_TEST_RACES", 60))


def document(number: int) -> dict[str, object]:
    return {"kind": "System", "slug": "crm", "name": f"CRM {number}", "category": "crm"}


def person(name: str) -> User:
    found = User.objects.create_user(f"{name}@example.com", PASSWORD, name=name)
    RoleAssignment.objects.create(user=found, role="approver")
    return found


def test_an_approval_beside_an_edit_is_never_of_the_other_content(domains):
    author, reviewer = person("author"), person("reviewer")
    group = ReviewGroup.objects.create(slug="pmo", name="PMO", members=[reviewer.email])
    ReviewPolicy.objects.create(slug="all", name="All", kind="System", group=group, approvals=2)
    outcomes = {"approved": 0, "refused": 0}
    for number in range(ROUNDS):
        change = services.open_change([document(2 * number)], by=author)
        change.refresh_from_db()
        together(
            outcomes,
            lambda change=change: reviewing.approve(change, by=reviewer, seen=change.content_hash),
            lambda change=change, number=number: services.edit_change(change, [document(2 * number + 1)], by=author),
        )
        change.refresh_from_db()
        stale = [r for r in change.reviews.approvals() if r.touched_hash != change.seats.get().touched_hash]
        assert not stale, f"round {number}: an approval stands on content that was edited"
        services.withdraw(change, by=author)
    assert outcomes["approved"] + outcomes["refused"] == ROUNDS


def test_two_last_approvals_at_once_apply_once(domains):
    author, one, two = person("author"), person("one"), person("two")
    group = ReviewGroup.objects.create(slug="pmo", name="PMO", members=[one.email, two.email])
    ReviewPolicy.objects.create(slug="all", name="All", kind="System", group=group)
    for number in range(20):
        change = services.open_change([document(number)], by=author)
        change.refresh_from_db()
        outcomes = {"approved": 0, "refused": 0}
        approve = [
            lambda who=who, change=change: reviewing.approve(change, by=who, seen=change.content_hash)
            for who in (one, two)
        ]
        both(outcomes, approve)
        change.refresh_from_db()
        assert (change.state, outcomes) == ("applied", {"approved": 1, "refused": 1})


def together(outcomes, approve, edit):
    """Both at once; the edit always succeeds or waits for the approval."""
    both(outcomes, [approve], beside=[edit])


def both(outcomes, approvals, beside=()):
    start = threading.Barrier(len(approvals) + len(beside))
    lock = threading.Lock()

    def run(act, counts):
        start.wait()
        try:
            act()
            word = "approved"
        except (HubError, DatabaseError):
            word = "refused"
        finally:
            connections.close_all()
        if counts:
            with lock:
                outcomes[word] += 1

    threads = [threading.Thread(target=run, args=(act, True)) for act in approvals]
    threads += [threading.Thread(target=run, args=(act, False)) for act in beside]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    connection.ensure_connection()
