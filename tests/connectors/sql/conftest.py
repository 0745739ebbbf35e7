from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from connectors.sql.connector import SqlConnector

SCHEMA = "legacy"


def address() -> dict[str, Any]:
    """The test server as the connector's own config fields would name it."""
    parts = urlsplit(os.environ["DATABASE_URL"])
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    port = {"port": parts.port} if parts.port else {}
    return {"host": host, "database": parts.path.lstrip("/"), "user": parts.username or "", **port}


@pytest.fixture
def db() -> Iterator[psycopg.Connection[Any]]:
    """A database of its own kind beside the hub's tables: the schema `legacy`, empty."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as found:
        found.execute(f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}; set search_path to {SCHEMA}")
        yield found
        found.execute(f"drop schema {SCHEMA} cascade")


@pytest.fixture
def open_sql() -> Iterator[Callable[..., SqlConnector]]:
    opened: list[SqlConnector] = []

    def build(**config: Any) -> SqlConnector:
        password = urlsplit(os.environ["DATABASE_URL"]).password or ""
        settings = {**address(), "schemas": SCHEMA, "allowed_networks": ["127.0.0.0/8", "::1/128"], **config}
        connector = SqlConnector(settings, {"password": password}, SqlConnector.own_declaration())
        opened.append(connector)
        return connector

    yield build
    for connector in opened:
        connector.close()
