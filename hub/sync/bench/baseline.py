"""What a good programmer would write for this one job, and the bare limit below it.

`by_hand`: fetch ahead → source contract → 20 fields → hash → state → upsert → a ledger row for each record with four
indexes, one commit a page; one leg, one process. `bare`: fetch → parse → COPY, nothing kept.
"""

from __future__ import annotations

import hashlib
import http.client
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import jsonschema_rs
import orjson
import psycopg

from hub.sync.bench.data import CODES, FIELDS, TABLE, source_schema

LEDGER = "id, run, at, key, state, operation, hash, error, attempt, target"


def pages(port: int) -> Iterator[bytes]:
    """Raw pages, one fetched ahead."""
    ready: queue.Queue[bytes | None] = queue.Queue(2)
    threading.Thread(target=_fetch, args=(port, ready.put), daemon=True).start()
    while (body := ready.get()) is not None:
        yield body


def _fetch(port: int, put: Callable[[bytes | None], None]) -> None:
    client = http.client.HTTPConnection("127.0.0.1", port)
    page = 1
    while True:
        client.request("GET", f"/entries?page={page}")
        body = client.getresponse().read()
        put(body)
        if b'"next_page":null' in body[-30:]:
            put(None)
            return
        page += 1


def map_record(r: dict[str, Any]) -> tuple[str, ...]:
    project, person, hours, rate = r["project"], r["person"], r["hours"], r["rate"]
    client = project["client"]
    return (
        r["id"],
        project["code"],
        client["id"],
        client["name"].upper(),
        person["email"].lower(),
        person["grade"],
        r["task"],
        r["date"],
        hours,
        rate,
        str(Decimal(hours) * Decimal(rate)) if r["billable"] else "0.0000",
        r["currency"],
        "Y" if r["billable"] else "N",
        CODES[r["state"]],
        r["approver"] or "none",
        (r["notes"] or "").strip(),
        r["place"]["country"],
        ",".join(r["tags"]),
        f"{project['code']} / {r['task']} / {r['date']}",
        r["updated_at"],
    )


def create_target(db: psycopg.Connection[Any], name: str) -> None:
    db.execute(f"create table {name} ({TABLE}, primary key (number))")


def by_hand(dsn: str, port: int) -> float:
    """Seconds for the whole job."""
    valid = jsonschema_rs.validator_for(source_schema()).is_valid
    with psycopg.connect(dsn) as db:
        create_target(db, "target_by_hand")
        db.execute("create table state_by_hand (key text primary key, hash bytea not null)")
        create_ledger(db, "ledger_by_hand")
        db.execute(f"create temp table stage ({TABLE}, hash bytea)")
        db.commit()
        started = time.perf_counter()
        number = 0
        for body in pages(port):
            number = _page(db, [r for r in orjson.loads(body)["data"] if valid(r)], number)
        return time.perf_counter() - started


def _page(db: psycopg.Connection[Any], records: list[dict[str, Any]], number: int) -> int:
    rows = [map_record(r) for r in records]
    hashes = [hashlib.blake2b(orjson.dumps(row), digest_size=16).digest() for row in rows]
    cursor = db.cursor()
    known = dict(
        cursor.execute("select key, hash from state_by_hand where key = any(%s)", ([r[0] for r in rows],)).fetchall()
    )
    todo = [(row, digest) for row, digest in zip(rows, hashes, strict=True) if known.get(row[0]) != digest]
    with cursor.copy(f"copy stage ({', '.join(FIELDS)}, hash) from stdin") as copy:
        copy.write("".join(["\t".join(row) + f"\t\\\\x{digest.hex()}\n" for row, digest in todo]))
    names = ", ".join(FIELDS)
    sets = ", ".join(f"{name} = excluded.{name}" for name in FIELDS[1:])
    cursor.execute(
        f"insert into target_by_hand ({names}) select {names} from stage on conflict (number) do update set {sets}"
    )
    cursor.execute(
        "insert into state_by_hand select number, hash from stage on conflict (key) do update set hash = excluded.hash"
    )
    cursor.execute("truncate stage")
    copy_ledger(cursor, "ledger_by_hand", rows, hashes, number)
    db.commit()
    return number + len(rows)


def create_ledger(db: psycopg.Connection[Any], name: str) -> None:
    db.execute(
        f"create table {name} (id bigint primary key, run int, at timestamptz, key text, state text,"
        " operation text, hash bytea, error text, attempt int, target text)"
    )
    db.execute(f"create index on {name} (run, id)")
    db.execute(f"create index on {name} (key, id)")
    db.execute(f"create index on {name} (id) where state = 'failed'")


def copy_ledger(
    cursor: psycopg.Cursor[Any], name: str, rows: Sequence[tuple[str, ...]], hashes: Sequence[bytes], number: int
) -> None:
    """A ledger row for each record of a page; `number` is that of its first."""
    now = time.strftime("%Y-%m-%d %H:%M:%S+00", time.gmtime())
    with cursor.copy(f"copy {name} ({LEDGER}) from stdin") as copy:
        copy.write(
            "".join(
                [
                    f"{number + i}\t1\t{now}\t{row[0]}\tdone\tcreated\t\\\\x{digest.hex()}\t\\N\t1\t{row[0]}\n"
                    for i, (row, digest) in enumerate(zip(rows, hashes, strict=True))
                ]
            )
        )


def bare(dsn: str, port: int) -> float:
    """Seconds for fetch, parse and COPY alone."""
    with psycopg.connect(dsn) as db:
        create_target(db, "target_bare")
        db.commit()
        started = time.perf_counter()
        for body in pages(port):
            rows = [map_record(r) for r in orjson.loads(body)["data"]]
            with db.cursor().copy(f"copy target_bare ({', '.join(FIELDS)}) from stdin") as copy:
                copy.write("".join(["\t".join(row) + "\n" for row in rows]))
            db.commit()
        return time.perf_counter() - started
