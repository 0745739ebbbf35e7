"""What a drift of a source does to syncs: those that use what broke stand still until somebody decides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from connectors.models import Stream
from governance import drift
from governance.models import Drift
from hub.common import facts
from hub.common.errors import HubError
from hub.common.records import Record
from hub.sync import gate, services
from hub.sync.models import Run, Sync
from mappings.models import MappingVersion
from mappings.reading import reads
from mappings.rules import parse_rules


def subscribe() -> None:
    drift.register_reader("mappings", paths_of)
    facts.subscribe("schema_drift", _found)
    facts.subscribe("drift_decided", _decided)


def paths_of(stream: Stream) -> Iterator[str]:
    """Paths of a stream that its mappings read (in) or fill (out)."""
    active = MappingVersion.objects.filter(mapping__stream=stream, status=MappingVersion.Status.ACTIVE)
    known = [str(each["path"]) for each in stream.fields]
    for version in active.select_related("mapping"):
        try:
            rules = parse_rules(version.rules)
        except HubError:
            continue
        for rule in rules:
            yield from reads(rule, known) if version.mapping.direction == "in" else (rule.target,)


def look(run: Run, records: Sequence[Record]) -> None:
    """Before the first page of a run is stored. Raises NotNow where its shape stops the sync."""
    if drift.of_payload(run.sync.stream, records):
        run.sync.refresh_from_db(fields=["is_paused"])
        gate.check(run)


def _found(*, drift: Drift) -> None:
    if not drift.is_breaking:
        return
    for sync in _syncs(drift).filter(is_paused=False):
        services.set_paused(sync=sync, is_paused=True, reason=_reason(drift))


def _reason(drift: Drift) -> str:
    paths = ", ".join(drift.broken_paths[:5])
    url = reverse("governance:drift_detail", args=[drift.pk])
    return f"{_mark(drift)} {drift.stream} has changed: {paths}. Accept or dismiss it at {url}; the sync then goes on."


def _mark(drift: Drift) -> str:
    return f"Drift {drift.pk}:"


def _decided(*, drift: Drift, by: Any) -> None:
    """Only syncs that this drift has stopped go on."""
    for sync in _syncs(drift).filter(is_paused=True, pause_reason__startswith=_mark(drift)):
        services.set_paused(sync=sync, is_paused=False, by=by)


def _syncs(drift: Drift) -> QuerySet[Sync]:
    return Sync.objects.filter(mapping__stream=drift.stream_id).select_related("mapping__stream")
