"""How entries are chained. Pure: rows in, hashes out; docs/audit.md says the same for whoever checks an export.

hash(n) = SHA-256(hash(n - 1) + JSON of entry n)        mac(n) = HMAC-SHA-256(key, hash(n))
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Any

import orjson
from django.conf import settings

GENESIS = bytes(32)
# The columns that are sealed, in their order. `at` is microseconds since 1970, `details` PostgreSQL's text of the JSON.
COLUMNS = (
    "id",
    "at",
    "act",
    "kind",
    "name",
    "domain",
    "actor_id",
    "actor",
    "on_behalf_of_id",
    "on_behalf_of",
    "reason",
    "before_hash",
    "after_hash",
    "details",
)
_AS = {"at": "(extract(epoch from e.at) * 1000000)::bigint", "details": "e.details::text"}
SELECT = ", ".join(_AS.get(name, f"e.{name}") for name in COLUMNS)


def link(previous: bytes, seq: int, row: Sequence[Any]) -> bytes:
    """The hash of an entry at its place: `row` holds COLUMNS."""
    body = {"seq": seq, **dict(zip(COLUMNS, row, strict=True))}
    return hashlib.sha256(previous + orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()


def keys() -> list[bytes]:
    """The keys of seals, newest first: those of the hub's key ring, under a name of their own."""
    return [hmac.digest(key.encode(), b"syncline audit", "sha256") for key in settings.HUB_FIELD_KEYS]


def mac(digest: bytes, key: bytes) -> bytes:
    return hmac.digest(key, digest, "sha256")


def is_ours(digest: bytes, found: bytes, ring: Sequence[bytes]) -> bool:
    return any(hmac.compare_digest(mac(digest, key), found) for key in ring)


def head_digest(seq: int, digest: bytes) -> bytes:
    """What the head's own code is made of: the end of the chain and its place."""
    return hashlib.sha256(b"head %d " % seq + digest).digest()


def document_hash(document: Any) -> str:
    """SHA-256 of plain data as hex; empty for None."""
    if document is None:
        return ""
    return hashlib.sha256(orjson.dumps(document, option=orjson.OPT_SORT_KEYS, default=str)).hexdigest()
