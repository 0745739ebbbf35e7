"""One person's acts: an event, an act of the audit, a higher version; and nothing when somebody else was faster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from governance.models import AuditEntry
from hub.common.errors import ConfigError
from hub.common.times import business_now, set_business_clock
from monitoring.exceptions import acts, ticking
from monitoring.exceptions.acts import Conflict
from monitoring.models import ExceptionEvent, ExceptionItem, Mention, Snooze
from tests.exception_acts import builders as build

pytestmark = pytest.mark.django_db


def test_an_assignment_stands_on_the_item_in_its_history_and_in_the_audit(ada, finn):
    item = build.item()
    done = acts.assign(item=item, assignee=finn, by=ada, version=1)
    assert (done.assignee, done.version) == (finn, 2)
    event = item.events.get()
    assert (event.act, event.by, event.text) == ("assigned", ada, "Assigned to Finn.")
    assert event.before == {"assignee_id": None, "team": ""}
    assert AuditEntry.objects.filter(act="exception.assigned", name=str(item.pk)).count() == 1


def test_the_second_of_two_people_is_told_and_nothing_of_theirs_is_applied(ada, finn, grace):
    item = build.item()
    acts.assign(item=item, assignee=finn, by=ada, version=1)
    with pytest.raises(Conflict) as told:
        acts.assign(item=item, assignee=grace, by=finn, version=1)
    assert told.value.code == "CHANGED_MEANWHILE"
    assert "Ada" in str(told.value)
    assert told.value.yours == "Assigned to Grace."
    assert [event.text for event in told.value.theirs] == ["Assigned to Finn."]
    item.refresh_from_db()
    assert (item.assignee, item.version, item.events.count()) == (finn, 2, 1)


def test_the_same_click_again_is_no_conflict_and_changes_nothing(ada, finn):
    item = build.item()
    for _ in range(2):
        acts.assign(item=item, assignee=finn, by=ada, version=1)
    item.refresh_from_db()
    assert (item.version, item.events.count()) == (2, 1)


def test_a_comment_that_was_sent_twice_stands_once(ada):
    item = build.item()
    for _ in range(2):
        acts.comment(item=item, text="I asked the client.", by=ada)
    assert [event.text for event in item.events.all()] == ["I asked the client."]


def test_comments_of_two_people_do_not_collide(ada, finn):
    item = build.item()
    acts.comment(item=item, text="I asked the client.", by=ada)
    acts.comment(item=item, text="So did I.", by=finn)
    assert item.events.count() == 2


@pytest.mark.parametrize("text", ["@finn look", "see @Finn, please", "(@finn@example.com)"])
def test_who_is_named_in_a_comment_finds_it(ada, finn, text):
    acts.comment(item=build.item(), text=text, by=ada)
    assert Mention.objects.get().person == finn


def test_an_address_in_a_comment_names_nobody(ada, finn):
    acts.comment(item=build.item(), text="write to billing@finn.example", by=ada)
    assert not Mention.objects.exists()


@pytest.mark.parametrize("text", ["", "   ", "\x00"])
def test_an_empty_comment_is_refused(ada, text):
    item = build.item()
    with pytest.raises(ConfigError, match="Write a comment"):
        acts.comment(item=item, text=text, by=ada)
    assert not ExceptionEvent.objects.exists()


def test_nobody_without_a_role_is_assigned(ada, mallory):
    with pytest.raises(ConfigError, match="may not see exceptions"):
        acts.assign(item=build.item(), assignee=mallory, by=ada)


def test_a_settled_item_is_assigned_to_nobody(ada, finn):
    item = build.item(state="resolved")
    with pytest.raises(ConfigError, match="resolved"):
        acts.assign(item=item, assignee=finn, by=ada)


def test_tags_are_added_once_and_taken_off(ada):
    item = build.item(tags=["vat"])
    done = acts.act(item=item, action="tag", given={"add": "Close, vat"}, by=ada)
    assert done.tags == ["close", "vat"]
    assert acts.act(item=item, action="tag", given={"add": ["close"]}, by=ada).version == 2
    assert acts.act(item=item, action="tag", given={"remove": ["vat"]}, by=ada).tags == ["close"]


class TestSnooze:
    def snooze(self, item, by, **given):
        return acts.act(item=item, action="snooze", given=given, by=by)

    def test_it_sleeps_until_the_day_begins_on_the_persons_clock(self, ada):
        set_business_clock(datetime(2026, 11, 30, 12, tzinfo=UTC))
        item = self.snooze(build.item(), ada, until="date", date="2026-12-03", time_zone="Europe/Berlin")
        assert item.state == "snoozed"
        assert item.snoozed_until == datetime(2026, 12, 2, 23, tzinfo=UTC)
        set_business_clock(datetime(2026, 12, 2, 22, 59, tzinfo=UTC))
        ticking.tick()
        item.refresh_from_db()
        assert item.state == "snoozed"
        set_business_clock(datetime(2026, 12, 2, 23, tzinfo=UTC))
        ticking.tick()
        item.refresh_from_db()
        assert (item.state, item.snoozed_until) == ("open", None)
        assert item.events.last().act == "woken"

    def test_a_day_that_is_over_is_refused(self, ada):
        with pytest.raises(ConfigError, match="over"):
            self.snooze(build.item(), ada, until="date", date=(business_now() - timedelta(days=1)).date())

    def test_it_wakes_when_there_are_twice_as_many_and_not_before(self, ada):
        of = build.group()
        item = build.items(2, of)[0]
        self.snooze(item, ada, until="growth")
        assert item.snooze.threshold == 4
        build.item(of)
        ticking.tick()
        item.refresh_from_db()
        assert item.state == "snoozed"
        build.item(of)
        ticking.tick()
        item.refresh_from_db()
        assert item.state == "open"
        assert not Snooze.objects.exists()

    def test_it_wakes_when_its_period_opens(self, ada):
        opened = set()
        ticking.opens(lambda legal_entity, period: (legal_entity, period) in opened)
        try:
            item = build.item(legal_entity="DE01", period="2026-10")
            self.snooze(item, ada, until="period")
            ticking.tick()
            item.refresh_from_db()
            assert item.state == "snoozed"
            opened.add(("DE01", "2026-10"))
            ticking.tick()
            item.refresh_from_db()
            assert item.state == "open"
        finally:
            ticking.opens(ticking.has_begun)

    def test_a_person_wakes_it(self, ada):
        item = self.snooze(build.item(), ada, until="growth")
        assert acts.act(item=item, action="wake", given={}, by=ada).state == "open"


def test_reclassifying_keeps_together_what_shared_a_cause(ada):
    of = build.group("missing_rate", "No bill rate")
    one, two, rest = build.items(3, of)
    for item in (one, two):
        acts.act(item=item, action="reclassify", given={"cause": "closed-period", "kind": "technical"}, by=ada)
    one, two, rest = (ExceptionItem.objects.get(pk=item.pk) for item in (one, two, rest))
    assert one.group == two.group != rest.group
    assert (one.cause, one.kind, one.group.cause, one.group.open_items) == (
        "closed-period",
        "technical",
        "closed-period",
        2,
    )
    of.refresh_from_db()
    assert (of.open_items, of.amount_firm) == (1, 100)
