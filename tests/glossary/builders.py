"""Time entries in the hub, terms about them, and systems that count them their own way."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import parse_qs, urlsplit

from connectors.models import Connection, Stream, System
from governance.models import Entity, Term
from hub.accounts.models import Domain
from hub.common import governed
from hub.records.models import CanonicalRecord
from tests import memory
from tests.records.builders import example, put
from tests.records.builders import stream as source_stream

APPROVED = 'sum(hours) of time_entry where status = "approved"'


def entries(*rows: dict[str, Any]) -> list[CanonicalRecord]:
    """Time entries in the hub; each row says only what matters."""
    first = CanonicalRecord.objects.count()
    bodies = [example("time_entry", number=f"T-{first + n}", **row) for n, row in enumerate(rows)]
    return put(Entity.objects.get(slug="time_entry"), bodies, source_stream("psa", "timesheets"))


def document(slug: str = "approved-time", **fields: Any) -> dict[str, Any]:
    usual = {
        "kind": "Term",
        "slug": slug,
        "name": slug.replace("-", " ").capitalize(),
        "domain": "time-expense",
        "definition": "Hours that the last approver has approved.",
        "owner": "PMO",
        "unit": "hours",
        "expression": APPROVED,
    }
    return usual | fields


def term(slug: str = "approved-time", **fields: Any) -> Term:
    governed.put([document(slug, **fields)], by=None)
    return Term.objects.select_related("domain").get(slug=slug)


def memory_connection(slug: str, records: list[dict[str, Any]]) -> Connection:
    """A system in this process that shows `records` as its timesheets."""
    memory.SYSTEMS[slug] = memory.MemorySystem()
    memory.system(slug).sources["timesheets"] = records
    made = _connection(slug, protocol=memory.PROTOCOL, config={"name": slug})
    Stream.objects.create(connection=made, slug=f"{slug}-timesheets", name="timesheets", key_fields=["id"])
    return made


def sql_connection(slug: str = "erp", **config: Any) -> Connection:
    """The test's own server as a database of another system."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    settings = {
        "dialect": "postgresql",
        "host": host,
        "database": "books",
        "user": parts.username or "",
        "time_zone": "UTC",
        **({"port": parts.port} if parts.port else {}),
        **config,
    }
    return _connection(
        slug, protocol="sql", config=settings, allowed_networks=["127.0.0.0/8", "::1/128"],
        secrets={"password": parts.password or "none"},
    )  # fmt: skip


def _connection(slug: str, **fields: Any) -> Connection:
    system, _ = System.objects.get_or_create(slug=slug, defaults={"name": slug.upper()})
    return Connection.objects.create(slug=slug, name=f"{slug} main", system=system, **fields)


def stream_probe(slug: str, expression: str = "sum(hours) where state = 'OK'") -> dict[str, str]:
    return {"connection": slug, "stream": f"{slug}-timesheets", "expression": expression}


def domain(slug: str = "time-expense") -> Domain:
    return Domain.objects.get(slug=slug)
