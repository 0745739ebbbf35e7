"""Looking up what a system holds where it cannot be asked plainly, and writing over what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from connectors.base import Connector
from hub.common.errors import HubError, RecordError
from tests.connectors.tools import ITEMS, item, read_all, rest
from tests.fakes.http import Answer, Request, serve

CREATE = {"path": "/items", "safety": "C"}
UPDATE = {"path": "/items/${ref}", "safety": "B"}
ERRORS = {"errors": {"rules": [{"status": 409, "as": "duplicate"}]}}
PAGED = {"paging": {"type": "page", "size_param": "size"}, "limits": {"page_size": 2}}


class Shelf:
    """Holds rows, refuses a second row of a name (in any case), and filters by any field that is asked for."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = {str(n): {"id": str(n), **row} for n, row in enumerate(rows, start=1)}
        self.seen: list[Request] = []

    def __call__(self, request: Request) -> Any:
        self.seen.append(request)
        key = request.path.rpartition("/")[2]
        match request.method:
            case "GET" if key in self.rows:
                return Answer(self.rows[key], headers={"ETag": f'"v{key}"'})
            case "GET":
                return self._listed(request.query)
            case "POST" if any(self._same(row, request.json) for row in self.rows.values()):
                return Answer({"message": "taken"}, 409)
            case "POST":
                key = str(len(self.rows) + 1)
                self.rows[key] = {"id": key, **request.json}
            case "PUT":
                self.rows[key] = {"id": key, **request.json}
            case _:
                self.rows[key] |= request.json
        return self.rows[key]

    def _same(self, row: dict[str, Any], other: dict[str, Any]) -> bool:
        return str(row.get("name", "")).lower() == str(other.get("name", "-")).lower()

    def _listed(self, query: dict[str, str]) -> list[dict[str, Any]]:
        rows = list(self.rows.values())
        wanted = {name: text for name, text in query.items() if name not in ("page", "size")}
        rows = [row for row in rows if all(str(row.get(name, "")).lower() == t.lower() for name, t in wanted.items())]
        if "page" in query:
            start = (int(query["page"]) - 1) * int(query["size"])
            rows = rows[start : start + int(query["size"])]
        return rows

    def writes(self) -> list[str]:
        return [request.method for request in self.seen if request.method != "GET"]


@contextmanager
def opened(shelf: Shelf, **stream: Any) -> Iterator[Connector]:
    limits = stream.pop("limits", {})
    with serve(shelf) as server, rest(server.url, stream, limits=limits, **ERRORS) as connector:
        yield connector


def test_a_scan_reads_every_page_and_takes_what_bears_a_key() -> None:
    shelf = Shelf(*({"code": f"C{n}"} for n in range(7)))
    with opened(
        shelf, find={"scan": True, "key": "code"}, write={"create": CREATE, "update": UPDATE}, **PAGED
    ) as found:
        assert {k: r["id"] for k, r in found.find(ITEMS, ["C0", "C6", "absent"]).items()} == {"C0": "1", "C6": "7"}
        outcomes = found.write(ITEMS, [item("C6", {"code": "C6", "x": 1}), item("C9", {"code": "C9"})])
    assert [(o.status, o.ref) for o in outcomes] == [("updated", "7"), ("created", "8")]


def test_a_scan_that_meets_a_key_twice_writes_nothing_under_it() -> None:
    shelf = Shelf({"code": "A"}, {"code": "A"}, {"code": "B"})
    with opened(shelf, find={"scan": True, "key": "code"}, write={"create": CREATE, "update": UPDATE}) as connector:
        with pytest.raises(RecordError, match="more than one record under the key 'A'"):
            connector.find(ITEMS, ["A"])
        outcomes = connector.write(ITEMS, [item("A", {"code": "A"}), item("B", {"code": "B"})])
    assert [outcome.status for outcome in outcomes] == ["failed", "updated"]


def test_a_scan_of_a_system_that_is_down_leaves_every_write_for_later() -> None:
    def down(request: Request) -> Answer:
        return Answer({"message": "down"}, 503)

    with serve(down) as server:
        section = {"find": {"scan": True, "key": "code"}, "write": {"create": CREATE}}
        with rest(server.url, section) as connector:
            (outcome,) = connector.write(ITEMS, [item("A", {"code": "A"})])
    assert (outcome.status, [request.method for request in server.requests]) == ("failed", ["GET"])


def test_keys_are_compared_without_case_where_the_system_does_so() -> None:
    shelf = Shelf({"name": "Anna@Example.com"})
    find = {"path": "/items", "query": {"name": "${key}"}, "key": "name"}
    with opened(shelf, find=find) as strict, opened(shelf, find={**find, "ignore_case": True}) as loose:
        assert strict.find(ITEMS, ["anna@example.com"]) == {}
        assert set(loose.find(ITEMS, ["anna@example.com"])) == {"anna@example.com"}


def test_any_of_several_fields_may_hold_the_key() -> None:
    shelf = Shelf({"number": "7", "name": "anna"}, {"number": None, "name": "8"})
    with opened(shelf, find={"scan": True, "key": ["number", "name"]}) as connector:
        found = connector.find(ITEMS, ["7", "8", "anna"])
    assert {key: record["id"] for key, record in found.items()} == {"7": "1", "anna": "1", "8": "2"}


def test_a_key_in_a_list_counts_only_where_the_entry_is_ours() -> None:
    ours, theirs = {"of": "hub", "is": "K"}, {"of": "payroll", "is": "K"}
    shelf = Shelf({"names": [theirs]}, {"names": [theirs, ours]}, {"names": []}, {})
    find = {"scan": True, "listed_in": {"path": "names", "when": [{"path": "of", "equals": "hub"}]}, "key": "is"}
    with opened(shelf, find=find) as connector:
        assert [record["id"] for record in connector.find(ITEMS, ["K"]).values()] == ["2"]


def test_values_are_sent_with_every_new_record() -> None:
    shelf = Shelf()
    create = {**CREATE, "add": {"external": {"of": "hub", "is": "${key}"}}}
    with opened(shelf, write={"create": create}) as connector:
        (outcome,) = connector.write(ITEMS, [item("K", {"name": "x"}, "create")])
    assert (outcome.status, shelf.rows["1"]["external"]) == ("created", {"of": "hub", "is": "K"})


def test_a_record_that_is_replaced_as_a_whole_keeps_what_is_not_sent() -> None:
    shelf = Shelf({"name": "old", "title": "Lead", "address": {"city": "Ghent", "zip": "1"}})
    update = {
        "method": "PUT",
        "path": "/items/${ref}",
        "complete_from": "/items/${ref}",
        "headers": {"If-Match": "${etag}"},
    }
    with opened(shelf, write={"update": update}) as connector:
        body = {"name": "new", "title": None, "address": {"city": "Bruges"}}
        (outcome,) = connector.write(ITEMS, [item("x", body, "update", "1")])
    assert (outcome.status, shelf.seen[-1].headers["if-match"]) == ("updated", '"v1"')
    assert shelf.rows["1"] == {"id": "1", "name": "new", "address": {"city": "Bruges", "zip": "1"}}


def test_a_record_that_cannot_be_read_is_not_replaced() -> None:
    def handler(request: Request) -> Answer:
        return Answer({"message": "down"}, 503) if request.method == "GET" else Answer({"id": "1"})

    update = {"method": "PUT", "path": "/items/${ref}", "complete_from": "/items/${ref}"}
    with serve(handler) as server, rest(server.url, {"write": {"update": update}}) as connector:
        (outcome,) = connector.write(ITEMS, [item("x", {"name": "new"}, "update", "1")])
    assert (outcome.status, [request.method for request in server.requests]) == ("failed", ["GET"])


DOUBLE = {
    "find": {"path": "/items", "query": {"code": "${key}"}, "key": "code"},
    "write": {
        "create": {
            **CREATE,
            "on_duplicate": {"query": {"name": "${body.name}"}, "adopt_when": [{"path": "code", "exists": False}]},
        },
        "update": UPDATE,
    },
}


def test_a_record_made_by_hand_is_taken_over_where_it_has_no_key() -> None:
    shelf = Shelf({"name": "anna", "code": ""})
    with opened(shelf, **DOUBLE) as connector:
        (outcome,) = connector.write(ITEMS, [item("7", {"code": "7", "name": "Anna"})])
    assert (outcome.status, outcome.ref, shelf.writes()) == ("updated", "1", ["POST", "PATCH"])
    assert shelf.rows["1"]["code"] == "7"


@pytest.mark.parametrize(
    "rows",
    [
        [{"name": "anna", "code": "8"}],
        [{"name": "anna", "code": ""}, {"name": "Anna", "code": ""}],
    ],
    ids=["of another key", "of two at once"],
)
def test_a_record_that_may_be_another_one_is_left_alone(rows: list[dict[str, Any]]) -> None:
    shelf = Shelf(*rows)
    with opened(shelf, **DOUBLE) as connector:
        (outcome,) = connector.write(ITEMS, [item("7", {"code": "7", "name": "anna"})])
    assert (outcome.status, outcome.error.code if outcome.error else "") == ("failed", "DUPLICATE")
    assert shelf.writes() == ["POST"]
    assert [row["code"] for row in shelf.rows.values()] == [row["code"] for row in rows]


def test_the_system_is_prepared_once_before_the_first_page() -> None:
    shelf = Shelf(*({"code": f"C{n}"} for n in range(5)))
    prepare = {"method": "PUT", "path": "/items/1", "json": {"fresh": True}}
    with opened(shelf, prepare=prepare, **PAGED) as connector:
        assert len(read_all(connector)) == 5
    assert [request.method for request in shelf.seen][:2] == ["PUT", "GET"]
    assert shelf.writes() == ["PUT"]


def test_a_system_that_cannot_be_prepared_is_not_read() -> None:
    def down(request: Request) -> Answer:
        return Answer({"message": "down"}, 503)

    prepare = {"prepare": {"path": "/refresh"}}
    with serve(down) as server, rest(server.url, prepare) as connector, pytest.raises(HubError):
        read_all(connector)
    assert [request.path for request in server.requests] == ["/refresh"]
