"""Stale records: streams with their age against the limit, and what a person can do about it."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from governance.models import AuditEntry, Firm
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync.models import Batch, Run
from hub.sync.states import HeldState, RunStatus
from monitoring.freshness import services
from monitoring.models import StaleAcknowledgement, StaleCount
from tests.expectations.builders import DAY, HOUR, NOW, Watched, sweep
from tests.sync import builders as build

pytestmark = pytest.mark.django_db
URL = "/freshness/psa-time/"


@pytest.fixture
def world(domains):
    Firm.objects.create(name="Acme Consulting", currency="EUR")
    return Watched()


@pytest.fixture
def limited(world):
    """Time of the PSA has to be read every four hours."""
    world.keep(measure="freshness", source=world.psa, target=None, condition={}, since=NOW - 3 * DAY)
    return world


def known(world, at, **fields):
    """A record that the stream showed at an instant."""
    record = world.record(at)
    CanonicalRecord.objects.filter(pk=record.pk).update(**fields)
    batch = Batch.objects.create(run_id=record.pk, sync_id=world.reads.pk, page_no=1, at=at)
    Crosswalk.objects.create(
        stream=world.reads.stream, external_id=f"X-{record.pk}", record=record, batch_id=batch.pk, hash=b"1" * 16
    )
    return record


def state_of(client):
    (row,) = client.get("/api/v1/freshness/").json()
    return row["state"], row["overdue_seconds"]


def text(response):
    return " ".join(response.content.decode().split())


@pytest.mark.parametrize(
    ("hours", "found"), [(1, ("ok", None)), (3.5, ("warn", None)), (5, ("late", 3600)), (None, ("late", 68 * 3600))]
)
def test_a_stream_is_fresh_soon_late_or_late_by_its_newest_clean_reading(limited, ada, browse, hours, found):
    if hours is not None:
        limited.run(limited.reads, NOW - hours * HOUR, timedelta())
    limited.run(limited.reads, NOW, timedelta(), RunStatus.FAILED)
    sweep()
    assert state_of(browse(ada)) == found


def test_a_stream_without_a_level_has_no_limit_and_one_never_read_no_data(world, ada, browse):
    assert state_of(browse(ada)) == ("no_data", None)
    world.run(world.reads, NOW - HOUR, timedelta())
    assert state_of(browse(ada)) == ("unlimited", None)
    assert "No limit" in text(browse(ada).get("/freshness/"))


def test_what_nothing_confirmed_within_the_limit_is_stale_with_its_money(limited, ada, browse):
    known(limited, NOW - 9 * HOUR, amount=Decimal("100.00"), currency="EUR")
    known(limited, NOW - 8 * HOUR, amount=Decimal("50.00"), currency="GBP")
    known(limited, NOW - HOUR, amount=Decimal("7.00"), currency="EUR")
    limited.run(limited.reads, NOW - 8 * HOUR, timedelta())
    sweep()
    assert services.count() == 2
    counted = StaleCount.objects.get()
    assert (counted.number, counted.amount, counted.unconverted) == (2, Decimal("100.00"), 1)
    rows = json.loads(b"".join(browse(ada).get(f"{URL}records.json")))
    assert [(row["amount"], row["currency"]) for row in rows] == [("100.00", "EUR"), ("50.00", "GBP")]
    page = text(browse(ada).get("/freshness/"))
    assert "100.00" in page
    assert "and some without an exchange rate" in page


def test_a_reading_confirms_all_but_what_was_held_back(limited, ada, browse):
    fine, held = known(limited, NOW - 9 * HOUR), known(limited, NOW - 9 * HOUR)
    limited.run(limited.reads, NOW - HOUR, timedelta())
    found = build.held(limited.reads, f"X-{held.pk}", {}, HeldState.QUARANTINED)
    type(found).objects.update(first_at=NOW - 6 * HOUR)
    sweep()
    rows = json.loads(b"".join(browse(ada).get(f"{URL}records.json")))
    assert [row["key"] for row in rows] == [held.key]
    page = text(browse(ada).get(f"{URL}records/"))
    assert "A newer version is held since" in page
    assert fine.key not in page


def test_refresh_starts_a_tracked_reading_once(limited, olga, browse):
    client = browse(olga)
    answer = client.post(f"{URL}refresh/")
    run = Run.objects.get()
    assert (answer["Location"], run.requested_by) == (f"/runs/{run.pk}/", olga)
    client.post(f"{URL}refresh/")
    assert Run.objects.count() == 1
    assert "Reading" in text(client.get("/freshness/"))


def test_a_paused_sync_says_what_has_to_be_resumed(limited, olga, browse):
    limited.reads.is_paused = True
    limited.reads.save()
    client = browse(olga)
    assert client.post(f"{URL}refresh/")["Location"] == "/freshness/"
    assert "is paused" in text(client.get("/freshness/"))


def test_a_known_delay_keeps_its_reason_until_data_arrives(limited, olga, browse):
    sweep()
    client = browse(olga)
    client.post(f"{URL}acknowledge/", {"reason": "The PSA is being upgraded", "hours": "48"})
    said = StaleAcknowledgement.objects.get()
    assert (said.by, said.until) == (olga, NOW + 48 * HOUR)
    assert "The PSA is being upgraded" in text(client.get("/freshness/"))
    assert AuditEntry.objects.filter(act="freshness.acknowledged", name="psa-time").exists()
    limited.run(limited.reads, NOW + HOUR, timedelta())
    sweep(NOW + 2 * HOUR)
    assert "The PSA is being upgraded" not in text(client.get("/freshness/"))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"reason": " ", "hours": "4"}, "Say why the data is late"),
        ({"reason": "x", "hours": "9999"}, "not between 1 and"),
    ],
)
def test_an_acknowledgement_without_a_reason_or_for_ever_is_none(limited, olga, browse, given, words):
    client = browse(olga)
    client.post(f"{URL}acknowledge/", given)
    assert not StaleAcknowledgement.objects.exists()
    assert words in text(client.get("/freshness/"))


def test_nobody_sees_or_does_anything_in_another_domain(limited, make_person, browse):
    stranger = make_person("Stan", ("operator", "billing-gl"))
    client = browse(stranger)
    assert client.get("/api/v1/freshness/").json() == []
    assert client.get(f"{URL}records/").status_code == 404
    assert client.post(f"{URL}refresh/").status_code == 404
    assert client.post(f"{URL}acknowledge/", {"reason": "x"}).status_code == 404


def test_who_may_only_look_is_refused(limited, make_person, browse):
    viewer = make_person("Vera", "viewer")
    assert browse(viewer).get("/freshness/").status_code == 200
    assert browse(viewer).post(f"{URL}refresh/").status_code == 403


def test_empty_pages_say_why(domains, ada, browse):
    assert "Nothing is read yet" in text(browse(ada).get("/freshness/"))
