"""A change that is watched is taken back by itself when more fails through it than in the day before, and not otherwise."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from governance.changes import canary, reviewing, services
from governance.changes.canary import Part, Seen
from governance.models import AuditEntry, ChangeCanary, ChangeRequest
from governance.tasks import watch_canaries
from hub.common import governed
from hub.common.errors import ConfigError
from hub.common.registry import kind
from hub.common.times import set_business_clock
from hub.records.models import CanonicalRecord
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)
ROWS = [build.project_row(n) for n in range(1, 21)]


@pytest.fixture
def firm(domains):
    found = worlds.make()
    found.read(*ROWS)
    return found


def mapping() -> dict:
    return kind("Mapping").dump("psa-projects")


def changed(**sources: str) -> dict:
    """The mapping with other sources for these targets."""
    document = mapping()
    rules = [{**rule, "source": sources.get(rule["target"], rule["source"])} for rule in document["rules"]]
    return {**document, "rules": rules}


@pytest.fixture
def watched(firm, ada, grace):
    """watched(budget="title"): a change of the mapping that is agreed to, applied and watched."""

    def make(**sources: str) -> ChangeRequest:
        change = services.open_change([changed(**sources)], by=ada)
        canary.arm(change, by=ada)
        change.refresh_from_db()
        return reviewing.approve(change, by=grace, seen=change.content_hash)

    return make


def state() -> str:
    return ChangeCanary.objects.get().state


def test_what_makes_records_fail_is_taken_back_as_a_new_version(watched, firm, ada, browse):
    before = mapping()["rules"]
    change = watched(budget="title")
    assert (change.state, state()) == ("applied", "watching")
    firm.read(*[{**row, "title": f"Changed {row['title']}"} for row in ROWS])
    assert watch_canaries() == 1
    change.refresh_from_db()
    found = ChangeCanary.objects.get()
    assert (change.state, found.state) == ("rolled_back", "tripped")
    assert "100 % of the records of psa-projects fail (20 of 20)" in found.said
    assert mapping()["rules"] == before
    assert AuditEntry.objects.filter(act="change.taken_back").exists()
    assert "was taken back by itself" in browse(ada).get("/").content.decode()
    firm.read(*ROWS)
    assert CanonicalRecord.objects.count() == 20


def test_what_works_is_left_alone_and_passes_when_its_hour_is_over(watched, firm):
    change = watched(name="code")
    firm.read(*ROWS)
    assert (watch_canaries(), state()) == (0, "watching")
    set_business_clock(timezone.now() + timedelta(minutes=61))
    assert (watch_canaries(), state()) == (0, "passed")
    change.refresh_from_db()
    assert change.state == "applied"


def test_what_was_changed_again_since_is_not_touched(watched, firm, ada):
    change = watched(budget="title")
    with governed.passing():
        kind("Mapping").apply(changed(name="id"), by=ada)
    firm.read(*[{**row, "title": "Other"} for row in ROWS])
    assert (watch_canaries(), state()) == (0, "stopped")
    change.refresh_from_db()
    assert change.state == "applied"
    assert "was changed again since" in ChangeCanary.objects.get().said


def test_nothing_is_armed_through_which_nothing_runs(firm, domains, ada):
    change = services.open_change([{"kind": "System", "slug": "psa", "name": "The PSA", "category": "psa"}], by=ada)
    with pytest.raises(ConfigError, match="nothing could be watched"):
        canary.arm(change, by=ada)


def test_whoever_may_act_watches_and_stops_on_the_page(firm, ada, browse):
    change = services.open_change([changed(name="code")], by=ada)
    client = browse(ada)
    assert b"Watch its first hour" in client.get(change.get_absolute_url()).content
    client.post(f"{change.get_absolute_url()}act/", {"act": "canary"})
    page = client.get(change.get_absolute_url()).content.decode()
    assert "Canary: armed" in page
    assert "Its first 60 minutes will be watched." in page
    client.post(f"{change.get_absolute_url()}act/", {"act": "canary_stop"})
    assert state() == "stopped"


def test_others_neither_arm_nor_stop_it(firm, ada, make_person):
    change = services.open_change([changed(name="code")], by=ada)
    other = make_person("Vera", "viewer")
    with pytest.raises(ConfigError, match="may do this"):
        canary.arm(change, by=other)
    canary.arm(change, by=ada)
    with pytest.raises(ConfigError, match="may do this"):
        canary.stop(change, by=other)


numbers = st.integers(0, 2_000)


@given(numbers, numbers, numbers, numbers, st.integers(0, 100))
def test_only_more_failures_than_before_trip(read_before, failed_before, read, failed, tolerance):
    before = Seen(max(read_before, failed_before), failed_before)
    after = Seen(max(read, failed), failed)
    why = Part("a", before, after).trips(tolerance)
    assert bool(why) == (failed >= canary.LEAST and after.share > before.share + tolerance)
    assert not Part("a", after, after).trips(tolerance)
