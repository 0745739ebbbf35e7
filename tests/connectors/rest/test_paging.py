"""Every way of paging reads everything once, ends, and notices a system that never would."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.rest.paginators import find_link
from hub.common.errors import ConfigError
from hub.common.records import StreamSpec
from tests.connectors.tools import ITEMS, read_all, read_pages, rest
from tests.fakes.http import Answer, Request, serve

DATA = [{"id": str(number), "name": f"n{number}"} for number in range(23)]
IDS = [record["id"] for record in DATA]


def cut(query: dict[str, Any], start: int, size: int | None = None) -> list[dict[str, str]]:
    return DATA[start : start + (size or int(query["limit"]))]


def by_page(request: Request) -> Any:
    page = int(request.query["page"])
    return {
        "data": cut(request.query, (page - 1) * 5, 5),
        "meta": {"pages": 5},
        "next_page": page + 1 if page < 5 else None,
    }


def by_offset(request: Request) -> Any:
    offset, limit = int(request.query["offset"]), int(request.query["limit"])
    found = DATA[offset : offset + limit]
    return {"data": found, "hasMore": offset + limit < len(DATA), "total": len(DATA)}


def by_token(request: Request) -> Any:
    start = int(request.query.get("cursor", "0"))
    return {"data": DATA[start : start + 5], "next": str(start + 5) if start + 5 < len(DATA) else None}


def by_link(request: Request) -> Any:
    start = int(request.query.get("start", "0"))
    link = f'</items?start={start + 5}>; rel="next", </items?start=0>; rel="first"' if start + 5 < len(DATA) else ""
    return Answer(DATA[start : start + 5], headers={"Link": link})


def by_key(request: Request) -> Any:
    after = int(request.query.get("after", "-1"))
    return {"data": [record for record in DATA if int(record["id"]) > after][:5]}


def by_relative_url(request: Request) -> Any:
    start = int(request.query.get("skip", "0"))
    more = {"@odata.nextLink": f"items?skip={start + 5}"} if start + 5 < len(DATA) else {}
    return {"data": DATA[start : start + 5], **more}


WAYS = {
    "page count": (by_page, {"type": "page", "pages_path": "meta.pages"}),
    "next page": (by_page, {"type": "page", "next_page_path": "next_page"}),
    "pages until empty": (by_page, {"type": "page"}),
    "offset and flag": (by_offset, {"type": "offset", "size_param": "limit", "size": 5, "has_more_path": "hasMore"}),
    "offset and total": (by_offset, {"type": "offset", "size_param": "limit", "size": 5, "total_path": "total"}),
    "offset until empty": (by_offset, {"type": "offset", "size_param": "limit", "size": 5}),
    "offset and short page": (
        by_offset,
        {"type": "offset", "size_param": "limit", "size": 5, "short_page_ends": True},
    ),
    "token": (by_token, {"type": "cursor", "next_path": "next"}),
    "relative address": (by_relative_url, {"type": "next_url", "next_path": "@odata.nextLink"}),
    "key of the last record": (by_key, {"type": "keyset", "key": "id", "key_param": "after"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_record_is_read_once(way):
    handler, paging = WAYS[way]
    with serve(handler) as server:
        assert [r["id"] for r in read_all(rest(server.url, {"records": "data", "paging": paging}))] == IDS


@pytest.mark.parametrize("way", WAYS)
def test_a_crawl_goes_on_from_any_page_without_loss_or_double(way):
    handler, paging = WAYS[way]
    with serve(handler) as server:
        stream = {"records": "data", "paging": paging}
        pages = read_pages(rest(server.url, stream))
        for number, page in enumerate(pages[:-1]):
            rest_of_it = list(rest(server.url, stream).read(ITEMS, cursor=None, resume=page.resume))
            before = [r["id"] for earlier in pages[: number + 1] for r in earlier.records]
            assert before + [r["id"] for later in rest_of_it for r in later.records] == IDS


def test_the_link_header_leads_on():
    with serve(by_link) as server:
        assert [r["id"] for r in read_all(rest(server.url, {"paging": {"type": "link"}}))] == IDS


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<https://a/b?x=1,2>; rel="next"', "https://a/b?x=1,2"),
        ("<u1>; rel=prev, <u2>; title=\"a, b; c\"; rel='x next'", ""),
        ('<u1>; rel="prev", <u2>; title="a, b; c"; rel="last next"', "u2"),
        ("<u1>;rel=next;x=1", "u1"),
        ("garbage <<>>;;;", ""),
        ("", ""),
    ],
)
def test_a_link_header_is_read_as_it_may_be_written(header, target):
    assert find_link(header, "next") == target


def test_the_page_count_may_stand_in_a_header():
    def handler(request: Request) -> Answer:
        page = int(request.query["page"])
        return Answer(DATA[page * 10 : page * 10 + 10], headers={"X-Pages": "3"})

    with serve(handler) as server:
        paging = {"type": "page", "first_page": 0, "pages_header": "X-Pages"}
        assert [r["id"] for r in read_all(rest(server.url, {"paging": paging}))] == IDS
        assert len(server.requests) == 3


def test_a_page_size_that_is_silently_cut_loses_nothing():
    def handler(request: Request) -> Any:
        offset = int(request.query["offset"])
        return {"data": DATA[offset : offset + min(int(request.query["limit"]), 4)]}

    with serve(handler) as server:
        paging = {"type": "offset", "size_param": "limit", "size": 500}
        assert [r["id"] for r in read_all(rest(server.url, {"records": "data", "paging": paging}))] == IDS


def test_an_offset_that_must_be_a_multiple_grows_by_the_size():
    def handler(request: Request) -> Any:
        offset = int(request.query["offset"])
        # one record of each page is hidden from this account
        return {"data": DATA[offset : offset + 5][1:], "more": offset + 5 < len(DATA)}

    with serve(handler) as server:
        paging = {"type": "offset", "size_param": "limit", "size": 5, "step": "size", "has_more_path": "more"}
        read_all(rest(server.url, {"records": "data", "paging": paging}))
        assert [request.query["offset"] for request in server.requests] == ["0", "5", "10", "15", "20"]


def test_counting_may_begin_at_one():
    def handler(request: Request) -> Any:
        start = int(request.query["startIndex"]) - 1
        return {"Resources": DATA[start : start + 10], "totalResults": 23}

    with serve(handler) as server:
        paging = {"type": "offset", "offset_param": "startIndex", "first_offset": 1, "total_path": "totalResults"}
        assert [r["id"] for r in read_all(rest(server.url, {"records": "Resources", "paging": paging}))] == IDS


@pytest.mark.parametrize("status", [404, 410])
def test_past_the_end_may_be_not_found(status):
    def handler(request: Request) -> Any:
        page = int(request.query["page"])
        return {"data": DATA[(page - 1) * 10 : page * 10]} if page <= 3 else Answer({"error": "no"}, status)

    with serve(handler) as server:
        assert len(read_all(rest(server.url, {"records": "data", "paging": {"type": "page"}}))) == 23


def test_not_found_on_the_first_page_is_an_error():
    with serve(lambda request: Answer({"error": "no"}, 404)) as server, pytest.raises(ConfigError) as caught:
        read_all(rest(server.url, {"paging": {"type": "page"}}))
    assert caught.value.code == "NOT_FOUND"


def test_a_repeated_token_stops_the_crawl():
    with serve(lambda request: {"data": DATA[:5], "next": "same"}) as server:
        connector = rest(server.url, {"records": "data", "paging": {"type": "cursor", "next_path": "next"}})
        with pytest.raises(ConfigError) as caught:
            read_all(connector)
        assert caught.value.code == "ENDLESS"
        assert len(server.requests) == 2


def test_tokens_that_go_round_in_a_circle_stop_the_crawl():
    def handler(request: Request) -> Any:
        at = int(request.query.get("cursor", "0"))
        return {"data": DATA[at * 5 : at * 5 + 5], "next": str((at + 1) % 3)}

    with serve(handler) as server:
        connector = rest(server.url, {"records": "data", "paging": {"type": "cursor", "next_path": "next"}})
        with pytest.raises(ConfigError, match="twice"):
            read_all(connector)


def test_a_system_that_ignores_paging_and_size_is_read_once():
    with serve(lambda request: {"data": DATA}) as server:
        for paging in ({"type": "page"}, {"type": "offset"}):
            connector = rest(server.url, {"records": "data", "paging": {**paging, "size_param": "limit", "size": 10}})
            assert len(read_all(connector)) == 23


def test_a_system_that_ignores_the_offset_alone_is_an_error_not_a_loss():
    with serve(lambda request: {"data": DATA[: int(request.query["limit"])]}) as server:
        connector = rest(
            server.url, {"records": "data", "paging": {"type": "offset", "size_param": "limit", "size": 10}}
        )
        with pytest.raises(ConfigError) as caught:
            read_all(connector)
        assert "none" in caught.value.fix


def test_a_system_that_repeats_its_last_page_ends():
    def handler(request: Request) -> Any:
        page = min(int(request.query["page"]), 3)
        return {"data": DATA[(page - 1) * 10 : page * 10]}

    with serve(handler) as server:
        assert len(read_all(rest(server.url, {"records": "data", "paging": {"type": "page"}}))) == 23


def test_promises_of_more_without_records_end():
    with serve(lambda request: {"data": [], "next": request.query.get("cursor", "") + "x"}) as server:
        connector = rest(server.url, {"records": "data", "paging": {"type": "cursor", "next_path": "next"}})
        with pytest.raises(ConfigError, match="in a row"):
            read_all(connector)


def test_an_empty_source_gives_one_empty_page():
    with serve(lambda request: {"data": []}) as server:
        for paging in ({"type": "none"}, {"type": "page"}, {"type": "offset"}):
            pages = read_pages(rest(server.url, {"records": "data", "paging": paging}))
            assert [len(page.records) for page in pages] == [0]
            assert pages[0].resume is None


def test_a_next_address_at_another_host_gets_no_credentials():
    with serve(lambda request: {"data": DATA[:5]}) as other:

        def handler(request: Request) -> Any:
            return {"data": DATA[:5], "next": other.url.replace("127.0.0.1", "127.0.0.2") + "/items?page=2"}

        with serve(handler) as server:
            stream = {"records": "data", "paging": {"type": "next_url", "next_path": "next"}}
            with pytest.raises(ConfigError) as caught:
                read_all(rest(server.url, stream))
            assert caught.value.code == "STRANGE_HOST"
            assert other.requests == []


def test_a_next_address_with_the_inner_scheme_and_port_of_a_proxy_is_followed():
    def handler(request: Request) -> Any:
        more = {"next": "https://127.0.0.1:8443/items?page=2"} if "page" not in request.query else {}
        return {"data": DATA[:5] if more else DATA[5:9], **more}

    with serve(handler) as server:
        stream = {"records": "data", "paging": {"type": "next_url", "next_path": "next"}}
        assert len(read_all(rest(server.url, stream))) == 9


def test_paging_parameters_may_stand_in_the_body():
    def handler(request: Request) -> Any:
        body = request.json
        return {"items": DATA[body["offset"] : body["offset"] + body["MaxRecords"]], "filter": body["filter"]}

    with serve(handler) as server:
        stream = {
            "method": "POST",
            "json": {"filter": [{"op": "exist", "field": "id"}]},
            "records": "items",
            "paging": {"type": "offset", "in": "json", "size_param": "MaxRecords", "size": 9},
        }
        assert [r["id"] for r in read_all(rest(server.url, stream))] == IDS


def test_paging_values_may_stand_anywhere_in_the_request():
    def handler(request: Request) -> Any:
        at = request.json["page"]
        return DATA[at["number"] * 10 :][: at["size"]]

    with serve(handler) as server:
        stream = {
            "method": "POST",
            "json": {"page": {"number": "${page}", "size": "${limit}"}},
            "paging": {"type": "page", "first_page": 0, "page_param": "_", "size": 10},
        }
        assert [r["id"] for r in read_all(rest(server.url, stream))] == IDS


def test_the_page_size_comes_from_the_stream_then_the_declaration():
    with serve(by_offset) as server:
        stream = {"records": "data", "paging": {"type": "offset", "size_param": "limit", "has_more_path": "hasMore"}}
        read_all(rest(server.url, stream, limits={"page_size": 7}))
        assert {request.query["limit"] for request in server.requests} == {"7"}
        read_all(rest(server.url, stream), StreamSpec("items", page_size=11))
        assert server.requests[-1].query["limit"] == "11"
