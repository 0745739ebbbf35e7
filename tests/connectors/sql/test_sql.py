"""SQL against a real PostgreSQL: legacy tables as they are, and writes that can be repeated."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.errors import InsufficientPrivilege

from connectors.sql.failures import as_hub_error
from hub.common.errors import ConfigError, RecordError
from hub.common.records import StreamSpec, WriteItem

STREAM = StreamSpec("legacy.projects", key=("code",), cursor="changed")


@pytest.fixture
def projects(db):
    db.execute(
        "create table projects (code char(8) primary key, name varchar(60) not null, budget numeric(12,2),"
        " opened integer, is_open boolean, changed timestamp(6), started date, note text)"
    )
    return db


def items(*bodies, operation="upsert"):
    return [WriteItem(body["code"], operation, body) for body in bodies]


def fill(db, count):
    db.execute(
        "insert into projects (code, name, budget, opened, changed) select 'P' || lpad(g::text, 5, '0'), 'Project ' || g,"
        " g * 1.10, 20260101 + g, timestamp '2026-01-01' + g * interval '1 minute' from generate_series(1, %s) g",
        [count],
    )


def read(connector, stream=STREAM, **how):
    pages = list(connector.read(stream, cursor=how.pop("cursor", None), **how))
    return [record for page in pages for record in page.records], pages


def test_the_test_of_a_connection_says_who_and_what(projects, open_sql):
    steps = list(open_sql().check())
    assert [step.name for step in steps] == ["resolve", "connect", "authenticate", "read"]
    assert all(step.ok for step in steps)
    assert "syncline_owner" in steps[2].detail or "Signed in as" in steps[2].detail


def test_a_private_address_is_refused_unless_allowed(projects, open_sql):
    (step,) = open_sql(host="127.0.0.1", port=5432, allowed_networks=[]).check()
    assert not step.ok
    assert "127.0.0.1" in step.detail


def test_an_unreachable_server_is_named(open_sql):
    steps = list(open_sql(host="127.0.0.1", port=1).check())
    assert not steps[-1].ok
    assert "cannot be reached" in steps[-1].detail


def test_tables_are_discovered_with_keys_types_and_the_column_that_tells_of_changes(projects, open_sql):
    projects.execute("alter table projects rename column changed to updated_at")
    (found,) = open_sql().discover()
    assert (found.name, list(found.key), found.cursor, found.safety) == ("legacy.projects", ["code"], "updated_at", "B")
    kinds = {field.path: field.type for field in found.fields}
    assert kinds["budget"] == "decimal"
    assert kinds["started"] == "date"
    assert kinds["opened"] == "integer"


def test_values_arrive_exactly(projects, open_sql):
    projects.execute(
        "insert into projects values ('007', 'Ünïcode 🚀', 1234567890.10, 20260102, true,"
        " '2026-07-01 10:00:00.123456', '2026-07-01', E'a\\tb')"
    )
    (record,), _ = read(open_sql(time_zone="Europe/Berlin"))
    assert record == {
        "code": "007",
        "name": "Ünïcode 🚀",
        "budget": "1234567890.10",
        "opened": 20260102,
        "is_open": True,
        "changed": "2026-07-01T08:00:00.123456Z",
        "started": "2026-07-01",
        "note": "a\tb",
    }


def test_pages_end_and_hold_each_row_once(projects, open_sql):
    fill(projects, 25)
    records, pages = read(open_sql(), StreamSpec("legacy.projects", key=("code",), cursor="changed", page_size=10))
    assert len(pages) == 3
    assert len({record["code"] for record in records}) == 25
    assert pages[-1].resume is None


def test_a_crawl_goes_on_from_where_it_was_left(projects, open_sql):
    fill(projects, 25)
    stream = StreamSpec("legacy.projects", key=("code",), cursor="changed", page_size=10)
    first = next(open_sql().read(stream, cursor=None))
    rest, _ = read(open_sql(), stream, resume=first.resume)
    assert [r["code"] for r in [*first.records, *rest]] == [f"P{n:05d}" for n in range(1, 26)]


def test_the_next_reading_begins_with_the_stored_value_inclusive(projects, open_sql):
    fill(projects, 20)
    _, pages = read(open_sql())
    projects.execute("update projects set changed = '2026-02-01' where code = 'P00003'")
    records, later = read(open_sql(), cursor=pages[-1].cursor)
    assert {r["code"].strip() for r in records} == {"P00020", "P00003"}
    assert later[-1].ordered


def test_rows_that_share_a_change_time_are_not_lost_between_pages(projects, open_sql):
    fill(projects, 30)
    projects.execute("update projects set changed = '2026-03-01'")
    stream = StreamSpec("legacy.projects", key=("code",), cursor="changed", page_size=7)
    records, _ = read(open_sql(), stream, cursor="2026-03-01 00:00:00")
    assert len(records) == 30


def test_rows_without_a_change_time_are_read_the_first_time(projects, open_sql):
    fill(projects, 3)
    projects.execute("insert into projects (code, name) values ('Z1', 'Never changed')")
    records, _ = read(open_sql())
    assert len(records) == 4


@pytest.mark.parametrize("count", [3, 200], ids=["row by row", "by COPY"])
def test_writing_twice_is_one_row_and_says_which_were_new(projects, open_sql, count):
    fill(projects, 2)
    bodies = [{"code": f"P{n:05d}", "name": f"New {n}", "budget": "10.50"} for n in range(1, count + 1)]
    connector = open_sql()
    outcomes = connector.write(STREAM, items(*bodies))
    assert [o.status for o in outcomes[:3]] == ["updated", "updated", "created"]
    assert {o.status for o in connector.write(STREAM, items(*bodies))} == {"updated"}
    assert projects.execute("select count(*), sum(budget) from projects").fetchone()[0] == count
    assert outcomes[0].ref.strip() == "P00001"


@pytest.mark.parametrize("count", [3, 60], ids=["row by row", "by COPY"])
def test_one_refused_row_leaves_the_others_written(projects, open_sql, count):
    bodies = [{"code": f"P{n}", "name": f"New {n}", "budget": "1"} for n in range(count)]
    bodies[1] = {"code": "P1", "name": "x" * 99, "budget": "1"}
    outcomes = open_sql().write(STREAM, items(*bodies))
    assert [o.status for o in outcomes].count("created") == count - 1
    assert isinstance(outcomes[1].error, RecordError)
    assert "too long" in str(outcomes[1].error)
    assert projects.execute("select count(*) from projects").fetchone()[0] == count - 1


def test_an_unknown_column_stops_before_anything_is_written(projects, open_sql):
    with pytest.raises(ConfigError, match=r"no column 'nam'.*Did you mean 'name'"):
        open_sql().write(STREAM, items({"code": "P1", "name": "a"}, {"code": "P2", "nam": "b"}))
    assert projects.execute("select count(*) from projects").fetchone()[0] == 0


def test_an_unknown_table_is_named_with_a_near_one(projects, open_sql):
    with pytest.raises(ConfigError, match=r"no table 'legacy.project'.*Did you mean 'legacy.projects'"):
        read(open_sql(), StreamSpec("legacy.project", key=("code",)))


def test_a_table_that_does_not_enforce_the_key_is_not_written_by_upsert(db, open_sql):
    db.execute("create table loose (code text, name text)")
    connector = open_sql()
    stream = StreamSpec("legacy.loose", key=("code",))
    assert connector.safety(stream) == "D"
    with pytest.raises(ConfigError, match="would double"):
        connector.write(stream, items({"code": "1", "name": "a"}))


def test_a_name_with_quotes_is_only_a_name(db, open_sql):
    db.execute('create table "odd""; drop table x; --" ("co""de" text primary key, "select" text)')
    connector = open_sql()
    stream = StreamSpec('legacy.odd"; drop table x; --', key=('co"de',))
    bodies = [{'co"de': str(n), "select": "v"} for n in range(60)]
    outcomes = connector.write(stream, [WriteItem(b['co"de'], "upsert", b) for b in bodies])
    assert {o.status for o in outcomes} == {"created"}
    assert len(read(connector, stream)[0]) == 60


def test_find_answers_with_what_the_table_holds(projects, open_sql):
    fill(projects, 3)
    found = open_sql().find(StreamSpec("legacy.projects", key=("code",)), ["P00002", "nothing"])
    assert set(found) == {"P00002"}
    assert found["P00002"]["budget"] == "2.20"


TEXT = st.text(st.characters(blacklist_characters="\x00", blacklist_categories=["Cs"]), max_size=40)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(TEXT, min_size=50, max_size=60))
def test_any_text_survives_copy_and_reading(db, open_sql, texts):
    db.execute("drop table if exists texts; create table texts (id text primary key, body text)")
    stream = StreamSpec("legacy.texts", key=("id",))
    bodies = [{"id": f"{n:03d}", "body": text} for n, text in enumerate(texts)]
    connector = open_sql()
    connector.write(stream, [WriteItem(b["id"], "upsert", b) for b in bodies])
    assert [row[0] for row in db.execute("select body from texts order by id")] == texts


def test_a_nul_character_spoils_one_row_only(projects, open_sql):
    bodies = [{"code": f"P{n}", "name": "a\x00b" if n == 3 else "ok"} for n in range(60)]
    outcomes = open_sql().write(STREAM, items(*bodies))
    assert isinstance(outcomes[3].error, RecordError)
    assert [outcome.status for outcome in outcomes].count("created") == 59


def test_rows_of_several_shapes_go_together_by_shape(projects, open_sql):
    bodies = [{"code": f"P{n}", "name": "x", **({"note": "n"} if n % 2 else {})} for n in range(120)]
    assert {outcome.status for outcome in open_sql().write(STREAM, items(*bodies))} == {"created"}
    assert projects.execute("select count(*), count(note) from projects").fetchone() == (120, 60)


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ('new row violates row-level security policy for table "jobs"', RecordError),
        ("permission denied for table jobs", ConfigError),
    ],
)
def test_a_policy_refuses_a_row_and_a_missing_right_the_table(words, kind):
    assert type(as_hub_error(InsufficientPrivilege(words), "jobs")) is kind
