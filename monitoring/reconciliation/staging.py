"""Both sides in temporary tables, and one join that leaves what does not agree.

PostgreSQL holds the records, not this process: a page is copied and forgotten, and hashing spills to disk beyond work_mem.
The tables are the session's own; a worker that falls leaves nothing behind, and the next one begins again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from psycopg import sql

from hub.common.db import plain_cursor
from hub.common.times import shift_period
from monitoring.models.reconciliation import NO_PERIOD
from monitoring.reconciliation.definition import Compared, Definition
from monitoring.reconciliation.encoding import NULL, SQL_TYPES

CHUNK = 5_000
CHUNK_SECONDS = 20.0
WORK_MEM = "96MB"
TABLES = ("recon_left", "recon_right", "recon_pair", "recon_gap")


def create(definition: Definition) -> None:
    columns = ", ".join(f"c{at} {SQL_TYPES[kind]}" for at, (_, kind) in enumerate(definition.columns))
    with plain_cursor() as cursor:
        drop()
        for table in TABLES[:2]:
            cursor.execute(
                f'create temp table {table} (n bigint, key text collate "C", id text, at text, period text,'
                f" legal_entity text, currency text, client text, project text, amount numeric,"
                f" {columns}{', ' if columns else ''}bad text[],"
                " dup boolean not null default false, fringe boolean not null default false)"
            )  # fmt: skip


def drop() -> None:
    with plain_cursor() as cursor:
        cursor.execute("set client_min_messages = warning")
        cursor.execute(f"drop table if exists {', '.join(TABLES)}")
        cursor.execute("reset client_min_messages")


def fill(table: str, definition: Definition, lines: Sequence[str]) -> int:
    """Copy lines of an Encoder; returns how many."""
    names = ["n", "key", "id", "at", "period", "legal_entity", "currency", "client", "project", "amount"]
    names += [*(f"c{at}" for at in range(len(definition.columns))), "bad"]
    with plain_cursor() as cursor, cursor.copy(f"copy {table} ({', '.join(names)}) from stdin (null '{NULL}')") as copy:
        copy.write("".join(lines))
    return len(lines)


def chunks(lines: Iterable[str], size: int = CHUNK, seconds: float = CHUNK_SECONDS) -> Iterator[list[str]]:
    """Full ones; of a slow side what has come so far, so that the lease is kept while it is read."""
    found: list[str] = []
    until = time.monotonic() + seconds
    for line in lines:
        found.append(line)
        if len(found) >= size or time.monotonic() > until:
            yield found
            found, until = [], time.monotonic() + seconds
    if found:
        yield found


# Comparing -------------------------------------------------------------------------------------------------
def prepare(cursor: Any) -> None:
    """First statements of the transaction that compares: room to hash in, and statistics of what was copied."""
    cursor.execute("select set_config('work_mem', %s, true)", [WORK_MEM])
    cursor.execute("analyze recon_left")
    cursor.execute("analyze recon_right")


def cut(cursor: Any, first: str) -> None:
    """Leave out periods before `first`; a record stays whose other half is in the window."""
    before = shift_period(first, -1)
    for table in TABLES[:2]:
        cursor.execute(f"delete from {table} where period < %s and period <> %s", [before, NO_PERIOD])
        cursor.execute(f"update {table} set fringe = true where period < %s and period <> %s", [first, NO_PERIOD])
    for table, other in (TABLES[:2], TABLES[1::-1]):
        cursor.execute(
            f"update {table} t set fringe = false from {other} o where t.fringe and not o.fringe and o.key = t.key"
        )
    for table in TABLES[:2]:
        cursor.execute(f"delete from {table} where fringe")


def mark_duplicates(cursor: Any) -> None:
    """Of records with one key at one side, the first stands for it that agrees in amount with the other side."""
    for table, other in (TABLES[:2], TABLES[1::-1]):
        cursor.execute(
            f"with twice as materialized (select key from {table} group by key having count(*) > 1),"
            f" there as (select o.key, array_agg(distinct o.amount) amounts from {other} o join twice using (key)"
            "   group by o.key),"
            f" ranked as (select t.n, row_number() over (partition by t.key order by"
            "   coalesce(t.amount = any(there.amounts), false) desc, t.n) place"
            f"   from {table} t join twice using (key) left join there using (key))"
            f" update {table} t set dup = true from ranked where ranked.n = t.n and ranked.place > 1"
        )


def compare(cursor: Any, definition: Definition) -> None:
    """Fill recon_pair: (ln, rn, fields) of what is at one side only, and of pairs that differ in a field."""
    at = {name: f"c{place}" for place, name in enumerate(definition.names)}
    tests = [(item.field, _differs(item, at[item.field])) for item in definition.compare]
    tests += [
        (item.field, sql.SQL("coalesce({} = any(l.bad || r.bad), false)").format(sql.Literal(item.field)))
        for item in definition.compare
    ]
    any_of = sql.SQL(" or ").join([test for _, test in tests]) if tests else sql.SQL("false")
    named = sql.SQL(", ").join(
        [sql.SQL("case when {} then {} end").format(test, sql.Literal(name)) for name, test in tests]
    )
    fields = (
        sql.SQL("(select coalesce(array_agg(distinct f), '{{}}') from unnest(array[{}]::text[]) f where f is not null)")
        if tests
        else sql.SQL("'{{}}'::text[]{}")
    ).format(named)
    query = sql.SQL(
        "create temp table recon_pair as select l.n ln, r.n rn,"
        " case when l.n is null or r.n is null then '{{}}'::text[] else {fields} end fields"
        " from (select * from recon_left where not dup) l full join (select * from recon_right where not dup) r"
        " on l.key = r.key where l.n is null or r.n is null or {any_of}"
    )
    cursor.execute(query.format(fields=fields, any_of=any_of))
    cursor.execute("analyze recon_pair")


def _differs(item: Compared, column: str) -> sql.Composable:
    left, right = sql.SQL(f"l.{column}"), sql.SQL(f"r.{column}")
    if item.type == "decimal" and (item.absolute or item.percent):
        limit = sql.SQL("greatest({}, {} / 100.0 * greatest(abs({}), abs({})))").format(
            sql.Literal(item.absolute), sql.Literal(item.percent), left, right
        )
        return _apart(left, right, sql.SQL("abs({} - {}) > {}").format(left, right, limit))
    if item.type == "date" and item.days:
        return _apart(left, right, sql.SQL("abs({} - {}) > {}").format(left, right, sql.Literal(item.days)))
    if item.type == "instant" and (item.days or item.seconds):
        most = sql.Literal(item.days * 86_400 + item.seconds)
        return _apart(left, right, sql.SQL("abs(extract(epoch from {} - {})) > {}").format(left, right, most))
    return sql.SQL("{} is distinct from {}").format(_folded(item, left), _folded(item, right))


def _apart(left: sql.Composable, right: sql.Composable, test: sql.Composable) -> sql.Composable:
    """One side without a value differs; two without do not."""
    return sql.SQL("(({0} is null) <> ({1} is null) or coalesce({2}, false))").format(left, right, test)


def _folded(item: Compared, value: sql.Composable) -> sql.Composable:
    if item.ignore_space:
        value = sql.SQL("nullif(regexp_replace({}, '\\s+', '', 'g'), '')").format(value)
    return sql.SQL("lower({})").format(value) if item.ignore_case else value


def gather(cursor: Any, definition: Definition) -> None:
    """Fill recon_gap: everything of each gap that is shown, labelled and kept."""
    left, right = _values(definition, "l"), _values(definition, "r")
    cursor.execute(
        sql.SQL(_GATHER).format(
            both=sql.SQL(", ".join(f"coalesce(nullif(l.{n}, ''), r.{n}, '') {n}" for n in ROLES)),
            left=left,
            right=right,
        )
    )
    for side, values in (("left", left), ("right", right)):
        cursor.execute(sql.SQL(_TWICE[side]).format(roles=sql.SQL(", ".join(ROLES)), values=values))
    cursor.execute("alter table recon_gap add content text, add record_id bigint")
    cursor.execute(
        "update recon_gap set content = md5(concat_ws(E'\\x1f', kind, l::text, r::text, left_amount::text,"
        " right_amount::text))"
    )
    cursor.execute("create index on recon_gap (key)")
    cursor.execute("analyze recon_gap")


_GATHER = """
create temp table recon_gap as
select case when p.rn is null then 'only_left' when p.ln is null then 'only_right' else 'differing' end kind,
  coalesce(l.key, r.key) key, 'k:' || coalesce(l.key, r.key) identity, l.id left_id, r.id right_id, l.at left_at, r.at right_at,
  {both}, round(l.amount, 4) left_amount, round(r.amount, 4) right_amount,
  case when l.n is null then null else {left} end l, case when r.n is null then null else {right} end r,
  p.fields, coalesce(l.period <> r.period, false) other_period,
  'unexplained'::text label, ''::text note, '{{}}'::jsonb evidence
from recon_pair p left join recon_left l on l.n = p.ln left join recon_right r on r.n = p.rn
"""
# A record that is there more than once is named by its id, and by its place among those of that id.
_TWICE = {
    "left": """
insert into recon_gap
select 'duplicate_left', key, concat('l:', key, ' ', id, ' ', row_number() over (partition by key, id order by n)),
  id, null, at, null, {roles}, round(amount, 4), null, {values}, null, '{{}}'::text[], false, 'unexplained', '', '{{}}'
from recon_left l where dup
""",
    "right": """
insert into recon_gap
select 'duplicate_right', key, concat('r:', key, ' ', id, ' ', row_number() over (partition by key, id order by n)),
  null, id, null, at, {roles}, null, round(amount, 4), null, {values}, '{{}}'::text[], false, 'unexplained', '', '{{}}'
from recon_right r where dup
""",
}
ROLES = ("period", "legal_entity", "currency", "client", "project")


def _values(definition: Definition, side: str) -> sql.Composable:
    """The columns as one JSON object of texts, numbers without the zeros behind them."""
    if not definition.columns:
        return sql.SQL("'{{}}'::jsonb").format()
    pairs = []
    for at, (name, kind) in enumerate(definition.columns):
        value = f"{side}.c{at}"
        shown = {
            "decimal": f"trim_scale({value})::text",
            "instant": f"to_char({value} at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')",
        }
        text = shown.get(kind, f"{value}::text")
        if name in definition.masked:
            text = f"'masked ' || left(md5({text}), 8)"
        pairs.append(sql.SQL("{}, {}").format(sql.Literal(name), sql.SQL(text)))
    halves = [pairs[at : at + 40] for at in range(0, len(pairs), 40)]
    built = [sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(half)) for half in halves]
    return sql.SQL("jsonb_strip_nulls({})").format(sql.SQL(" || ").join(built))


# Counting --------------------------------------------------------------------------------------------------
def counts(cursor: Any) -> dict[str, int]:
    """Records by what became of them: each side adds up."""
    row = cursor.execute(
        "select (select count(*) from recon_left), (select count(*) from recon_left where dup),"
        " (select count(*) from recon_right), (select count(*) from recon_right where dup),"
        " count(*) filter (where rn is null), count(*) filter (where ln is null),"
        " count(*) filter (where ln is not null and rn is not null) from recon_pair"
    ).fetchone()
    left, twice_left, right, twice_right, only_left, only_right, differing = row
    return {
        "left": left,
        "right": right,
        "matched": left - twice_left - only_left - differing,
        "only_left": only_left,
        "only_right": only_right,
        "differing": differing,
        "duplicates_left": twice_left,
        "duplicates_right": twice_right,
    }


def totals(cursor: Any, definition: Definition, run_id: int) -> None:
    """Control totals of both sides, every record counted, those that agree by the left one's group."""
    at = {name: f"c{place}" for place, name in enumerate(definition.names)}
    sums = [(name, at[name]) for name in definition.sums]
    added = "".join(f", coalesce(sum({column}), 0) {column}" for _, column in sums)
    both = sql.SQL(", ").join(
        [
            sql.SQL(
                f"{{}}, jsonb_build_array(trim_scale(coalesce(l.{c}, 0))::text, trim_scale(coalesce(r.{c}, 0))::text)"
            ).format(sql.Literal(name))
            for name, c in sums
        ]
    )
    cursor.execute(
        sql.SQL(
            "insert into monitoring_reconciliationtotal (run_id, currency, legal_entity, period, left_count, right_count,"
            " matched, left_amount, right_amount, sums)"
            " select {run}, currency, legal_entity, period, coalesce(l.number, 0), coalesce(r.number, 0),"
            " coalesce(l.single, 0) - coalesce(p.number, 0), round(coalesce(l.amount, 0), 4), round(coalesce(r.amount, 0), 4),"
            " {sums} from"
            f" (select currency, legal_entity, period, count(*) number, count(*) filter (where not dup) single,"
            f" sum(amount) amount{added} from recon_left group by 1, 2, 3) l"
            f" full join (select currency, legal_entity, period, count(*) number, sum(amount) amount{added}"
            " from recon_right group by 1, 2, 3) r using (currency, legal_entity, period)"
            " left join (select currency, legal_entity, period, count(*) number from recon_pair p"
            " join recon_left l on l.n = p.ln group by 1, 2, 3) p using (currency, legal_entity, period)"
        ).format(
            run=sql.Literal(run_id),
            sums=sql.SQL("jsonb_build_object({})").format(both) if sums else sql.SQL("'{{}}'::jsonb").format(),
        )
    )
