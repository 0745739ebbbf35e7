"""Every shipped declaration and every way of paging against a system that misbehaves; and the cases themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connectors import catalog, registry
from connectors.catalog import Declaration
from connectors.conformance import CASES, Answer, Case, HostileServer, RestDialect, http_cases, register_case, run_cases
from connectors.conformance.http_cases import PAGE_SIZE, Trial
from hub.common.errors import HubError
from hub.common.records import Page
from tests.connectors.tools import BASE

NAMED = {
    *("endless_page_loop", "page_loop_of_two", "page_size_ignored", "next_link_to_another_host"),
    *("redirect_to_a_private_address", "gzip_bomb", "slow_body", "xml_bomb", "login_page_with_200"),
    *("wrong_charset", "charset_that_lies", "duplicate_names"),
}
SHIPPED = sorted(d.name for d in registry.catalogue().values() if d.protocol in CASES["gzip_bomb"].protocols)
PAGING: dict[str, dict[str, Any]] = {
    "page": {"type": "page", "pages_path": "meta.pages"},
    "page until empty": {"type": "page"},
    "next page": {"type": "page", "next_page_path": "next_page"},
    "offset": {"type": "offset", "has_more_path": "hasMore"},
    "total": {"type": "offset", "total_header": "X-Total"},
    "token": {"type": "cursor", "next_path": "meta.next"},
    "token in a header": {"type": "cursor", "next_header": "X-Next"},
    "next address": {"type": "next_url", "next_path": "@odata.nextLink"},
    "link header": {"type": "link"},
    "keyset": {"type": "keyset", "key": "id", "key_param": "after"},
    "none": {"type": "none"},
}


def declaration(paging: dict[str, Any], **stream: Any) -> Declaration:
    items = {"path": "/items", "records": "data", "key": "id", "paging": paging, **stream}
    return catalog.parse({**BASE, "base_url": "https://api.example.com", "streams": {"items": items}})


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_declaration_survives_a_hostile_system(name, case):
    found = run_cases(registry.catalogue()[name], {case})
    assert [str(finding) for finding in found if not finding.is_ok] == []


@pytest.mark.parametrize("case", sorted(NAMED - {"slow_body"}))
@pytest.mark.parametrize("paging", list(PAGING.values()), ids=list(PAGING))
def test_every_way_of_paging_survives_a_hostile_system(paging, case):
    found = run_cases(declaration(paging), {case})
    assert [finding.verdict for finding in found] in (["passed"], ["not applicable"]), str(found)


def test_each_named_case_is_there_and_says_what_must_be_true():
    assert set(CASES) >= NAMED
    assert all(case.does.endswith(".") and case.must.endswith(".") for case in CASES.values())


@pytest.mark.parametrize("case", ["endless_page_loop", "page_loop_of_two", "next_link_to_another_host"])
def test_a_case_about_paging_is_tried_where_the_paging_is_of_its_kind(case):
    assert run_cases(declaration(PAGING["next address"]), {case})[0].verdict == "passed"
    assert run_cases(declaration(PAGING["none"]), {case})[0].verdict == "not applicable"


def test_streams_of_the_same_layout_are_tried_once():
    streams = {name: {"path": f"/{name}", "key": "id"} for name in ("a", "b")}
    streams["c"] = {"path": "/c", "key": "id", "records": "data"}
    body = {**BASE, "base_url": "https://api.example.com", "streams": streams}
    assert RestDialect().streams(catalog.parse(body)) == ["a", "c"]


# --- a case that cannot fail proves nothing ------------------------------------------------------------------------


class CarelessDialect(RestDialect):
    """Reads with a connector that takes whatever comes, as a hand-written script would."""

    def connect(self, declaration: Declaration, stream: str, url: str) -> Any:
        return CarelessConnector(super().connect(declaration, stream, url))


class CarelessConnector:
    def __init__(self, connector: Any) -> None:
        self.connector = connector

    def read(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        try:
            yield from self.connector.read(*args, **kwargs)
        except HubError:
            yield Page([])

    def close(self) -> None:
        self.connector.close()


@pytest.mark.parametrize("case", sorted(NAMED - {"page_size_ignored", "charset_that_lies", "duplicate_names"}))
def test_a_connector_that_swallows_errors_fails_the_case(case, monkeypatch):
    monkeypatch.setitem(http_cases._DIALECTS, "rest", CarelessDialect())
    found = run_cases(declaration(PAGING["next address"]), {case})
    assert [finding.verdict for finding in found] == ["failed"]
    assert "without a word" in found[0].sentence


@pytest.mark.parametrize(
    ("count", "why"), [(PAGE_SIZE - 1, "these arrived: 0, 1"), (PAGE_SIZE + 1, "these arrived: 0, 1, 2, 3")]
)
def test_records_that_are_lost_or_doubled_are_noticed(count, why):
    found = declaration(PAGING["next address"])
    trial = Trial(found, "items", RestDialect())
    with HostileServer(lambda request: trial.page(request, trial.records(count))) as server:
        trial.read(server)
    assert why in trial.lost_nothing(PAGE_SIZE)


def test_an_error_of_a_case_itself_is_a_failure_with_its_words():
    def broken(_: Declaration) -> list[Any]:
        raise RuntimeError("out of order")

    case = Case("broken_case", "It breaks.", "It is told.", ("rest",), broken)
    register_case(case)
    try:
        found = run_cases(declaration(PAGING["none"]), {"broken_case"})
        with pytest.raises(ValueError, match="already"):
            register_case(Case("broken_case", "Another.", "Another.", ("rest",), broken))
    finally:
        del CASES["broken_case"]
    assert [(f.verdict, "out of order" in f.sentence) for f in found] == [("failed", True)]


# --- what the cases brought to light -------------------------------------------------------------------------------


def _read(body: bytes, *, kind: str = "application/json", **stream: Any) -> Trial:
    trial = Trial(declaration({"type": "none"}, **stream), "items", RestDialect())
    with HostileServer(lambda request: Answer(body, headers={"Content-Type": kind})) as server:
        trial.read(server)
    return trial


def test_a_name_that_stands_twice_with_one_value_is_taken():
    trial = _read(b'{"data": [{"id": 1, "id": 1}]}')
    assert ([r for page in trial.pages for r in page.records], trial.error) == ([{"id": "1"}], None)


def test_a_name_that_stands_twice_in_a_part_of_a_record_sets_it_aside():
    trial = _read(b'{"data": [{"id": 1, "price": {"net": "1:0", "net": 2}}, {"id": 2, "at": "10:30"}]}')
    (page,) = trial.pages
    assert [bad.error.code for bad in page.bad] == ["DOUBLED"]
    assert "'net'" in str(page.bad[0].error)
    assert page.bad[0].external_id == "1"
    assert [record["id"] for record in page.records] == ["2"]


def test_a_colon_that_is_written_as_an_escape_hides_no_double():
    trial = _read(b'{"data": [{"id": 1, "note": "a\\u003ab", "note": "c"}]}')
    assert [bad.error.code for page in trial.pages for bad in page.bad] == ["DOUBLED"]


def test_a_name_that_stands_twice_around_the_records_refuses_the_page():
    trial = _read(b'{"data": [{"id": 1}], "next": "a", "next": "b"}')
    assert trial.error is not None
    assert (trial.error.code, "'next'" in trial.error.what, trial.pages) == ("BROKEN", True, [])


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-16", "cp1252"])
def test_json_in_the_charset_that_its_header_names_is_read(charset):
    body = '{"data": [{"id": 1, "name": "Zoë"}]}'.encode(charset)
    trial = _read(body, kind=f"application/json; charset={charset}")
    assert [record["name"] for page in trial.pages for record in page.records] == ["Zoë"]
