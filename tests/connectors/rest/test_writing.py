"""Every item gets an outcome that the answer proves; what is not proven is unsure, and nothing is written twice."""

from __future__ import annotations

from typing import Any

import pytest

from hub.common.errors import (
    AuthError,
    ConfigError,
    PermanentError,
    RecordError,
    TransientError,
    UnknownOutcome,
)
from tests.connectors.tools import ITEMS, item, rest
from tests.fakes.http import Answer, Request, serve
from tests.fakes.rest import PASSWORD_PAGE, FakeSystem

AUTH = {"type": "bearer", "token": "${secret.token}"}
ERRORS = {"code": "error.code", "message": "error.message", "field": "error.field"}
DUPLICATE = {**ERRORS, "rules": [{"code": "DUPLICATE", "as": "duplicate"}]}
UPSERT = {"method": "PUT", "path": "/customers/code/${key}", "safety": "B"}
CREATE = {"path": "/customers"}
UPDATE = {"path": "/customers/${ref}"}
FIND = {"path": "/customers", "query": {"code": "${key}"}, "key": "code"}
BATCH = {
    "path": "/customers/batch",
    "max": 3,
    "json": {"records": "${items}"},
    "results": "results",
    "ok": [{"path": "success", "equals": True}],
    "created_when": [{"path": "created", "equals": True}],
    "code": "errors.0.code",
    "message": "errors.0.message",
    "field": "errors.0.field",
}


def connect(server: Any, write: dict[str, Any], **stream: Any) -> Any:
    sections = {"errors": stream.pop("errors", ERRORS), "limits": stream.pop("limits", {}), "auth": AUTH}
    section = {"path": "/customers", "records": "data", "key": "code", "write": write, **stream}
    return rest(server.url, section, **sections)


def customer(code: str, name: str = "Acme", **more: Any) -> Any:
    return item(code, {"code": code, "name": name}, **more)


@pytest.fixture
def system():
    return FakeSystem()


@pytest.fixture
def server(system):
    with serve(system) as server:
        yield server


# --- one request for each ------------------------------------------------------------------------------------------


def test_an_upsert_creates_then_updates_one_object(system, server):
    connector = connect(server, {"upsert": UPSERT})
    first = connector.write(ITEMS, [customer("A"), customer("B")])
    again = connector.write(ITEMS, [customer("A", "Acme 2"), customer("B")])
    assert [outcome.status for outcome in first] == ["created", "created"]
    assert [outcome.status for outcome in again] == ["updated", "updated"]
    assert [outcome.ref for outcome in first] == [outcome.ref for outcome in again]
    assert sorted(row["name"] for row in system.rows.values()) == ["Acme", "Acme 2"]


def test_outcomes_come_in_the_order_of_the_items(system, server):
    connector = connect(server, {"upsert": UPSERT})
    keys = [f"K{number}" for number in range(30)]
    outcomes = connector.write(ITEMS, [customer(key, "bad" if key == "K7" else key) for key in keys])
    assert [outcome.key for outcome in outcomes] == keys
    assert [outcome.key for outcome in outcomes if outcome.status == "failed"] == ["K7"]
    assert isinstance(outcomes[7].error, RecordError)
    assert (outcomes[7].error.field, outcomes[7].http_status) == ("name", 422)
    assert "the name is bad" in str(outcomes[7].error)


def test_an_upsert_is_put_together_from_find_update_and_create(system, server):
    there = system.put(code="B", name="old")
    connector = connect(server, {"create": CREATE, "update": UPDATE}, find=FIND)
    outcomes = connector.write(ITEMS, [customer("A"), customer("B"), customer("C", ref=None)])
    assert [outcome.status for outcome in outcomes] == ["created", "updated", "created"]
    assert outcomes[1].ref == there["id"]
    assert len(system.rows) == 3


def test_a_known_id_spares_the_look_up(system, server):
    there = system.put(code="B", name="old")
    connect(server, {"create": CREATE, "update": UPDATE}, find=FIND).write(ITEMS, [customer("B", ref=there["id"])])
    assert [request.method for request in server.requests] == ["PATCH"]


def test_a_double_that_came_into_being_meanwhile_is_updated(system, server):
    system.is_unique = True

    def somebody_else_is_faster(request: Request) -> None:
        if request.method == "POST" and not system.rows:
            system.put(code="A", name="theirs")

    system.fault = somebody_else_is_faster
    connector = connect(server, {"create": CREATE, "update": UPDATE}, find=FIND, errors=DUPLICATE)
    outcome = connector.write(ITEMS, [customer("A", "ours")])[0]
    assert (outcome.status, [row["name"] for row in system.rows.values()]) == ("updated", ["ours"])


def test_the_same_idempotency_key_creates_once(system, server):
    connector = connect(server, {"create": {**CREATE, "idempotency_header": "Idempotency-Key", "safety": "A"}})
    for _ in range(2):
        outcome = connector.write(ITEMS, [customer("A", operation="create", idempotency_key="k-1")])[0]
        assert outcome.status == "created"
    assert len(system.rows) == 1


def test_records_are_wrapped_shaped_and_thinned_as_declared(server):
    create = {
        **CREATE,
        "json": {"code": "${key}", "label": "${body.name}", "type": "customer"},
        "wrap": "customer",
        "query": {"v": "2"},
    }
    connect(server, {"create": create, "update": {**UPDATE, "omit": ["code"]}}).write(
        ITEMS, [customer("A", operation="create"), customer("B", operation="update", ref="7")]
    )
    by_method = {request.method: request for request in server.requests}
    assert by_method["POST"].json == {"customer": {"code": "A", "label": "Acme", "type": "customer"}}
    assert by_method["POST"].query == {"v": "2"}
    assert by_method["PATCH"].json == {"name": "Acme"}


def test_a_null_is_written_so_that_a_field_can_be_emptied(server):
    update = {**UPDATE, "json": {"label": "${body.name}", "other": "${body.absent}"}}
    connect(server, {"update": update}).write(ITEMS, [item("A", {"name": None}, "update", "7")])
    assert server.requests[0].json == {"label": None}


def test_a_form_is_sent_where_a_form_is_wanted(server):
    connect(server, {"create": {**CREATE, "body_format": "form"}}).write(ITEMS, [customer("Ä &", operation="create")])
    assert server.requests[0].body == b"code=%C3%84+%26&name=Acme"


def test_delete_and_deactivate(system, server):
    one, two = system.put(code="A"), system.put(code="B")
    write = {
        "delete": {"path": "/customers/${ref}", "ok_status": [404]},
        "deactivate": {"path": "/customers/${ref}", "json": {"active": False}},
    }
    connector = connect(server, write)
    outcomes = connector.write(
        ITEMS,
        [
            item("A", operation="delete", ref=one["id"]),
            item("B", operation="deactivate", ref=two["id"]),
            item("C", operation="delete", ref="gone"),
        ],
    )
    assert [outcome.status for outcome in outcomes] == ["updated", "updated", "updated"]
    assert system.rows == {two["id"]: {**two, "active": False}}


def test_a_version_is_fetched_and_sent_with_the_write(system, server):
    there = system.put(code="A", version=7)
    update = {**UPDATE, "fetch_etag": "/customers/${ref}", "headers": {"If-Match": "${etag}"}}
    outcome = connect(server, {"update": update}).write(ITEMS, [item("A", {"name": "x"}, "update", there["id"])])[0]
    assert (outcome.status, server.requests[-1].headers["if-match"]) == ("updated", '"7"')


def test_a_stale_version_may_be_tried_again(system, server):
    there = system.put(code="A", version=7)
    update = {**UPDATE, "headers": {"If-Match": '"3"'}}
    outcome = connect(server, {"update": update}).write(ITEMS, [item("A", {"name": "x"}, "update", there["id"])])[0]
    assert isinstance(outcome.error, TransientError)
    assert outcome.error.code == "CONFLICT"


def test_an_operation_that_is_not_declared_fails_with_a_sentence(server):
    outcome = connect(server, {"create": CREATE}).write(ITEMS, [item("A", operation="delete", ref="1")])[0]
    assert isinstance(outcome.error, ConfigError)
    assert "does not declare how to delete" in outcome.error.what
    assert server.requests == []


def test_an_update_of_a_record_that_is_gone_is_a_dead_letter(server):
    outcome = connect(server, {"update": UPDATE}).write(ITEMS, [customer("A", operation="update", ref="404")])[0]
    assert isinstance(outcome.error, PermanentError)


def test_writing_to_a_stream_that_is_read_only_is_an_error(server):
    with pytest.raises(ConfigError, match="can only be read"):
        rest(server.url).write(ITEMS, [customer("A")])


# --- ids -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "create", "ref"),
    [
        (Answer({"id": 12}, 201), {}, "12"),
        (Answer({"error": False, "id": 12}), {}, "12"),
        (Answer({"customer": {"id": "x"}}, 201), {"wrap": "customer"}, "x"),
        (Answer({"a": {"b": 5}}, 201), {"ref": ["z", "a.b"]}, "5"),
        (Answer(None, 201, {"Location": "https://h/api/customers/77"}), {"ref_header": "Location"}, "77"),
        (Answer(None, 204, {"OData-EntityId": "https://h/data/c(ab-1)"}), {"ref_header": "OData-EntityId"}, "ab-1"),
        (Answer(None, 204, {"Location": "https://h/d/c('A%20b')"}), {"ref_header": "Location"}, "A b"),
        (Answer(None, 204), {"ref_value": "${key}"}, "A"),
    ],
)
def test_the_id_is_found_where_the_system_puts_it(answer, create, ref):
    with serve(lambda request: answer) as server:
        outcome = connect(server, {"create": {**CREATE, **create}}).write(ITEMS, [customer("A", operation="create")])[0]
        assert (outcome.status, outcome.ref) == ("created", ref)


def test_a_good_answer_without_an_id_is_unsure():
    with serve(lambda request: Answer({"ok": True}, 201)) as server:
        outcome = connect(server, {"create": CREATE}).write(ITEMS, [customer("A", operation="create")])[0]
        assert (outcome.status, outcome.error.code) == ("unsure", "NO_ID")


# --- answers that prove nothing ------------------------------------------------------------------------------------

CUT = Answer(raw=b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"id": 1')
ODD_ANSWERS = [
    (Answer(b'{"id": "1"', 201), "unsure", "unsure"),
    (Answer("<html><title>Welcome</title></html>", 200), "unsure", "failed"),
    (Answer("<html>Bad gateway</html>", 502), "unsure", "failed"),
    (Answer({"message": "oops"}, 500), "unsure", "failed"),
    (Answer({"message": "later"}, 503), "unsure", "failed"),
    (Answer({"message": "slow"}, 504), "unsure", "failed"),
    (CUT, "unsure", "failed"),
    (Answer(b'{"id": "1"}', 201, {"Content-Encoding": "gzip"}), "unsure", "failed"),
    (Answer({"id": "1", "note": "x" * 5_000}, 201), "unsure", "unsure"),
    (Answer({"error": {"message": "the period is closed"}}), "unsure", "unsure"),
    (Answer({"errors": [{"message": "upstream"}]}), "unsure", "unsure"),
    (Answer(raw=b""), "unsure", "failed"),
    (Answer(PASSWORD_PAGE), "failed", "failed"),
    (Answer({"message": "slow down"}, 429, {"Retry-After": "7"}), "failed", "failed"),
    (Answer({"message": "later"}, 503, {"Retry-After": "7"}), "failed", "failed"),
    (Answer({"message": "no"}, 401), "failed", "failed"),
    (Answer({"message": "no"}, 403), "failed", "failed"),
    (Answer({"message": "no"}, 400), "failed", "failed"),
    (Answer(None, 302, {"Location": "https://sso.example.com/"}), "failed", "failed"),
]


@pytest.mark.parametrize(("answer", "status", "status_when_repeatable"), ODD_ANSWERS)
def test_no_odd_answer_counts_as_written(answer, status, status_when_repeatable):
    with serve(lambda request: answer) as server:
        for safety, expected in (("D", status), ("C", status), ("B", status_when_repeatable)):
            create = {**CREATE, "safety": safety}
            outcome = connect(server, {"create": create}, limits={"max_response_bytes": 4_000}).write(
                ITEMS, [customer("A", operation="create")]
            )[0]
            assert outcome.status == expected
            assert isinstance(outcome.error, UnknownOutcome) is (expected == "unsure")


@pytest.mark.parametrize("answer", [{"error": "the period is closed"}, {"id": "1", "errors": [{"message": "no"}]}])
def test_an_error_in_a_good_answer_is_no_success_though_the_id_is_known(answer):
    with serve(lambda request: answer) as server:
        for safety in "BCD":
            update = {**UPDATE, "safety": safety}
            outcome = connect(server, {"update": update}).write(ITEMS, [customer("A", operation="update", ref="1")])[0]
            assert (outcome.status, outcome.error.code) == ("unsure", "UNCONFIRMED")


def test_a_page_in_place_of_an_answer_is_no_reason_to_give_a_record_up():
    with serve(lambda request: Answer("<html><title>Maintenance</title></html>", 200)) as server:
        create = {**CREATE, "safety": "B"}
        outcome = connect(server, {"create": create}).write(ITEMS, [customer("A", operation="create")])[0]
        assert isinstance(outcome.error, TransientError)


def test_a_system_that_cannot_be_reached_did_not_write():
    with serve(lambda request: {}) as server:
        url = server.url
    server.url = url
    outcome = connect(server, {"create": CREATE}).write(ITEMS, [customer("A", operation="create")])[0]
    assert (outcome.status, type(outcome.error).__mro__[1]) == ("failed", TransientError)


def test_an_error_in_a_good_answer_is_an_error():
    errors = {
        "failed_when": [{"path": "error", "exists": True}],
        "message": "error",
        "rules": [{"message": "locked", "as": "locked"}],
    }
    with serve(lambda request: {"error": "row is LOCKED by ann", "id": "1"}) as server:
        outcome = connect(server, {"create": CREATE}, errors=errors).write(ITEMS, [customer("A", operation="create")])[
            0
        ]
        assert (outcome.status, outcome.error.code) == ("failed", "LOCKED")


@pytest.mark.parametrize(
    ("answer", "status"),
    [({"result": True, "id": 1}, "created"), ({"result": False, "id": 1}, "failed"), ({"id": 1}, "unsure")],
)
def test_success_must_be_confirmed_where_that_is_declared(answer, status):
    create = {**CREATE, "success": [{"path": "result", "equals": True}]}
    with serve(lambda request: answer) as server:
        assert connect(server, {"create": create}).write(ITEMS, [customer("A", operation="create")])[0].status == status


RULES = {
    **ERRORS,
    "rules": [
        {"status": 403, "code": "REQUEST_LIMIT_EXCEEDED", "as": "quota"},
        {"status": "4xx", "message": "infolog: already EXISTS", "as": "duplicate"},
        {"status": [400, 429], "code": ["SLOW", "SLOWER"], "as": "throttled", "retry_after_seconds": 5},
        {"code": "NO_ROLE", "as": "permission", "fix": "Ask for the role Integration."},
    ],
}


@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "retry_after"),
    [
        (403, "REQUEST_LIMIT_EXCEEDED", "", "QUOTA", 3600.0),
        (403, "OTHER", "", "PERMISSION", None),
        (400, "X", "Write failed. Infolog: already exists", "DUPLICATE", None),
        (400, "SLOWER", "", "THROTTLED", 5),
        (500, "NO_ROLE", "", "PERMISSION", None),
        (409, "X", "", "CONFLICT", None),
        (423, "X", "", "LOCKED", None),
        (418, "X", "", "VALIDATION", None),
    ],
)
def test_rules_say_what_an_error_means(status, code, message, kind, retry_after):
    answer = Answer({"error": {"code": code, "message": message}}, status)
    with serve(lambda request: answer) as server:
        error = (
            connect(server, {"create": CREATE}, errors=RULES).write(ITEMS, [customer("A", operation="create")])[0].error
        )
        assert (error.code, getattr(error, "retry_after", None)) == (kind, retry_after)
        assert kind != "PERMISSION" or code != "NO_ROLE" or error.fix == "Ask for the role Integration."


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        ("-5", 0, 0),
        ("999999999", 86400, 86400),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Fri, 31 Dec 2199 23:59:59 GMT", 86400, 86400),
        ("soon", None, None),
        ("nan", None, None),
        ("", None, None),
    ],
)
def test_retry_after_is_seconds_a_date_or_nothing(header, low, high):
    with serve(lambda request: Answer({"message": "x"}, 429, {"Retry-After": header})) as server:
        error = connect(server, {"create": CREATE}).write(ITEMS, [customer("A", operation="create")])[0].error
        assert isinstance(error, TransientError)
        assert error.retry_after is None if low is None else low <= error.retry_after <= high


# --- batches -------------------------------------------------------------------------------------------------------


def test_a_batch_has_an_outcome_for_each_item(system, server):
    connector = connect(server, {"upsert": {"safety": "B", "batch": BATCH}})
    items = [customer(f"K{number}", "bad" if number == 4 else "ok") for number in range(8)]
    outcomes = connector.write(ITEMS, items)
    assert [outcome.status for outcome in outcomes] == ["created"] * 4 + ["failed"] + ["created"] * 3
    assert (outcomes[4].error.field, outcomes[4].error.code) == ("name", "VALIDATION")
    assert len(server.requests) == 3
    assert {outcome.status for outcome in connector.write(ITEMS, items[:4])} == {"updated"}
    assert len(system.rows) == 7


def test_a_batch_that_is_refused_for_one_forbidden_record_lets_the_others_through(system, server):
    def no_secrets(request: Request) -> Any:
        names = [record["name"] for record in (request.json or {}).get("records", ())]
        return Answer({"error": {"message": "not yours"}}, 403) if "secret" in names else None

    system.fault = no_secrets
    batch = {**BATCH, "max": 8}
    items = [customer(f"K{number}", "secret" if number == 4 else "ok") for number in range(8)]
    outcomes = connect(server, {"upsert": {"safety": "B", "batch": batch}}).write(ITEMS, items)
    assert [outcome.key for outcome in outcomes if outcome.status == "failed"] == ["K4"]
    assert (outcomes[4].error.code, isinstance(outcomes[4].error, AuthError)) == ("PERMISSION", False)


def test_results_may_be_matched_by_key_and_what_is_missing_is_unsure(system, server):
    batch = {**BATCH, "match": "key", "key": "code", "max": 10}

    def shuffled_and_short(request: Request) -> Any:
        results = [{"success": True, "code": code, "id": f"i{code}"} for code in ("C", "A")]
        return Answer({"results": results})

    system.after_work = shuffled_and_short
    outcomes = connect(server, {"upsert": {"safety": "B", "batch": batch}}).write(
        ITEMS, [customer("A"), customer("B"), customer("C")]
    )
    assert [(outcome.status, outcome.ref) for outcome in outcomes] == [
        ("updated", "iA"),
        ("unsure", None),
        ("updated", "iC"),
    ]


def test_a_list_of_another_length_proves_nothing(system, server):
    system.after_work = lambda request: Answer({"results": [{"success": True, "id": "1"}]})
    outcomes = connect(server, {"upsert": {"safety": "B", "batch": BATCH}}).write(ITEMS, [customer("A"), customer("B")])
    assert [outcome.status for outcome in outcomes] == ["unsure", "unsure"]


def test_a_batch_has_a_key_of_its_own_for_each_set_of_items(system, server):
    """Were it made of the first item and their number, the system would take other items for a repetition."""
    said = []
    system.fault = lambda request: said.append(request.headers.get("idempotency-key"))
    connector = connect(server, {"upsert": {"safety": "B", "idempotency_header": "Idempotency-Key", "batch": BATCH}})
    for other in ("B", "B", "C"):
        connector.write(ITEMS, [customer("A", idempotency_key="k-A"), customer(other, idempotency_key=f"k-{other}")])
    assert said[0] == said[1] != said[2]
    assert all(said)


def test_in_an_atomic_batch_one_failure_undoes_all():
    def handler(request: Request) -> Any:
        return {
            "responses": [
                {"id": "0", "status": 201, "body": {"ID": "a"}},
                {"id": "1", "status": 400, "body": {"error": {"message": "bad"}}},
            ]
        }

    batch = {
        "max": 10,
        "path": "/$batch",
        "item": {"id": "${index}", "method": "POST", "url": "Customers", "body": "${body}"},
        "json": {"requests": "${items}"},
        "results": "responses",
        "match": "index",
        "key": "id",
        "status": "status",
        "ref": "body.ID",
        "message": "body.error.message",
        "atomic": True,
    }
    with serve(handler) as server:
        outcomes = connect(server, {"create": {"batch": batch}}).write(
            ITEMS, [customer("A", operation="create"), customer("B", operation="create")]
        )
        assert [outcome.status for outcome in outcomes] == ["failed", "failed"]
        assert isinstance(outcomes[0].error, TransientError)
        assert isinstance(outcomes[1].error, RecordError)
        assert server.requests[0].json["requests"][1] == {
            "id": 1,
            "method": "POST",
            "url": "Customers",
            "body": {"code": "B", "name": "Acme"},
        }


def test_a_batch_that_is_refused_for_one_record_is_split_until_it_is_found(server, system):
    def refuse_whole(request: Request) -> Answer | None:
        names = [record["name"] for record in (request.json or {}).get("records", ())]
        return Answer({"error": {"message": "malformed"}}, 400) if "bad" in names else None

    system.fault = refuse_whole
    batch = {**BATCH, "max": 8}
    items = [customer(f"K{number}", "bad" if number == 5 else "ok") for number in range(8)]
    outcomes = connect(server, {"upsert": {"safety": "B", "batch": batch}}).write(ITEMS, items)
    assert [outcome.key for outcome in outcomes if outcome.status == "failed"] == ["K5"]
    assert len(system.rows) == 7


# --- find ----------------------------------------------------------------------------------------------------------


def test_find_tells_what_the_system_holds(system, server):
    system.put(code="A", name="x", amount=1.5)
    connector = connect(server, {"create": CREATE}, find=FIND, fields={"amount": "decimal"})
    assert connector.find(ITEMS, ["A", "B"]) == {"A": {"id": "1000", "code": "A", "name": "x", "amount": "1.5"}}


def test_find_asks_for_many_keys_at_once_where_the_system_can(server):
    find = {"path": "/customers", "query": {"codes": "${keys|join}"}, "key": "code", "max": 3}
    connect(server, {"create": CREATE}, find=find).find(ITEMS, ["A", "B", "C", "D"])
    assert [request.query["codes"] for request in server.requests] == ["A,B,C", "D"]


def test_a_filter_that_the_system_ignores_finds_nothing_wrong(system, server):
    system.put(code="X")
    system.put(code="Y")
    find = {"path": "/customers", "query": {"ignored": "${key}"}, "key": "code"}
    assert connect(server, {"create": CREATE}, find=find).find(ITEMS, ["A"]) == {}


def test_two_records_under_one_key_are_an_error_not_a_choice(system, server):
    system.put(code="A")
    system.put(code="A")
    with pytest.raises(RecordError, match="more than one"):
        connect(server, {"create": CREATE}, find=FIND).find(ITEMS, ["A"])


def test_a_quote_in_a_key_cannot_break_out_of_a_filter(server):
    find = {"path": "/customers", "query": {"$filter": "code eq '${key|odata}'"}, "key": "code"}
    connect(server, {"create": CREATE}, find=find).find(ITEMS, ["O'Brien' or 1 eq 1"])
    assert server.requests[0].query["$filter"] == "code eq 'O''Brien'' or 1 eq 1'"


def test_a_look_up_that_fails_writes_nothing(system, server):
    system.fault = lambda request: Answer({"message": "x"}, 500) if request.method == "GET" else None
    outcome = connect(server, {"create": CREATE, "update": UPDATE}, find=FIND).write(ITEMS, [customer("A")])[0]
    assert outcome.status == "failed"
    assert isinstance(outcome.error, TransientError)
    assert system.rows == {}


def test_an_account_that_may_not_look_anything_up_stops_the_write_and_gives_no_record_up(system, server):
    system.fault = lambda request: Answer({"message": "no right to read"}, 403) if request.method == "GET" else None
    connector = connect(server, {"create": CREATE, "update": UPDATE}, find=FIND)
    with pytest.raises(ConfigError, match="no right to read"):
        connector.write(ITEMS, [customer("A"), customer("B")])
    assert system.rows == {}


def test_a_key_that_cannot_be_looked_up_does_not_keep_the_others(system, server):
    system.put(code="A")
    system.put(code="A")
    connector = connect(
        server, {"create": CREATE, "update": UPDATE}, find={**FIND, "max": 3, "query": {"code": "${keys|join}"}}
    )
    system.fault = lambda request: (
        Answer({"message": "odd"}, 400) if request.method == "GET" and "odd" in request.query.get("code", "") else None
    )
    outcomes = connector.write(ITEMS, [customer("odd"), customer("B"), customer("C")])
    assert [outcome.status for outcome in outcomes] == ["failed", "created", "created"]


def test_a_refused_sign_in_is_told_for_each_item(system, server):
    system.fault = lambda request: Answer({"message": "no"}, 401)
    outcomes = connect(server, {"upsert": UPSERT}).write(ITEMS, [customer("A"), customer("B")])
    assert all(isinstance(outcome.error, AuthError) for outcome in outcomes)
