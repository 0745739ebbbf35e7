"""A source whose records change their shape is noticed; what breaks a sync stops it until somebody decides."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import services as connections
from connectors.models import Stream
from governance import drift, shapes
from governance.models import AuditEntry, Drift
from hub.common.errors import ConfigError
from hub.common.records import FieldInfo, StreamInfo
from hub.records.models import CanonicalRecord
from hub.sync import engine
from hub.sync.models import Run, Sync
from tests import memory
from tests.sync import builders

ROWS = [builders.project_row(number) for number in range(1, 31)]
FIELDS = [
    {"path": name, "type": "string", "required": True}
    for name in ("id", "code", "title", "budget", "currency", "status")
]


def without(name: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != name} for row in ROWS]


def changes(before: Any, after: Any) -> list[tuple[str, str]]:
    return [(j.change.path, j.change.kind.name) for j in shapes.compare(before, after).changes]


# Pure -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (ROWS, []),
        ([*ROWS, {"id": "x"}], []),
        ([row | {"colour": "red"} for row in ROWS], [("colour", "field_added")]),
        ([row | {"colour": None} for row in ROWS], []),
        (without("title"), [("title", "required_field_removed")]),
        (without("title")[:5], []),
        ([row | {"title": None} for row in ROWS], []),
        ([row | {"title": {"en": "x"}} for row in ROWS], [("title", "type_changed")]),
        ([row | {"title": {"en": "x"}} for row in ROWS[:3]] + ROWS, []),
    ],
)
def test_records_show_what_is_new_what_vanished_and_what_is_of_another_type(
    records: Any, expected: list[tuple[str, str]]
) -> None:
    assert changes(FIELDS, shapes.observed(FIELDS, records)) == expected


@pytest.mark.parametrize(
    ("type_", "value", "fits"),
    [
        ("decimal", "12.50", True),
        ("decimal", 12, True),
        ("decimal", "a lot", False),
        ("integer", "7", True),
        ("boolean", "true", True),
        ("boolean", 5, False),
        ("date", "31.12.2026", True),
        ("date", {"year": 2026}, False),
        ("array", "a", False),
        ("string", 5, False),
        ("string", "5", True),
    ],
)
def test_only_what_no_reading_could_save_is_another_type(type_: str, value: Any, fits: bool) -> None:
    recorded = [{"path": "x", "type": type_}]
    assert (changes(recorded, shapes.observed(recorded, [{"x": value}] * 10)) == []) == fits


def test_an_object_that_is_taken_apart_is_the_field_that_was_recorded() -> None:
    recorded = [{"path": "address", "type": "object", "required": True}, {"path": "owner.name", "type": "string"}]
    records = [{"address": {"city": "Oslo"}, "owner": {"name": "Ada"}}] * 30
    assert changes(recorded, shapes.observed(recorded, records)) == []


def test_only_what_is_used_breaks() -> None:
    verdict = shapes.compare(FIELDS, [each for each in FIELDS if each["path"] not in ("title", "status")])
    assert shapes.broken_paths(verdict, {"title.en", "budget"}) == ["title"]


# In the hub -------------------------------------------------------------------------------------------------


@pytest.fixture
def inbound(db: Any, domains: Any) -> Sync:
    source = builders.stream(builders.connection("crm"), "projects")
    source.fields = FIELDS
    source.save()
    target = builders.entity("project", builders.PROJECT)
    memory.SYSTEMS["crm"].sources["projects"] = list(ROWS)
    return builders.sync("in", "in", source, target, builders.PROJECT_RULES)


def run(sync: Sync) -> Run:
    found = engine.execute(engine.start(sync, trigger=Run.Trigger.MANUAL)[0].pk)
    assert found is not None
    sync.refresh_from_db()
    return found


def test_a_source_that_looks_as_it_did_drifts_not(inbound: Sync) -> None:
    assert run(inbound).status == "succeeded"
    assert not Drift.objects.exists()


def test_a_new_field_is_noted_and_nothing_stops(inbound: Sync) -> None:
    run(inbound)
    memory.SYSTEMS["crm"].sources["projects"] = [row | {"colour": "red"} for row in ROWS]
    assert run(inbound).status == "succeeded"
    found = Drift.objects.get()
    assert (found.is_breaking, found.seen_in, inbound.is_paused) == (False, "payload", False)
    assert found.proposed[-1] == {"path": "colour", "type": "string", "required": False}


def test_what_records_carried_at_the_first_look_is_no_news(inbound: Sync) -> None:
    memory.SYSTEMS["crm"].sources["projects"] = [row | {"colour": "red"} for row in ROWS]
    run(inbound)
    run(inbound)
    assert not Drift.objects.exists()


def test_a_new_field_that_was_dismissed_is_no_part_of_the_next_drift(inbound: Sync, ada: Any) -> None:
    run(inbound)
    for name in ("colour", "weight"):
        rows = memory.SYSTEMS["crm"].sources["projects"]
        memory.SYSTEMS["crm"].sources["projects"] = [row | {name: "x"} for row in rows]
        run(inbound)
        drift.dismiss(Drift.objects.latest("pk"), by=ada, reason="Not ours.")
    told = [[each["path"] for each in found.verdict["changes"]] for found in Drift.objects.order_by("pk")]
    assert told == [["colour"], ["weight"]]


@pytest.fixture
def stopped(inbound: Sync) -> Sync:
    memory.SYSTEMS["crm"].sources["projects"] = without("budget")
    run(inbound)
    return inbound


def test_a_field_that_vanished_stops_the_sync_before_anything_is_stored(stopped: Sync) -> None:
    found = Drift.objects.get()
    assert (found.broken_paths, stopped.is_paused, CanonicalRecord.objects.count()) == (["budget"], True, 0)
    assert stopped.pause_reason.startswith(f"Drift {found.pk}: ")
    assert f"/drifts/{found.pk}/" in stopped.pause_reason
    assert Run.objects.get().status == "queued"


def test_accepting_records_the_new_shape_and_lets_the_sync_go_on(stopped: Sync, ada: Any) -> None:
    found = drift.accept(Drift.objects.get(), by=ada)
    stopped.refresh_from_db()
    stopped.stream.refresh_from_db()
    assert not stopped.is_paused
    assert "budget" not in {each["path"] for each in stopped.stream.fields}
    assert AuditEntry.objects.filter(act="drift.accepted", actor=str(ada)).exists()
    engine.execute(Run.objects.get().pk)
    assert (CanonicalRecord.objects.count(), Drift.objects.get().status) == (30, "accepted")
    with pytest.raises(ConfigError, match="accepted already"):
        drift.dismiss(found, by=ada, reason="x")


def test_a_dismissed_drift_is_not_told_again(stopped: Sync, ada: Any) -> None:
    drift.dismiss(Drift.objects.get(), by=ada, reason="Budgets come tomorrow.")
    engine.execute(Run.objects.get().pk)
    stopped.refresh_from_db()
    assert (stopped.is_paused, Drift.objects.get().times) == (False, 2)
    assert CanonicalRecord.objects.count() == 30


def test_a_pause_by_a_person_outlives_the_drift(stopped: Sync, ada: Any) -> None:
    Sync.objects.filter(pk=stopped.pk).update(pause_reason="Month end.")
    drift.accept(Drift.objects.get(), by=ada)
    stopped.refresh_from_db()
    assert stopped.is_paused


def test_discovery_tells_of_drift_too(inbound: Sync, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = [FieldInfo(str(each["path"]), "string", required=True) for each in FIELDS if each["path"] != "code"]
    monkeypatch.setattr(connections, "_offered", lambda *_: StreamInfo("projects", "Projects", fields))
    connections.refresh_fields(Stream.objects.get(pk=inbound.stream.pk))
    found = Drift.objects.get()
    inbound.refresh_from_db()
    assert (found.seen_in, found.broken_paths, inbound.is_paused) == ("discovery", ["code"], True)
