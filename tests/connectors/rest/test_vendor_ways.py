"""Ways of signing in, paging and telling errors that single vendors have, each said by a declaration alone."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors import catalog
from connectors.failures import Classifier
from connectors.rest.oauth1 import signature_base
from hub.common.errors import ConfigError, TransientError
from tests.connectors.rest.test_auth import pem, unpack
from tests.connectors.tools import BASE, ITEMS, item, read_all, read_pages, rest
from tests.fakes.http import Answer, Request, serve

SECRETS = ("consumer_key", "consumer_secret", "token", "token_secret")
TBA: dict[str, Any] = {
    "type": "oauth1",
    "realm": "123_SB1",
    **{name: f"${{secret.{name}}}" for name in SECRETS},
}
TBA_CONFIG = {name: {"title": name, "type": "secret"} for name in SECRETS}
TBA_VALUES = {name: f"{name}-va&lue" for name in SECRETS}


class Tba:
    """Checks token-based signatures as a server does: from what came over the wire and the secrets it knows."""

    def __init__(self) -> None:
        self.nonces: list[str] = []

    def __call__(self, request: Request) -> Any:
        head = request.headers["authorization"].removeprefix("OAuth ")
        given = {k: v.strip('"') for k, v in (part.split("=", 1) for part in head.split(", "))}
        assert given.pop("realm") == "123_SB1"
        signature = _unquoted(given.pop("oauth_signature"))
        self.nonces.append(given["oauth_nonce"])
        form = request.body.decode() if "form" in request.headers.get("content-type", "") else ""
        pairs = [*given.items()] + [
            (quote(k, safe="-._~"), quote(v, safe="-._~"))
            for text in (urlsplit(request.target).query, form)
            for k, v in parse_qsl(text, keep_blank_values=True)
        ]
        pairs = [(k, quote(_unquoted(v), safe="-._~")) for k, v in pairs]
        text = "&".join(f"{k}={v}" for k, v in sorted(pairs))
        url = f"http://{request.headers['host']}{urlsplit(request.target).path}"
        base = "&".join([request.method, quote(url, safe=""), quote(text, safe="")])
        key = "&".join(quote(TBA_VALUES[name], safe="-._~") for name in ("consumer_secret", "token_secret"))
        right = base64.b64encode(hmac.digest(key.encode(), base.encode(), hashlib.sha256)).decode()
        return [{"id": "1"}] if hmac.compare_digest(right, signature) else Answer({"error": "bad signature"}, 401)


def _unquoted(text: str) -> str:
    return dict(parse_qsl(f"x={text.replace('+', '%2B')}", keep_blank_values=True))["x"]


def test_each_request_is_signed_with_the_token_of_the_account():
    tba = Tba()
    with serve(tba) as server:
        stream = {"query": {"q": "name IS 'a b&c=ü'", "empty": ""}}
        connector = rest(server.url, stream, auth=TBA, config=TBA_CONFIG, secrets_given=TBA_VALUES)
        assert [read_all(connector) for _ in range(2)] == [[{"id": "1"}]] * 2
    assert len(set(tba.nonces)) == 2


def test_a_form_is_part_of_what_is_signed():
    write = {"create": {"path": "/items", "body_format": "form", "ref": "0.id"}}
    with serve(Tba()) as server:
        connector = rest(server.url, {"write": write}, auth=TBA, config=TBA_CONFIG, secrets_given=TBA_VALUES)
        (outcome,) = connector.write(ITEMS, [item("k", {"name": "a b+c", "n": 1}, "create")])
    assert (outcome.status, outcome.ref) == ("created", "1")


def test_what_is_signed_is_written_as_the_standard_shows_it():
    # https://www.rfc-editor.org/rfc/rfc5849#section-3.4.1.1
    url = "http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b"
    given = {
        "c2": "", "oauth_consumer_key": "9djdj82h48djs9d2", "oauth_token": "kkk9d7dh3k39sjv7",
        "oauth_signature_method": "HMAC-SHA1", "oauth_timestamp": "137131201", "oauth_nonce": "7d8f3e4a",
    }  # fmt: skip
    assert signature_base("post", url, given) == (
        "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D"
        "%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1"
        "%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
    )


def test_a_token_that_the_hub_signs_itself_is_sent_as_it_is():
    key = rsa.generate_private_key(65537, 2048)
    assertion = {"key": "${secret.token}", "claims": {"iss": "ACCOUNT.USER.SHA256:x", "sub": "ACCOUNT.USER"}}
    auth = {"type": "jwt", "assertion": assertion}
    with serve(lambda request: []) as server:
        connector = rest(server.url, auth=auth, secrets_given={"token": pem(key)})
        read_all(connector)
        read_all(connector)
        sent = {request.headers["authorization"] for request in server.requests}
    (header,) = sent
    assert orjson.loads(unpack(header.removeprefix("Bearer ").split(".")[1]))["sub"] == "ACCOUNT.USER"


# --- where the account lives ---------------------------------------------------------------------------------------


def test_a_request_tells_the_address_of_the_account():
    with serve(lambda request: [{"id": "1", "from": request.path}]) as zone:

        def directory(request: Request) -> Any:
            assert "authorization" not in request.headers
            return {"url": f"{zone.url}/zone5/"} if request.query == {"user": "ann"} else Answer({}, 404)

        with serve(directory) as server:
            found = {"path": "/zoneInformation", "query": {"user": "${config.user}"}, "base_url_path": "url"}
            config = {**BASE["config"], "user": {"title": "User", "default": "ann"}}
            auth = {"type": "bearer", "token": "${secret.token}"}
            connector = rest(server.url, base_url_from=found, config=config, auth=auth)
            assert [read_all(connector)[0]["from"] for _ in range(2)] == ["/zone5/items"] * 2
            assert len(server.requests) == 1
        assert zone.requests[0].headers["authorization"] == "Bearer s3cret-token"


@pytest.mark.parametrize("answer", [{"url": None}, {"url": "zone5"}, {}])
def test_an_answer_without_an_address_is_explained(answer):
    with serve(lambda request: answer) as server, pytest.raises(ConfigError, match="names no address"):
        read_all(rest(server.url, base_url_from={"path": "/zone", "base_url_path": "url"}))


# --- paging --------------------------------------------------------------------------------------------------------


def numbered(count: int, start: int = 0) -> list[dict[str, str]]:
    return [{"id": str(start + n)} for n in range(count)]


def test_a_query_that_is_posted_goes_on_at_the_next_address_with_the_same_body():
    def handler(request: Request) -> Any:
        assert (request.method, request.json) == ("POST", {"filter": [{"op": "exist", "field": "id"}]})
        last = request.path.endswith("/next")
        url = None if last else f"{server.url}/items/query/next"
        return {"items": numbered(2, 2 if last else 0), "pageDetails": {"nextPageUrl": url}}

    stream = {
        "method": "POST", "path": "/items/query", "records": "items",
        "json": {"filter": [{"op": "exist", "field": "id"}]},
        "paging": {"type": "next_url", "next_path": "pageDetails.nextPageUrl"},
    }  # fmt: skip
    with serve(handler) as server:
        assert read_all(rest(server.url, stream)) == numbered(4)


def test_scim_counts_from_one():
    def handler(request: Request) -> Any:
        start = int(request.query["startIndex"])
        return {"totalResults": 5, "Resources": numbered(5)[start - 1 : start + 1]}

    paging = {
        "type": "offset", "offset_param": "startIndex", "first_offset": 1, "size_param": "count", "size": 2,
        "total_path": "totalResults",
    }  # fmt: skip
    with serve(handler) as server:
        assert read_all(rest(server.url, {"records": "Resources", "paging": paging})) == numbered(5)
        assert [request.query["startIndex"] for request in server.requests] == ["1", "3", "5"]


def test_an_offset_may_have_to_be_a_multiple_of_the_limit():
    def handler(request: Request) -> Any:
        offset, limit = int(request.query["offset"]), int(request.query["limit"])
        if offset % limit:
            return Answer({"message": "offset must be a multiple of limit"}, 400)
        hidden = {2}
        return {"data": [r for r in numbered(7)[offset : offset + limit] if int(r["id"]) not in hidden]}

    paging = {"type": "offset", "size_param": "limit", "size": 3, "step": "size"}
    with serve(handler) as server:
        found = [r["id"] for r in read_all(rest(server.url, {"records": "data", "paging": paging}))]
    assert found == ["0", "1", "3", "4", "5", "6"]


def test_partitions_are_counted_by_their_list():
    def handler(request: Request) -> Any:
        page = int(request.query.get("partition", 0))
        return {"data": numbered(2, 2 * page), "meta": {"partitionInfo": [{"rowCount": 2}] * 3}}

    paging = {"type": "page", "page_param": "partition", "first_page": 0, "pages_path": "meta.partitionInfo"}
    with serve(handler) as server:
        assert read_all(rest(server.url, {"records": "data", "paging": paging})) == numbered(6)
        assert len(server.requests) == 3


# --- what changed since --------------------------------------------------------------------------------------------


class Feed:
    """Gives out tokens for what changed since; forgets them on demand."""

    def __init__(self) -> None:
        self.forgets = False
        self.asked: list[str | None] = []

    def __call__(self, request: Request) -> Any:
        since = request.query.get("since")
        self.asked.append(since)
        if since and self.forgets:
            return Answer({"error": {"code": "syncStateNotFound"}}, 410)
        return {"items": numbered(1, 5 if since else 0), "sync": 42}


def test_a_token_of_the_answer_is_the_cursor_of_the_next_reading():
    feed = Feed()
    incremental = {"token_path": "sync", "query": {"since": "${cursor}"}}
    with serve(feed) as server:
        connector = rest(server.url, {"records": "items", "incremental": incremental})
        first = read_pages(connector)[-1]
        assert first.cursor == "42"
        assert read_pages(connector, cursor=first.cursor)[0].records == numbered(1, 5)
    assert feed.asked == [None, "42"]


def test_a_cursor_that_the_system_forgot_is_read_without():
    feed = Feed()
    feed.forgets = True
    incremental = {"token_path": "sync", "query": {"since": "${cursor}"}, "expired_when": [{"status": 410}]}
    with serve(feed) as server:
        (page,) = read_pages(rest(server.url, {"records": "items", "incremental": incremental}), cursor="7")
        assert (page.records, page.cursor) == (numbered(1), "42")
    assert feed.asked == ["7", None]


def test_a_refusal_that_is_not_declared_keeps_the_cursor():
    feed = Feed()
    feed.forgets = True
    incremental = {"token_path": "sync", "query": {"since": "${cursor}"}, "expired_when": [{"status": 404}]}
    with serve(feed) as server, pytest.raises(ConfigError):
        read_pages(rest(server.url, {"records": "items", "incremental": incremental}), cursor="7")
    assert feed.asked == ["7"]


# --- errors and quotas ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "body", "expected"),
    [
        ({}, [{"message": "bad value", "errorCode": "X", "fields": ["Name"]}], ("X", "bad value", "")),
        ({"field": "0.fields.0"}, [{"message": "m", "errorCode": "X", "fields": ["Name"]}], ("X", "m", "Name")),
        ({"field": "error.target"}, {"error": {"code": "C", "message": "m", "target": "t"}}, ("C", "m", "t")),
        (
            {"code": 'o:errorDetails.0."o:errorCode"', "message": "o:errorDetails.0.detail"},
            {"title": "Bad Request", "o:errorDetails": [{"detail": "d", "o:errorCode": "USER_ERROR"}]},
            ("USER_ERROR", "d", ""),
        ),
        (
            {"code": "errors.0.type", "field": "errors.0.field"},
            {"errors": [{"type": "validation", "message": "m", "field": "title"}]},
            ("validation", "m", "title"),
        ),
        ({"field_names": "errors"}, {"errors": {"name": ["can't be blank"]}}, ("", "can't be blank", "name")),
        ({}, {"schemas": ["…:Error"], "detail": "d", "status": "400"}, ("", "d", "")),
    ],
)
def test_the_error_bodies_of_vendors_are_read(section, body, expected):
    failure = Classifier(section).judge(status=400, data=body)
    assert (failure.code, failure.words, failure.field) == expected


class Told:
    """A limiter that remembers what it was told."""

    def __init__(self) -> None:
        self.busy: list[float | None] = []

    def begin(self) -> None: ...
    def close(self) -> None: ...
    def refuse(self, error: str) -> None: ...

    def end(self, *, failed: str = "", busy_seconds: float | None = None) -> None:
        self.busy.append(busy_seconds)


@pytest.mark.parametrize(
    ("usage", "header", "pause"),
    [
        ({"pattern": r"api-usage=(?P<used>\d+)/(?P<limit>\d+)", "reserve": 500}, "api-usage=14400/15000", None),
        ({"pattern": r"api-usage=(?P<used>\d+)/(?P<limit>\d+)", "reserve": 500}, "api-usage=14500/15000", 60.0),
        ({"reserve": 5, "pause_seconds": 9}, "5", 9.0),
        ({"reserve": 5}, "many", None),
    ],
)
def test_the_hub_stops_before_others_are_locked_out(usage, header, pause):
    told = Told()
    with serve(lambda request: Answer([], headers={"Usage": header})) as server:
        connector = rest(server.url, limits={"usage": {"header": "Usage", **usage}})
        connector.limiter = told
        read_all(connector)
    assert told.busy == [pause]


def test_the_pause_lasts_until_the_reset_that_the_answer_names():
    told = Told()
    headers = {"X-Rate-Limit-Remaining": "3", "X-Rate-Limit-Reset": "120"}
    with serve(lambda request: Answer([], headers=headers)) as server:
        connector = rest(server.url, limits={"usage": {"header": "X-Rate-Limit-Remaining", "reserve": 10}})
        connector.limiter = told
        read_all(connector)
    assert told.busy == [120.0]


def test_throttling_may_come_as_400_or_403_with_a_code():
    rules = [
        {"status": 403, "code": "REQUEST_LIMIT_EXCEEDED", "as": "quota", "retry_after_seconds": 900},
        {"status": 400, "code": "SSS_REQUEST_LIMIT_EXCEEDED", "as": "throttled", "retry_after_seconds": 3},
    ]
    for status, code, seconds in [(403, "REQUEST_LIMIT_EXCEEDED", 900), (400, "SSS_REQUEST_LIMIT_EXCEEDED", 3)]:
        body = [{"errorCode": code, "message": "limit"}]
        with serve(lambda request, b=body, s=status: Answer(b, s)) as server, pytest.raises(TransientError) as caught:
            read_all(rest(server.url, errors={"rules": rules}))
        assert caught.value.retry_after == seconds


def test_fields_may_go_as_form_data():
    sent: list[Request] = []

    def handler(request: Request) -> Any:
        sent.append(request)
        return {"id": "9"}

    write = {"create": {"path": "/items", "body_format": "multipart"}}
    with serve(handler) as server:
        connector = rest(server.url, {"write": write})
        connector.write(ITEMS, [item("k", {"file": "a;b\r\n1;2", 'na"me': "Zoë"}, "create")])
    kind = sent[0].headers["content-type"]
    boundary = kind.partition("boundary=")[2]
    parts = sent[0].body.decode().split(f"--{boundary}")
    assert kind.startswith("multipart/form-data")
    assert parts[1] == '\r\nContent-Disposition: form-data; name="file"\r\n\r\na;b\r\n1;2\r\n'
    assert parts[2] == '\r\nContent-Disposition: form-data; name="na_me"\r\n\r\nZoë\r\n'
    assert parts[3] == "--\r\n"


# --- mistakes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sections", "sentence"),
    [
        ({"auth": {"type": "oauth1", "consumer_key": "k"}}, "`token_secret` is missing"),
        ({"auth": {"type": "jwt"}}, "`assertion` is missing"),
        ({"auth": {"type": "bearer", "token": "x", "realm": "r"}}, "`realm` belongs to oauth1"),
        ({"limits": {"usage": {"header": "h", "pattern": r"(\d+)"}}}, "needs the groups `used` and `limit`"),
        ({"base_url_from": {"path": "/z"}}, "`base_url_path` is missing"),
        (
            {"auth": {"type": "oauth2", "grant": "authorization_code", "token_url": "/t", "client_id": "c"}},
            "`authorize_url` is missing",
        ),
        (
            {
                "auth": {
                    "type": "oauth2", "grant": "authorization_code", "token_url": "/t", "client_id": "c",
                    "authorize_url": "/a", "refresh_token": "abc",
                }
            },
            "where to keep the token",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_sentences(sections, sentence):
    body = {**BASE, "base_url": "https://x", "streams": {"items": {"path": "/items"}}, **sections}
    assert sentence in " ".join(map(str, catalog.validate(body)))
