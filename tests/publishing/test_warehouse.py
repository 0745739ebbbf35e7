"""The warehouse's tables are made from the contracts, filled by key, and tell what was deleted; Power BI only appends."""

from __future__ import annotations

import io
import os
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import CommandError, call_command

from connectors.registry import catalogue, open_connector
from governance.services import load_canonical_model
from hub.common.records import StreamSpec, WriteItem
from tests.connectors.sql.conftest import SCHEMA, address, db  # noqa: F401 - a fixture
from tests.connectors.tools import LOOPBACK
from tests.fakes.http import Answer, serve

pytestmark = pytest.mark.django_db
PROJECT = StreamSpec("project", key=("code",))


def tables(*names: str, **options: Any) -> str:
    out = io.StringIO()
    call_command("warehouse_tables", *names, stdout=out, **options)
    return out.getvalue()


@pytest.fixture
def warehouse(db: Any, domains: Any) -> Any:  # noqa: F811
    load_canonical_model()
    db.execute(tables())
    place = address()
    role = place["user"]
    db.execute(f'alter role "{role}" set search_path to {SCHEMA}, public')
    secret = urlsplit(os.environ["DATABASE_URL"]).password or "-"
    connector = open_connector(
        declaration=catalogue()["warehouse"],
        config={**place, "allowed_networks": LOOPBACK},
        secrets={"password": secret},
    )
    yield connector
    connector.close()
    db.execute(f'alter role "{role}" reset search_path')


def item(key: str, operation: Any = "upsert", **body: Any) -> WriteItem:
    return WriteItem(key, operation, {"code": key, **body})


def test_records_are_published_by_key_and_deletions_are_marked(warehouse, db):  # noqa: F811
    full = {"name": "Bridge", "budget_hours": "400.25", "start_date": "2026-11-01", "open_for_time": True}
    first = warehouse.write(PROJECT, [item("P-1", **full), item("P-2", name="Tunnel")])
    assert [each.status for each in first] == ["created", "created"]
    written = db.execute("select as_of from project where code = 'P-1'").fetchone()[0]
    again = warehouse.write(PROJECT, [item("P-1", **{**full, "name": "Bridge North"}), item("P-2", "deactivate")])
    assert [each.status for each in again] == ["updated", "updated"]
    rows = db.execute("select code, name, budget_hours::text, start_date::text, is_deleted from project order by 1")
    assert rows.fetchall() == [
        ("P-1", "Bridge North", "400.250000000", "2026-11-01", False),
        ("P-2", "Tunnel", None, None, True),
    ]
    assert db.execute("select as_of from project where code = 'P-1'").fetchone()[0] > written


def test_every_declared_column_stands_in_the_tables(warehouse, db):  # noqa: F811
    query = "select table_name, column_name from information_schema.columns where table_schema = %s"
    found: dict[str, set[str]] = {}
    for table, column in db.execute(query, [SCHEMA]):
        found.setdefault(table, set()).add(column)
    declared = catalogue()["warehouse"].streams
    assert {name: set(stream["fields"]) for name, stream in declared.items()} == found


def test_tables_of_an_unknown_entity_are_refused(domains):
    load_canonical_model()
    with pytest.raises(CommandError, match="no entity 'nonsense'"):
        tables("nonsense")
    assert "`budget_hours` decimal(38,9)" in tables("project", dialect="mariadb")


def test_power_bi_gets_each_version_as_one_more_row_and_a_lost_answer_waits_for_a_person():
    rows: list[Any] = []

    def answer(request: Any) -> Answer:
        if request.path.endswith("/token"):
            return Answer({"access_token": "t", "expires_in": 3600})
        rows.append((request.path, request.json))
        return Answer(b"", status=200) if len(rows) < 3 else Answer(b"", status=504)

    with serve(answer) as server:
        url = server.url
        config = {"tenant": "t", "client_id": "c", "group": "g", "dataset": "d", "api": url, "login": url}
        connector = open_connector(
            declaration=catalogue()["power_bi"],
            config={**config, "allowed_networks": LOOPBACK, "limits": {"per_minute": 6000}},
            secrets={"client_secret": "s"},
        )
        assert connector.safety(PROJECT) == "D"
        outcomes = [connector.write(PROJECT, [item("P-1", name=name)])[0] for name in ("A", "B", "C")]
    assert [each.status for each in outcomes] == ["updated", "updated", "unsure"]
    assert rows[0] == ("/v1.0/myorg/groups/g/datasets/d/tables/project/rows", {"rows": [{"code": "P-1", "name": "A"}]})
