"""What happens becomes an event in the same transaction, for those who asked, and for nobody else."""

from __future__ import annotations

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from connectors import circuits
from connectors.models import Stream
from hub.common.db import plain_cursor
from hub.common.errors import TransientError
from hub.events import interests, services
from hub.events.models import Event, Notification, Subscription
from hub.records.models import CanonicalRecord
from hub.sync import ledger, page, runs
from hub.sync.ledger import Entry
from hub.sync.models import Run
from hub.sync.states import Outcome
from tests.events.conftest import Receiver, World, subscribe
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


def told() -> list[str]:
    return list(Event.objects.order_by("pk").values_list("type", flat=True))


def test_a_page_tells_of_what_it_made_and_changed_and_of_nothing_else(world: World) -> None:
    world.firm.read(build.project_row(1), build.project_row(2))
    world.firm.read(build.project_row(1, title="New"), build.project_row(2))
    assert told() == ["record.created", "record.created", "run.finished", "record.changed", "run.finished"]
    changed = Event.objects.get(type="record.changed")
    assert changed.subject == "project/P-0001"
    assert changed.data["changed"] == ["name"]
    assert (changed.data["version"], changed.record["name"]) == (2, "New")


def test_an_event_keeps_the_record_as_it_was_then(world: World) -> None:
    for title in ("One", "Two", "Three"):
        world.firm.read(build.project_row(1, title=title))
    names = [event.record["name"] for event in Event.objects.filter(record__isnull=False).order_by("pk")]
    assert names == ["One", "Two", "Three"]


def test_a_page_that_is_rolled_back_tells_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise RuntimeError("killed after the events were written")

    monkeypatch.setattr(page.ledger, "count_outcomes", broken)
    run = world.firm.read(build.project_row(1))
    assert run.status == "failed"
    assert not CanonicalRecord.objects.exists()
    assert told() == ["run.failed"]


def test_where_nobody_asked_nothing_is_written_and_nothing_more_is_asked(domains: object) -> None:
    firm = worlds.make()
    firm.read(build.project_row(1))
    interests.wanted({"record.created"})
    with CaptureQueriesContext(
        connection,
    ) as queries:
        firm.read(build.project_row(2))
    assert not [query for query in queries if "events_" in query["sql"]]
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("fields", "number"),
    [
        ({"event_types": ["record.created"]}, 2),
        ({"event_types": ["run.failed"]}, 0),
        ({"event_types": ["record.created"], "only_when": {"status": ["closed"]}}, 1),
        ({"event_types": ["record.created"], "only_when": {"status": ["draft"]}}, 0),
        ({"event_types": ["record.created"], "is_active": False}, 0),
    ],
)
def test_a_subscription_is_told_of_what_it_asked_for(
    domains: object, receiver: Receiver, fields: dict[str, object], number: int
) -> None:
    firm = worlds.make()
    subscribe(receiver, entity=firm.inbound.entity, **fields)
    firm.read(build.project_row(1), build.project_row(2, status="closed"))
    assert Notification.objects.count() == number


def test_events_of_another_entity_or_domain_are_not_told(domains: dict[str, object], receiver: Receiver) -> None:
    firm = worlds.make()
    subscribe(receiver, "elsewhere", domain=domains["billing-gl"])
    subscribe(receiver, "time", entity=build.entity("time-entry", build.TIME))
    subscribe(receiver, "here", domain=firm.inbound.entity.domain)
    firm.read(build.project_row(1))
    assert set(Notification.objects.values_list("subscription__slug", flat=True)) == {"here"}


def test_one_event_is_stored_once_however_many_are_told(domains: object, receiver: Receiver) -> None:
    firm = worlds.make()
    for slug in ("one", "two", "three"):
        subscribe(receiver, slug, event_types=["record.created"])
    firm.read(build.project_row(1))
    assert (Event.objects.count(), Notification.objects.count()) == (1, 3)


def test_a_record_is_not_kept_where_only_its_ids_are_sent(domains: object, receiver: Receiver) -> None:
    firm = worlds.make()
    subscribe(receiver, payload="ids", event_types=["record.created"])
    firm.read(build.project_row(1))
    assert Event.objects.get().record is None


def test_fields_that_are_not_for_everybody_stay_in_the_hub(domains: object, receiver: Receiver) -> None:
    schema = {**build.PROJECT, "properties": {**build.PROJECT["properties"]}}
    schema["properties"]["budget"] = {**schema["properties"]["budget"], "x-classification": "confidential"}
    firm = worlds.make(schema=schema)
    subscribe(receiver)
    firm.read(build.project_row(1))
    record = Event.objects.get(type="record.created").record
    assert "budget" not in record
    assert record["name"] == "Project 1"


def test_a_delivery_that_dies_or_is_in_doubt_is_told(world: World) -> None:
    world.firm.kill_one()
    dead = Event.objects.get(type="delivery.dead")
    assert (dead.subject, dead.data["sync"]) == ("project/P-0001", "erp-jobs")
    assert "No such account." in dead.data["error"]


def test_a_lost_answer_is_told_as_doubt(world: World) -> None:
    world.firm.lose_one()
    assert Event.objects.get(type="delivery.unsure").data["key"] == "P-0001"


def test_a_failed_run_is_told_with_its_reason(world: World) -> None:
    world.firm.psa.fail_with = [TransientError("The PSA is being maintained.")]
    world.firm.read(build.project_row(1))
    failed = Event.objects.get(type="run.failed")
    assert failed.subject == "sync/psa-projects"
    assert "maintained" in failed.data["error"]


def test_the_end_of_a_run_and_its_event_are_stored_together(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    run, _ = runs.create(sync=world.firm.inbound, trigger="manual")
    claimed = runs.claim(run.pk)
    assert claimed
    monkeypatch.setattr("hub.events.outbox.bell.ring", lambda found: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        runs.finish(claimed)
    assert Run.objects.get().status == "running"
    assert not Event.objects.exists()


def test_a_connection_that_stops_and_works_again_is_told_once_each(world: World) -> None:
    owner = world.firm.inbound.stream.connection
    for _ in range(3):
        circuits.note_failure(owner.pk, "No route to host.", trip=True)
    circuits.close(owner.pk)
    assert told() == ["connection.down", "connection.up"]
    assert Event.objects.first().data["error"] == "No route to host."


def test_numbers_count_up_for_each_subject(world: World) -> None:
    for version in range(5):
        world.firm.read(*(build.project_row(n, title=f"Version {version}") for n in range(1, 4)))
    for number in range(1, 4):
        rows = Event.objects.filter(subject=f"project/P-000{number}").order_by("pk")
        assert [row.data["version"] for row in rows] == [1, 2, 3, 4, 5]


def test_a_subscription_that_was_switched_off_is_not_collected_for(world: World) -> None:
    Subscription.objects.update(disabled_at="2026-01-01T00:00:00Z")
    interests.forget()
    world.firm.read(build.project_row(1))
    assert not Event.objects.exists()
    services.switch_on(subscription=world.again(), by=None)
    world.firm.read(build.project_row(2))
    assert "record.created" in told()


def test_a_deletion_and_a_return_by_webhook_are_told(world: World) -> None:
    from tests.webhooks.conftest import World as Calling
    from tests.webhooks.conftest import make_endpoint

    Stream.objects.filter(pk=world.firm.inbound.mapping.stream_id).update(cursor_field="changed")
    endpoint = make_endpoint(world.firm, deleted_path="type", deleted_values=["project.deleted"])
    calling = Calling(world.firm, endpoint)
    for version, kind in enumerate(["project.updated", "project.deleted", "project.updated"], start=1):
        row = calling.row(1, 1 if kind == "project.deleted" else version)
        calling.send(
            {**row, "changed": f"2026-11-01T10:0{version}:00Z", "title": "Same"},
            message_id=kind + str(version),
            kind=kind,
        )
        calling.work()
    about = list(Event.objects.filter(subject="project/P-0001").order_by("pk").values_list("type", flat=True))
    assert about == ["record.created", "record.removed", "record.changed"]
    assert Event.objects.get(type="record.removed").record["name"] == "Same"


def test_a_sender_that_was_killed_is_told_as_doubt_with_the_records_key(world: World) -> None:
    """Rows of such a delivery carry the record's number alone."""
    world.firm.read(build.project_row(1))
    record = CanonicalRecord.objects.get()
    run, _ = runs.create(sync=world.firm.outbound, trigger="change")
    entry = Entry(0, Outcome.UNSURE, record_id=record.pk, version=1, error_code="UNSURE", error_detail="Killed.")
    with transaction.atomic(), plain_cursor() as cursor:
        at = cursor.execute("select now()::text").fetchone()[0]
        ids = {"run_id": run.pk, "sync_id": world.firm.outbound.pk, "batch_id": 0}
        ledger.write(cursor, **ids, at=at, entries=[entry], micros=0)
    told_of = Event.objects.get(type="delivery.unsure")
    assert (told_of.subject, told_of.data["key"]) == ("project/P-0001", "P-0001")
