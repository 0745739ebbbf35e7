"""One bench for each protocol: a real system on loopback, what it holds, and ways to reach it rightly and wrongly."""

from __future__ import annotations

import csv
import io
import os
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pymysql

from connectors import catalog
from connectors.base import Connector
from connectors.registry import open_connector
from hub.common.records import StreamSpec
from tests.connectors.sql.conftest import address
from tests.connectors.tools import BASE, LOOPBACK
from tests.fakes import mariadb
from tests.fakes.http import Answer, serve
from tests.fakes.jsonrpc import FakeErp
from tests.fakes.rest import FakeSystem
from tests.fakes.sftp import FakeSftp, running_sftp
from tests.fakes.soap import FakeRegister

PASSWORD = "s3cret-token"
PAGE = 4


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class Bench(ABC):
    """Records have the fields code, name and changed; `code` is the key."""

    stream = StreamSpec("customers", key=("code",), page_size=PAGE)
    # whether the protocol has a password, a cursor in a field, and records that can be bad on their own
    has_password = True
    has_cursor = True
    bad_name: str | None = None
    # what the step after a wrong password is called
    refusing_step = "authenticate"

    @abstractmethod
    def put(self, code: str, name: str, changed: str) -> None:
        """Let the system hold a record, as if somebody had typed it in."""

    @abstractmethod
    def held(self) -> dict[str, str]:
        """What the system holds: code -> name; raises when it holds a code twice."""

    @abstractmethod
    def connect(self, *, password: str = PASSWORD, reachable: bool = True) -> Connector:
        """A connector to the system, or to a place where nobody listens."""

    def turn_into_web_page(self) -> bool:
        """Let the system answer with a web page from now on; False where that has no meaning."""
        return False


def once(rows: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> dict[str, str]:
    held: dict[str, str] = {}
    for code, name in rows:
        assert code not in held, f"the system holds {code} twice"
        held[code] = name
    return held


class RestBench(Bench):
    """REST, by one of its ways of paging."""

    bad_name = "nul \x00 character"

    def __init__(self, url: str, system: FakeSystem, paging: dict[str, Any]) -> None:
        self.url, self.system, self.paging = url, system, paging

    def put(self, code: str, name: str, changed: str) -> None:
        row = next((row for row in self.system.rows.values() if row["code"] == code), None)
        fields = {"code": code, "name": name, "changed": changed}
        row.update(fields) if row else self.system.put(**fields)

    def held(self) -> dict[str, str]:
        return once([(row["code"], row["name"]) for row in self.system.rows.values()])

    def connect(self, *, password: str = PASSWORD, reachable: bool = True) -> Connector:
        customers = {
            "path": "/customers",
            "records": "data",
            "key": "code",
            "paging": {"size_param": "limit", **self.paging},
            "incremental": {"cursor": "changed", "query": {"since": "${cursor}"}},
            "find": {"path": "/customers", "query": {"code": "${key}"}, "key": "code"},
            "write": {
                "upsert": {"method": "PUT", "path": "/customers/code/${key}", "safety": "B"},
                "delete": {"path": "/customers/${ref}"},
            },
        }
        if self.paging["type"] == "link":
            customers["records"] = "data"
        declaration = catalog.parse(
            {
                **BASE,
                "base_url": self.url if reachable else f"http://127.0.0.1:{free_port()}",
                "auth": {"type": "bearer", "token": "${secret.token}"},
                "check": {"path": "/me", "who": "email"},
                "errors": {"message": "error.message", "field": "error.field"},
                "streams": {"customers": customers},
            }
        )
        config = {"allowed_networks": LOOPBACK}
        return open_connector(declaration=declaration, config=config, secrets={"token": password})

    def turn_into_web_page(self) -> bool:
        self.system.fault = lambda request: Answer("<html><title>Maintenance</title></html>")
        return True


class JsonRpcBench(Bench):
    bad_name = "nul \x00 character"

    def __init__(self, url: str, system: FakeErp) -> None:
        self.url, self.system = url, system

    def put(self, code: str, name: str, changed: str) -> None:
        row = next((row for row in self.system.rows.values() if row["code"] == code), None)
        fields = {"code": code, "name": name, "changed": changed}
        row.update(fields) if row else self.system.put(**fields)

    def held(self) -> dict[str, str]:
        return once([(row["code"], row["name"]) for row in self.system.rows.values()])

    def connect(self, *, password: str = PASSWORD, reachable: bool = True) -> Connector:
        customers = {
            "key": "code",
            "call": "model.party.search_read",
            "params": [[], "${offset}", "${limit}"],
            "paging": {"type": "offset"},
            "incremental": {"cursor": "changed", "params": [[["changed", ">=", "${cursor}"]], "${offset}", "${limit}"]},
            "find": {"call": "model.party.search_read", "params": [[["code", "in", "${keys}"]], 0, 99], "max": 50},
            "write": {
                "create": {"call": "model.party.create", "params": [["${body}"]], "ref": "0", "safety": "C"},
                "update": {"call": "model.party.write", "params": [["${ref|integer}"], "${body}"], "safety": "B"},
            },
        }
        declaration = catalog.parse(
            {
                **BASE,
                "protocol": "jsonrpc",
                "base_url": f"{self.url if reachable else f'http://127.0.0.1:{free_port()}'}/db/",
                "values": {"session": "ann:${token.0}:${token.1}"},
                "auth": {
                    "type": "session",
                    "login": {"call": "common.db.login", "params": ["ann", {"password": "${secret.token}"}]},
                    "token_path": "$",
                    "headers": {"Authorization": "Session ${values.session|base64}"},
                },
                "check": {"call": "model.user.get_preferences", "params": [True, {}], "who": "name"},
                "streams": {"customers": customers},
            }
        )
        config = {"allowed_networks": LOOPBACK}
        return open_connector(declaration=declaration, config=config, secrets={"token": password})

    def turn_into_web_page(self) -> bool:
        self.system.fault = lambda request: Answer("<html><title>Maintenance</title></html>")
        return True


class PostgresBench(Bench):
    stream = StreamSpec("conform.customers", key=("code",), cursor="changed", page_size=PAGE)
    # the embedded server trusts its own socket
    has_password = False

    def __init__(self, db: psycopg.Connection[Any]) -> None:
        self.db = db

    def put(self, code: str, name: str, changed: str) -> None:
        self.db.execute(
            "insert into conform.customers values (%s, %s, %s)"
            " on conflict (code) do update set name = excluded.name, changed = excluded.changed",
            [code, name, changed],
        )

    def held(self) -> dict[str, str]:
        return once([(row[0], row[1]) for row in self.db.execute("select code, name from conform.customers")])

    def connect(self, *, password: str = PASSWORD, reachable: bool = True) -> Connector:
        place = address() if reachable else {**address(), "host": "127.0.0.1", "port": free_port()}
        config = {**place, "schemas": "conform", "allowed_networks": LOOPBACK}
        return open_connector(protocol="sql", config=config, secrets={"password": ""})


class MariaDbBench(Bench):
    stream = StreamSpec("customers", key=("code",), cursor="changed", page_size=PAGE)

    def __init__(self, port: int) -> None:
        self.port = port
        place = {"host": "127.0.0.1", "port": port, "user": "hub", "password": mariadb.PASSWORD, "database": "legacy"}
        self.cursor = pymysql.connect(**place, autocommit=True).cursor()
        self.cursor.execute("drop table if exists customers, vendor")
        self.cursor.execute(
            "create table customers (code varchar(60) primary key, name text, changed datetime(6)) charset utf8mb4"
        )

    def put(self, code: str, name: str, changed: str) -> None:
        self.cursor.execute("replace into customers values (%s, %s, %s)", [code, name, changed.removesuffix("Z")])

    def held(self) -> dict[str, str]:
        self.cursor.execute("select code, name from customers")
        return once([(row[0], row[1]) for row in self.cursor.fetchall()])

    def connect(self, *, password: str = PASSWORD, reachable: bool = True) -> Connector:
        port = self.port if reachable else free_port()
        config = {"dialect": "mariadb", "host": "127.0.0.1", "port": port, "database": "legacy", "user": "hub"}
        return open_connector(
            protocol="sql", config={**config, "allowed_networks": LOOPBACK}, secrets={"password": password}
        )


class FilesBench(Bench):
    """Records are lines of files; each `put` is a file of its own, and the newest line of a code counts."""

    has_password = has_cursor = False
    bad_name = "nul \x00 character"

    def __init__(self, folder: Path, server: FakeSftp | None = None) -> None:
        self.folder, self.server, self.count = folder, server, 0
        (folder / "in").mkdir(exist_ok=True)
        (folder / "out").mkdir(exist_ok=True)
        self.has_password = server is not None

    def put(self, code: str, name: str, changed: str) -> None:
        self.count += 1
        path = self.folder / "in" / f"c_{self.count:04d}.csv"
        text = io.StringIO()
        csv.writer(text).writerows([["code", "name", "changed"], [code, name, changed]])
        path.write_text(text.getvalue(), encoding="utf-8")
        os.utime(path, (time.time() - 100,) * 2)

    def held(self) -> dict[str, str]:
        found: list[tuple[str, str]] = []
        for path in sorted((self.folder / "out").glob("*.csv")):
            with path.open(encoding="utf-8", newline="") as file:
                found += [(row["code"], row["name"]) for row in csv.DictReader(file)]
        return once(found)

    def connect(self, *, password: str = PASSWORD, reachable: bool = True) -> Connector:
        place: dict[str, Any] = {
            "transport": "local",
            "root": str(self.folder if reachable else self.folder / "nowhere"),
        }
        if self.server:
            place = {
                "transport": "sftp",
                "root": str(self.folder),
                "host": "127.0.0.1",
                "port": self.server.port if reachable else free_port(),
                "user": "hub",
                "password": "${secret.token}",
                "host_key": self.server.host_key,
            }
        files = {"folder": "in", "pattern": "c_*.csv", "key": "code", "settle_seconds": 0}
        out = {"folder": "out", "file_name": "o_${now}_${batch}.csv", "write": {"upsert": {"safety": "B"}}}
        out["csv"] = {"columns": ["code", "name", "changed"]}
        declaration = catalog.parse(
            {**BASE, "protocol": "files", "storage": place, "streams": {"customers": files, "out": out}}
        )
        config = {"allowed_networks": LOOPBACK}
        return open_connector(declaration=declaration, config=config, secrets={"token": password})


# --- the benches by name -------------------------------------------------------------------------------------------


class SoapBench(Bench):
    def __init__(self, url: str, system: FakeRegister) -> None:
        self.url, self.system = url, system

    def put(self, code: str, name: str, changed: str) -> None:
        self.system.put(code, name=name, changed=changed)

    def held(self) -> dict[str, str]:
        return {code: row["name"] for code, row in self.system.rows.items()}

    def connect(self, *, password: str = PASSWORD, reachable: bool = True) -> Connector:
        base = self.url if reachable else f"http://127.0.0.1:{free_port()}"
        declaration = catalog.parse(soap_declaration(base))
        config = {"allowed_networks": LOOPBACK}
        return open_connector(declaration=declaration, config=config, secrets={"token": password})

    def turn_into_web_page(self) -> bool:
        self.system.fault = lambda request: Answer("<html><title>Maintenance</title></html>")
        return True


def soap_declaration(url: str, **sections: Any) -> dict[str, Any]:
    customers = {
        "operation": "list_customers",
        "records": "customers.customer",
        "key": "code",
        "paging": {"type": "page", "page_param": "page", "size_param": "count", "pages_path": "pages"},
        "incremental": {"cursor": "changed", "request": {"since": "${cursor}"}},
        "find": {"operation": "list_customers", "request": {"code": "${key}"}, "key": "code"},
        "write": {
            "upsert": {
                "operation": "put_customer",
                "request": {"customer": "${body}"},
                "ref": "code",
                "created_when": [{"path": "created", "equals": True}],
                "safety": "B",
            }
        },
    }
    return {
        **BASE,
        "protocol": "soap",
        "base_url": url,
        "soap": {"wsdl": f"{url}/?wsdl"},
        "auth": {"type": "basic", "username": "ann", "password": "${secret.token}"},
        "check": {"operation": "who_am_i", "who": "name"},
        "streams": {"customers": customers},
        **sections,
    }


PAGING: dict[str, dict[str, Any]] = {
    "page": {"type": "page", "pages_path": "pages"},
    "page until empty": {"type": "page"},
    "offset": {"type": "offset", "has_more_path": "has_more"},
    "offset until empty": {"type": "offset"},
    "total": {"type": "offset", "total_path": "total"},
    "token": {"type": "cursor", "cursor_param": "token", "next_path": "next"},
    "next address": {"type": "next_url", "next_path": "next_url"},
    "link": {"type": "link"},
    "keyset": {"type": "keyset", "key": "id", "key_param": "after"},
}
NAMES = [*(f"rest, {name}" for name in PAGING), "jsonrpc", "soap", "postgresql", "mariadb", "files", "sftp"]


@contextmanager
def open_bench(name: str, folder: Path) -> Iterator[Bench]:
    """A bench with an empty system."""
    if name.startswith("rest, "):
        system = FakeSystem()
        with serve(system) as server:
            yield RestBench(server.url, system, PAGING[name.removeprefix("rest, ")])
    elif name == "jsonrpc":
        erp = FakeErp()
        with serve(erp) as server:
            yield JsonRpcBench(server.url, erp)
    elif name == "soap":
        register = FakeRegister()
        with serve(register) as server:
            register.url = server.url
            yield SoapBench(server.url, register)
    elif name == "postgresql":
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
            db.execute("drop schema if exists conform cascade; create schema conform")
            db.execute("create table conform.customers (code text primary key, name text, changed timestamptz)")
            yield PostgresBench(db)
            db.execute("drop schema conform cascade")
    elif name == "sftp":
        with running_sftp(folder) as sftp:
            yield FilesBench(folder, sftp)
    else:
        yield FilesBench(folder)
