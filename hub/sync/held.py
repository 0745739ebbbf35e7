"""Records that may not pass now: kept with their payload and the reason, released when what they wait for arrives."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from hub.common.errors import Discarded, HubError, MissingReference, PossibleDuplicate, RecordError
from hub.records.copying import json_bytes, texts, without_nul
from hub.sync.prepare import Problem
from hub.sync.states import HeldState, Outcome


def outcome_of(error: HubError) -> Outcome:
    if isinstance(error, PossibleDuplicate):
        return Outcome.HELD
    if isinstance(error, Discarded):
        return Outcome.DISCARDED
    return Outcome.WAITING if isinstance(error, MissingReference) else Outcome.QUARANTINED


def hold(
    cursor: Any,
    sync_id: int,
    problems: Sequence[tuple[Problem, int]],
    *,
    entity_ids: Mapping[str, int],
    money: tuple[str, str],
) -> None:
    """Keep records with their reasons; (problem, ledger id). The same record again replaces its row, first_at stays."""
    for problem, transaction_id in sorted(problems, key=lambda p: p[0].external_id):
        error = problem.error
        missing = error if isinstance(error, MissingReference) else None
        amount, currency = _money(problem.record, money)
        cursor.execute(
            "insert into sync_heldrecord (sync_id, external_id, state, error_code, error_detail, field, missing_entity_id,"
            " missing_stream_id, missing_key, body, amount, currency, transaction_id, first_at, last_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s, now(), now())"
            " on conflict (sync_id, external_id) do update set state = excluded.state, error_code = excluded.error_code,"
            " error_detail = excluded.error_detail, field = excluded.field, body = excluded.body,"
            " missing_entity_id = excluded.missing_entity_id, missing_stream_id = excluded.missing_stream_id,"
            " missing_key = excluded.missing_key, amount = excluded.amount, currency = excluded.currency,"
            " transaction_id = excluded.transaction_id, last_at = now()",
            [
                sync_id,
                problem.external_id,
                int(HeldState[outcome_of(error).name]),
                error.code,
                str(error),
                error.field if isinstance(error, RecordError) else "",
                entity_ids.get(missing.entity) if missing else None,
                missing.stream_id if missing else None,
                missing.key if missing else None,
                json_bytes(without_nul(problem.record)).decode(),
                amount,
                currency,
                transaction_id,
            ],
        )


def _money(body: dict[str, Any], names: tuple[str, str]) -> tuple[Any, Any]:
    """Amount at risk as far as the raw record shows it under the contract's own names."""
    amount, currency = body.get(names[0]), body.get(names[1])
    text = str(amount) if isinstance(amount, str | int) and not isinstance(amount, bool) else ""
    return (text if text.lstrip("-").replace(".", "", 1).isdigit() else None), (
        currency if isinstance(currency, str) else None
    )


def held_ids(cursor: Any, sync_id: int, external_ids: Collection[str]) -> set[str]:
    rows = cursor.execute(
        "select external_id from sync_heldrecord where sync_id = %s and external_id = any(%s::text[])",
        [sync_id, texts(external_ids)],
    )
    return {row[0] for row in rows}


def clear(cursor: Any, sync_id: int, external_ids: Collection[str]) -> None:
    """These records have passed."""
    if external_ids:
        cursor.execute(
            "delete from sync_heldrecord where sync_id = %s and external_id = any(%s)", [sync_id, sorted(external_ids)]
        )


def release(
    cursor: Any, entity_id: int, keys: Collection[str], stream_id: int, external_ids: Collection[str]
) -> list[int]:
    """Records that waited for one of these parents may be tried again; returns the syncs that have some."""
    if not _anyone_waits(cursor, entity_id):
        return []
    rows = cursor.execute(
        "update sync_heldrecord set state = %s where state = %s and missing_entity_id = %s and ("
        " (missing_stream_id is null and missing_key = any(%s)) or (missing_stream_id = %s and missing_key = any(%s)))"
        " returning sync_id",
        [int(HeldState.RELEASED), int(HeldState.WAITING), entity_id, list(keys), stream_id, list(external_ids)],
    ).fetchall()
    return sorted({row[0] for row in rows})


def _anyone_waits(cursor: Any, entity_id: int) -> bool:
    row = cursor.execute(
        "select 1 from sync_heldrecord where state = %s and missing_entity_id = %s limit 1",
        [int(HeldState.WAITING), entity_id],
    ).fetchone()
    return row is not None


def sweep(cursor: Any) -> list[int]:
    """Release what waits for a parent that is here: its page and the child's may have passed each other unseen."""
    rows = cursor.execute(
        "update sync_heldrecord h set state = %(released)s where h.state = %(waiting)s and ("
        " (h.missing_stream_id is null and exists (select 1 from records_canonicalrecord c"
        "   where c.entity_id = h.missing_entity_id and c.key = h.missing_key))"
        " or (h.missing_stream_id is not null and exists (select 1 from records_crosswalk x"
        "   where x.stream_id = h.missing_stream_id and x.external_id = h.missing_key))) returning h.sync_id",
        {"released": int(HeldState.RELEASED), "waiting": int(HeldState.WAITING)},
    ).fetchall()
    return sorted({row[0] for row in rows})


def expire(cursor: Any) -> int:
    """A record that waited longer than its missing entity allows becomes a business exception; returns how many."""
    cursor.execute(
        "update sync_heldrecord h set state = %s, error_code = 'WAITED_TOO_LONG' from governance_entity e"
        " where h.state = %s and e.id = h.missing_entity_id"
        " and h.first_at < now() - make_interval(secs => e.max_wait_seconds)",
        [int(HeldState.HELD), int(HeldState.WAITING)],
    )
    return int(cursor.rowcount)


def released(cursor: Any, sync_id: int, limit: int) -> list[tuple[str, dict[str, Any]]]:
    """(external id, payload) of records that may be tried again."""
    rows = cursor.execute(
        "select external_id, body::text from sync_heldrecord where sync_id = %s and state = %s order by external_id limit %s",
        [sync_id, int(HeldState.RELEASED), limit],
    )
    return [(row[0], orjson.loads(row[1])) for row in rows]


def settle_released(cursor: Any, sync_id: int, external_ids: Collection[str]) -> None:
    """Records that were tried and came out under another id (the stream's key was changed) are held for a person."""
    cursor.execute(
        "update sync_heldrecord set state = %s, error_code = 'KEY_CHANGED', error_detail = %s"
        " where sync_id = %s and external_id = any(%s) and state = %s",
        [
            int(HeldState.HELD),
            "The record now has another id than when it was held. Read it again at its source, then discard this one.",
            sync_id,
            sorted(external_ids),
            int(HeldState.RELEASED),
        ],
    )
