"""Reads of replays: which a person may see, and one as programs get it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Count, QuerySet

from hub.accounts.models import User
from hub.sync import queries
from hub.sync.models import Replay, ReplayItem
from hub.sync.replays import outcomes


def replays_for(user: User, permission: str) -> QuerySet[Replay]:
    """Replays that concern only syncs in which the person holds the permission."""
    rows = Replay.objects.select_related("requested_by", "decided_by")
    seen = queries.sync_ids_for(user, permission)
    return rows if seen is None else rows.filter(sync_ids__contained_by=seen)


def numbers(replay: Replay) -> dict[str, int]:
    """Every status by its name, also those that no item has."""
    found = outcomes.counts(replay)
    return {status.name.lower(): found.get(status.name.lower(), 0) for status in ReplayItem.Status}


def with_progress(rows: Iterable[Replay]) -> list[tuple[Replay, dict[str, int]]]:
    """Each replay with its numbers by status, read in one go."""
    found = list(rows)
    groups = ReplayItem.objects.filter(replay__in=found).order_by().values_list("replay_id", "status")
    counted = {(pk, status): number for pk, status, number in groups.annotate(number=Count("id"))}
    names = {status: status.name.lower() for status in ReplayItem.Status}
    return [(replay, {names[s]: counted.get((replay.pk, s.value), 0) for s in names}) for replay in found]


def as_data(replay: Replay) -> dict[str, Any]:
    return {
        "replay": replay.pk,
        "state": replay.state,
        "action": replay.action,
        "filter": replay.words,
        "versions": replay.versions,
        "scope": replay.scope,
        "planned": replay.planned,
        "left": replay.left,
        "counts": numbers(replay),
        "plan": replay.plan,
        "requested_by": str(replay.requested_by) if replay.requested_by else None,
        "created_at": replay.created_at,
        "finished_at": replay.finished_at,
    }
