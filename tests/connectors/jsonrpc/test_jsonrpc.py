"""JSON-RPC: sessions, typed values, errors with a good status, and changes by two dates."""

from __future__ import annotations

from typing import Any

import pytest

from connectors import catalog
from connectors.base import Connector
from connectors.jsonrpc.typed import untype
from connectors.registry import open_connector
from hub.common.errors import AuthError, ConfigError, PermanentError, RecordError, TransientError
from hub.common.records import StreamSpec
from tests.connectors.tools import LOOPBACK, item, read_all
from tests.fakes.http import Answer, Request, serve
from tests.fakes.jsonrpc import PASSWORD, FakeErp

PARTIES = StreamSpec("parties", key=("code",))
CURSOR = "${cursor|typed_datetime}"
DECLARATION: dict[str, Any] = {
    "name": "erp",
    "label": "ERP",
    "category": "erp",
    "protocol": "jsonrpc",
    "time_zone": "UTC",
    "config": {"user": {"title": "User"}, "password": {"title": "Password", "type": "secret"}},
    "values": {"session": "${config.user}:${token.0}:${token.1}"},
    "auth": {
        "type": "session",
        "login": {
            "call": "common.db.login",
            "params": ["${config.user}", {"password": "${secret.password}"}],
        },
        "token_path": "$",
        "headers": {"Authorization": "Session ${values.session|base64}"},
    },
    "check": {"call": "model.res.user.get_preferences", "params": [True, {}], "who": "name"},
    "errors": {"rules": [{"code": "UserError", "as": "validation"}]},
    "streams": {
        "parties": {
            "key": "code",
            "call": "model.party.party.search_read",
            "params": [[], "${offset}", "${limit}", None, ["code", "name"], {}],
            "paging": {"type": "offset", "size": 4},
            "incremental": {
                "cursor": ["write_date", "create_date"],
                "params": [
                    ["OR", ["write_date", ">=", CURSOR], [["write_date", "=", None], ["create_date", ">=", CURSOR]]],
                    "${offset}",
                    "${limit}",
                ],
            },
            "fields": {"code": "string", "price": "decimal"},
            "find": {
                "call": "model.party.party.search_read",
                "params": [[["code", "in", "${keys}"]], 0, 1000],
                "key": "code",
                "max": 100,
            },
            "write": {
                "create": {"call": "model.party.party.create", "params": [["${body}"], {}], "ref": "0"},
                "update": {"call": "model.party.party.write", "params": [["${ref}"], "${body}", {}]},
            },
        }
    },
}


def connect(url: str, password: str = PASSWORD, **sections: Any) -> Connector:
    data = {**DECLARATION, "base_url": f"{url}/db/", **sections}
    config = {"user": "ann", "allowed_networks": LOOPBACK}
    return open_connector(declaration=catalog.parse(data), config=config, secrets={"password": password})


@pytest.fixture
def erp():
    return FakeErp()


@pytest.fixture
def server(erp):
    with serve(erp) as server:
        yield server


def test_the_session_is_opened_once_and_again_when_it_ended(erp, server):
    erp.put(code="A")
    connector = connect(server.url)
    read_all(connector, PARTIES)
    erp.session = "s-2"
    assert len(read_all(connector, PARTIES)) == 1
    assert erp.logins == 2


def test_a_wrong_password_is_a_refused_sign_in(server):
    with pytest.raises(AuthError, match="without a token"):
        read_all(connect(server.url, "wrong"), PARTIES)


def test_the_test_names_the_account(erp, server):
    erp.put(code="A")
    assert [step.detail for step in connect(server.url).check()][2:] == [
        "Signed in as Ann.",
        "Parties: a record was read.",
    ]


def test_pages_go_by_positional_parameters(erp, server):
    for number in range(11):
        erp.put(code=f"C{number}", price="1.10")
    found = read_all(connect(server.url), PARTIES)
    assert [record["code"] for record in found] == [f"C{number}" for number in range(11)]
    assert (found[0]["price"], found[0]["create_date"]) == ("1.10", "2026-01-01T00:00:00")


def test_changes_are_found_by_either_date(erp, server):
    erp.put(code="old", create_date="2026-01-01T00:00:00")
    erp.put(code="old but changed", create_date="2026-01-01T00:00:00", write_date="2026-05-02T00:00:00")
    erp.put(code="new and unchanged", create_date="2026-05-03T00:00:00.000001")
    pages = list(connect(server.url).read(PARTIES, cursor="2026-05-01T00:00:00"))
    assert [r["code"] for page in pages for r in page.records] == ["old but changed", "new and unchanged"]
    assert pages[-1].cursor == "2026-05-03T00:00:00.000001"


def test_an_upsert_is_put_together_and_doubles_nothing(erp, server):
    connector = connect(server.url)
    for _ in range(2):
        outcomes = connector.write(PARTIES, [item(key, {"code": key, "name": "x"}) for key in ("A", "B")])
        assert {outcome.ref for outcome in outcomes} == {"1", "2"}
    assert sorted(row["code"] for row in erp.rows.values()) == ["A", "B"]
    assert connector.find(PARTIES, ["A", "Z"])["A"]["name"] == "x"


def test_an_error_with_a_good_status_is_an_error(erp, server):
    outcome = connect(server.url).write(PARTIES, [item("A", {"code": "A", "name": "bad"})])[0]
    assert isinstance(outcome.error, RecordError)
    assert "the name is bad" in str(outcome.error)
    assert erp.rows == {}


ERROR = {"jsonrpc": "2.0", "id": 1}


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ({**ERROR, "error": {"code": -32601, "message": "Method not found"}}, PermanentError, "Method not found"),
        ({**ERROR, "error": {"code": -32602, "message": "Invalid params"}}, ConfigError, "Invalid params"),
        ({**ERROR, "error": {"code": -32603, "message": "Internal"}}, TransientError, "Internal"),
        ({**ERROR, "error": {"code": -32050, "message": "Busy"}}, TransientError, "Busy"),
        ({**ERROR, "error": "plain words"}, ConfigError, "plain words"),
        ({**ERROR, "error": ["ConcurrencyException", "again"]}, ConfigError, "again"),
        ({"something": "else"}, TransientError, "no JSON-RPC answer"),
        ([1, 2], TransientError, "no JSON-RPC answer"),
        ({**ERROR, "result": None}, TransientError, "empty"),
        (Answer("<h1>Internal error</h1>", 500), TransientError, "Internal error"),
        (b'{"result": [', TransientError, "not whole JSON"),
    ],
)
def test_every_kind_of_error_is_told_apart(erp, server, answer, error, words):
    erp.fault = lambda request: answer if b"search_read" in request.body else None
    with pytest.raises(error, match=words):
        read_all(connect(server.url), PARTIES)


def test_a_result_may_itself_say_that_it_failed(erp, server):
    errors = {"failed_when": [{"path": "$", "equals": False}]}
    erp.fault = lambda request: Answer({**ERROR, "result": False}) if b".create" in request.body else None
    outcome = connect(server.url, errors=errors).write(PARTIES, [item("A", operation="create")])[0]
    assert outcome.status == "failed"


def test_rules_look_into_the_error_object(erp, server):
    error = {
        "code": 200,
        "message": "Odoo Server Error",
        "data": {"name": "odoo.exceptions.AccessDenied", "message": "no"},
    }
    errors = {
        "code": "data.name",
        "message": "data.message",
        "rules": [{"code": "odoo.exceptions.AccessDenied", "as": "auth_denied"}],
    }
    erp.fault = lambda request: {**ERROR, "error": error} if b"search_read" in request.body else None
    with pytest.raises(AuthError, match="no"):
        read_all(connect(server.url, errors=errors), PARTIES)


def test_named_parameters_take_the_paging_parameters_along():
    def handler(request: Request) -> Any:
        params = request.json["params"]
        rows = [{"id": number} for number in range(7)][params["offset"] :][: params["limit"]]
        return {"jsonrpc": "2.0", "id": request.json["id"], "result": {"rows": rows, "seen": params["model"]}}

    stream = {"call": "list", "params": {"model": "x"}, "records": "rows", "key": "id"}
    paging = {"type": "offset", "size_param": "limit", "size": 3}
    with serve(handler) as server:
        connector = connect(server.url, streams={"rows": {**stream, "paging": paging}}, auth={"type": "none"}, check={})
        assert [record["id"] for record in read_all(connector, StreamSpec("rows"))] == list("0123456")


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ({"__class__": "Decimal", "decimal": "1.10"}, "1.10"),
        ({"__class__": "date", "year": 2026, "month": 2, "day": 3}, "2026-02-03"),
        (
            {
                "__class__": "datetime",
                "year": 2026,
                "month": 2,
                "day": 3,
                "hour": 4,
                "minute": 5,
                "second": 6,
                "microsecond": 7,
            },
            "2026-02-03T04:05:06.000007",
        ),
        ({"__class__": "timedelta", "seconds": 5400.0}, "5400"),
        ({"__class__": "timedelta", "seconds": 0.1}, "0.1"),
        ({"__class__": "bytes", "base64": "eA=="}, "eA=="),
        ({"__class__": "unknown", "x": 1}, {"__class__": "unknown", "x": 1}),
        ({"__class__": "date", "year": 2026}, {"__class__": "date", "year": 2026}),
        ([{"a": {"__class__": "Decimal", "decimal": "2"}}], [{"a": "2"}]),
    ],
)
def test_typed_values_become_plain(typed, plain):
    assert untype(typed) == plain
