"""Whatever people do in whatever order: nobody's own approval ever stands, and only approved content takes effect."""

from __future__ import annotations

import os
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from governance.changes import applying, delegations, emergency, reviewing, services
from governance.models import ChangeRequest, Review, ReviewGroup, ReviewPolicy
from hub.accounts.models import RoleAssignment, User
from hub.common.errors import HubError
from hub.common.registry import removal
from hub.common.times import business_today
from tests.conftest import PASSWORD

PEOPLE, OBJECTS = 4, 2
# More for a longer look: HUB_TEST_HISTORIES=10000.
HISTORIES = int(os.environ.get("HUB_TEST_HISTORIES", 25))
person = st.integers(0, PEOPLE - 1)
target = st.integers(0, OBJECTS - 1)
# With a text, without one, or that the object shall be gone.
WISHES = st.sampled_from([True, True, False, False, None])


# A standing approval by, or for, somebody who wrote or edited the change.
OWN = """
select r.id from governance_review r join governance_changerequest c on c.id = r.change_id
where r.decision = 'approve' and r.voided_at is null and (c.author_id in (r.reviewer_id, r.on_behalf_of_id) or exists (
  select from governance_changeedit e where e.change_id = c.id and e.by_id in (r.reviewer_id, r.on_behalf_of_id)))
"""
# What took effect, or may, without enough people for the content that it has.
UNAGREED = """
select c.id from governance_changerequest c where c.state in ('approved', 'scheduled', 'applied', 'rolled_back')
and not (c.is_emergency and exists (
  select from governance_review r where r.change_id = c.id and r.decision = 'approve' and r.voided_at is null
  and r.group_id is null and r.content_hash = c.content_hash))
and (not exists (select from governance_reviewseat s where s.change_id = c.id) or exists (
  select from governance_reviewseat s where s.change_id = c.id and s.needed > (
    select count(distinct coalesce(r.on_behalf_of_id, r.reviewer_id)) from governance_review r
    where r.change_id = c.id and r.group_id = s.group_id and r.decision = 'approve' and r.voided_at is null
    and r.touched_hash = s.touched_hash)))
"""
UNDELEGATED = """
select r.id from governance_review r where r.on_behalf_of_id is not null and not exists (
  select from governance_delegation d where d.delegator_id = r.on_behalf_of_id and d.delegate_id = r.reviewer_id)
"""


class Histories(RuleBasedStateMachine):
    """Four people, two systems, two groups. Everybody may do everything, and does."""

    steps, approvals, effects = 0, 0, 0

    @initialize()
    def begin(self) -> None:
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.names = count()
        self.people = [self._person(number) for number in range(PEOPLE)]
        emails = [each.email for each in self.people]
        one = ReviewGroup.objects.create(slug="one", name="One", members=emails)
        two = ReviewGroup.objects.create(slug="two", name="Two", members=emails[1:])
        ReviewPolicy.objects.create(slug="names", name="Names", kind="System", path="name", group=one)
        ReviewPolicy.objects.create(slug="texts", name="Texts", kind="System", path="description", group=two)
        for which in range(OBJECTS):
            services.open_change([self._document(which, True)], by=self.people[which])

    def teardown(self) -> None:
        if hasattr(self, "savepoint"):
            Histories.approvals += Review.objects.filter(decision="approve").count()
            Histories.effects += ChangeRequest.objects.filter(applied_at__isnull=False).count()
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)

    def _person(self, number: int) -> User:
        found = User.objects.create_user(
            f"p{number}@example.com", PASSWORD, name=f"P{number}", is_superuser=number == 0
        )
        RoleAssignment.objects.create(user=found, role="approver")
        return found

    def _try(self, act: Any) -> None:
        Histories.steps += 1
        try:
            with transaction.atomic():
                act()
        except (HubError, DatabaseError):
            pass

    def _document(self, which: int, text: bool | None) -> dict[str, Any]:
        if text is None:
            return removal("System", f"s{which}")
        document = {"kind": "System", "slug": f"s{which}", "name": f"S{next(self.names)}", "category": "crm"}
        return document | ({"description": f"D{next(self.names)}"} if text else {})

    def _change(self, which: int) -> ChangeRequest | None:
        return ChangeRequest.objects.filter(items__key=f"s{which}").order_by("-pk").first()

    @rule(who=person, which=target, text=WISHES)
    def propose(self, who: int, which: int, text: bool | None) -> None:
        self._try(lambda: services.open_change([self._document(which, text)], by=self.people[who]))

    @rule(who=person, which=target, text=WISHES)
    def edit(self, who: int, which: int, text: bool | None) -> None:
        if change := self._change(which):
            self._try(lambda: services.edit_change(change, [self._document(which, text)], by=self.people[who]))

    @rule(who=person, which=target)
    def submit(self, who: int, which: int) -> None:
        if change := self._change(which):
            self._try(lambda: services.submit(change, by=self.people[who]))

    @rule(who=person, to=person, days=st.integers(-3, 3))
    def delegate(self, who: int, to: int, days: int) -> None:
        first = business_today() + timedelta(days=min(days, 0))
        last = business_today() + timedelta(days=days)
        self._try(lambda: delegations.delegate(by=self.people[who], to=self.people[to], from_date=first, to_date=last))

    @rule(who=person, which=target, chair=st.integers(0, 3))
    def approve(self, who: int, which: int, chair: int) -> None:
        change = self._change(which)
        if change is None:
            return
        chairs = reviewing.chairs_for(change, self.people[who])
        key = chairs[chair % len(chairs)].key if chairs else ""
        self._try(
            lambda: reviewing.approve(
                change, by=self.people[who], seen=change.content_hash, chair=key, comment="Yes.", password=PASSWORD
            )
        )

    @rule(who=person, which=target, behalf=st.one_of(st.none(), person))
    def approve_past_the_services(self, who: int, which: int, behalf: int | None) -> None:
        if change := self._change(which):
            for seat in change.seats.all():
                self._try(
                    lambda seat=seat: Review.objects.create(
                        change=change,
                        reviewer=self.people[who],
                        on_behalf_of=None if behalf is None else self.people[behalf],
                        group=seat.group,
                        decision="approve",
                        content_hash=change.content_hash,
                        touched_hash=seat.touched_hash,
                    )
                )

    @rule(which=target, state=st.sampled_from(ChangeRequest.State.values))
    def push_past_the_services(self, which: int, state: str) -> None:
        if change := self._change(which):
            self._try(lambda: ChangeRequest.objects.filter(pk=change.pk).update(state=state))

    @rule(who=person, which=target)
    def send_back(self, who: int, which: int) -> None:
        if change := self._change(which):
            self._try(
                lambda: reviewing.request_changes(
                    change, by=self.people[who], seen=change.content_hash, comment="Not yet."
                )
            )

    @rule(who=person, which=target)
    def hurry(self, who: int, which: int) -> None:
        if change := self._change(which):
            self._try(lambda: emergency.declare(change, by=self.people[who], reason="Now."))

    @rule(who=person, which=target)
    def confirm(self, who: int, which: int) -> None:
        if change := self._change(which):
            self._try(
                lambda: emergency.confirm(
                    change, by=self.people[who], seen=change.content_hash, reason="Yes.", password=PASSWORD
                )
            )

    @rule(who=person, which=target)
    def take_back(self, who: int, which: int) -> None:
        if change := self._change(which):
            self._try(lambda: applying.roll_back(change, by=self.people[who]))

    @rule(who=person, which=target)
    def bring_up(self, who: int, which: int) -> None:
        if change := self._change(which):
            self._try(lambda: applying.rebase(change, by=self.people[who]))

    @invariant()
    def nobody_stands_for_themselves(self) -> None:
        """One query for each rule: there is nothing to be found."""
        with connection.cursor() as cursor:
            for words in (OWN, UNAGREED, UNDELEGATED):
                cursor.execute(words)
                assert cursor.fetchall() == []


@pytest.mark.usefixtures("domains")
class TestHistories(TestCase):
    def test_no_history_ends_with_an_own_approval(self) -> None:
        checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
        run_state_machine_as_test(
            Histories,
            settings=settings(
                max_examples=HISTORIES, stateful_step_count=50, deadline=None, suppress_health_check=checks
            ),
        )
        print(f"{Histories.steps} acts, {Histories.approvals} approvals, {Histories.effects} changes took effect")
        # What too few histories come to is luck.
        assert Histories.approvals >= HISTORIES // 10
        assert Histories.effects >= HISTORIES // 50
