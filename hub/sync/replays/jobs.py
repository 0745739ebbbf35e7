"""The life of a replay: made once with its items fixed, agreed to where it is large, cancelled; told to the history."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now

from hub.common import facts
from hub.common.errors import ConfigError
from hub.common.reasons import needed, tidy
from hub.sync import bell, history
from hub.sync.models import Replay, ReplayItem, Run, Sync
from hub.sync.replays.plan import ReplayPlan, Wanted, plan

Status = ReplayItem.Status


def go(
    wanted: Wanted, *, by: Any, reason: str = "", token: str = "", expect: int | None = None
) -> tuple[Replay | None, bool]:
    """Make the job and wake a worker; (job, made).

    An open job of the same filter, or one of the same token, is answered instead of made again; (None, False) when
    nothing is left to do. `expect` is the number that the person has seen: raises ConfigError when it is another by now.
    """
    if (known := _known(wanted, token)) is not None:
        return known, False
    try:
        with transaction.atomic():
            made = _make(wanted, by=by, reason=reason, token=token, expect=expect)
    except IntegrityError:  # somebody else was a moment faster
        return _known(wanted, token), False
    return made, made is not None


def _known(wanted: Wanted, token: str) -> Replay | None:
    if token and (same := Replay.objects.filter(token=token).first()):
        return same
    return Replay.objects.filter(fingerprint=_fingerprint(wanted), state__in=Replay.OPEN).first()


def _fingerprint(wanted: Wanted) -> str:
    """The same filter is the same job, whichever versions are asked for; the same words of another person may mean others."""
    ids = None if wanted.sync_ids is None else sorted(wanted.sync_ids)
    words = orjson.dumps([wanted.action, dict(wanted.letters.asked), ids], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(words, digest_size=16).hexdigest()


def _make(wanted: Wanted, *, by: Any, reason: str, token: str, expect: int | None) -> Replay | None:
    found = plan(wanted, by=by)
    if expect is not None and expect != found.number:
        raise ConfigError(
            f"There are {found.number:,} now, not {expect:,}.", fix="Look at the plan again.", code="CHANGED_MEANWHILE"
        )
    if not found.number:
        return None
    is_discard = wanted.action == Replay.Action.DISCARD
    replay = Replay.objects.create(
        action=wanted.action,
        filter=dict(wanted.letters.asked),
        fingerprint=_fingerprint(wanted),
        token=token or None,
        versions=wanted.versions,
        scope=wanted.scope,
        reason=needed(reason, "Say why these are discarded.", where="reason") if is_discard else tidy(reason),
        state=Replay.State.NEEDS_APPROVAL if found.approval else Replay.State.RUNNING,
        requested_by=by,
        plan=found.as_data(),
    )
    _fix_items(replay, wanted)
    _fix_runs(replay, found)
    _count(replay)
    _tell(replay, "replay_started", by)
    _begin(replay, by)
    return replay


# Items -----------------------------------------------------------------------------------------------------
def _fix_items(replay: Replay, wanted: Wanted) -> None:
    """Every letter as it stands now: reading before delivering, then sync by sync in the order in which a run works.

    What stands in another open job already is left to that.
    """
    pins = ["ran_mapping_id", "ran_contract_id"] if wanted.versions == Replay.Versions.AS_RAN else []
    names = [
        "leg",
        "sync_id",
        "record_id",
        "external_id",
        "name",
        "state",
        "version",
        "amount",
        "currency",
        "act",
        *pins,
    ]
    rows = wanted.rows().values(*names).order_by("leg", "sync_id", "record_id", "external_id")
    sql, params = rows.query.sql_with_params()
    pinned = ", ran_mapping_id, ran_contract_id" if pins else ", null::bigint, null::bigint"
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into sync_replayitem (replay_id, leg, sync_id, record_id, external_id, name, was, version, amount,"
            " currency, act, note, status, mapping_version_id, contract_version_id)"
            " select %s, leg, sync_id, record_id, external_id, name, state, version, amount, currency, act, '',"
            f" case when act = %s then %s else %s end{pinned} from ({sql}) q({', '.join(names)})"
            " on conflict do nothing",
            [replay.pk, ReplayItem.Act.LEAVE, int(Status.LEFT), int(Status.PLANNED), *params],
        )


def _fix_runs(replay: Replay, found: ReplayPlan) -> None:
    runs = Run.objects.filter(pk__in=found.runs).select_related("sync")
    ReplayItem.objects.bulk_create(
        ReplayItem(
            replay=replay,
            leg="run",
            sync=run.sync,
            record_id=run.pk,
            name=str(run),
            was="failed",
            act=ReplayItem.Act.START,
            status=Status.PLANNED,
        )
        for run in runs
    )


def _count(replay: Replay) -> None:
    replay.left = replay.items.filter(status=Status.LEFT).count()
    replay.planned = replay.items.count() - replay.left
    replay.sync_ids = sorted(replay.items.order_by().values_list("sync_id", flat=True).distinct())
    replay.save(update_fields=["left", "planned", "sync_ids"])


# A second person, and the end --------------------------------------------------------------------------------
@transaction.atomic
def approve(*, replay: Replay, by: Any) -> bool:
    """Agree to a large replay, which then begins; False when it was decided already. Nobody agrees to their own."""
    _refuse_own(replay, by)
    if not _decide(replay, Replay.State.RUNNING, by):
        return False
    _tell(replay, "replay_approved", by)
    _begin(replay, by)
    return True


def _refuse_own(replay: Replay, by: Any) -> None:
    if replay.requested_by_id == by.pk:
        raise ConfigError("Nobody approves a replay of their own.", fix="Ask somebody else to look.", code="OWN")


def _decide(replay: Replay, state: str, by: Any) -> bool:
    rows = Replay.objects.filter(pk=replay.pk, state=Replay.State.NEEDS_APPROVAL)
    done = rows.update(state=state, decided_by=by)
    replay.refresh_from_db()
    return bool(done)


@transaction.atomic
def cancel(*, replay: Replay, by: Any) -> bool:
    """Put nothing more; what was put already goes its way. False when the job had ended."""
    rows = Replay.objects.filter(pk=replay.pk, state__in=Replay.OPEN)
    if not rows.update(state=Replay.State.CANCELLED, decided_by=by, finished_at=Now(), lease_until=None):
        return False
    replay.items.filter(status__in=ReplayItem.UNDER_WAY).exclude(status=Status.PUT).update(
        status=Status.SKIPPED, note="The replay was cancelled."
    )
    replay.refresh_from_db()
    _tell(replay, "replay_cancelled", by)
    return True


def _begin(replay: Replay, by: Any) -> None:
    if replay.state != Replay.State.RUNNING:
        return
    for slug, number in replay.plan["by_sync"].items():
        sync = Sync.objects.filter(slug=slug).first()
        if sync is not None:
            history.note(sync, f"{replay}, {replay.get_action_display().lower()}: {number:,}", by=by)
    bell.ring_replay(replay.pk)


def _tell(replay: Replay, fact: str, by: Any) -> None:
    facts.publish(fact, replay=replay, by=by)
