"""Signing in: each kind sends what it should, tokens are fetched once and renewed once, secrets stay secret."""

from __future__ import annotations

import base64
import threading
import time
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from hub.common.errors import AuthError, ConfigError, TransientError
from tests.connectors.tools import read_all, rest
from tests.fakes.http import Answer, FakeServer, Request, serve

CONFIG = {
    "user": {"title": "User", "default": "ann"},
    "token": {"title": "Token", "type": "secret", "required": False},
}


def sent(auth: dict[str, Any], **sections: Any) -> Request:
    """The request that a way of signing in makes."""
    with serve(lambda request: []) as server:
        read_all(rest(server.url, auth=auth, config=CONFIG, **sections))
        return server.requests[-1]


def test_basic_sends_user_and_password():
    request = sent({"type": "basic", "username": "${config.user}", "password": "${secret.token}"})
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"ann:s3cret-token"


def test_basic_may_have_an_empty_or_a_fixed_password():
    request = sent({"type": "basic", "username": "${secret.token}", "password": "x"})
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"s3cret-token:x"


def test_bearer_header_and_query_send_the_secret():
    assert sent({"type": "bearer", "token": "${secret.token}"}).headers["authorization"] == "Bearer s3cret-token"
    assert sent({"type": "header", "headers": {"X-Key": "k ${secret.token}"}}).headers["x-key"] == "k s3cret-token"
    assert sent({"type": "query", "query": {"api_key": "${secret.token}"}}).query == {"api_key": "s3cret-token"}


def test_values_are_put_together_and_encoded():
    request = sent(
        {"type": "header", "headers": {"Authorization": "ID ${values.pair|base64}"}},
        values={"pair": "${config.user}:${secret.token}"},
    )
    assert request.headers["authorization"] == "ID " + base64.b64encode(b"ann:s3cret-token").decode()


# --- OAuth 2 -------------------------------------------------------------------------------------------------------

OAUTH = {
    "type": "oauth2",
    "token_url": "/oauth/token",
    "client_id": "hub",
    "client_secret": "${secret.token}",
}


class Issuer:
    """Issues numbered tokens and accepts only the newest."""

    def __init__(self, **more: Any) -> None:
        self.issued, self.more, self.valid = 0, {"expires_in": 3600, **more}, True
        self.grants: list[dict[str, str]] = []

    def __call__(self, request: Request) -> Any:
        if request.path == "/oauth/token":
            self.issued += 1
            self.grants.append(dict(pair.split("=") for pair in request.body.decode().split("&")))
            return {"access_token": f"token-{self.issued}", **self.more}
        good = request.headers.get("authorization") == f"Bearer token-{self.issued}" and self.valid
        return [{"id": "1"}] if good else Answer({"error": "expired"}, 401)


def test_client_credentials_are_exchanged_once():
    issuer = Issuer()
    with serve(issuer) as server:
        connector = rest(server.url, auth={**OAUTH, "scope": "read"})
        for _ in range(3):
            read_all(connector)
    assert issuer.grants == [
        {"grant_type": "client_credentials", "client_id": "hub", "client_secret": "s3cret-token", "scope": "read"}
    ]


def test_client_credentials_may_go_in_a_basic_header():
    with serve(Issuer()) as server:
        read_all(rest(server.url, auth={**OAUTH, "client_auth": "basic"}))
        token = server.requests[0]
        assert base64.b64decode(token.headers["authorization"].removeprefix("Basic ")) == b"hub:s3cret-token"
        assert b"client" not in token.body.replace(b"client_credentials", b"")


def test_the_token_request_may_be_json_with_parameters_and_headers_of_its_own():
    with serve(lambda request: {"access_token": "t"} if "token" in request.path else []) as server:
        auth = {**OAUTH, "body_format": "json", "token_params": {"resource": "r"}, "token_headers": {"X-T": "1"}}
        read_all(rest(server.url, auth={**auth, "grant": "openapi_2lo"}))
        assert server.requests[0].json["grant_type"] == "openapi_2lo"
        assert (server.requests[0].json["resource"], server.requests[0].headers["x-t"]) == ("r", "1")


def test_an_expired_token_is_renewed_before_it_is_refused():
    issuer = Issuer(expires_in="1")
    with serve(issuer) as server:
        connector = rest(server.url, auth={**OAUTH, "skew_seconds": 1})
        read_all(connector)
        time.sleep(0.6)
        read_all(connector)
        assert issuer.issued == 2
        assert not any(request.headers.get("authorization") == "Bearer token-1" for request in server.requests[2:])


def test_a_refused_token_is_renewed_once_and_the_request_repeated():
    issuer = Issuer()
    with serve(issuer) as server:
        connector = rest(server.url, auth=OAUTH)
        read_all(connector)
        issuer.issued += 1
        assert read_all(connector) == [{"id": "1"}]
        assert issuer.issued == 3


def test_a_token_that_is_always_refused_ends_after_one_renewal():
    issuer = Issuer()
    issuer.valid = False
    with serve(issuer) as server:
        with pytest.raises(AuthError) as caught:
            read_all(rest(server.url, auth=OAUTH))
        assert (issuer.issued, len(server.requests)) == (2, 4)
    assert caught.value.code == "AUTH_EXPIRED"


def test_many_threads_renew_a_token_once():
    issuer = Issuer()
    with serve(issuer) as server:
        connector = rest(server.url, auth=OAUTH, limits={"concurrency": 8})
        threads = [threading.Thread(target=read_all, args=(connector,)) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
    assert issuer.issued == 1


def test_a_replaced_refresh_token_is_used_and_reported():
    rotated = []
    issuer = Issuer(refresh_token="new-refresh", expires_in=1)
    auth = {**OAUTH, "grant": "refresh_token", "refresh_token": "${secret.refresh}", "skew_seconds": 1}
    config = {**CONFIG, "refresh": {"title": "Refresh token", "type": "secret"}}
    with serve(issuer) as server:
        connector = rest(
            server.url, auth=auth, config=config, secrets_given={"token": "x" * 9, "refresh": "old-refresh"}
        )
        connector.on_secret_changed = lambda name, value: rotated.append((name, value))
        read_all(connector)
        time.sleep(0.6)
        read_all(connector)
    assert [grant["refresh_token"] for grant in issuer.grants] == ["old-refresh", "new-refresh"]
    assert rotated == [("refresh", "new-refresh")]


def test_the_token_answer_may_tell_the_address():
    with serve(lambda request: [{"id": "1", "host": "other"}]) as other:
        issuer = Issuer(instance_url=other.url)
        with serve(issuer) as server:
            assert read_all(rest(server.url, auth={**OAUTH, "base_url_path": "instance_url"}))[0]["host"] == "other"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer({"error": "invalid_client", "error_description": "no such client"}, 401), AuthError),
        (Answer({"error": "invalid_grant", "error_description": "no such client"}, 400), AuthError),
        (Answer({"error_description": "no such client"}, 503), TransientError),
        (Answer({"nothing": "no such client"}), AuthError),
    ],
)
def test_a_refused_token_request_says_why(answer, error):
    with serve(lambda request: answer) as server, pytest.raises(error) as caught:
        read_all(rest(server.url, auth=OAUTH))
    assert "no such client" in str(caught.value) or "without a token" in str(caught.value)


def test_secrets_and_tokens_are_masked_in_errors():
    def handler(request: Request) -> Any:
        if "token" in request.path:
            return {"access_token": "tok-123456"}
        return Answer({"error": f"bad {request.headers['authorization']} for s3cret-token"}, 400)

    with serve(handler) as server, pytest.raises(ConfigError) as caught:
        read_all(rest(server.url, auth=OAUTH))
    assert "bad Bearer ••• for •••" in str(caught.value)


# --- assertions ----------------------------------------------------------------------------------------------------


def pem(key: Any) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def unpack(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_a_private_key_signs_in_without_a_secret(algorithm):
    key: Any = (
        ec.generate_private_key(ec.SECP256R1()) if algorithm == "ES256" else rsa.generate_private_key(65537, 2048)
    )
    auth = {
        "type": "oauth2",
        "token_url": "/oauth/token",
        "client_id": "hub",
        "assertion": {
            "key": "${secret.token}",
            "algorithm": algorithm,
            "headers": {"kid": "k1"},
            "claims": {"iss": "hub", "aud": "x"},
        },
    }
    issuer = Issuer()
    with serve(issuer) as server:
        read_all(rest(server.url, auth=auth, secrets_given={"token": pem(key)}))
    jwt = issuer.grants[0]["client_assertion"]
    head, body, signature = jwt.split(".")
    assert orjson.loads(unpack(head)) == {"alg": algorithm, "typ": "JWT", "kid": "k1"}
    claims = orjson.loads(unpack(body))
    assert (claims["iss"], claims["exp"] - claims["iat"]) == ("hub", 180)
    signed, raw = f"{head}.{body}".encode(), unpack(signature)
    if algorithm == "ES256":
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        key.public_key().verify(der, signed, ec.ECDSA(hashes.SHA256()))
    else:
        pad: Any = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if algorithm == "PS256" else padding.PKCS1v15()
        key.public_key().verify(raw, signed, pad, hashes.SHA256())


def test_a_key_that_cannot_be_read_is_explained():
    auth = {
        "type": "oauth2",
        "grant": "jwt_bearer",
        "token_url": "/oauth/token",
        "assertion": {"key": "${secret.token}", "claims": {"iss": "x"}},
    }
    with serve(Issuer()) as server, pytest.raises(ConfigError, match="private key cannot be read"):
        read_all(rest(server.url, auth=auth))


# --- sessions ------------------------------------------------------------------------------------------------------

LOGIN = {"path": "/login", "json": {"user": "${config.user}", "password": "${secret.token}"}}


def session(server: FakeServer, **auth: Any) -> Any:
    return rest(server.url, auth={"type": "session", "login": LOGIN, **auth}, config=CONFIG)


def test_a_session_token_may_stand_in_body_header_or_cookie():
    def handler(request: Request) -> Any:
        if request.path == "/login":
            assert request.json == {"user": "ann", "password": "s3cret-token"}
            cookies = "theme=dark; Path=/; Expires=Wed, 09 Jun 2027 10:18:14 GMT"
            return Answer({"data": {"token": "in-body"}}, headers={"X-Token": "in-header", "Set-Cookie": cookies})
        return [{"id": "1", "auth": request.headers.get("authorization") or request.headers.get("cookie")}]

    with serve(handler) as server:
        assert read_all(session(server, token_path="data.token"))[0]["auth"] == "Bearer in-body"
        assert read_all(session(server, token_header="X-Token"))[0]["auth"] == "Bearer in-header"
        cookie = session(server, token_cookie="theme", headers={"Cookie": "theme=${token}"})
        assert read_all(cookie)[0]["auth"] == "theme=dark"


def test_a_session_that_ended_is_opened_again():
    logins = []

    def handler(request: Request) -> Any:
        if request.path == "/login":
            logins.append(1)
            return {"token": f"t{len(logins)}"}
        good = request.headers["x-session"] == f"t{len(logins)}" and len(server.requests) != 4
        return [{"id": "1"}] if good else Answer({"message": "session over"}, 401)

    with serve(handler) as server:
        connector = session(server, token_path="token", headers={"X-Session": "${token}"})
        read_all(connector)
        logins.append(1)
        assert read_all(connector) == [{"id": "1"}]


def test_a_login_that_answers_without_a_token_is_a_refused_sign_in():
    with serve(lambda request: {"ok": False}) as server, pytest.raises(AuthError, match="without a token"):
        read_all(session(server, token_path="token"))
