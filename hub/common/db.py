"""The plain psycopg cursor on Django's connection: COPY, server-side parameters, prepared statements."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection


def join_by_key(cursor: psycopg.Cursor[Any]) -> None:
    """Until the transaction ends, joins look rows up by key, one after the other.

    A page of a thousand rows meets a table whose statistics are from before the load that fills it. The planner then takes
    the table for small and reads all of it for every page, which makes a load quadratic.
    """
    cursor.execute(
        "select set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true),"
        " set_config('enable_material', 'off', true)"
    )


def walk_in_order(cursor: psycopg.Cursor[Any]) -> None:
    """Until the transaction ends, a page in the order of an index is walked on that index, and is not sorted.

    For the same reason as above: of a table that is taken for small, all that is left is read and sorted for every page.
    """
    cursor.execute("select set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true)")


@contextmanager
def plain_cursor() -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """A cursor inside whatever transaction Django is in. Its errors are psycopg's own (psycopg.errors)."""
    connection.ensure_connection()
    with psycopg.Cursor(connection.connection) as cursor:
        yield cursor
