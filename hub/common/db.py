"""The plain psycopg cursor on Django's connection: COPY, server-side parameters, prepared statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection


@contextmanager
def plain_cursor() -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """A cursor inside whatever transaction Django is in. Its errors are psycopg's own (psycopg.errors)."""
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        yield cursor
