"""Drift: a source that offers or sends another shape than was recorded. What breaks somebody stops their syncs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

import orjson
from django.db import transaction
from django.db.models import QuerySet

from connectors.models import Stream
from connectors.services import change_stream
from governance import shapes
from governance.compatibility.verdict import Verdict
from governance.models import Drift, SeenShape
from governance.shapes import Fields
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common import facts, governed
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.reasons import needed, tidy
from hub.common.records import Record
from hub.common.times import business_now

# Paths of a stream that something reads or writes; packages above register what they know.
Reader = Callable[[Stream], Iterable[str]]
_readers: dict[str, Reader] = {}


def register_reader(name: str, reader: Reader) -> None:
    _readers[name] = reader


def subscribe() -> None:
    facts.subscribe("shape_discovered", _discovered)


def _discovered(*, stream: Stream, before: Fields, after: Fields) -> None:
    if before:
        note(stream, before, after, seen_in="discovery")


def of_payload(stream: Stream, records: Sequence[Record]) -> Drift | None:
    """Compare records as they come with the recorded shape; the drift, if there is one that nobody has dismissed."""
    if not stream.fields or not records:
        return None
    seen = SeenShape.objects.filter(stream=stream).values_list("paths", flat=True).first()
    if seen is None:
        seen = _look_first(stream, records)
    return note(stream, stream.fields, shapes.observed(stream.fields, records, seen=seen), seen_in="payload")


def _look_first(stream: Stream, records: Sequence[Record]) -> list[str]:
    """What the records of a stream carry beside the recorded fields when they are looked at first is no news."""
    paths = shapes.added(stream.fields, shapes.observed(stream.fields, records))
    return list(SeenShape.objects.get_or_create(stream=stream, defaults={"paths": paths})[0].paths)


@transaction.atomic
def note(stream: Stream, before: Fields, after: Fields, *, seen_in: Literal["discovery", "payload"]) -> Drift | None:
    """Keep what differs, once; what breaks somebody is told, so that it stops. None without an open drift."""
    verdict = shapes.compare(before, after)
    if not verdict.telling:
        return None
    used = {*stream.key_fields, stream.cursor_field, *(path for read in _readers.values() for path in read(stream))}
    broken = shapes.broken_paths(verdict, used - {""})
    found, made = Drift.objects.get_or_create(
        stream=stream,
        fingerprint=_fingerprint(verdict),
        defaults={
            "seen_in": seen_in,
            "proposed": [dict(each) for each in after],
            "verdict": orjson.loads(orjson.dumps(verdict.as_data(), default=str)),
            "is_breaking": bool(broken),
            "broken_paths": broken,
            "last_at": business_now(),
        },
    )
    if not made:
        found.times, found.last_at = found.times + 1, business_now()
        found.save(update_fields=["times", "last_at"])
    if found.status != Drift.Status.OPEN:
        return None
    facts.publish("schema_drift", drift=found)
    return found


def _fingerprint(verdict: Verdict) -> str:
    told = sorted((j.change.path, j.change.kind.name, str(j.change.after)) for j in verdict.telling)
    return hashlib.sha256(orjson.dumps(told)).hexdigest()


# Deciding ---------------------------------------------------------------------------------------------------


@transaction.atomic
def accept(drift: Drift, *, by: Any, reason: str = "") -> Drift:
    """Record the new shape as the stream's own; syncs that the drift had stopped go on."""
    _decide(drift, Drift.Status.ACCEPTED, by=by, reason=tidy(reason))
    with governed.passing():
        change_stream(drift.stream, fields=drift.proposed)
    return drift


@transaction.atomic
def dismiss(drift: Drift, *, by: Any, reason: str) -> Drift:
    """Keep the recorded shape; the same drift is not told again, and syncs that it had stopped go on."""
    _decide(drift, Drift.Status.DISMISSED, by=by, reason=needed(reason, "Say why it does not matter."))
    seen, _ = SeenShape.objects.get_or_create(stream=drift.stream)
    seen.paths = sorted({*seen.paths, *shapes.added(drift.stream.fields, drift.proposed)})
    seen.save()
    return drift


def _decide(drift: Drift, status: str, *, by: Any, reason: str) -> Drift:
    now = Drift.objects.select_for_update().get(pk=drift.pk)
    if now.status != Drift.Status.OPEN:
        raise ConfigError(f"The drift is {now.get_status_display().lower()} already.", where=str(drift), code="STEP")
    drift.status, drift.reason, drift.decided_by, drift.decided_at = status, reason, by, business_now()
    drift.save(update_fields=["status", "reason", "decided_by", "decided_at"])
    details = {"drift": drift.pk, "changes": len(drift.verdict.get("changes", []))}
    tell(Act(f"drift.{status}", "Stream", drift.stream.slug, by=by, reason=reason, details=details))
    facts.publish("drift_decided", drift=drift, by=by)
    return drift


def drifts_for(user: User, permission: str = "connections.view") -> QuerySet[Drift]:
    rows = Drift.objects.select_related("stream__connection__system", "decided_by")
    return scope_to_domains(rows, user, permission, "stream__connection__domain")
