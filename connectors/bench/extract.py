"""Records a second through our connector and through the bare client, as a ratio; what cannot be measured says why."""

from __future__ import annotations

import csv
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
import psycopg.conninfo

from connectors import catalog
from connectors.base import Connector
from connectors.bench.source import FIELDS, row
from connectors.registry import open_connector
from hub.common.records import StreamSpec

PROTOCOLS = ("rest", "odata", "soap", "sql", "files")
PAGE = 500
STREAM = StreamSpec("entries", key=("id",))
TABLE = "bench_extract_entries"
LOOPBACK = {"allowed_networks": ["127.0.0.0/8"]}


def bench_extract(protocol: str, records: int) -> dict[str, Any]:
    """{protocol, records, records_per_s, bare_per_s, ratio, passed}; SQL needs DATABASE_URL, where it makes a table."""
    ways = {"rest": _rest, "odata": _odata, "soap": _soap, "sql": _sql, "files": _files}
    return ways[protocol](records)


def _figures(protocol: str, records: int, ours: Callable[[], int], bare: Callable[[], int]) -> dict[str, Any]:
    """Each way twice, the better time counts; it passes when both read every record."""
    runs = [(_timed(ours), _timed(bare)) for _ in range(2)]
    counts = {count for pair in runs for count, _ in pair}
    seconds, bare_seconds = (min(pair[side][1] for pair in runs) for side in (0, 1))
    return {
        "protocol": protocol,
        "records": records,
        "records_per_s": round(records / seconds),
        "bare_per_s": round(records / bare_seconds),
        "ratio": round(bare_seconds / seconds, 3),
        "passed": counts == {records},
    }


def _timed(read: Callable[[], int]) -> tuple[int, float]:
    started = time.perf_counter()
    return read(), time.perf_counter() - started


def _read_all(connector: Connector) -> int:
    with connector:
        return sum(len(page.records) for page in connector.read(STREAM, cursor=None))


# --- REST -----------------------------------------------------------------------------------------------------------


def _rest(records: int) -> dict[str, Any]:
    with _serving("rest", records) as url:
        return _figures("rest", records, lambda: _read_all(_rest_connector(url)), lambda: _bare_rest(url))


@contextmanager
def _serving(kind: str, records: int) -> Iterator[str]:
    """The pages in a process of their own, so that it takes no time of the clients."""
    command = [sys.executable, "-m", "connectors.bench.source", kind, str(records), str(PAGE)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
    finally:
        process.terminate()
        process.wait(10)


def _declaration(**sections: Any) -> catalog.Declaration:
    head = {"name": "bench", "label": "Bench", "category": "psa", "time_zone": "UTC"}
    return catalog.parse({**head, **sections})


def _rest_connector(url: str) -> Connector:
    entries = {
        "path": "/entries",
        "records": "data",
        "key": "id",
        "paging": {"type": "page", "pages_path": "pages"},
        "incremental": {"cursor": "changed_at"},
    }
    declaration = _declaration(protocol="rest", base_url=url, streams={"entries": entries})
    return open_connector(declaration=declaration, config=LOOPBACK, secrets={})


def _bare_rest(url: str) -> int:
    """What somebody writes by hand: a client, a loop, and the parser."""
    count, page, pages = 0, 1, 1
    with _client(url) as client:
        while page <= pages:
            data = orjson.loads(client.get("/entries", params={"page": page}).content)
            count, page, pages = count + len(data["data"]), page + 1, data["pages"]
    return count


def _client(url: str) -> httpx.Client:
    # Loopback speaks no TLS; loading the machine's certificates is no part of reading.
    return httpx.Client(base_url=url, trust_env=False, verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


# --- OData ----------------------------------------------------------------------------------------------------------


def _odata(records: int) -> dict[str, Any]:
    with _serving("odata", records) as url:
        return _figures("odata", records, lambda: _read_all(_odata_connector(url)), lambda: _bare_odata(url))


def _odata_connector(url: str) -> Connector:
    fields = {name: {"type": "string"} for name in FIELDS}
    streams = {"entries": {"entity_set": "entries", "key": "id", "fields": fields}}
    return open_connector(
        declaration=_declaration(protocol="odata", base_url=url, streams=streams), config=LOOPBACK, secrets={}
    )


def _bare_odata(url: str) -> int:
    count, following = 0, "/entries"
    with _client(url) as client:
        while following:
            data = orjson.loads(client.get(following).content)
            count, following = count + len(data["value"]), data.get("@odata.nextLink", "")
    return count


# --- SOAP -----------------------------------------------------------------------------------------------------------


def _soap(records: int) -> dict[str, Any]:
    with _serving("soap", records) as url:
        return _figures("soap", records, lambda: _read_all(_soap_connector(url)), lambda: _bare_soap(url))


def _soap_connector(url: str) -> Connector:
    entries = {
        "operation": "list",
        "records": "entry",
        "key": "id",
        "paging": {"type": "page", "page_param": "page", "pages_path": "pages"},
    }
    declaration = _declaration(
        protocol="soap", base_url=url, soap={"wsdl": f"{url}/?wsdl"}, streams={"entries": entries}
    )
    return open_connector(declaration=declaration, config=LOOPBACK, secrets={})


def _bare_soap(url: str) -> int:
    """What somebody writes by hand with the library that we use too."""
    import zeep

    count, page, pages = 0, 1, 1
    service = zeep.Client(f"{url}/?wsdl").service
    while page <= pages:
        data = service.list(page=page)
        count, page, pages = count + len(data.entry), page + 1, data.pages
    return count


# --- SQL ------------------------------------------------------------------------------------------------------------


def _sql(records: int) -> dict[str, Any]:
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
        db.execute(
            f"create table {TABLE} (id text primary key, employee text, project text, day date, hours numeric,"
            " rate numeric, note text, changed_at timestamptz)"
        )
        try:
            with db.cursor() as cursor, cursor.copy(f"copy {TABLE} from stdin") as copy:
                for n in range(records):
                    copy.write_row(tuple(row(n).values()))
            db.execute(f"vacuum analyze {TABLE}")
            return _figures("sql", records, lambda: _read_all(_sql_connector()), _bare_sql)
        finally:
            db.execute(f"drop table {TABLE}")


def _sql_connector() -> Connector:
    place = psycopg.conninfo.conninfo_to_dict(os.environ["DATABASE_URL"])
    database = {
        "dialect": "postgresql",
        "host": str(place.get("host", "")),
        "name": str(place["dbname"]),
        "user": str(place.get("user", "")),
        **({"port": int(str(place["port"]))} if place.get("port") else {}),
        **({"password": "${secret.password}"} if place.get("password") else {}),
    }
    config = {"password": {"title": "Password", "type": "secret", "required": False}}
    streams = {"entries": {"table": TABLE, "key": "id"}}
    declaration = _declaration(protocol="sql", database=database, config=config, streams=streams)
    return open_connector(
        declaration=declaration, config=LOOPBACK, secrets={"password": str(place.get("password", ""))}
    )


def _bare_sql() -> int:
    from psycopg.rows import dict_row

    with psycopg.connect(os.environ["DATABASE_URL"]) as db, db.cursor("entries", row_factory=dict_row) as cursor:
        cursor.itersize = PAGE
        cursor.execute(f"select * from {TABLE} order by id")
        return sum(1 for _ in cursor)


# --- files ----------------------------------------------------------------------------------------------------------


def _files(records: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="hub-bench-") as folder:
        path = Path(folder) / "entries.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(row(n) for n in range(records))
        return _figures("files", records, lambda: _read_all(_files_connector(folder)), lambda: _bare_csv(path))


def _files_connector(folder: str) -> Connector:
    entries = {"pattern": "*.csv", "key": "id", "settle_seconds": 0}
    storage = {"transport": "local", "root": folder}
    declaration = _declaration(protocol="files", storage=storage, streams={"entries": entries})
    return open_connector(declaration=declaration, config={}, secrets={})


def _bare_csv(path: Path) -> int:
    with path.open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.DictReader(file))
