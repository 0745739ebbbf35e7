"""Ways to sign in: fixed credentials, OAuth 2 tokens and login sessions."""

from __future__ import annotations

import base64
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from connectors.failures import Failure, read_error, sentence
from connectors.paths import get
from connectors.rest.assertion import CLIENT_ASSERTION, JWT_BEARER, signed_assertion
from connectors.template import Scope, compile_template, render, to_text
from hub.common.errors import AuthError, HubError

if TYPE_CHECKING:
    from connectors.rest.client import ApiClient, Reply

_BEARER = {"Authorization": "Bearer ${token}"}
_DEFAULT_SKEW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is added to a request; `generation` counts the tokens, so that one refusal renews it once."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    generation: int = 0


class Authenticator(ABC):
    """Gives the credentials of each request."""

    @abstractmethod
    def credentials(self) -> Credentials:
        """Raises AuthError when the system refuses to sign us in."""

    def renew(self, refused: Credentials) -> bool:
        """Drop refused credentials; True when others may be had."""
        return False


class FixedAuth(Authenticator):
    """Credentials that never change: none, basic, bearer, header and query."""

    def __init__(self, section: Mapping[str, Any], scope: Scope) -> None:
        filled = render(section, scope)
        kind = section.get("type", "none")
        headers, query = filled.get("headers", {}), filled.get("query", {})
        if kind == "basic":
            headers = {"Authorization": basic(filled.get("username", ""), filled.get("password", ""))}
        elif kind == "bearer":
            headers = {"Authorization": f"Bearer {filled.get('token', '')}"}
        self._credentials = Credentials(_texts(headers), _texts(query))

    def credentials(self) -> Credentials:
        return self._credentials


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: to_text(value) for name, value in values.items()}


class TokenAuth(Authenticator, ABC):
    """A token that is fetched when first needed, kept until shortly before its end, and shared by all threads."""

    default_token_path = "access_token"

    def __init__(self, section: Mapping[str, Any], scope: Scope, api: ApiClient) -> None:
        self.section, self.scope, self.api = section, scope, api
        self._lock = threading.Lock()
        self._ends_at = 0.0
        self._current: Credentials | None = None
        self._generation = 0

    def credentials(self) -> Credentials:
        with self._lock:
            if self._current is None or time.monotonic() >= self._ends_at:
                self._current = self._sign_in()
            return self._current

    def renew(self, refused: Credentials) -> bool:
        with self._lock:
            if self._current and self._current.generation == refused.generation:
                self._current = None
        return True

    @abstractmethod
    def request_token(self) -> Reply:
        """Ask the system for a token."""

    def _sign_in(self) -> Credentials:
        reply = self.request_token()
        if reply.failure:
            raise _sign_in_error(reply.failure)
        token = self._token(reply)
        self._ends_at = time.monotonic() + self._lifetime(reply)
        self._generation += 1
        base_url = get(reply.data, self.section["base_url_path"]) if "base_url_path" in self.section else None
        if base_url:
            self.api.base_url = str(base_url).rstrip("/")
        return self._dress(token)

    def _token(self, reply: Reply) -> Any:
        if "token_header" in self.section:
            token: Any = reply.answer.headers.get(self.section["token_header"].lower())
        elif "token_cookie" in self.section:
            token = _cookie(reply.answer.headers.get("set-cookie", ""), self.section["token_cookie"])
        else:
            token = get(reply.data, self.section.get("token_path", self.default_token_path))
        if not token:
            raise AuthError(
                "The sign-in was answered, but without a token.",
                where=reply.answer.where,
                fix="Check user and password; then `token_path` in the declaration.",
                code="AUTH_DENIED",
            )
        for part in token if isinstance(token, list) else token.values() if isinstance(token, dict) else [token]:
            self.api.http.redact.add(to_text(part))
        return token

    def _dress(self, token: Any) -> Credentials:
        """The headers and parameters that carry a token."""
        scope = self.scope.extend(token=token)
        query = _texts(render(self.section.get("query", {}), scope))
        default = {} if query else _BEARER
        return Credentials(_texts(render(self.section.get("headers", default), scope)), query, self._generation)

    def _lifetime(self, reply: Reply) -> float:
        """Seconds to use the token: what the answer tells, else what is declared, else for ever; less the margin."""
        told = get(reply.data, self.section.get("expires_path", "expires_in"))
        try:
            seconds = float(told)
        except (TypeError, ValueError):
            seconds = float(self.section.get("lifetime_seconds", "inf"))
        skew = float(self.section.get("skew_seconds", _DEFAULT_SKEW_SECONDS))
        return seconds - skew if seconds > 2 * skew else seconds / 2


def _cookie(header: str, name: str) -> str | None:
    cookies: SimpleCookie = SimpleCookie()
    for line in header.split("\n"):
        try:
            cookies.load(line)
        except CookieError:
            continue
    return cookies[name].value if name in cookies else None


def _sign_in_error(failure: Failure) -> HubError:
    """A refused sign-in: whatever the status, a 4xx means that the credentials are wrong."""
    if failure.kind in ("throttled", "quota", "timeout", "server_transient", "redirect", "page", "not_found"):
        return read_error(failure)
    error = AuthError(
        f"The system refuses the sign-in: {failure.words or sentence(failure)}",
        where=failure.where,
        fix=failure.fix or "Check user, password, key or client secret of the connection.",
        code="AUTH_DENIED",
    )
    error.add_note(failure.words)
    return error


class SessionAuth(TokenAuth):
    """A login request that answers with a session token."""

    def request_token(self) -> Reply:
        return self.api.login(self.section["login"])


class OAuth2(TokenAuth):
    """OAuth 2 without a browser: client credentials, refresh token, password, assertion, or a system's own grant.

    `on_rotation` is told the new refresh token when the system replaces it.
    """

    def __init__(
        self,
        section: Mapping[str, Any],
        scope: Scope,
        api: ApiClient,
        on_rotation: Callable[[str, str], None] | None = None,
    ) -> None:
        super().__init__(section, scope, api)
        self._on_rotation = on_rotation
        self._rotated: str | None = None

    def request_token(self) -> Reply:
        filled = render(self.section, self.scope)
        headers = _texts(filled.get("token_headers", {}))
        form = {**self._grant(filled), **self._client(filled, headers), **_texts(filled.get("token_params", {}))}
        as_json = filled.get("body_format") == "json"
        url = self.api.url(self.section["token_url"], self.scope, base=self.api.home_url)
        reply = self.api.send(
            "POST", url, headers=headers, json=form if as_json else None, form=None if as_json else form, signed=False
        )
        self._keep_rotated(reply)
        return reply

    def _grant(self, filled: Mapping[str, Any]) -> dict[str, str]:
        grant = filled.get("grant", "client_credentials")
        form = {"grant_type": JWT_BEARER if grant == "jwt_bearer" else grant}
        if grant == "refresh_token":
            form["refresh_token"] = self._rotated or filled["refresh_token"]
        if grant == "password":
            form |= {"username": filled["username"], "password": filled.get("password", "")}
        if "scope" in filled:
            form["scope"] = filled["scope"]
        return form

    def _client(self, filled: Mapping[str, Any], headers: dict[str, str]) -> dict[str, str]:
        """The form fields that identify the client; a Basic header is set in `headers`."""
        form: dict[str, str] = {}
        way, client_id = filled.get("client_auth", "body"), filled.get("client_id")
        if way == "basic":
            headers["Authorization"] = basic(client_id or "", filled.get("client_secret", ""))
        elif client_id:
            form["client_id"] = client_id
            if way == "body" and filled.get("client_secret"):
                form["client_secret"] = filled["client_secret"]
        if "assertion" in filled:
            use = filled["assertion"].get("use", "grant" if filled.get("grant") == "jwt_bearer" else "client")
            signed = signed_assertion(filled["assertion"])
            form |= (
                {"assertion": signed}
                if use == "grant"
                else {"client_assertion_type": CLIENT_ASSERTION, "client_assertion": signed}
            )
        return form

    def _keep_rotated(self, reply: Reply) -> None:
        new = None if reply.failure else get(reply.data, "refresh_token")
        if not new or self.section.get("grant") != "refresh_token" or new == self._rotated:
            return
        self._rotated = str(new)
        self.api.http.redact.add(self._rotated)
        names = [r.path for r in compile_template(self.section["refresh_token"]).references if r.root == "secret"]
        if names and self._on_rotation:
            self._on_rotation(names[0], self._rotated)


def build_auth(
    section: Mapping[str, Any], scope: Scope, api: ApiClient, on_rotation: Callable[[str, str], None] | None = None
) -> Authenticator:
    """The authenticator of an `auth` section."""
    if section.get("type") == "oauth2":
        return OAuth2(section, scope, api, on_rotation)
    if section.get("type") == "session":
        return SessionAuth(section, scope, api)
    return FixedAuth(section, scope)
