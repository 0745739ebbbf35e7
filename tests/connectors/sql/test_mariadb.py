"""MariaDB as an old system has it: latin1 text, padded keys, enums, times without a zone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pymysql
import pytest

from connectors.sql.connector import SqlConnector
from hub.common.errors import ConfigError, RecordError
from hub.common.records import StreamSpec, WriteItem
from tests.connectors.tools import LOOPBACK
from tests.fakes import mariadb

pytestmark = pytest.mark.skipif(not mariadb.SERVER, reason="needs mariadbd")
VENDORS = StreamSpec("vendor", key=("vend_no",), cursor="chg_ts", page_size=40)


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    with mariadb.running_mariadb(Path(tmp_path_factory.mktemp("m"))) as port:
        yield port


@pytest.fixture
def db(port):
    place = {"host": "127.0.0.1", "port": port, "user": "hub", "password": mariadb.PASSWORD, "database": "legacy"}
    with pymysql.connect(**place, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("drop table if exists vendor, po")
        cursor.execute(
            "create table vendor (vend_no char(8) primary key, vend_nm varchar(60) not null, terms smallint default 30,"
            " active enum('Y','N') default 'Y', amt decimal(13,2), raw_id binary(2), chg_ts datetime default '2026-01-01')"
        )
        yield cursor


def connect(port: int, password: str = mariadb.PASSWORD, **config: Any) -> SqlConnector:
    settings = {"dialect": "mariadb", "host": "127.0.0.1", "port": port, "database": "legacy", "user": "hub"}
    settings |= {"allowed_networks": LOOPBACK, **config}
    return SqlConnector(settings, {"password": password}, SqlConnector.own_declaration())


def vendors(count: int, **more: Any) -> list[WriteItem]:
    bodies = [{"vend_no": f"V{number:04d}", "vend_nm": f"Vendor {number} Sàrl", **more} for number in range(count)]
    return [WriteItem(body["vend_no"], "upsert", body) for body in bodies]


def test_the_test_says_who_and_what(db, port):
    steps = list(connect(port).check())
    assert [step.ok for step in steps] == [True] * 4
    assert "MariaDB" in steps[1].detail
    assert steps[2].detail == "Signed in as hub@127.0.0.1."


def test_a_wrong_password_is_named_in_the_words_of_the_server(port):
    steps = list(connect(port, "wrong").check())
    assert not steps[-1].ok
    assert "Access denied" in steps[-1].detail


def test_values_arrive_exactly_and_unpadded(db, port):
    db.execute("insert into vendor values ('V1', 'Señor Müller', 14, 'N', 12345678901.10, x'ff00', '2026-07-01 10:00')")
    (page,) = connect(port, time_zone="Europe/Madrid").read(VENDORS, cursor=None)
    assert list(page.records) == [
        {
            "vend_no": "V1",
            "vend_nm": "Señor Müller",
            "terms": 14,
            "active": "N",
            "amt": "12345678901.10",
            "raw_id": "ff00",
            "chg_ts": "2026-07-01T08:00:00Z",
        }
    ]


@pytest.mark.parametrize("count", [3, 300], ids=["row by row", "together"])
def test_writing_twice_is_one_row_and_says_which_were_new(db, port, count):
    db.execute("insert into vendor (vend_no, vend_nm) values ('V0001', 'old')")
    connector = connect(port)
    outcomes = connector.write(VENDORS, vendors(count, amt="1.10"))
    assert [outcome.status for outcome in outcomes[:3]] == ["created", "updated", "created"]
    assert {outcome.status for outcome in connector.write(VENDORS, vendors(count))} == {"updated"}
    db.execute("select count(*), sum(amt), min(vend_nm) from vendor")
    found = db.fetchone()
    assert (found[0], str(found[1]), found[2]) == (count, f"{count * 1.1:.2f}", "Vendor 0 Sàrl")


def test_one_refused_row_leaves_the_others_written(db, port):
    items = vendors(60)
    items[7] = WriteItem("V0007", "upsert", {"vend_no": "V0007", "vend_nm": "x" * 99})
    outcomes = connect(port).write(VENDORS, items)
    assert [outcome.status for outcome in outcomes].count("created") == 59
    assert isinstance(outcomes[7].error, RecordError)


def test_pages_end_and_go_on_from_where_they_stopped(db, port):
    connect(port).write(VENDORS, vendors(100))
    pages = list(connect(port).read(VENDORS, cursor=None))
    assert [len(page.records) for page in pages] == [40, 40, 20]
    rest = connect(port).read(VENDORS, cursor=None, resume=pages[0].resume)
    assert sum(len(page.records) for page in rest) == 60


def test_changes_are_read_from_the_cursor_on(db, port):
    connector = connect(port)
    connector.write(VENDORS, vendors(5))
    cursor = list(connector.read(VENDORS, cursor=None))[-1].cursor
    db.execute("update vendor set chg_ts = '2026-02-01 12:00' where vend_no = 'V0003'")
    changed = [record for page in connector.read(VENDORS, cursor="2026-01-15 00:00:00") for record in page.records]
    assert (cursor, [record["vend_no"] for record in changed]) == ("2026-01-01 00:00:00", ["V0003"])


def test_an_unknown_column_stops_before_anything_is_written(db, port):
    with pytest.raises(ConfigError, match="no column 'vend_name'"):
        connect(port).write(VENDORS, [*vendors(1), WriteItem("x", "upsert", {"vend_no": "x", "vend_name": "y"})])
    db.execute("select count(*) from vendor")
    assert db.fetchone()[0] == 0


def test_discovery_tells_keys_and_types(db, port):
    (found,) = connect(port).discover()
    assert (found.name, list(found.key), found.safety) == ("vendor", ["vend_no"], "B")
    assert {field.path: field.type for field in found.fields}["amt"] == "decimal"


def test_one_number_is_asked_for_and_nothing_is_written(db, port):
    db.execute("insert into vendor (vend_no, vend_nm, terms) values ('V1', 'One; %', 30), ('V2', 'Two', 14)")
    with connect(port) as connector:
        asked = "select sum(terms) from vendor where vend_nm like '%;%' or terms < :most"
        assert connector.ask(asked, parameters={"most": 20}, seconds=10) == 44
        for wrong in ("delete from vendor", "select terms from vendor", "select 1; delete from vendor"):
            with pytest.raises(ConfigError):
                connector.ask(wrong, parameters={}, seconds=10)
    db.execute("select count(*) from vendor")
    assert db.fetchone() == (2,)
