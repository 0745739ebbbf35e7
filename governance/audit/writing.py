"""Writing entries with their acts, and sealing them after the commit.

An entry is a row of the act's own transaction: what is rolled back leaves none, and what cannot be written down does not
happen. The chain is made afterwards, under one lock, in a transaction of its own: were it made in the act's transaction, every
act would wait for every other, and two of them could wait for each other.
"""

from __future__ import annotations

import logging
from typing import Any

import orjson
from django.db import transaction

from governance.audit import chain
from hub.common.acts import Act
from hub.common.db import plain_cursor
from hub.common.reasons import tidy

log = logging.getLogger(__name__)
# One sealer at a time; the number is ours alone.
LOCK = 7_302_145
AT_ONCE = 5_000
HUB = "Syncline"


def write(act: Act) -> None:
    """Add an entry inside the transaction of the act; it is sealed when that commits."""
    actor_id, actor = _person(act.by)
    for_id, for_name = _person(act.on_behalf_of)
    with transaction.atomic(), plain_cursor() as cursor:
        cursor.execute(
            "with made as (insert into governance_auditentry (act, kind, name, domain, actor_id, actor, on_behalf_of_id,"
            " on_behalf_of, reason, before_hash, after_hash, details)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::jsonb) returning id)"
            " insert into governance_auditpending (entry_id) select id from made",
            [
                act.act,
                act.kind,
                tidy(act.name),
                getattr(act.domain, "slug", act.domain) or "",
                actor_id,
                actor or HUB,
                for_id,
                for_name,
                tidy(act.reason),
                chain.document_hash(act.before),
                chain.document_hash(act.after),
                orjson.dumps(act.details, default=str).decode().replace("\\u0000", ""),
            ],
        )
    transaction.on_commit(_seal_now)


def _person(who: Any) -> tuple[int | None, str]:
    if who is None or not getattr(who, "pk", None):
        return None, ""
    return who.pk, str(who)


def _seal_now() -> None:
    """The act is done, whatever becomes of its seal; the tick seals what is left."""
    try:
        seal()
    except Exception:
        log.exception("An audit entry could not be sealed; the tick will do it.")


def seal() -> int:
    """Chain every committed entry that has no seal; returns how many."""
    number = 0
    while sealed := _seal_some():
        number += sealed
    return number


@transaction.atomic
def _seal_some() -> int:
    with plain_cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        rows = cursor.execute(
            "with taken as (delete from governance_auditpending where entry_id in"
            " (select entry_id from governance_auditpending order by entry_id limit %s) returning entry_id)"
            f" select {chain.SELECT} from governance_auditentry e join taken t on t.entry_id = e.id order by e.id",
            [AT_ONCE],
        ).fetchall()
        if not rows:
            return 0
        head = cursor.execute("select seq, hash from governance_audithead").fetchone()
        seq, digest = (head[0], bytes(head[1])) if head else (0, chain.GENESIS)
        key = chain.keys()[0]
        with cursor.copy("copy governance_auditseal (seq, entry_id, previous, hash, mac) from stdin") as copy:
            for row in rows:
                before, seq = digest, seq + 1
                digest = chain.link(before, seq, row)
                copy.write_row((seq, row[0], before, digest, chain.mac(digest, key)))
        _move_head(cursor, seq, digest, key)
    return len(rows)


def _move_head(cursor: Any, seq: int, digest: bytes, key: bytes) -> None:
    cursor.execute(
        "insert into governance_audithead (id, seq, hash, mac) values (1, %s, %s, %s)"
        " on conflict (id) do update set seq = excluded.seq, hash = excluded.hash, mac = excluded.mac",
        [seq, digest, chain.mac(chain.head_digest(seq, digest), key)],
    )
