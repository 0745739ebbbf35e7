"""Starting instances: on an event in the transaction in which it happens, by schedule, by a person or a program."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from hub.common.db import plain_cursor
from hub.common.errors import ConfigError
from hub.common.times import business_now
from hub.events.business import Happened
from hub.processes import bell
from hub.processes.models import LIVE, Process, ProcessInstance
from hub.processes.notes import note
from hub.records.copying import json_bytes
from hub.records.queries import ids_by_key
from hub.sync import scheduling
from hub.sync.plan import meets, passing

# A changed process counts this much later in other processes of the hub.
READ_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Interest:
    """A process that an event starts."""

    process_id: int
    version_id: int
    entity_id: int | None
    only_when: Mapping[str, frozenset[str]]


_interests: dict[str, tuple[Interest, ...]] = {}
_read_at = float("-inf")


def wanting(event: str) -> Sequence[Interest]:
    global _read_at
    if time.monotonic() - _read_at > READ_EVERY_SECONDS:
        found: dict[str, tuple[Interest, ...]] = {}
        for process in Process.objects.filter(is_active=True).order_by("pk"):
            version = process.newest
            for trigger in version.definition.get("triggers") or ():
                if "event" in trigger:
                    mine = Interest(process.pk, version.pk, process.entity_id, passing(trigger.get("only_when") or {}))
                    found[trigger["event"]] = (*found.get(trigger["event"], ()), mine)
        _interests.clear()
        _interests.update(found)
        _read_at = time.monotonic()
    return _interests.get(event, ())


def forget() -> None:
    """Read anew: a process was changed here, or a test emptied the tables."""
    global _read_at
    _read_at = float("-inf")


_INSERT = """
insert into processes_processinstance
  (process_id, version_id, key, record_id, cause, trigger, given, started_at)
values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict do nothing returning id
"""


# One statement for all events of a page; what starts by itself is noted as well.
_INSERT_ALL = """
with made as (
  insert into processes_processinstance
    (process_id, key, cause, version_id, record_id, trigger, given, started_at)
  select u.*, %s from unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::jsonb[]) u
  on conflict do nothing returning id, trigger, started_at),
noted as (
  insert into processes_processnote (instance_id, step, what, detail, at)
  select id, '', 'started', trigger, started_at from made)
select id from made
"""


def on_events(*, cursor: Any, events: Sequence[Happened]) -> None:
    """Instances of the processes that these events start, in the transaction that stores the records.

    One that the same event has started already, and one for whose key an instance lives, is not started.
    """
    rows = sorted(_wanted(events))  # in one order, so that two pages never wait for each other
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        bell.ring([row[0] for row in cursor.execute(_INSERT_ALL, [business_now(), *columns]).fetchall()])
    _wake(cursor, [event.record_id for event in events])


def _wanted(events: Sequence[Happened]) -> Iterator[tuple[Any, ...]]:
    """(process, key, cause, version, record, trigger, given) of each instance that these events would start."""
    for event in events:
        for interest in wanting(event.name):
            if interest.entity_id not in (None, event.entity_id) or not meets(event.body, interest.only_when):
                continue
            cause = f"evt_{event.uid.hex}"
            given = json_bytes({"event": event.name, "event_id": cause}).decode()
            yield (
                interest.process_id, event.key, cause, interest.version_id, event.record_id, event.name, given,
            )  # fmt: skip


def _wake(cursor: Any, record_ids: Sequence[int]) -> None:
    """Instances about these records have something to look at.

    One that a worker has in hand is left out: it may wait for what this transaction has locked. It looks again by itself.
    """
    if _interests:
        cursor.execute(
            "update processes_processinstance set next_at = now(), looks = 0 where id in ("
            " select id from processes_processinstance where record_id = any(%s) and state in ('waiting', 'failed')"
            " and next_at > now() order by id for update skip locked)",
            [list(record_ids)],
        )


@transaction.atomic
def start(
    process: Process,
    key: str,
    *,
    by: Any,
    given: Mapping[str, Any] | None = None,
    cause: str = "",
    trigger: str = "api",
) -> tuple[ProcessInstance, bool]:
    """Start it for a key, or answer the instance that the same cause has started, or that lives: (instance, is new).

    Raises ConfigError where the process is not in use, or nothing is said of what it is about.
    """
    if not process.is_active:
        raise ConfigError(f"{process} is not in use.", where=process.slug, fix="Switch it on first.", code="INACTIVE")
    if not key.strip():
        raise ConfigError("Say which record it is about.", where="key", fix="Give its key.", code="NO_KEY")
    cause = cause or f"run_{uuid.uuid4().hex}"
    if found := ProcessInstance.objects.filter(process=process, cause=cause).first():
        return found, False
    record = _record_id(process, key)
    with plain_cursor() as cursor:
        row = cursor.execute(
            _INSERT,
            [process.pk, process.newest.pk, key, record, cause, trigger, json_bytes(dict(given or {})).decode(),
             business_now()],
        ).fetchone()  # fmt: skip
    if row is None:
        return ProcessInstance.objects.get(process=process, key=key, state__in=LIVE), False
    made = ProcessInstance.objects.select_related("process", "version").get(pk=row[0])
    if by is not None:
        ProcessInstance.objects.filter(pk=made.pk).update(started_by=by)
    note(made, "", "started", trigger, by)
    bell.ring([made.pk])
    return made, True


def _record_id(process: Process, key: str) -> int | None:
    """Raises ConfigError for a key that no record of the entity has."""
    if process.entity_id is None:
        return None
    found = ids_by_key(process.entity_id, [key]).get(key)
    if found is None:
        entity = process.entity
        raise ConfigError(
            f"There is no {entity.name.lower() if entity else 'record'} {key!r}.", where="key", code="NOT_THERE",
            fix="Check the key; a record that the hub does not have yet starts nothing.",
        )  # fmt: skip
    return found


# By schedule -----------------------------------------------------------------------------------------------
def set_slot(process: Process) -> None:
    """When its schedules start it next."""
    process.slot_at = _next_slot(process, business_now())
    Process.objects.filter(pk=process.pk).update(slot_at=process.slot_at)


def _next_slot(process: Process, after: datetime) -> datetime | None:
    triggers = process.newest.definition.get("triggers") or ()
    slots = [
        scheduling.next_slot(one["cron"], one.get("time_zone") or "UTC", after=after)
        for one in triggers
        if "cron" in one
    ]
    return min((slot for slot in slots if slot is not None), default=None)


def start_due() -> int:
    """Start what schedules say; each slot once, whoever asks how often. A slot that was missed is started once, late."""
    started = 0
    while True:
        with transaction.atomic():
            rows = Process.objects.select_for_update(skip_locked=True)
            found = rows.filter(is_active=True, slot_at__lte=business_now()).order_by("slot_at").first()
            if found is None or found.slot_at is None:
                return started
            slot = found.slot_at.strftime("%Y-%m-%dT%H:%MZ")
            _, is_new = start_slot(found, slot)
            started += is_new
            found.slot_at = _next_slot(found, business_now())
            Process.objects.filter(pk=found.pk).update(slot_at=found.slot_at)


def start_slot(process: Process, slot: str) -> tuple[ProcessInstance | None, bool]:
    """One instance for the slot, about no record."""
    with plain_cursor() as cursor:
        row = cursor.execute(
            _INSERT,
            [process.pk, process.newest.pk, slot, None, f"slot_{slot}", "schedule", "{}", business_now()],
        ).fetchone()
    if row is None:
        return None, False
    made = ProcessInstance.objects.select_related("process").get(pk=row[0])
    note(made, "", "started", "schedule")
    bell.ring([made.pk])
    return made, True
