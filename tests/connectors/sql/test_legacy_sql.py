"""The legacy ERP by SQL as its declaration ships, against a real PostgreSQL with padded keys and days as numbers."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

import pytest

from connectors.registry import catalogue, open_connector
from governance.canonical_model import shipped_documents
from hub.common.records import StreamSpec, WriteItem
from mappings.expressions import compile_expression
from tests.connectors.sql.conftest import SCHEMA, address
from tests.connectors.tools import LOOPBACK

TABLES = """
create table armaster (cust_no char(8) primary key, cust_nm char(40) not null, cr_lim numeric(15,2), curr_cd char(3),
  status char(1) default 'A', upd_ts timestamp not null);
create table jcjob (job_no char(10) primary key, cust_no char(8), job_desc varchar(60), open_dt integer, close_dt integer,
  bud_hrs numeric(9,2), upd_ts timestamp not null);
create table jctrans (trans_no bigserial primary key, job_no char(10), emp_no char(6), work_dt integer, hrs numeric(7,2),
  bill_rt numeric(9,2), posted char(1) default 'N', upd_ts timestamp not null);
create table hub_in_gl (row_key varchar(60) primary key, batch_id varchar(20), journal varchar(20), line_no integer,
  post_dt date, account varchar(10), amount numeric(15,2), curr_cd char(3), job_no char(10), descr varchar(60),
  status char(1) not null default 'N', error_text varchar(200), upd_ts timestamp not null default now());
"""


@pytest.fixture
def erp(db: Any) -> Any:
    db.execute(TABLES)
    place = address()
    db.execute(f'alter role "{place["user"]}" set search_path to {SCHEMA}, public')
    secret = urlsplit(os.environ["DATABASE_URL"]).password or "-"
    connector = open_connector(
        declaration=catalogue()["legacy_erp_sql"],
        config={**place, "allowed_networks": LOOPBACK},
        secrets={"password": secret},
    )
    yield connector
    connector.close()
    db.execute(f'alter role "{place["user"]}" reset search_path')


def read(connector: Any, name: str, cursor: str | None = None) -> tuple[list[Any], str | None]:
    pages = list(connector.read(StreamSpec(name), cursor=cursor))
    return [record for page in pages for record in page.records], pages[-1].cursor


def test_masters_are_read_and_then_what_changed(erp, db):
    db.execute(
        "insert into armaster select 'C' || g, 'CLIENT ' || g, 1000, 'EUR', 'A', '2026-11-01' from generate_series(1, 5) g"
    )
    found, cursor = read(erp, "customers")
    assert (len(found), found[0]["cust_no"], found[0]["cr_lim"]) == (5, "C1", "1000.00")
    db.execute("update armaster set cust_nm = 'RENAMED', upd_ts = '2026-11-02' where cust_no = 'C3'")
    assert [each["cust_nm"] for each in read(erp, "customers", cursor)[0] if each["cust_no"] == "C3"] == ["RENAMED"]


def test_postings_go_to_the_interface_table_and_their_results_come_back(erp, db):
    stream = StreamSpec("postings_in", key=("row_key",))
    body = {
        "row_key": "J-1|1",
        "journal": "J-1",
        "line_no": 1,
        "post_dt": "2026-11-30",
        "account": "4000",
        "amount": "12.50",
    }
    for status in ("created", "updated"):
        assert [each.status for each in erp.write(stream, [WriteItem("J-1|1", "upsert", body)])] == [status]
    assert db.execute("select status, amount::text from hub_in_gl").fetchall() == [("N", "12.50")]
    assert read(erp, "postings_imported")[0] == []
    db.execute("update hub_in_gl set status = 'E', error_text = 'unknown account', upd_ts = now()")
    assert [(each["status"], each["error_text"]) for each in read(erp, "postings_imported")[0]] == [
        ("E", "unknown account")
    ]


CANONICAL = [
    (declaration.name, name, stream["canonical"])
    for declaration in catalogue().values()
    if declaration.name in ("legacy_erp_sql", "legacy_erp_files", "warehouse")
    for name, stream in declaration.streams.items()
    if "canonical" in stream
]


@pytest.mark.parametrize(
    ("system", "stream", "canonical"), CANONICAL, ids=lambda value: value if isinstance(value, str) else ""
)
def test_default_mappings_name_fields_of_the_model_and_can_be_compiled(system, stream, canonical):
    schemas = {entity["slug"]: contract["schema"] for entity, contract in shipped_documents()}
    properties = schemas[canonical["entity"]]["properties"]
    assert set(canonical["fields"]) <= set(properties)
    for expression in canonical["fields"].values():
        compile_expression(expression)


def test_a_day_as_a_number_becomes_a_date():
    expression = catalogue()["legacy_erp_sql"].streams["jobs"]["canonical"]["fields"]["end_date"]
    found = compile_expression(expression)
    assert [found.evaluate(row) for row in ({"close_dt": 20261031}, {"close_dt": 0})] == ["2026-10-31", None]
