"""The writer of canonical records, crosswalk and provenance (what is gone: hub.records.removing): a page at a
time, COPY and set-based SQL.

Lock order inside the caller's transaction: new keys are copied, known rows are locked by id. Two pages that bring the same
new key meet at the unique index; the later one is rolled back whole and prepared again, when the key is known.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import connection

from governance.schemas import Markers
from hub.records.copying import NULL, bytea, ids, json_bytes, json_text, text, texts

Body = dict[str, Any]
CANONICAL = (
    "id, entity_id, key, version, body, provenance_id, hash, legal_entity, customer, project, period, amount, currency,"
    " source_updated_at, updated_at"
)
STAGED = "id, version, body, provenance_id, hash, legal_entity, customer, project, period, amount, currency, source_updated_at"


@dataclass(frozen=True, slots=True)
class Current:
    """A canonical row that is locked for this page."""

    id: int
    key: str
    version: int
    body: Body
    provenance_id: int
    is_deleted: bool = False


@dataclass(slots=True)
class Write:
    """One canonical row to be made (version 1) or changed."""

    id: int
    key: str
    version: int
    body: Body
    provenance_id: int
    json: bytes = b""  # the body as JSON, where it is at hand


@dataclass
class RecordStore:
    """Writes records of one entity. `cursor` is a plain psycopg cursor inside the page's transaction."""

    entity_id: int
    markers: Markers
    cursor: Any
    now: str

    def __post_init__(self) -> None:
        places = dict(self.markers.promoted)
        names = [places.get(column, "") for column in ("legal_entity", "customer", "project", "period")]
        names += [self.markers.amount, self.markers.currency, places.get("source_updated_at", "")]
        self._lifted = [(place, name) for place, name in enumerate(names) if name]
        self._nothing = [NULL] * len(names)

    def allocate(self, count: int) -> list[int]:
        """Ids for new rows, taken from the sequence in blocks."""
        return allocate(self.cursor, "records_canonical_seq", count)

    def lock(self, record_ids: Sequence[int]) -> dict[int, Current]:
        """Lock rows in id order, so that two pages never wait for each other in a circle."""
        rows = self.cursor.execute(
            "select id, key, version, body::text, provenance_id, deleted_at is not null from records_canonicalrecord"
            " where id = any(%s::bigint[]) order by id for update",
            [ids(sorted(record_ids))],
        )
        return {r[0]: Current(r[0], r[1], r[2], orjson.loads(r[3]), r[4], r[5]) for r in rows}

    def insert(self, writes: Sequence[Write]) -> None:
        if not writes:
            return
        fixed = f"\t{self.entity_id}\t"
        lines = [f"{w.id}{fixed}{text(w.key)}\t{w.version}\t{self._row(w)}\t{self.now}\n" for w in writes]
        with self.cursor.copy(f"copy records_canonicalrecord ({CANONICAL}) from stdin") as copy:
            copy.write("".join(lines))

    def update(self, writes: Sequence[Write]) -> None:
        if not writes:
            return
        self.cursor.execute(
            "create temp table if not exists staged_record (like records_canonicalrecord including defaults)"
            " on commit delete rows"
        )
        with self.cursor.copy(f"copy staged_record ({STAGED}, entity_id, key, updated_at) from stdin") as copy:
            tail = f"\t{self.entity_id}\t\t{self.now}\n"
            copy.write("".join([f"{w.id}\t{w.version}\t{self._row(w)}{tail}" for w in writes]))
        columns = [name for name in STAGED.split(", ") if name != "id"]
        sets = ", ".join(f"{name} = s.{name}" for name in columns)
        self.cursor.execute(
            f"update records_canonicalrecord c set {sets}, updated_at = s.updated_at, deleted_at = null"
            " from staged_record s where c.id = s.id"
        )

    def _row(self, write: Write) -> str:
        dumped = write.json or json_bytes(write.body)
        digest = hashlib.blake2b(dumped, digest_size=16).hexdigest()
        return f"{json_text(dumped)}\t{write.provenance_id}\t\\\\x{digest}\t{self._promoted(write.body)}"

    def _promoted(self, body: Body) -> str:
        """Columns that the contract's markers lift out of the body; most records have few of them."""
        columns = self._nothing.copy()
        for place, name in self._lifted:
            value = body.get(name)
            if value is not None and value != "":
                columns[place] = text(str(value))
        return "\t".join(columns)

    # Crosswalk ---------------------------------------------------------------------------------------------
    def link(self, stream_id: int, batch_id: int, links: Sequence[tuple[str, int, bytes]]) -> None:
        """New ids of a stream: (external id, canonical id, hash of the source record)."""
        if not links:
            return
        head = f"{stream_id}\t"
        lines = [
            f"{head}{text(external)}\t{id_}\t{batch_id}\t{bytea(digest)}\n" for external, id_, digest in sorted(links)
        ]
        with self.cursor.copy(
            "copy records_crosswalk (stream_id, external_id, record_id, batch_id, hash) from stdin"
        ) as copy:
            copy.write("".join(lines))

    def touch_links(self, stream_id: int, batch_id: int, links: Sequence[tuple[str, bytes]]) -> None:
        """Known ids whose source record has changed, or has come back."""
        if not links:
            return
        self.cursor.execute(
            "update records_crosswalk x set hash = u.hash, batch_id = %s, gone_at = null"
            " from unnest(%s::text[], %s::bytea[]) u(external_id, hash)"
            " where x.stream_id = %s and x.external_id = u.external_id",
            [batch_id, texts([external for external, _ in links]), [digest for _, digest in links], stream_id],
        )


def allocate(cursor: Any, sequence: str, count: int, block: int = 2000) -> list[int]:
    """`count` ids from a sequence that counts in blocks; gaps are of no meaning."""
    ids: list[int] = []
    while len(ids) < count:
        (first,) = cursor.execute(f"select nextval('{sequence}')").fetchone()
        ids += range(first, first + min(block, count - len(ids)))
    return ids


def _column(value: Any) -> str:
    return NULL if value is None else text(str(value))


_ids: dict[bytes, int] = {}
_fields: dict[int, Mapping[str, int]] = {}
_plain: dict[tuple[tuple[str, ...], int], int] = {}


def intern_profile(fields: Mapping[str, int]) -> int:
    """Interned rows are written outside the page's transaction: a page that rolls back must not take a cached id along."""
    body = json_bytes(dict(sorted(fields.items())))
    digest = hashlib.blake2b(body, digest_size=16).digest()
    if digest not in _ids:
        other = connection.copy()
        try:
            with other.cursor() as cursor:
                cursor.execute(
                    "insert into records_provenanceprofile (fields, digest) values (%s::jsonb, %s) on conflict do nothing",
                    [body.decode(), digest],
                )
                cursor.execute("select id from records_provenanceprofile where digest = %s", [digest])
                _ids[digest] = cursor.fetchone()[0]
        finally:
            other.close()
        _fields[_ids[digest]] = dict(fields)
    return _ids[digest]


def profile_of_one(fields: tuple[str, ...], system_id: int) -> int:
    """The profile of a record whose every field comes from one system, remembered by its field names."""
    known = _plain.get((fields, system_id))
    if known is None:
        known = _plain[(fields, system_id)] = intern_profile(dict.fromkeys(fields, system_id))
    return known


def profile_fields(profile_id: int) -> Mapping[str, int]:
    if profile_id not in _fields:
        with connection.cursor() as cursor:
            cursor.execute("select fields::text from records_provenanceprofile where id = %s", [profile_id])
            _fields[profile_id] = orjson.loads(cursor.fetchone()[0])
    return _fields[profile_id]


def forget_profiles() -> None:
    """For tests that empty the database."""
    _ids.clear()
    _plain.clear()
    _fields.clear()
