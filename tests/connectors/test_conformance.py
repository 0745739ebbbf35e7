"""What every connector owes the engine, for each protocol against a real system on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Connector
from hub.common.errors import HubError
from hub.common.records import Page, StreamSpec, WriteItem
from tests.connectors import benches
from tests.connectors.benches import Bench
from tests.fakes import mariadb

COUNT = 11
# one name for each way in which text is usually spoilt
NASTY = ["😀 emoji 𠮷", "עברית", "e\u0301 is not é", 'O\'Brien; "x" <b>&amp;', "a\tb", "0.10", "007", "null", "ﬃ ½ ²"]


@pytest.fixture(scope="module")
def mariadb_port(tmp_path_factory: Any) -> Iterator[int | None]:
    if not mariadb.SERVER:
        yield None
        return
    with mariadb.running_mariadb(Path(tmp_path_factory.mktemp("c"))) as port:
        yield port


@pytest.fixture(params=benches.NAMES)
def bench(request: Any, tmp_path: Path, mariadb_port: int | None) -> Iterator[Bench]:
    if request.param == "mariadb":
        if mariadb_port is None:
            pytest.skip("needs mariadbd")
        yield benches.MariaDbBench(mariadb_port)
        return
    with benches.open_bench(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def connector(bench: Bench) -> Iterator[Connector]:
    with bench.connect() as found:
        yield found


def fill(bench: Bench, count: int = COUNT) -> list[str]:
    codes = [f"C{number:03d}" for number in range(count)]
    for number, code in enumerate(codes):
        bench.put(code, f"name {number}", f"2026-01-{number + 1:02d}T00:00:00Z")
    return codes


def codes_of(pages: list[Page]) -> list[str]:
    return [record["code"] for page in pages for record in page.records]


# --- check ---------------------------------------------------------------------------------------------------------


def test_a_working_account_passes_every_step(bench, connector):
    fill(bench, 1)
    steps = list(connector.check())
    assert [(step.name, step.detail) for step in steps if not step.ok] == []
    assert all(step.detail.endswith(".") or step.name == "connect" for step in steps)


def test_a_wrong_password_fails_politely(bench):
    if not bench.has_password:
        pytest.skip("has no password")
    last = list(bench.connect(password="wrong password").check())[-1]
    assert (last.ok, last.name in ("authenticate", "connect"), bool(last.fix)) == (False, True, True)
    assert "wrong password" not in f"{last.detail}{last.cause}"


def test_an_unreachable_system_fails_politely(bench):
    last = list(bench.connect(reachable=False).check())[-1]
    assert (last.ok, bool(last.detail), bool(last.fix)) == (False, True, True)


def test_a_web_page_fails_politely(bench, connector):
    if not bench.turn_into_web_page():
        pytest.skip("is no web system")
    last = list(connector.check())[-1]
    assert (last.ok, "Maintenance" in f"{last.detail}{last.cause}") == (False, True)
    with pytest.raises(HubError):
        list(connector.read(bench.stream, cursor=None))


# --- read ----------------------------------------------------------------------------------------------------------


def test_every_record_is_read_once_and_the_pages_end(bench, connector):
    codes = fill(bench)
    pages = list(connector.read(bench.stream, cursor=None))
    assert sorted(codes_of(pages)) == codes
    assert pages[-1].resume is None


def test_an_empty_system_gives_an_end(bench, connector):
    pages = list(connector.read(bench.stream, cursor=None))
    assert (codes_of(pages), pages[-1].resume) == ([], None)


def test_a_crawl_goes_on_from_any_page_in_another_process(bench, connector):
    codes = fill(bench)
    pages = list(connector.read(bench.stream, cursor=None))
    for number, page in enumerate(pages[:-1]):
        resume = json.loads(json.dumps(page.resume))
        with bench.connect() as other:
            rest = list(other.read(bench.stream, cursor=None, resume=resume))
        assert sorted([*codes_of(pages[: number + 1]), *codes_of(rest)]) == codes


def test_the_cursor_of_the_last_page_leads_to_what_changed_since(bench, connector):
    fill(bench)
    cursor = list(connector.read(bench.stream, cursor=None))[-1].cursor
    assert isinstance(cursor, str)
    bench.put("C003", "changed", "2026-02-01T00:00:00Z")
    bench.put("NEW", "new", "2026-02-02T00:00:00Z")
    found = set(codes_of(list(connector.read(bench.stream, cursor=cursor))))
    assert {"C003", "NEW"} <= found
    # the record at the cursor itself may come again
    assert found <= {"C003", "NEW", "C010"}


def test_a_cursor_that_is_up_to_date_stays(bench, connector):
    fill(bench)
    cursor = list(connector.read(bench.stream, cursor=None))[-1].cursor
    assert list(connector.read(bench.stream, cursor=cursor))[-1].cursor == cursor


def test_the_cursor_is_the_source_s_own_text(bench, connector):
    if not bench.has_cursor:
        pytest.skip("has a cursor of its own making")
    bench.put("A", "x", "2026-01-01T10:20:30.123456Z")
    cursor = list(connector.read(bench.stream, cursor=None))[-1].cursor
    assert "10:20:30.123456" in cursor


def test_keys_are_text_and_stay_as_they_are(bench, connector):
    bench.put("007", "x", "2026-01-01T00:00:00Z")
    bench.put("9007199254740993", "x", "2026-01-01T00:00:00Z")
    assert sorted(codes_of(list(connector.read(bench.stream, cursor=None)))) == ["007", "9007199254740993"]


def test_a_bad_record_is_set_aside_and_the_rest_goes_on(bench, connector):
    if bench.bad_name is None:
        pytest.skip("cannot hold a bad record")
    codes = fill(bench)
    bench.put("C004", bench.bad_name, "2026-01-05T00:00:00Z")
    pages = list(connector.read(bench.stream, cursor=None))
    bad = [bad for page in pages for bad in page.bad]
    assert len(bad) == 1
    assert "name" in bad[0].error.where
    assert set(codes) - set(codes_of(pages)) <= {"C004"}
    assert all(0 <= found.position < benches.PAGE for found in bad)


def test_a_stream_that_does_not_exist_is_named(bench, connector):
    with pytest.raises(HubError, match="nonsense"):
        list(connector.read(StreamSpec("nonsense", key=("code",)), cursor=None))


# --- write ---------------------------------------------------------------------------------------------------------


def target_of(bench: Bench) -> StreamSpec:
    return StreamSpec("out", key=("code",)) if isinstance(bench, benches.FilesBench) else bench.stream


def items(names: dict[str, str]) -> list[WriteItem]:
    return [
        WriteItem(
            code, "upsert", {"code": code, "name": name, "changed": "2026-03-01 00:00:00"}, idempotency_key=f"k-{code}"
        )
        for code, name in names.items()
    ]


@pytest.mark.parametrize("count", [3, 70])
def test_writing_twice_is_one_object_for_each_key(bench, connector, count):
    names = {f"W{number:03d}": f"name {number}" for number in range(count)}
    first = connector.write(target_of(bench), items(names))
    again = connector.write(target_of(bench), items(names))
    assert [outcome.key for outcome in first] == list(names)
    assert {outcome.status for outcome in first} == {"created"}
    assert {outcome.status for outcome in again} <= {"updated", "unchanged", "created"}
    assert [outcome.ref for outcome in first] == [outcome.ref for outcome in again]
    assert all(outcome.ref for outcome in first)
    assert bench.held() == names


def test_every_text_survives_writing_and_reading(bench, connector):
    names = {f"N{number}": name for number, name in enumerate(NASTY)}
    outcomes = connector.write(target_of(bench), items(names))
    assert {outcome.status for outcome in outcomes} == {"created"}
    assert bench.held() == names
    for code, name in names.items():
        bench.put(code, name, "2026-01-01T00:00:00Z")
    found = [record for page in connector.read(bench.stream, cursor=None) for record in page.records]
    assert {record["code"]: record["name"] for record in found} == names


def test_what_was_written_is_found_by_its_key(bench, connector):
    if isinstance(bench, benches.FilesBench):
        pytest.skip("files cannot be asked")
    connector.write(bench.stream, items({"A": "a", "B": "b"}))
    found = connector.find(bench.stream, ["A", "B", "absent"])
    assert {key: record["name"] for key, record in found.items()} == {"A": "a", "B": "b"}


def test_a_system_that_cannot_be_reached_has_nothing_written(bench):
    with bench.connect(reachable=False) as connector:
        try:
            outcomes = connector.write(target_of(bench), items({"A": "a"}))
        except HubError:
            outcomes = []
    assert all(outcome.status == "failed" for outcome in outcomes) or isinstance(bench, benches.FilesBench)
    assert bench.held() == {}


# --- the rest ------------------------------------------------------------------------------------------------------


def test_discovery_tells_the_stream_its_key_and_its_fields(bench, connector):
    fill(bench, 2)
    found = {info.name: info for info in connector.discover()}[bench.stream.name]
    assert list(found.key) == ["code"]
    assert {"code", "name", "changed"} <= {field.path for field in found.fields}
    assert found.readable


def test_the_form_fields_are_described(connector):
    for field in type(connector).spec().values():
        assert field["title"]
        assert {"help", "type", "required", "secret", "default", "example", "enum", "pattern"} <= set(field)


def test_closing_twice_does_no_harm_and_a_closed_connector_opens_again(bench, connector):
    fill(bench, 1)
    list(connector.read(bench.stream, cursor=None))
    connector.close()
    connector.close()
    assert len(codes_of(list(connector.read(replace(bench.stream, page_size=0), cursor=None)))) == 1
