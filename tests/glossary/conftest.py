from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest


@pytest.fixture(autouse=True)
def no_profile_outlives_its_database() -> Iterator[None]:
    yield
    from hub.records.store import forget_profiles

    forget_profiles()


@pytest.fixture
def model(domains: Any) -> None:
    """Two of the shipped entities with their contracts; all of them would take two seconds for each test."""
    from governance.canonical_model import shipped_documents
    from hub.common.registry import kind

    for entity, contract in shipped_documents():
        if entity["slug"] in ("project", "time_entry", "resource"):
            kind("Entity").apply(entity, by=None)
            kind("Contract").apply(contract, by=None)


@pytest.fixture
def books() -> Iterator[psycopg.Connection[Any]]:
    """A second database on the test's server, `books`, with a table of time that an ERP has posted."""
    url = os.environ["DATABASE_URL"]
    parts = urlsplit(url)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute("drop database if exists books with (force)")
        server.execute("create database books")
        with psycopg.connect(urlunsplit(parts._replace(path="/books")), autocommit=True) as found:
            found.execute("create table posted (number text, hours numeric(9, 2), state text, day date)")
            yield found
        server.execute("drop database books with (force)")
