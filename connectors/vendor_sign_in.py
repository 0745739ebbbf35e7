"""Signing in at a system with a browser (OAuth 2 authorization code with PKCE): the way there, and what comes back.

A sign-in under way is kept in the person's session: whoever comes back with a state that is not in it began elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from connectors import circuits, services, tokens
from connectors.models import Connection
from connectors.paths import get
from connectors.rest.auth import OAuth2
from connectors.rest.client import with_query
from connectors.rest.connector import RestConnector
from connectors.template import render
from hub.common.acts import Act, tell
from hub.common.errors import AuthError, ConfigError, HubError
from hub.common.http import Redactor

SESSION_KEY = "vendor_sign_in"
# Between leaving for the system and coming back, a person may have to find a second factor.
LONGEST_SECONDS = 600
# Sign-ins that one session may have under way.
MOST_PENDING = 5

# https://www.rfc-editor.org/rfc/rfc6749#section-4.1.2.1
_REFUSALS: Mapping[str, tuple[str, str]] = {
    "access_denied": ("The consent was refused at {label}.", "Sign in again and agree, or ask its administrator to."),
    "unauthorized_client": (
        "{label} does not let this client sign people in.",
        "Allow the authorization code grant for the client at {label}.",
    ),
    "invalid_client": ("{label} does not know this client.", "Check the client id of the connection."),
    "invalid_scope": ("{label} does not grant what is asked for.", "Check `scope` in the declaration."),
    "invalid_request": ("{label} cannot read the request.", "Check the client id and the redirect address at {label}."),
    "unsupported_response_type": ("{label} does not sign people in this way.", "Use another grant in the declaration."),
    "server_error": ("{label} has an error of its own.", "Try again in a while."),
    "temporarily_unavailable": ("{label} is busy or under maintenance.", "Try again in a while."),
}


@dataclass(frozen=True, slots=True)
class Departure:
    """A sign-in that can begin: where the person goes, where they come back to, and what is asked for."""

    url: str
    host: str
    redirect_uri: str
    scope: str


def is_offered(connection: Connection) -> bool:
    """Whether a person signs in at the system for this connection."""
    try:
        declaration = services.declaration_of(connection)
    except HubError:
        return False
    return declaration is not None and is_declared(declaration.body)


def is_declared(body: Mapping[str, Any]) -> bool:
    auth = body.get("auth", {})
    ways = [auth, *auth.get("ways", {}).values()]
    return any(way.get("type") == "oauth2" and way.get("grant") == "authorization_code" for way in ways)


def redirect_uri() -> str:
    """The one address that systems send people back to; it must be registered there exactly so."""
    return settings.HUB_URL.rstrip("/") + reverse("connectors:signed_in")


def begin(connection: Connection, session: MutableMapping[str, Any]) -> Departure:
    """Prepare a sign-in and remember it in the session; raises ConfigError where the connection lacks something."""
    state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(64)
    with services.open_for_sign_in(connection) as connector:
        auth = _oauth(connector)
        filled = render(auth.section, auth.scope)
        url = auth.api.url(auth.section["authorize_url"], auth.scope, base=auth.api.home_url)
    query = {
        "response_type": "code",
        "client_id": filled["client_id"],
        "redirect_uri": redirect_uri(),
        "scope": filled.get("scope"),
        "state": state,
        "code_challenge": challenge(verifier),
        "code_challenge_method": "S256",
        **filled.get("authorize_params", {}),
    }
    entry = {"connection": connection.pk, "verifier": verifier, "uri": query["redirect_uri"], "at": time.time()}
    pending = [*session.get(SESSION_KEY, {}).items(), (state, entry)]
    session[SESSION_KEY] = dict(pending[-MOST_PENDING:])
    return Departure(
        with_query(url, query), urlsplit(url).hostname or "", query["redirect_uri"], filled.get("scope", "")
    )


def challenge(verifier: str) -> str:
    """The S256 challenge of a code verifier (RFC 7636 section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def take_pending(state: str, session: MutableMapping[str, Any]) -> dict[str, Any]:
    """The sign-in that a state belongs to, once; raises AuthError when it did not begin here or is too old."""
    pending = dict(session.get(SESSION_KEY, {}))
    known = next((name for name in pending if hmac.compare_digest(name.encode(), state.encode())), None)
    entry = pending.pop(known) if known else None
    session[SESSION_KEY] = pending
    if entry is None or time.time() - entry["at"] > LONGEST_SECONDS:
        raise AuthError(
            "This sign-in did not begin in this browser, or more than ten minutes ago. Nothing was changed.",
            fix="Begin it again on the page of the connection.",
            code="SIGN_IN_UNKNOWN",
        )
    found: dict[str, Any] = entry
    return found


def refusal(label: str, query: Mapping[str, str]) -> AuthError:
    """What a system's error answer means."""
    code = query.get("error", "")
    what, fix = _REFUSALS.get(code, ("{label} refused the sign-in.", "Its own words say why."))
    words = " ".join((query.get("error_description") or code).split())[:500]
    said = f" It says: {words}" if words else ""
    return AuthError(what.format(label=label) + said, fix=fix.format(label=label), code="AUTH_DENIED")


def finish(connection: Connection, entry: Mapping[str, Any], code: str, *, by: Any) -> None:
    """Exchange the code, store the refresh token sealed, and let the connection work again. Raises what went wrong."""
    with services.open_for_sign_in(connection) as connector:
        auth = _oauth(connector)
        reply = auth.exchange(code, redirect_uri=entry["uri"], verifier=entry["verifier"])
        if reply.failure:
            redact: Redactor = auth.api.http.redact
            raise AuthError(
                f"The system did not accept the sign-in: {redact(reply.failure.words)}",
                where=reply.answer.where,
                fix="Begin it again; if that does not help, check client id and client secret of the connection.",
                code="AUTH_DENIED",
            )
        refresh = get(reply.data, "refresh_token")
        if not isinstance(refresh, str) or not refresh:
            raise ConfigError(
                "The system signed you in, but gave no refresh token, so the hub could not work without you.",
                where=reply.answer.where,
                fix="Ask for offline access: in `scope`, or in `authorize_params` of the declaration.",
                code="NO_REFRESH_TOKEN",
            )
        name = auth.refresh_secret
    _keep(connection, name, refresh, by=by)


@transaction.atomic
def _keep(connection: Connection, name: str, refresh: str, *, by: Any) -> None:
    connection.secrets = services.keep_secret(connection.pk, name, refresh)
    tokens.forget(connection.pk)
    circuits.close(connection.pk)
    details = {"secrets": [name]}
    tell(Act("connection.signed_in", "Connection", connection.slug, by=by, details=details, domain=connection.domain))


def _oauth(connector: Any) -> OAuth2:
    auth = connector.api.auth if isinstance(connector, RestConnector) else None
    if not isinstance(auth, OAuth2) or auth.section.get("grant") != "authorization_code":
        raise ConfigError(
            "Nobody signs in for this connection with a browser.",
            fix="Choose that way of signing in under its settings.",
            code="SIGN_IN_NOT_OFFERED",
        )
    return auth
