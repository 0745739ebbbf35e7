"""Empties the database after a test that commits: only what the test has filled, which is a fraction of 190 tables.

Truncating all of them made new files for a thousand relations, 0.4 s for each such test. Deleting needs a superuser, who
alone may pass by the triggers that refuse to lose history; on a server of somebody else everything is truncated.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

TABLES = (
    "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
    " and not relispartition and relname <> 'django_migrations' order by relname"
)
RESTART = (
    "select setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)"
    " from pg_sequences where schemaname = 'public' and last_value is not null"
)


def truncate_all(cursor: Any) -> str:
    cursor.execute(TABLES)
    names = ", ".join(f'"{name}"' for (name,) in cursor.fetchall())
    return f"truncate {names} restart identity cascade"


def empty(db: psycopg.Connection) -> None:
    """As a superuser; it waits, as TRUNCATE does, for whoever still works on the tables.

    The session ends with it: the horizon of expectations holds back before sessions that it may not look into.
    """
    with db, db.transaction():
        db.execute("set local session_replication_role = replica")
        filled = _filled(db)
        if filled:
            names = sql.SQL(", ").join(map(sql.Identifier, filled))
            db.execute(sql.SQL("lock table {} in access exclusive mode").format(names))
        for name in filled:
            db.execute(sql.SQL("delete from {}").format(sql.Identifier(name)))
        db.execute(RESTART)


def _filled(db: psycopg.Connection) -> list[str]:
    names = [name for (name,) in db.execute(TABLES).fetchall()]
    one = sql.SQL("(select {} from {} limit 1)")
    probes = [one.format(sql.Literal(name), sql.Identifier(name)) for name in names]
    return [name for (name,) in db.execute(sql.SQL(" union all ").join(probes)).fetchall()]
