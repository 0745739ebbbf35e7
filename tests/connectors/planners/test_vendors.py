"""Every vendor of resource planning and identity owes the hub the same: read whole, write once, fail one by one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from hub.common.errors import AuthError, HubError, TransientError, UnknownOutcome
from hub.common.records import StreamSpec
from tests.connectors.planners.vendors import VENDORS, Stand, read_all, standing, write

# their tokens end, so that one may end in the middle of a run
RENEWING = ("openair", "entra")


@pytest.fixture(scope="module", params=list(VENDORS))
def running(request: Any) -> Iterator[Stand]:
    with standing(request.param) as stand:
        yield stand


@pytest.fixture
def stand(running: Stand) -> Stand:
    running.control.reset()
    return running


def lost(stand: Stand, method: str) -> str:
    """From now on the system carries out one write and hangs up before it answers."""
    return stand.control.add_fault("drop", when="after", method=method, path=f"/{re.escape(stand.vendor.writes.table)}")


# --- reading -------------------------------------------------------------------------------------------------------


def test_the_connection_test_signs_in_and_reads(stand: Stand) -> None:
    with stand.connected() as connector:
        assert [(step.name, step.detail) for step in connector.check() if not step.ok] == []


def test_every_object_is_read_whole_page_by_page(stand: Stand) -> None:
    counts = stand.control.counts()
    with stand.connected() as connector:
        for stream, table in stand.vendor.objects.items():
            records = read_all(connector, stream, size=7)
            key = stand.declaration.streams[stream]["key"]
            assert len({record[key] for record in records}) == len(records) == counts[table], stream


def test_a_later_reading_shows_what_changed_and_leaves_out_what_is_old(stand: Stand) -> None:
    written = stand.vendor.writes
    with stand.connected() as connector:
        before = list(connector.read(StreamSpec(written.stream), cursor=None))
        cursor = before[-1].cursor
        count = sum(len(page.records) for page in before)
        assert isinstance(cursor, str)
        (made,) = write(connector, written.stream, written.item("LATER-1"))
        assert made.status == "created"
        found = read_all(connector, written.stream, cursor)
    key = stand.declaration.streams[written.stream]["key"]
    assert made.ref in {record[key] for record in found}
    assert len(found) <= max(3, count // 2)


def test_ids_are_text_whatever_the_system_writes(stand: Stand) -> None:
    with stand.connected() as connector:
        for stream in stand.vendor.objects:
            key = stand.declaration.streams[stream]["key"]
            assert all(isinstance(record[key], str) for record in read_all(connector, stream)[:5])


# --- writing -------------------------------------------------------------------------------------------------------


def test_writing_twice_makes_one_object(stand: Stand) -> None:
    written = stand.vendor.writes
    with stand.connected() as connector:
        (first,) = write(connector, written.stream, written.item("REH-1"))
        (again,) = write(connector, written.stream, written.item("REH-1", **{written.title: "Renamed"}))
    assert (first.status, again.status, again.ref) == ("created", "updated", first.ref)
    (row,) = stand.rows_of("REH-1")
    assert row[written.title] == "Renamed"


def test_a_refused_record_leaves_the_others_alone(stand: Stand) -> None:
    written = stand.vendor.writes
    items = [written.item("REH-1"), written.item("REH-2", **written.bad), written.item("REH-3")]
    with stand.connected() as connector:
        outcomes = write(connector, written.stream, *items)
    assert [outcome.status for outcome in outcomes] == ["created", "failed", "created"]
    assert outcomes[1].error is not None
    assert outcomes[1].error.code == "VALIDATION"
    assert [len(stand.rows_of(key)) for key in ("REH-1", "REH-2", "REH-3")] == [1, 0, 1]


def test_what_was_written_is_found_by_its_key(stand: Stand) -> None:
    written = stand.vendor.writes
    with stand.connected() as connector:
        made = write(connector, written.stream, written.item("REH-1"), written.item("REH-2"))
        found = connector.find(StreamSpec(written.stream), ["REH-1", "absent", "REH-2"])
    key = stand.declaration.streams[written.stream]["key"]
    assert {name: record[key] for name, record in found.items()} == {"REH-1": made[0].ref, "REH-2": made[1].ref}


# --- write safety, operation by operation -----------------------------------------------------------------------------


def test_a_create_whose_answer_is_lost_is_asked_for_and_not_sent_again(stand: Stand) -> None:
    written = stand.vendor.writes
    lost(stand, "POST")
    with stand.connected() as connector:
        assert connector.safety(StreamSpec(written.stream)) == "C"
        (outcome,) = write(connector, written.stream, written.item("REH-1"))
        assert outcome.status == "unsure"
        found = connector.find(StreamSpec(written.stream), ["REH-1"])
        assert set(found) == {"REH-1"}
        (again,) = write(connector, written.stream, written.item("REH-1"))
    assert again.status == "updated"
    assert len(stand.rows_of("REH-1")) == 1


def test_an_update_whose_answer_is_lost_may_be_sent_again(stand: Stand) -> None:
    written = stand.vendor.writes
    operation = stand.declaration.streams[written.stream]["write"]["update"]
    with stand.connected() as connector:
        (made,) = write(connector, written.stream, written.item("REH-1"))
        assert connector.safety(StreamSpec(written.stream), updating=True) == operation["safety"] == "B"
        lost(stand, operation.get("method", "PATCH"))
        change = written.item("REH-1", ref=made.ref, **{written.title: "Renamed"})
        (outcome,) = write(connector, written.stream, change)
        assert isinstance(outcome.error, TransientError)
        (again,) = write(connector, written.stream, change)
    assert again.status == "updated"
    (row,) = stand.rows_of("REH-1")
    assert row[written.title] == "Renamed"


def test_a_delete_whose_answer_is_lost_may_be_sent_again(stand: Stand) -> None:
    written = stand.vendor.writes
    if "delete" not in stand.declaration.streams[written.stream]["write"]:
        pytest.skip("the vendor does not delete these")
    with stand.connected() as connector:
        (made,) = write(connector, written.stream, written.item("REH-1"))
        lost(stand, "DELETE")
        gone = written.item("REH-1", "delete", made.ref)
        first, second = write(connector, written.stream, gone)[0], write(connector, written.stream, gone)[0]
    assert isinstance(first.error, TransientError)
    assert (second.error, stand.rows_of("REH-1")) == (None, [])


def test_a_deactivation_may_be_sent_again(stand: Stand) -> None:
    written = stand.vendor.writes
    operation = stand.declaration.streams[written.stream]["write"].get("deactivate")
    if operation is None:
        pytest.skip("the vendor does not deactivate these")
    with stand.connected() as connector:
        (made,) = write(connector, written.stream, written.item("REH-1"))
        lost(stand, operation.get("method", "PATCH"))
        close = written.item("REH-1", "deactivate", made.ref)
        first, second = write(connector, written.stream, close)[0], write(connector, written.stream, close)[0]
    assert isinstance(first.error, TransientError)
    assert second.status == "updated"
    (row,) = stand.rows_of("REH-1")
    flags = {name: row[name] for name in ("active", "archived", "isArchived", "is_active") if name in row}
    assert list(flags.values()) in ([False], [True], [0])
    assert flags != {"active": True}


def test_what_no_key_protects_is_said_to_need_a_person(stand: Stand) -> None:
    for stream in stand.vendor.unproved:
        with stand.connected() as connector:
            assert connector.safety(StreamSpec(stream)) == "D"
            with pytest.raises(NotImplementedError):
                connector.find(StreamSpec(stream), ["X"])


def test_only_proved_classes_are_claimed(stand: Stand) -> None:
    """A create is C where it can be asked for by key, else D; changes by id are B; nothing claims an idempotency key."""
    for name, stream in stand.declaration.streams.items():
        for operation, section in stream.get("write", {}).items():
            expected = ("C" if "find" in stream else "D") if operation == "create" else "B"
            assert section["safety"] == expected, f"{name}.{operation}"


# --- trouble -------------------------------------------------------------------------------------------------------


def test_too_many_requests_are_obeyed(stand: Stand) -> None:
    stand.control.add_fault("throttle", method="GET", retry_after=7)
    with stand.connected() as connector, pytest.raises(TransientError) as caught:
        read_all(connector, stand.vendor.writes.stream)
    assert caught.value.retry_after == (7 if stand.vendor.waits is None else stand.vendor.waits)


def test_a_refused_write_is_not_lost_when_the_system_is_busy(stand: Stand) -> None:
    written = stand.vendor.writes
    path = rf"/{re.escape(written.table)}$"
    stand.control.add_fault("throttle", method="POST", path=path)
    with stand.connected() as connector:
        (outcome,) = write(connector, written.stream, written.item("REH-1"))
        assert (outcome.status, isinstance(outcome.error, TransientError)) == ("failed", True)
        assert stand.rows_of("REH-1") == []
        (again,) = write(connector, written.stream, written.item("REH-1"))
    assert (again.status, len(stand.rows_of("REH-1"))) == ("created", 1)


def test_a_token_that_ends_in_the_middle_of_a_run_is_renewed_once(stand: Stand) -> None:
    written = stand.vendor.writes
    with stand.connected() as connector:
        pages = connector.read(StreamSpec(written.stream, page_size=1), cursor=None)
        next(pages)
        stand.control.clear_journal()
        stand.control.add_fault("expire_token", method="GET")
        if stand.vendor.name in RENEWING:
            rest = list(pages)
            tokens = [entry for entry in stand.control.journal(method="POST") if "token" in entry["path"]]
            assert (1 + sum(len(page.records) for page in rest), len(tokens)) == (
                stand.control.counts()[written.table],
                1,
            )
        else:
            with pytest.raises(AuthError):
                list(pages)


def test_a_wrong_secret_is_said_politely_and_never_shown(stand: Stand) -> None:
    stand.control.add_fault("status", status=401, times=None)
    with stand.connected() as connector:
        last = list(connector.check())[-1]
    assert (last.ok, last.name) == (False, "authenticate")
    assert last.fix


def test_a_system_that_is_down_leaves_a_create_open_and_a_read_for_later(stand: Stand) -> None:
    written = stand.vendor.writes
    with stand.connected() as connector:
        list(connector.check())
        stand.control.add_fault("status", status=502, path=re.escape(written.table), times=None)
        with pytest.raises(HubError):
            read_all(connector, written.stream)
        stand.control.clear_faults()
        stand.control.add_fault("status", status=502, method="POST", path=rf"{re.escape(written.table)}$")
        (outcome,) = write(connector, written.stream, written.item("REH-1"))
    assert isinstance(outcome.error, UnknownOutcome)
