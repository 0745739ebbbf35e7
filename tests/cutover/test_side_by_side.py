"""The legacy ERP by SQL and Business Central side by side: a real PostgreSQL table and the vendor's simulator."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from connectors.models import Connection, Stream, System
from hub.cutover import services as acts
from hub.cutover.models import ShadowDiff
from hub.sync.models import Sync
from tests.connectors.odata import conftest as vendors
from tests.connectors.sql.conftest import SCHEMA, address
from tests.cutover.conftest import MONDAY, World
from tests.sync import builders as build

pytestmark = pytest.mark.django_db(transaction=True)
LOOPBACK = ["127.0.0.0/8", "::1/128"]
SQL_RULES = [
    {"target": "job_no", "source": "code"},
    {"target": "job_desc", "source": "name", "convert": [{"fn": "truncate", "args": {"length": 30}}]},
    {"target": "company", "source": "company"},
]
BC_RULES = [{"target": "number", "source": "code"}, {"target": "displayName", "source": "name"}]


# Fixtures of the simulated Business Central.
servers, services, bc = vendors.servers, vendors.services, vendors.bc


@pytest.fixture
def legacy_db() -> Iterator[psycopg.Connection[Any]]:
    """The tables of the legacy ERP, in a schema of their own beside the hub's."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as found:
        found.execute(f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}; set search_path to {SCHEMA}")
        yield found
        found.execute(f"drop schema {SCHEMA} cascade")


@pytest.fixture
def firm(world: World, legacy_db: Any, bc: Any) -> World:
    legacy_db.execute(
        "create table hub_in_job (job_no varchar(20) primary key, job_desc varchar(30), company varchar(8))"
    )
    secret = urlsplit(os.environ["DATABASE_URL"]).password or ""
    sql = Connection.objects.create(
        slug="legacy", name="Legacy ERP", system=System.objects.create(slug="legacy", name="Legacy ERP"),
        protocol="sql", config={**address(), "schemas": SCHEMA}, secrets={"password": secret}, allowed_networks=LOOPBACK,
    )  # fmt: skip
    given = bc.simulator.credentials()
    places = dict.fromkeys(("api_url", "login_url"), bc.server.url)
    central = Connection.objects.create(
        slug="central", name="Business Central", system=System.objects.create(slug="central", name="Business Central"),
        catalogue="business_central", protocol="odata", config={**given, **places}, secrets=given,
        allowed_networks=LOOPBACK,
    )  # fmt: skip
    jobs = Stream.objects.create(connection=sql, slug="legacy-jobs", name=f"{SCHEMA}.hub_in_job", key_fields=["job_no"])
    projects = Stream.objects.create(connection=central, slug="central-projects", name="projects", key_fields=["id"])
    Sync.objects.filter(pk__in=(world.legacy.pk, world.new.pk)).delete()
    world.legacy = build.sync("job-to-sql", "out", jobs, world.entity, SQL_RULES)
    world.new = build.sync("project-to-central", "out", projects, world.entity, BC_RULES)
    return world


def test_projects_leave_the_legacy_tables_and_come_to_business_central(
    firm: World,
    legacy_db: Any,
    bc: Any,
    ada: Any,
) -> None:
    def jobs() -> list[Any]:
        return legacy_db.execute("select job_no, job_desc from hub_in_job order by job_no").fetchall()

    def central() -> dict[str, str]:
        return {row["number"]: row["displayName"] for row in bc.rows("projects") if row["number"].startswith("P-0")}

    firm.make(legacy="job-to-sql", new="project-to-central", carry="all", days_needed=1)
    cutover: Any = firm.cutover
    acts.advance(cutover, "UK", reason="See whether they agree.", by=ada)
    firm.change(1)
    firm.change(2, title="A project with a name that is rather long")
    firm.deliver()
    assert [row[0] for row in jobs()] == ["P-0001", "P-0002"]
    assert firm.compare(MONDAY) == 2
    assert central() == {}
    diff = ShadowDiff.objects.get()
    assert (diff.key, diff.field, diff.pattern) == ("P-0002", "name", "cut short")
    acts.explain(cutover, cause=("UK", "name", "cut short"), reason="The old table holds 30 letters.", by=ada)
    acts.advance(cutover, "UK", reason="Both from now on.", by=ada)
    firm.deliver()
    assert central() == {"P-0001": "Project 1", "P-0002": "A project with a name that is rather long"}
    firm.change(3)
    firm.deliver()
    assert firm.compare(MONDAY + timedelta(days=1)) >= 1
    acts.advance(cutover, "UK", reason="Business Central leads.", by=ada)
    firm.change(3, title="Renamed")
    firm.change(4)
    firm.deliver()
    assert (central()["P-0003"], central()["P-0004"]) == ("Renamed", "Project 4")
    assert jobs()[2:] == [("P-0003", "Project 3")]
    acts.roll_back(cutover, "UK", "legacy", reason="The bank file is wrong.", by=ada)
    firm.deliver()
    assert jobs()[2:] == [("P-0003", "Renamed"), ("P-0004", "Project 4")]
