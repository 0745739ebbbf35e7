"""From messages to records: whatever the order of arrival, the hub ends in the source's state."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from hub.records.models import CanonicalRecord
from hub.sync import services as syncs
from hub.sync.models import HeldRecord, Run, Transaction
from hub.webhooks import inbox
from hub.webhooks.models import Endpoint, Message
from tests.sync import builders as build
from tests.webhooks.conftest import World, make_endpoint

pytestmark = pytest.mark.django_db(transaction=True)

PERMUTATIONS = [order for size in (2, 3, 4) for order in itertools.permutations(range(1, size + 1))]


def title(world: World) -> str:
    return str(world.record.body["name"])


def test_a_record_takes_the_whole_way_and_asks_the_source_nothing(world: World) -> None:
    world.firm.psa.fail_with = [RuntimeError("the source was asked")]  # type: ignore[list-item]
    world.send(world.row(), message_id="m1")
    run = world.work()
    assert run is not None
    assert (run.status, run.read, run.created) == ("succeeded", 1, 1)
    assert title(world) == "Version 1"
    assert Transaction.objects.get().run_id == Message.objects.get().run_id == run.pk
    assert world.outcomes() == {"m1": "applied"}
    assert Run.objects.filter(sync=world.firm.outbound, status="queued").exists()


@pytest.mark.parametrize("one_by_one", [False, True], ids=["in one page", "one by one"])
def test_every_order_of_up_to_four_versions_ends_in_the_newest(world: World, one_by_one: bool) -> None:
    for number, order in enumerate(PERMUTATIONS, start=1):
        for version in order:
            world.send(world.row(number, version), message_id=f"{number}-{version}")
            if one_by_one:
                world.work()
    world.work()
    for number, order in enumerate(PERMUTATIONS, start=1):
        body = CanonicalRecord.objects.get(key=f"P-{number:04d}").body
        assert body["name"] == f"Version {max(order)}", order
    assert not Message.objects.exclude(state="done").exists()


@pytest.mark.parametrize("one_by_one", [False, True], ids=["in one page", "one by one"])
def test_every_order_of_make_change_delete_ends_deleted(world: World, one_by_one: bool) -> None:
    kinds = {1: "project.created", 2: "project.updated", 3: "project.deleted"}
    for number, order in enumerate(itertools.permutations(kinds), start=1):
        for version in order:
            world.send(world.row(number, version), message_id=f"{number}-{version}", kind=kinds[version])
            if one_by_one:
                world.work()
    world.work()
    alive = CanonicalRecord.objects.filter(deleted_at__isnull=True)
    assert not alive.exists()
    assert not Message.objects.exclude(state="done").exists()


def test_a_deletion_without_a_time_counts_from_its_arrival(world: World) -> None:
    gone = {"id": "1"}
    world.send(gone, message_id="gone", kind="project.deleted")
    world.work()
    world.send(world.row(), message_id="late", kind="project.created")
    world.work()
    assert world.outcomes() == {"gone": "deleted", "late": "stale"}
    assert not CanonicalRecord.objects.exists()


def test_a_record_that_is_made_again_after_its_deletion_is_back(world: World) -> None:
    for version, kind in ((1, "project.created"), (2, "project.deleted")):
        world.send(world.row(1, version), message_id=f"m{version}", kind=kind)
        world.work()
    assert world.record.deleted_at is not None
    world.send(world.row(1, 3), message_id="m3", kind="project.created")
    world.work()
    assert (world.record.deleted_at, title(world)) == (None, "Version 3")


def test_a_record_that_another_stream_shows_too_is_not_deleted(world: World) -> None:
    other = build.sync(
        "crm-projects", "in", build.stream(build.connection("crm"), "projects"), world.firm.inbound.entity,
        build.PROJECT_RULES,
    )  # fmt: skip
    world.send(world.row(), message_id="m1")
    world.work()
    from tests import memory

    memory.system("crm").sources["projects"] = [build.project_row(1, id="crm-1")]
    syncs.run_here(sync=other)
    world.send(world.row(1, 2), message_id="m2", kind="project.deleted")
    world.work()
    assert world.record.deleted_at is None


def test_an_older_message_does_not_overwrite_what_was_read(world: World) -> None:
    world.firm.read(world.row(1, 3))
    world.send(world.row(1, 2), message_id="old")
    world.work()
    world.send(world.row(1, 4), message_id="new")
    world.work()
    assert title(world) == "Version 4"
    assert world.outcomes() == {"old": "stale", "new": "applied"}


def test_an_older_message_does_not_replace_a_newer_record_in_quarantine(world: World) -> None:
    world.send(world.row(1, 2, currency="euro"), message_id="broken")
    world.work()
    world.send(world.row(1, 1), message_id="older")
    world.work()
    assert world.outcomes() == {"broken": "applied", "older": "stale"}
    assert HeldRecord.objects.get().body["currency"] == "euro"
    world.send(world.row(1, 3), message_id="mended")
    world.work()
    assert not HeldRecord.objects.exists()
    assert title(world) == "Version 3"


def test_an_older_message_does_not_replace_what_was_read_into_quarantine(world: World) -> None:
    world.firm.read(world.row(1, 2, currency="euro"))
    world.send(world.row(1, 1), message_id="older")
    world.work()
    assert world.outcomes() == {"older": "stale"}
    assert HeldRecord.objects.get().body["currency"] == "euro"


def test_without_a_time_of_change_the_last_to_arrive_counts(world: World) -> None:
    for number, name in enumerate(("first", "second", "third")):
        row = {**build.project_row(1, title=name)}
        world.send(row, message_id=f"m{number}")
    world.work()
    assert title(world) == "third"
    assert sorted(world.outcomes().values()) == ["applied", "superseded", "superseded"]


def test_the_time_may_stand_in_the_envelope(world: World) -> None:
    Endpoint.objects.update(time_path="at")
    import json

    for version in (2, 1):
        body = {"at": f"2026-11-01T0{version}:00:00Z", "data": build.project_row(1, title=f"Version {version}")}
        world.post(json.dumps(body).encode(), message_id=f"m{version}")
    world.work()
    assert title(world) == "Version 2"


def test_a_list_is_several_records(world: World) -> None:
    import json

    rows = [world.row(n) for n in range(1, 4)]
    world.post(json.dumps({"type": "x", "data": rows}).encode(), message_id="m1")
    run = world.work()
    assert run is not None
    assert run.created == 3


@pytest.mark.parametrize(
    "body", [b"{}", b'{"data": 3}', b'{"data": []}', b'{"data": {"code": "no id"}}', b"[]", b"null"]
)
def test_a_message_of_no_use_is_rejected_with_a_sentence_and_stops_nothing(world: World, body: bytes) -> None:
    world.post(body, message_id="useless")
    world.send(world.row(), message_id="good")
    world.work()
    assert title(world) == "Version 1"
    rejected = Message.objects.get(state="rejected")
    assert rejected.message_id == "useless"
    assert rejected.error.endswith((".", "again."))


def test_digits_survive(world: World) -> None:
    body = world.envelope(world.row()).replace(b'"1000.00"', b"12345678901234.1234")
    world.post(body)
    world.work()
    assert world.record.body["budget"] == "12345678901234.1234"


def test_a_page_that_fails_leaves_its_messages_for_the_next_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    real = inbox._settle
    calls: list[int] = []

    def once_broken(*args: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("killed between the page and its messages")
        real(*args)

    monkeypatch.setattr(inbox, "_settle", once_broken)
    world.send(world.row(), message_id="m1")
    failed = world.work()
    assert failed is not None
    assert failed.status == "failed"
    assert Message.objects.get().state == "new"
    assert not CanonicalRecord.objects.exists()
    Endpoint.objects.update(retry_at=None)
    from hub.webhooks import waking

    waking.tick()
    world.work()
    assert Message.objects.get().state == "done"
    assert Transaction.objects.count() == 1


def test_a_run_that_reads_takes_what_was_sent_first(world: World) -> None:
    world.send(world.row(1, 2), message_id="m1")
    done = world.firm.read(world.row(1, 3), world.row(2, 1))
    assert title(world) == "Version 3"
    assert world.outcomes() == {"m1": "applied"}
    assert done.status == "succeeded"


def test_two_endpoints_of_one_sync_share_the_order(world: World) -> None:
    other = make_endpoint(world.firm, "other")
    world.send(world.row(1, 2), message_id="m2")
    world.post(world.envelope(world.row(1, 1)), message_id="m1", endpoint=other)
    world.work()
    assert title(world) == "Version 2"
