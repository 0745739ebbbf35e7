"""What comes out of an answer: exact values, records in every envelope, bad ones set aside, cursors as they were."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from hub.common.errors import ConfigError, PermanentError, TransientError
from hub.common.records import StreamSpec
from tests.connectors.tools import ITEMS, read_all, read_pages, rest
from tests.fakes.http import Answer, Request, serve


def read_body(body: Any, stream: dict[str, Any] | None = None, **sections: Any) -> Any:
    """The page that an answer becomes."""
    with serve(lambda request: body) as server:
        return read_pages(rest(server.url, stream, **sections))[0]


# --- envelopes -----------------------------------------------------------------------------------------------------

ENVELOPES = {
    "bare list": ([{"id": "1"}, {"id": "2"}], {}),
    "nested": ({"d": {"results": [{"id": "1"}, {"id": "2"}]}}, {"records": "d.results"}),
    "name with a dot": ({"a.b": [{"id": "1"}, {"id": "2"}]}, {"records": "a.b"}),
    "quoted name": ({"x": {"a.b": [{"id": "1"}, {"id": "2"}]}}, {"records": 'x."a.b"'}),
    "keyed by id": ({"items": {"1": {"id": "1"}, "2": {"id": "2"}}}, {"records": "items"}),
    "wrapped entries": ([{"item": {"id": "1"}}, {"item": {"id": "2"}}], {"item": "item"}),
    "ids and objects": (
        {
            "results": [{"key": "items", "id": "1"}, {"key": "users", "id": "9"}, {"key": "items", "id": "2"}],
            "items": {"2": {"id": "2"}, "1": {"id": "1"}, "3": {"id": "3"}},
            "users": {"9": {"id": "9"}},
        },
        {"records": "items", "records_order": "results"},
    ),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_records_are_found_in_every_envelope(name):
    body, stream = ENVELOPES[name]
    assert [record["id"] for record in read_body(body, stream).records] == ["1", "2"]


def test_a_single_object_is_one_record():
    assert read_body({"id": 7, "name": "x"}, {"single": True}).records == [{"id": "7", "name": "x"}]


@pytest.mark.parametrize("body", [{}, {"count": 0}, {"items": None, "count": 0}, Answer(status=204)])
def test_an_answer_without_a_list_may_mean_no_records(body):
    assert read_body(body, {"records": "items"}).records == []


def test_a_wrong_path_is_an_error_that_names_what_is_there():
    with pytest.raises(ConfigError, match="it has: value, total"):
        read_body({"value": [{"id": 1}], "total": 1}, {"records": "items"})


def test_one_object_in_place_of_a_list_is_an_error():
    with pytest.raises(ConfigError) as caught:
        read_body({"id": 7, "name": "x"})
    assert "single: true" in caught.value.fix


# --- values --------------------------------------------------------------------------------------------------------


def test_no_number_loses_a_digit():
    body = b"""[{"id": 9007199254740993, "amount": 1234567890123456.789, "huge": 123456789012345678901234567890,
                "rate": 0.1, "tiny": 1e-7, "whole": 100.0, "mad": 1e999999, "price": 12.50}]"""
    record = read_body(body, {"fields": {"amount": "decimal", "price": "decimal", "rate": "string"}}).records[0]
    assert record["id"] == "9007199254740993"
    assert record["amount"] == "1234567890123456.789"
    assert record["huge"] == "123456789012345678901234567890"
    assert (record["rate"], record["tiny"], record["price"]) == ("0.1", 1e-7, "12.5")
    assert record["mad"] == "1e999999"


def test_long_digits_in_a_text_stay_text():
    assert read_body([{"id": "00012345678901234567890"}]).records == [{"id": "00012345678901234567890"}]


def test_keys_become_text_and_nested_declared_fields_stay_exact():
    page = read_body([{"id": 12, "customer": {"no": 7, "limit": 2.5e-9}}], {"fields": {"customer.limit": "decimal"}})
    assert page.records == [{"id": "12", "customer": {"no": 7, "limit": "0.0000000025"}}]


def test_the_engine_may_name_the_key():
    with serve(lambda request: [{"id": 1, "no": 5}]) as server:
        assert read_all(rest(server.url), StreamSpec("items", key=("no",))) == [{"id": 1, "no": "5"}]


NASTY = [
    "😀 emoji",
    "עברית",
    "e\u0301 and \u00e9",
    "\ufeffmark",
    "tab\tline\nend",
    "'; drop table--",
    "\u2028",
    "𠮷野家",
]


@pytest.mark.parametrize("text", NASTY)
def test_every_text_arrives_as_it_is(text):
    assert read_body([{"id": "1", "text": text}]).records[0]["text"] == text


def test_an_answer_in_latin1_is_decoded():
    answer = Answer('[{"id": "1", "name": "Müller"}]'.encode("latin1"))
    answer.headers["Content-Type"] = "application/json; charset=ISO-8859-1"
    assert read_body(answer).records[0]["name"] == "Müller"


def test_a_byte_order_mark_does_no_harm():
    assert read_body(b'\xef\xbb\xbf[{"id": "1"}]').records == [{"id": "1"}]


# --- bad records ---------------------------------------------------------------------------------------------------


def test_a_nul_character_sets_one_record_aside():
    page = read_body(b'[{"id": "1"}, {"id": "2", "a": {"b": ["x\\u0000"]}}, {"id": "3"}]')
    assert [record["id"] for record in page.records] == ["1", "3"]
    assert page.bad[0].position == 1
    assert page.bad[0].error.field == "a.b.0"
    assert "\x00" not in page.bad[0].raw


def test_half_a_character_sets_one_record_aside():
    page = read_body(b'[{"id": "1"}, {"id": "2", "name": "\\ud800"}, {"id": "3"}]')
    assert ([record["id"] for record in page.records], page.bad[0].position) == (["1", "3"], 1)
    page.bad[0].raw.encode()


def test_a_huge_record_is_set_aside_and_the_rest_goes_on():
    body = orjson.dumps([{"id": "1"}, {"id": "2", "blob": "x" * 11_000_000}, {"id": "3"}])
    page = read_body(body)
    assert [record["id"] for record in page.records] == ["1", "3"]
    assert "11,000," in page.bad[0].error.what
    assert len(page.bad[0].raw) <= 2_000


def test_what_is_no_object_is_set_aside():
    page = read_body([{"id": "1"}, "text", None, 5])
    assert [bad.position for bad in page.bad] == [1, 2, 3]


# --- answers that are none -----------------------------------------------------------------------------------------

SIGN_IN = "<html><title>Sign in</title><form><input type='password'></form></html>"


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        (b'[{"id": "1"}', TransientError, "not whole JSON"),
        (b"[" * 100_000, TransientError, "not whole JSON"),
        (b"", TransientError, "empty"),
        (b"   ", TransientError, "empty"),
        (Answer("OK"), TransientError, "empty"),
        ("<html><head><title>Welcome &amp; hello</title></head></html>", ConfigError, "Welcome & hello"),
        (SIGN_IN, ConfigError, "Sign in"),
        (Answer(SIGN_IN.encode()), ConfigError, "Sign in"),
        (Answer({"x": 1}, 302, {"Location": "https://else.example.com/"}), ConfigError, "else.example.com"),
        (Answer("<h1>Server Error</h1>", 500), TransientError, "Server Error"),
        (Answer({"message": "busy"}, 503), TransientError, "busy"),
        (Answer({"error": {"code": "X", "message": "bad filter"}}, 400), ConfigError, "bad filter"),
        (Answer([{"errorCode": "Y", "message": "in a list"}], 400), ConfigError, "in a list"),
        (Answer({"errors": {"field": ["must be there"]}}, 422), ConfigError, "must be there"),
        (Answer({"error": "no such thing", "status": 501}, 501), PermanentError, "no such thing"),
    ],
)
def test_an_answer_without_data_says_why(body, error, words):
    with pytest.raises(error, match=words) as caught:
        read_body(body)
    assert caught.value.where


def test_a_sign_in_page_is_a_refused_sign_in():
    with pytest.raises(ConfigError) as caught:
        read_body(SIGN_IN)
    assert caught.value.code == "AUTH_DENIED"


def test_nested_too_deeply_is_an_error_not_a_crash():
    with pytest.raises(TransientError):
        read_body(b'{"a":' * 50_000 + b"1" + b"}" * 50_000)


# --- cursors -------------------------------------------------------------------------------------------------------

CHANGES = [
    {"id": "1", "changed": "2026-01-01T10:00:00.123Z"},
    {"id": "2", "changed": "2026-03-01T10:00:00+02:00"},
    {"id": "3", "changed": "2026-02-01T10:00:00Z"},
    {"id": "4", "changed": None},
]


def test_the_cursor_is_the_highest_value_as_the_source_wrote_it():
    page = read_body(CHANGES, {"incremental": {"cursor": "changed", "query": {"since": "${cursor}"}}})
    assert page.cursor == "2026-03-01T10:00:00+02:00"


def test_the_first_reading_asks_for_everything_and_the_next_from_the_cursor():
    with serve(lambda request: CHANGES) as server:
        connector = rest(
            server.url,
            {"incremental": {"cursor": "changed", "query": {"since": "${cursor}"}, "overlap_seconds": 60}},
        )
        read_all(connector)
        read_all(connector, cursor="2026-03-01T10:00:00.5+02:00")
        assert [request.query for request in server.requests] == [{}, {"since": "2026-03-01T09:59:00.5+02:00"}]


@pytest.mark.parametrize(
    ("incremental", "cursor", "sent"),
    [
        ({}, "2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"),
        ({"inclusive": False}, "2026-03-01T10:00:00Z", "2026-03-01T09:59:59Z"),
        ({"format": "unix", "overlap_seconds": 60}, "1767225600", "1767225540"),
        ({"format": "unix_ms", "overlap_seconds": 1}, "1767225600123", "1767225599123"),
        ({"format": "integer"}, "42", "42"),
        ({"format": "text"}, "abc", "abc"),
        ({"format": "date", "overlap_seconds": 1}, "2026-03-01", "2026-02-28"),
        ({"format": "odata_v2", "send_format": "iso_utc"}, "/Date(1767225600000)/", "2026-01-01T00:00:00Z"),
        ({"send_format": "%d.%m.%Y %H:%M", "time_zone": "Europe/Berlin"}, "2026-07-01T10:00:00Z", "01.07.2026 12:00"),
        ({"format": "%Y-%m-%d %H:%M:%S", "overlap_seconds": 5}, "2026-01-01 00:00:00", "2025-12-31 23:59:55"),
        # 01:30 comes twice on this night: the hour before is read again
        (
            {"time_zone": "Europe/London", "overlap_seconds": 60},
            "2026-10-25T01:30:00",
            "2026-10-25T00:29:00",
        ),
    ],
)
def test_the_cursor_is_sent_as_declared(incremental, cursor, sent):
    with serve(lambda request: []) as server:
        section = {"cursor": "changed", "query": {"since": "${cursor}"}, **incremental}
        read_all(rest(server.url, {"incremental": section}), cursor=cursor)
        assert server.requests[0].query["since"] == sent


def test_a_system_may_insist_on_a_first_value():
    with serve(lambda request: []) as server:
        section = {"cursor": "changed", "query": {"since": "${cursor}"}, "initial": "1970-01-01"}
        read_all(rest(server.url, {"incremental": section}))
        assert server.requests[0].query == {"since": "1970-01-01"}


def test_a_system_that_cannot_filter_is_filtered_here():
    with serve(lambda request: CHANGES) as server:
        connector = rest(server.url, {"incremental": {"cursor": "changed", "client_filter": True}})
        found = read_all(connector, cursor="2026-02-01T10:00:00Z")
        # records at the cursor itself and those without a time are kept
        assert [record["id"] for record in found] == ["2", "3", "4"]


def test_the_change_time_may_be_empty_until_the_first_change():
    data = [{"id": "1", "write_date": None, "create_date": "2026-05-01"}, {"id": "2", "write_date": "2026-04-01"}]
    page = read_body(data, {"incremental": {"cursor": ["write_date", "create_date"], "query": {"s": "${cursor}"}}})
    assert page.cursor == "2026-05-01"


def test_a_crawl_is_finished_from_the_cursor_it_began_with():
    def handler(request: Request) -> Any:
        page = int(request.query["page"])
        return [{"id": str(page), "changed": f"2026-01-0{page}T00:00:00Z"}] if page < 4 else []

    with serve(handler) as server:
        stream = {
            "paging": {"type": "page"},
            "incremental": {"cursor": "changed", "query": {"since": "${cursor}"}, "ordered": True},
        }
        first = next(rest(server.url, stream).read(ITEMS, cursor="2025-01-01T00:00:00Z"))
        assert (first.cursor, first.ordered) == ("2026-01-01T00:00:00Z", True)
        rest_of_it = list(rest(server.url, stream).read(ITEMS, cursor=first.cursor, resume=first.resume))
        assert {request.query["since"] for request in server.requests} == {"2025-01-01T00:00:00Z"}
        assert rest_of_it[-1].cursor == "2026-01-03T00:00:00Z"


def test_a_delta_link_is_the_cursor():
    def handler(request: Request) -> Any:
        if "token" in request.query:
            return {"value": [{"id": "9"}], "@odata.deltaLink": f"{server.url}/items?token=b"}
        return {"value": [{"id": "1"}], "@odata.deltaLink": f"{server.url}/items?token=a"}

    with serve(handler) as server:
        connector = rest(server.url, {"records": "value", "incremental": {"delta_link": "@odata.deltaLink"}})
        first = read_pages(connector)[-1]
        second = read_pages(connector, cursor=first.cursor)[-1]
        assert (first.records, second.records) == ([{"id": "1"}], [{"id": "9"}])
        assert second.cursor.endswith("token=b")


def test_a_cursor_in_another_format_is_explained():
    with pytest.raises(ConfigError, match="'03/01/2026' is not written as 'iso'"):
        read_body([{"id": "1", "t": "03/01/2026"}], {"incremental": {"cursor": "t", "query": {"s": "${cursor}"}}})


# --- requests ------------------------------------------------------------------------------------------------------


def test_spaces_and_signs_in_a_query_are_percent_encoded():
    with serve(lambda request: []) as server:
        read_all(rest(server.url, {"query": {"$filter": "name eq 'A&B + c' and x gt 1", "a[gt]": "é"}}))
        target = server.requests[0].target
        assert "+" not in target
        assert "$filter=name%20eq%20'A%26B%20%2B%20c'%20and%20x%20gt%201" in target
        assert server.requests[0].query == {"$filter": "name eq 'A&B + c' and x gt 1", "a[gt]": "é"}


def test_a_value_cannot_climb_out_of_its_place_in_the_path():
    with serve(lambda request: []) as server:
        config = {"company": {"title": "Company"}}
        for company in ("a/b", "..", "x?y=1#z"):
            connector = rest(
                server.url, {"path": "/c/${config.company}/items"}, config=config, values_given={"company": company}
            )
            read_all(connector)
        assert [r.target for r in server.requests] == ["/c/a%2Fb/items", "/c/%2E%2E/items", "/c/x%3Fy%3D1%23z/items"]


def test_an_option_without_a_value_is_left_out():
    with serve(lambda request: []) as server:
        config = {"company": {"title": "Company", "required": False}}
        read_all(rest(server.url, {"query": {"company": "${config.company}", "all": True}}, config=config))
        assert server.requests[0].query == {"all": "true"}


def test_headers_and_parameters_of_the_declaration_go_with_every_request():
    with serve(lambda request: []) as server:
        read_all(rest(server.url, headers={"X-App": "hub"}, query={"v": 2}))
        assert (server.requests[0].headers["x-app"], server.requests[0].query) == ("hub", {"v": "2"})


def test_children_are_read_for_each_parent_and_go_on_where_they_stopped():
    def handler(request: Request) -> Any:
        page = int(request.query.get("page", 1))
        if request.path == "/projects":
            return [{"id": f"p{page}{n}"} for n in range(2)] if page < 3 else []
        project = request.path.split("/")[2]
        return [{"id": f"{project}-{page}", "changed": f"2026-01-0{page}"}] if page < 3 and project != "p11" else []

    streams = {
        "projects": {"path": "/projects", "key": "id", "paging": {"type": "page"}},
        "tasks": {
            "path": "/projects/${parent.id}/tasks",
            "key": "id",
            "for_each": {"stream": "projects", "copy": {"project_id": "id"}},
            "paging": {"type": "page"},
            "incremental": {"cursor": "changed", "query": {"since": "${cursor}"}},
        },
    }
    tasks = StreamSpec("tasks", key=("id",))
    with serve(handler) as server:
        pages = list(rest(server.url, streams=streams).read(tasks, cursor=None))
        everything = [record["id"] for page in pages for record in page.records]
        assert everything == ["p10-1", "p10-2", "p20-1", "p20-2", "p21-1", "p21-2"]
        assert pages[0].records[0]["project_id"] == "p10"
        assert pages[-1].cursor == "2026-01-02"
        for number, page in enumerate(pages[:-1]):
            before = [record["id"] for earlier in pages[: number + 1] for record in earlier.records]
            after = rest(server.url, streams=streams).read(tasks, cursor=None, resume=page.resume)
            assert before + [record["id"] for later in after for record in later.records] == everything
