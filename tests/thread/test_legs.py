"""The legs of an engagement: which state each is in, why, whose turn it is, and what it rests on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.http import Http404

from governance.canonical_model import shipped_documents
from governance.service_levels.promise import Verdict
from hub.common.errors import ConfigError
from hub.common.times import set_business_clock
from hub.records.models import CanonicalRecord
from hub.sync.models import HeldRecord, Merge
from hub.sync.states import DeliveryState, HeldState
from monitoring.models import ExceptionGroup, ExceptionItem
from monitoring.thread import queries
from monitoring.thread.declaration import engagement, read
from tests.sync import builders as build
from tests.thread.builders import Engagement

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def world(domains):
    set_business_clock(NOW)
    return Engagement()


@pytest.fixture
def project(world):
    return world.won(NOW - 60 * DAY)


def thread(user=None):
    (anchor,) = queries.find_engagements(user, "project", "P-1")
    return queries.thread_of(user, anchor)


def leg(slug, user=None):
    return thread(user).leg(slug)


# Each state ---------------------------------------------------------------------------------------------------
def test_a_leg_is_done_when_its_record_is_here(world, project):
    found = leg("closed-won")
    assert found.state == "done"
    assert found.systems[0].slug == "crm"
    assert [one.external_id for one in found.ids] == ["crm:OPP-1"]
    assert found.arrived_at == NOW - 60 * DAY
    assert found.amounts == {"GBP": Decimal("312000")}
    assert found.evidence.key == "OPP-1"


def test_a_leg_that_reaches_a_system_is_done_when_it_arrived_there(world, project):
    number = world.delivered(project, "project-to-erp", NOW - 59 * DAY, 2 * HOUR)
    found = leg("project-erp")
    assert (found.state, found.evidence.pk) == ("done", number)
    assert found.arrived_at == NOW - 59 * DAY + 2 * HOUR


def test_a_system_that_brought_the_record_holds_it(world, project):
    assert leg("project-psa").state == "done"


def test_what_is_on_its_way_in_time_is_in_flight(world, project):
    world.level()
    world.open(world.time("T-1", NOW - HOUR), "time_entry-to-erp", NOW - HOUR, DeliveryState.PENDING)
    found = leg("time-erp")
    assert (found.state, found.sla.verdict, found.sla.words(NOW)) == ("in_flight", Verdict.RUNNING, "3 h 00 m left")
    assert found.expected_at == NOW + 3 * HOUR
    assert "The hub" in found.problems[0].turn


def test_what_is_on_its_way_too_long_is_late(world, project):
    world.level()
    world.open(world.time("T-1", NOW - 6 * HOUR), "time_entry-to-erp", NOW - 6 * HOUR, DeliveryState.PENDING)
    found = leg("time-erp")
    assert (found.state, found.sla.verdict) == ("late", Verdict.BREACHED)
    assert found.is_red


def test_without_a_promise_nothing_is_late(world, project):
    world.open(world.time("T-1", NOW - 90 * HOUR), "time_entry-to-erp", NOW - 90 * HOUR, DeliveryState.PENDING)
    assert leg("time-erp").state == "in_flight"


def test_a_dead_letter_fails_its_leg_and_says_why_and_whose_turn_it_is(world, project):
    entry = world.time("T-1", NOW - HOUR)
    world.open(entry, "time_entry-to-erp", NOW - HOUR, DeliveryState.DEAD, error_detail="The period is closed.")
    found = leg("time-erp")
    assert (found.state, found.why) == ("failed", "The period is closed.")
    assert found.turn == "A person who corrects it and sends it again"
    assert found.problems[0].url


def test_what_was_never_queued_is_missing(world, project):
    world.time("T-1", NOW - HOUR)
    found = leg("time-erp")
    assert found.state == "missing"
    assert "never queued" in found.why
    assert found.turn == "An integration admin: time_entry-to-erp has not queued it"


def test_what_was_never_queued_has_the_time_that_is_promised(world, project):
    world.level()
    world.time("T-1", NOW - HOUR)
    assert leg("time-erp").state == "in_flight"


def test_a_paused_sync_says_who_paused_it(world, project, ada):
    world.time("T-1", NOW - HOUR)
    sync = world.syncs["time_entry-to-erp"]
    sync.is_paused, sync.paused_by = True, ada
    sync.save()
    assert leg("time-erp").turn == "Ada: time_entry-to-erp is paused"


def test_what_the_sync_does_not_send_is_not_missing(world, project):
    sync = world.syncs["project-to-erp"]
    sync.only_when = {"status": ["closed"]}
    sync.save()
    found = leg("project-erp")
    assert (found.state, found.total) == ("not_expected", 0)


def test_a_record_that_is_named_and_never_came_is_missing(world, project):
    CanonicalRecord.objects.filter(pk=project.pk).update(body={**project.body, "contract": "CT-9"})
    CanonicalRecord.objects.filter(key="CT-1").delete()
    found = leg("contract")
    assert (found.state, found.why) == ("missing", "CT-9 is named and has never come to the hub.")


def test_a_named_record_that_was_stopped_at_the_gate_says_so(world, project):
    CanonicalRecord.objects.filter(pk=project.pk).update(body={**project.body, "contract": "CT-9"})
    CanonicalRecord.objects.filter(key="CT-1").delete()
    HeldRecord.objects.create(
        sync=world.syncs["crm-contract"], external_id="CT-9", state=HeldState.QUARANTINED, error_code="CONTRACT",
        error_detail="The value is negative.", body={}, transaction_id=1, first_at=NOW, last_at=NOW,
    )  # fmt: skip
    found = leg("contract")
    assert (found.state, found.problems[0].detail) == ("failed", "The value is negative.")


def test_a_deal_that_is_not_won_yet_is_in_flight(world, project):
    CanonicalRecord.objects.filter(key="OPP-1").update(body={"number": "OPP-1", "status": "open"})
    assert leg("closed-won").state == "in_flight"


def test_an_invoice_is_expected_as_soon_as_time_is_in_the_erp(world, project):
    assert leg("invoice").state == "not_expected"
    world.delivered(world.time("T-1", NOW - 10 * DAY), "time_entry-to-erp", NOW - 10 * DAY, HOUR)
    found = leg("invoice")
    assert (found.state, found.expected_at) == ("in_flight", NOW - 10 * DAY + HOUR + 35 * DAY)


def test_an_invoice_that_does_not_come_is_missing(world, project):
    world.delivered(world.time("T-1", NOW - 50 * DAY), "time_entry-to-erp", NOW - 50 * DAY, HOUR)
    found = leg("invoice")
    assert found.state == "missing"
    assert "35 days" in found.why


def test_internal_work_is_never_invoiced(world, project):
    CanonicalRecord.objects.filter(pk=project.pk).update(body={**project.body, "billing_type": "internal"})
    world.delivered(world.time("T-1", NOW - 50 * DAY), "time_entry-to-erp", NOW - 50 * DAY, HOUR)
    found = leg("invoice")
    assert (found.state, found.why) == ("not_expected", "The project's billing type is internal.")


def test_an_entity_that_the_hub_does_not_have_is_not_connected(domains):
    set_business_clock(NOW)
    Engagement(without=("invoice",)).won(NOW - 60 * DAY)
    found = leg("invoice")
    assert (found.state, found.is_red) == ("not_connected", False)


def test_a_leg_that_no_sync_serves_is_not_connected(world, project):
    world.arrives("psa", "milestone", "M-1", NOW - DAY, project="P-1", status="accepted")
    assert leg("milestone").state == "done"
    assert leg("milestone-erp").state == "not_connected"


# Promise -------------------------------------------------------------------------------------------------------
def test_latency_is_held_against_the_tightest_promise(world, project):
    world.level()
    world.level(slug="loose", name="Loose", breach_seconds=99_999)
    world.level(slug="other", name="Other", condition={"status": ["rejected"]}, breach_seconds=60)
    world.delivered(world.time("T-1", NOW - DAY), "time_entry-to-erp", NOW - DAY, 5 * HOUR)
    found = leg("time-erp")
    assert (found.state, found.sla.level.slug, found.sla.verdict) == ("done", "time", Verdict.BREACHED)
    assert found.sla.words(NOW) == "5 h 00 m of 4 h 00 m"


# Many records --------------------------------------------------------------------------------------------------
def test_figures_of_a_leg_are_those_of_its_rows(world, project):
    for number in range(12):
        world.delivered(world.time(f"T-{number:03}", NOW - DAY), "time_entry-to-erp", NOW - DAY, HOUR)
    world.open(world.time("T-DEAD", NOW - DAY, amount="77.50"), "time_entry-to-erp", NOW - DAY, DeliveryState.DEAD)
    world.open(world.time("T-OPEN", NOW - DAY, currency="EUR"), "time_entry-to-erp", NOW - DAY, DeliveryState.PENDING)
    world.time("T-LOST", NOW - DAY)
    world.open(world.time("T-GONE", NOW - DAY), "time_entry-to-erp", NOW - DAY, DeliveryState.DISCARDED)
    world.time("T-DRAFT", NOW - DAY, status="draft")
    found = leg("time-erp")
    rows = list(queries.all_leg_rows(None, project, found.spec))
    missing = list(queries.all_leg_rows(None, project, found.spec, "missing"))
    assert (found.total, found.done, found.missing) == (16, 12, 3)
    assert len(rows) == found.total
    assert {row["key"] for row in missing} == {"T-DEAD", "T-OPEN", "T-LOST"}
    assert found.missing_amounts == {"GBP": Decimal("1077.50"), "EUR": Decimal("1000")}
    assert sum(row["amount"] for row in rows if row["currency"] == "GBP") == found.amounts["GBP"]
    assert sum(row["quantity"] for row in rows) == found.members.quantity() == 128
    assert found.counts == "16 records, 12 there, 3 missing, 128 h"
    assert "1 more, not status approved." in found.notes


def test_what_the_sync_does_not_send_counts_where_it_is(world, project):
    sync = world.syncs["time_entry-to-erp"]
    sync.only_when = {"billable": ["yes"]}
    sync.save()
    world.time("T-1", NOW - DAY, amount="300.00")
    world.time("T-2", NOW - DAY, billable="yes")
    world.time("T-3", NOW - DAY, status="draft")
    found = thread()
    approved, there = found.leg("time-approved"), found.leg("time-erp")
    assert (approved.total, approved.amounts, approved.members.others) == (2, {"GBP": Decimal("1300")}, 1)
    assert (there.total, there.missing, there.members.others) == (1, 1, 2)
    assert len(list(queries.all_leg_rows(None, project, approved.spec))) == 2
    assert [row["key"] for row in queries.all_leg_rows(None, project, there.spec)] == ["T-2"]


def test_rows_are_read_in_pages_without_loss(world, project):
    for number in range(7):
        world.time(f"T-{number}", NOW - DAY)
    spec = leg("time-approved").spec
    first = queries.leg_rows(None, project, spec, limit=3)
    rest = queries.leg_rows(None, project, spec, after=first[-1]["id"], limit=50)
    assert len({row["key"] for row in (*first, *rest)}) == 7


def test_a_target_that_is_written_by_two_syncs_counts_a_record_once(world, project):
    stream, rules = build.stream(world.connections["erp"], "second"), [{"target": "id", "source": "number"}]
    world.syncs["second"] = build.sync("second", "out", stream, world.entities["time_entry"], rules)
    entry = world.time("T-1", NOW - DAY)
    world.delivered(entry, "time_entry-to-erp", NOW - DAY, HOUR)
    world.open(entry, "second", NOW - DAY, DeliveryState.DEAD)
    found = leg("time-erp")
    assert (found.total, found.state) == (1, "failed")


# People ---------------------------------------------------------------------------------------------------------
def test_people_see_the_legs_of_their_domains(world, project, make_person):
    world.invoice("INV-1", NOW - DAY)
    finance = make_person("Fay", ("finance", "billing-gl"))
    (anchor,) = queries.find_engagements(finance, "invoice", "INV-1")
    found = queries.thread_of(finance, anchor)
    assert {one.spec.slug for one in found.legs if one.state == "done"} == {"invoice"}
    assert found.hidden == 10
    assert (found.title, found.customer, found.anchor) == ("", "", None)


def test_who_sees_no_leg_with_a_record_finds_nothing(world, project, make_person):
    stranger = make_person("Sten", ("viewer", "billing-gl"))
    with pytest.raises(Http404):
        thread(stranger)


# Merged and removed ----------------------------------------------------------------------------------------------
def test_a_merged_project_leads_to_the_one_that_it_is_today(world, project):
    old = world.record("project", "P-OLD", NOW, name="Depot")
    CanonicalRecord.objects.filter(pk=old.pk).update(deleted_at=NOW)
    Merge.objects.create(entity=old.entity, loser=old, winner=project)
    (anchor,) = queries.find_engagements(None, "project", "P-OLD")
    assert anchor.pk == project.pk


def test_removed_records_are_told_and_not_counted(world, project):
    gone = world.time("T-1", NOW - DAY)
    world.time("T-2", NOW - DAY)
    CanonicalRecord.objects.filter(pk=gone.pk).update(deleted_at=NOW)
    found = leg("time-approved")
    assert found.total == 1
    assert "1 record removed at the source, not counted." in found.notes


# What waits for people -------------------------------------------------------------------------------------------
def test_an_open_exception_stands_at_its_leg_with_its_assignee(world, project, finn):
    entry = world.time("T-1", NOW - DAY)
    world.delivered(entry, "time_entry-to-erp", NOW - DAY, HOUR)
    group = ExceptionGroup.objects.create(
        fingerprint="x", cause="rate", title="No bill rate", first_at=NOW, last_at=NOW
    )
    ExceptionItem.objects.create(
        origin="held", origin_key="held:1", group=group, kind="business", cause="rate", title="No bill rate: T-9",
        entity=entry.entity, project="P-1", sync_id=world.syncs["psa-time_entry"].pk, assignee=finn, opened_at=NOW, seen_at=NOW,
    )  # fmt: skip
    found = leg("time-approved")
    assert (found.state, found.turn) == ("failed", "Finn")
    assert found.problems[0].title == "No bill rate: T-9"
    assert leg("time-erp").state == "done"


def test_records_that_wait_for_the_project_stand_at_their_leg(world, project):
    HeldRecord.objects.create(
        sync=world.syncs["psa-time_entry"], external_id="T-7", state=HeldState.WAITING, error_code="WAITING",
        error_detail="Project is not here.", missing_entity_id=project.entity_id, missing_key="P-1", body={}, transaction_id=1,
        first_at=NOW, last_at=NOW,
    )  # fmt: skip
    found = leg("time-approved")
    assert (found.state, found.problems[0].title) == ("in_flight", "T-7: waiting when it came")


# The declaration --------------------------------------------------------------------------------------------------
def test_every_leg_speaks_of_the_canonical_model():
    fields = {entity["slug"]: set(contract["schema"]["properties"]) for entity, contract in shipped_documents()}
    for spec in engagement().legs:
        named = {*spec.condition, *spec.when, *spec.filled, *([spec.quantity] if spec.quantity else [])}
        assert named <= fields[spec.entity], spec.slug
        assert set(spec.unless) <= fields["project"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{slug: a, title: A, sentence: A, entity: e, found_by: [self], colour: red}", "'colour' is not a word"),
        ("{slug: a, title: A, sentence: A, entity: e, found_by: [guess]}", "no way to find"),
        (
            "{slug: a, title: A, sentence: A, entity: e, found_by: [{named: {of: z, field: f}}]}",
            "'z' is not an earlier leg",
        ),
        ("{slug: a, title: A, sentence: A, entity: e, found_by: [self], reaches: moon}", "'moon' is no category"),
        ("{slug: a, title: A, sentence: A, entity: e, found_by: [self], after: [b]}", "'b' is not an earlier leg"),
        ("{slug: a, title: A, sentence: A, entity: e, found_by: [column, self]}", "stands alone"),
    ],
)
def test_a_wrong_declaration_names_the_leg_and_the_word(tmp_path, text, words):
    path = tmp_path / "legs.yaml"
    path.write_text(f"anchor: project\ntitle: T\nlegs:\n  - {text}\n")
    with pytest.raises(ConfigError, match=words):
        read(path)
