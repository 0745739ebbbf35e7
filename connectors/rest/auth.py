"""Ways to sign in: fixed credentials, OAuth 2 tokens and login sessions."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from connectors.failures import Failure, read_error, sentence
from connectors.paths import get
from connectors.rest.assertion import CLIENT_ASSERTION, JWT_BEARER, assertion_lifetime, signed_assertion
from connectors.rest.issued import Issued, LocalTokens, Renewal, Tokens
from connectors.rest.oauth1 import RequestSigner
from connectors.template import Scope, compile_template, render, to_text
from hub.common.errors import AuthError, ConfigError, HubError

if TYPE_CHECKING:
    from connectors.rest.client import ApiClient, Reply

_BEARER = {"Authorization": "Bearer ${token}"}
_DEFAULT_SKEW_SECONDS = 60
# What a person began with a browser goes on with the refresh token of that sign-in.
_GRANTS_AT_RUN_TIME = {"authorization_code": "refresh_token"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is added to a request; `generation` counts the tokens, so that one refusal renews it once."""

    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    generation: int = 0
    # more headers, for one request alone: made of its method, its address and the fields of a form body
    sign: Callable[[str, str, Mapping[str, str] | None], Mapping[str, str]] | None = None


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


class SigningAuth(Authenticator):
    """OAuth 1: a signature for every request."""

    def __init__(self, section: Mapping[str, Any], scope: Scope) -> None:
        self._credentials = Credentials(sign=RequestSigner(render(section, scope)))

    def credentials(self) -> Credentials:
        return self._credentials


class JwtAuth(Authenticator):
    """A token that the hub signs itself, made anew when half of its life is over."""

    def __init__(self, section: Mapping[str, Any], scope: Scope, api: ApiClient) -> None:
        self._section, self._scope, self._api = section, scope, api
        self._lock = threading.Lock()
        self._credentials, self._ends_at = Credentials(), 0.0

    def credentials(self) -> Credentials:
        with self._lock:
            if time.monotonic() >= self._ends_at:
                assertion = render(self._section["assertion"], self._scope)
                token = signed_assertion(assertion)
                self._api.http.redact.add(token)
                headers = render(self._section.get("headers", _BEARER), self._scope.extend(token=token))
                self._credentials = Credentials(_texts(headers))
                self._ends_at = time.monotonic() + assertion_lifetime(assertion) / 2
            return self._credentials


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: to_text(value) for name, value in values.items()}


class TokenAuth(Authenticator, ABC):
    """A token that is fetched when first needed, kept until shortly before its end, and shared by all threads.

    `tokens` shares it with other workers too.
    """

    default_token_path = "access_token"

    def __init__(self, section: Mapping[str, Any], scope: Scope, api: ApiClient, tokens: Callable[[], Tokens]) -> None:
        self.section, self.scope, self.api = section, scope, api
        self._tokens = tokens
        self._lock = threading.Lock()
        self._ends_at = 0.0
        self._current: Credentials | None = None
        self._refused = 0

    def credentials(self) -> Credentials:
        with self._lock:
            if self._current is None or time.monotonic() >= self._ends_at:
                self._current = self._use(self._fetch())
            return self._current

    def renew(self, refused: Credentials) -> bool:
        with self._lock:
            if self._current and self._current.generation == refused.generation:
                self._refused = refused.generation
                self._current = None
        return True

    @abstractmethod
    def request_token(self, secrets: Mapping[str, str]) -> Reply:
        """Ask the system for a token with these secrets of the connection."""

    def replaced(self, reply: Reply) -> dict[str, str]:
        """The secrets that an answer replaces, by name."""
        return {}

    def _fetch(self) -> Issued:
        tokens = self._tokens()
        found = tokens.current(self._mark)
        if found and found.generation != self._refused:
            return found
        return tokens.renew(self._mark, self._refused, self._sign_in)

    def _mark(self, secrets: Mapping[str, str]) -> str:
        """What a token was issued for: another one for any other address, account or secret."""
        filled = render({**self.section, "base_url": self.api.home_url}, self.scope.extend(secret=secrets))
        return hashlib.blake2b(repr(filled).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

    def _sign_in(self, secrets: Mapping[str, str]) -> Renewal:
        reply = self.request_token(secrets)
        if reply.failure:
            raise _sign_in_error(reply.failure)
        base_url = get(reply.data, self.section["base_url_path"]) if "base_url_path" in self.section else None
        issued = Issued(self._token(reply), self._lifetime(reply), str(base_url or "").rstrip("/"))
        changed = {name: value for name, value in self.replaced(reply).items() if secrets.get(name) != value}
        return Renewal(issued, changed)

    def _use(self, issued: Issued) -> Credentials:
        self._ends_at = time.monotonic() + issued.seconds
        if issued.base_url:
            self.api.base_url = issued.base_url
        self._redact(issued.token)
        return self._dress(issued)

    def _redact(self, token: Any) -> None:
        for part in token if isinstance(token, list) else token.values() if isinstance(token, dict) else [token]:
            self.api.http.redact.add(to_text(part))

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
        return token

    def _dress(self, issued: Issued) -> Credentials:
        """The headers and parameters that carry a token."""
        scope = self.scope.extend(token=issued.token)
        query = _texts(render(self.section.get("query", {}), scope))
        default = {} if query else _BEARER
        return Credentials(_texts(render(self.section.get("headers", default), scope)), query, issued.generation)

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

    def request_token(self, secrets: Mapping[str, str]) -> Reply:
        return self.api.login(self.section["login"])


class OAuth2(TokenAuth):
    """OAuth 2: client credentials, refresh token, password, assertion, or a system's own grant."""

    def request_token(self, secrets: Mapping[str, str]) -> Reply:
        filled = render(self.section, self.scope.extend(secret=secrets))
        return self._ask_token(filled, self._grant(filled))

    def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Reply:
        """Exchange the code that a sign-in in the browser brought for tokens (RFC 6749 section 4.1.3, RFC 7636)."""
        grant = {"grant_type": "authorization_code", "code": code, "redirect_uri": redirect_uri}
        return self._ask_token(render(self.section, self.scope), {**grant, "code_verifier": verifier})

    def _ask_token(self, filled: Mapping[str, Any], grant: Mapping[str, str]) -> Reply:
        headers = _texts(filled.get("token_headers", {}))
        form = {**grant, **self._client(filled, headers), **_texts(filled.get("token_params", {}))}
        as_json = filled.get("body_format") == "json"
        url = self.api.url(self.section["token_url"], self.scope, base=self.api.home_url)
        return self.api.send(
            "POST", url, headers=headers, json=form if as_json else None, form=None if as_json else form, signed=False
        )

    def _grant(self, filled: Mapping[str, Any]) -> dict[str, str]:
        grant = _GRANTS_AT_RUN_TIME.get(filled.get("grant", ""), filled.get("grant", "client_credentials"))
        form = {"grant_type": JWT_BEARER if grant == "jwt_bearer" else grant}
        if grant == "refresh_token":
            form["refresh_token"] = self._stored_refresh_token(filled)
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

    def _stored_refresh_token(self, filled: Mapping[str, Any]) -> str:
        if token := filled.get("refresh_token"):
            self.api.http.redact.add(str(token))
            return str(token)
        raise AuthError(
            "Nobody has signed in at the system yet.",
            where="auth.refresh_token",
            fix="Sign in at the system on the page of the connection.",
            code="AUTH_DENIED",
        )

    def replaced(self, reply: Reply) -> dict[str, str]:
        """The refresh token where the answer brings another one and a secret holds it."""
        grant = self.section.get("grant", "")
        new = get(reply.data, "refresh_token")
        if not new or _GRANTS_AT_RUN_TIME.get(grant, grant) != "refresh_token":
            return {}
        self.api.http.redact.add(str(new))
        name = self.refresh_secret
        return {name: str(new)} if name else {}

    @property
    def refresh_secret(self) -> str:
        """The name of the secret that holds the refresh token, empty when it stands in the declaration."""
        found = compile_template(self.section.get("refresh_token", "")).references
        return next((reference.path for reference in found if reference.root == "secret"), "")


def chosen_way(section: Mapping[str, Any], scope: Scope) -> Mapping[str, Any]:
    """The `auth` section that the connection has chosen; raises ConfigError for a way that there is not."""
    name, ways = to_text(render(section["by"], scope)), section["ways"]
    if name not in ways:
        raise ConfigError(
            f"There is no way to sign in called {name!r}.", where="auth.by", fix=f"Use {', '.join(ways)}."
        )
    way: Mapping[str, Any] = ways[name]
    return way


def build_auth(section: Mapping[str, Any], scope: Scope, api: ApiClient, tokens: Callable[[], Tokens]) -> Authenticator:
    """The authenticator of an `auth` section; `tokens` is asked for when a token is first needed."""
    if section.get("type") == "choice":
        return build_auth(chosen_way(section, scope), scope, api, tokens)
    if section.get("type") == "oauth2":
        return OAuth2(section, scope, api, tokens)
    if section.get("type") == "session":
        own = LocalTokens({}, lambda name, value: None)
        return SessionAuth(section, scope, api, lambda: own)
    if section.get("type") == "oauth1":
        return SigningAuth(section, scope)
    if section.get("type") == "jwt":
        return JwtAuth(section, scope, api)
    return FixedAuth(section, scope)
