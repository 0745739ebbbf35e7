"""The legacy ERP: a table of its database and a daily file with control file over SFTP become canonical records."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
import yaml

from hub.config import services as config
from hub.records.models import CanonicalRecord
from hub.sync import services
from hub.sync.models import HeldRecord, Run, Sync
from tests.fakes.sftp import PASSWORD, USER, FakeSftp, running_sftp

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def legacy() -> Iterator[psycopg.Connection[Any]]:
    """Tables as such systems have them: padded keys, dates as numbers, a flag as a letter."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as db:
        db.execute("drop schema if exists legacy cascade; create schema legacy; set search_path to legacy")
        db.execute(
            "create table proj (pcode char(10) primary key, ptitle char(40), opened integer, closed char(1),"
            " budget numeric(12,2), upd timestamp)"
        )
        db.execute(
            "insert into proj select 'L' || lpad(g::text, 4, '0'), 'Legacy project ' || g, 20260100 + g, 'N', g * 100.10,"
            " timestamp '2026-10-01' + g * interval '1 hour' from generate_series(1, 12) g"
        )
        yield db
        db.execute("drop schema legacy cascade")


@pytest.fixture
def drop(tmp_path: Path) -> Iterator[FakeSftp]:
    folder = tmp_path / "drop"
    folder.mkdir()
    with running_sftp(folder) as server:
        yield server


def documents(drop: FakeSftp) -> list[dict[str, Any]]:
    parts = urlsplit(os.environ["DATABASE_URL"])
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    database = {"host": host, "database": parts.path.lstrip("/"), "user": parts.username, "schemas": "legacy"}
    loopback = ["127.0.0.0/8", "::1/128"]
    files = {
        "name": "drop",
        "label": "Daily hours",
        "category": "legacy",
        "protocol": "files",
        "time_zone": "Europe/Berlin",
        "config": {"password": {"title": "Password", "type": "secret"}},
        "storage": {
            "transport": "sftp",
            "root": str(drop.folder),
            "host": "127.0.0.1",
            "port": drop.port,
            "user": USER,
            "password": "${secret.password}",
            "host_key": drop.host_key,
        },
        "streams": {
            "hours": {
                "pattern": "hours_*.csv",
                "key": "line",
                "csv": {"delimiter": ";", "decimal": ",", "encoding": "latin1"},
                "control": {"suffix": ".ctl", "count": "rows", "sha256": "sha256"},
                "fields": {"line": "string", "project": "string", "hours": "decimal", "who": "string"},
            }
        },
    }
    text, decimal = {"type": "string"}, {"type": "string", "format": "decimal"}
    key = {"type": "string", "x-key": True}
    return [
        {"kind": "System", "slug": "legacy", "name": "Legacy ERP", "category": "legacy"},
        {"kind": "Connection", "slug": "legacy-db", "name": "Database", "system": "legacy", "protocol": "sql",
         "config": database, "secrets": {"password": parts.password or "-"}, "allowed_networks": loopback},
        {"kind": "Connection", "slug": "legacy-drop", "name": "Drop", "system": "legacy",
         "config": {"declaration": files}, "secrets": {"password": PASSWORD}, "allowed_networks": loopback},
        {"kind": "Stream", "slug": "legacy-proj", "name": "legacy.proj", "connection": "legacy-db",
         "key": ["pcode"], "cursor": "upd"},
        {"kind": "Stream", "slug": "legacy-hours", "name": "hours", "connection": "legacy-drop", "key": ["line"]},
        {"kind": "Entity", "slug": "l_project", "name": "Project", "domain": "project-wbs"},
        {"kind": "Contract", "slug": "l_project", "name": "Project", "entity": "l_project", "schema": {
            "type": "object", "required": ["code", "name"],
            "properties": {"code": key, "name": text, "budget": decimal, "opened": {"type": "string", "format": "date"}}}},
        {"kind": "Entity", "slug": "l_hours", "name": "Hours", "domain": "time-expense"},
        {"kind": "Contract", "slug": "l_hours", "name": "Hours", "entity": "l_hours", "schema": {
            "type": "object", "required": ["line", "project", "hours"],
            "properties": {"line": key, "project": {**text, "x-ref": "l_project"}, "hours": decimal, "who": text}}},
        {"kind": "Mapping", "slug": "legacy-proj", "name": "Projects", "direction": "in", "stream": "legacy-proj",
         "entity": "l_project", "rules": [
             {"target": "code", "source": "pcode"},
             {"target": "name", "source": "ptitle"},
             {"target": "budget", "source": "budget", "type": "decimal"},
             {"target": "opened", "source": "opened", "convert": ["yyyymmdd_to_date"], "type": "date"}]},
        {"kind": "Mapping", "slug": "legacy-hours", "name": "Hours", "direction": "in", "stream": "legacy-hours",
         "entity": "l_hours", "rules": [
             {"target": name, "source": name, **({"type": "decimal"} if name == "hours" else {})}
             for name in ("line", "project", "hours", "who")]},
        {"kind": "Sync", "slug": "legacy-proj", "name": "Projects", "mapping": "legacy-proj"},
        {"kind": "Sync", "slug": "legacy-hours", "name": "Hours", "mapping": "legacy-hours"},
    ]  # fmt: skip


@pytest.fixture
def syncs(legacy, drop, domains, tmp_path) -> tuple[Sync, Sync]:
    path = tmp_path / "legacy.yaml"
    path.write_text(yaml.safe_dump_all(documents(drop), sort_keys=False))
    config.apply(path)
    return Sync.objects.get(slug="legacy-proj"), Sync.objects.get(slug="legacy-hours")


def run(sync: Sync) -> Run:
    done = services.run_here(sync=sync)
    assert done.error == ""
    return done


def put(drop: FakeSftp, name: str, lines: list[str], *, with_control: bool = True) -> None:
    body = ("line;project;hours;who\r\n" + "".join(f"{line}\r\n" for line in lines)).encode("latin1")
    path = Path(drop.folder) / f"{name}.csv"
    path.write_bytes(body)
    os.utime(path, (time.time() - 300,) * 2)
    if with_control:
        control = f"rows={len(lines)}\nsha256={hashlib.sha256(body).hexdigest()}\n"
        path.with_suffix(".ctl").write_text(control)


def test_a_table_becomes_canonical_records_and_then_only_its_changes_are_read(syncs, legacy):
    projects, _ = syncs
    assert run(projects).created == 12
    record = CanonicalRecord.objects.get(key="L0007")
    assert record.body == {"code": "L0007", "name": "Legacy project 7", "budget": "700.70", "opened": "2026-01-07"}
    legacy.execute("update proj set ptitle = 'Renamed', upd = '2026-11-01' where pcode = 'L0003'")
    again = run(projects)
    assert again.updated == 1
    assert again.read < 12


def test_a_daily_file_becomes_canonical_records_once(syncs, drop):
    projects, hours = syncs
    run(projects)
    put(drop, "hours_20261123", ["0001;L0001;7,50;Jürgen", "0002;L0002;8,00;Zoë"])
    first = run(hours)
    assert (first.created, first.rejected) == (2, 0)
    entry = CanonicalRecord.objects.get(key="0001")
    assert (entry.body["hours"], entry.body["who"]) == ("7.50", "Jürgen")
    put(drop, "hours_20261123", ["0001;L0001;7,50;Jürgen", "0002;L0002;8,00;Zoë"])
    again = run(hours)
    assert (again.created, again.updated) == (0, 0)


def test_a_file_that_is_still_being_written_is_not_read(syncs, drop):
    projects, hours = syncs
    run(projects)
    put(drop, "hours_20261124", ["0003;L0001;4,00;A"], with_control=False)
    assert run(hours).read == 0
    put(drop, "hours_20261124", ["0003;L0001;4,00;A"])
    assert run(hours).created == 1


def test_hours_on_a_project_that_is_not_here_wait_for_it(syncs, drop):
    projects, hours = syncs
    put(drop, "hours_20261125", ["0004;L0005;4,00;A"])
    assert run(hours).waiting == 1
    assert HeldRecord.objects.get().missing_key == "L0005"
    run(projects)
    services.run_here(sync=hours)
    assert CanonicalRecord.objects.filter(key="0004").exists()
