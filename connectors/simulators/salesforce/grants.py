"""The token endpoint of an org: client credentials, JWT bearer and refresh token."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from connectors.rest.assertion import JWT_BEARER
from connectors.simulators.clock import Clock
from connectors.simulators.messages import Reply

CLIENT_ID, CLIENT_SECRET = "syncline-salesforce", "demo-salesforce-secret"
USERNAME = "hub@harrowvale.example"
FIRST_REFRESH_TOKEN = "demo-salesforce-refresh-1"
AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
# An assertion that says it is valid for longer is refused.
LONGEST_ASSERTION_SECONDS = 300


class Grants:
    """Who may sign in. The key pair is made anew by each process; its private half is told on the control plane."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._refresh_number = 1

    @property
    def private_key(self) -> str:
        return self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    @property
    def refresh_token(self) -> str:
        """The one that works now."""
        return f"{FIRST_REFRESH_TOKEN[:-1]}{self._refresh_number}"

    def refusal(self, form: dict[str, str], client: tuple[str, str], own_host: str) -> Reply | None:
        """Why a token request is refused; None when it is not."""
        grant = form.get("grant_type", "")
        if grant == "client_credentials":
            return self._wrong_client(client)
        if grant == "refresh_token":
            wrong = _error("invalid_grant", "expired access/refresh token")
            return self._wrong_client(client) or (wrong if form.get("refresh_token") != self.refresh_token else None)
        if grant == JWT_BEARER:
            return self._wrong_assertion(form.get("assertion", ""), own_host)
        return _error("unsupported_grant_type", "grant type not supported")

    def rotate(self) -> str:
        """Replace the refresh token; the old one is dead."""
        self._refresh_number += 1
        return self.refresh_token

    def _wrong_client(self, client: tuple[str, str]) -> Reply | None:
        if client[0] != CLIENT_ID:
            return _error("invalid_client_id", "client identifier invalid")
        return None if client[1] == CLIENT_SECRET else _error("invalid_client", "invalid client credentials", 401)

    def _wrong_assertion(self, assertion: str, own_host: str) -> Reply | None:
        head, _, rest = assertion.partition(".")
        body, _, signature = rest.partition(".")
        try:
            claims = json.loads(_decoded(body))
            self._key.public_key().verify(
                _decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256()
            )
            ends_in = float(claims["exp"]) - self._clock.now().timestamp()
        except (ValueError, binascii.Error, InvalidSignature, KeyError, TypeError):
            return _error("invalid_grant", "invalid assertion")
        if claims.get("aud") not in (*AUDIENCES, own_host):
            return _error("invalid_grant", "audience is invalid")
        if claims.get("iss") != CLIENT_ID or claims.get("sub") != USERNAME:
            return _error("invalid_grant", "user hasn't approved this consumer")
        return None if 0 < ends_in <= LONGEST_ASSERTION_SECONDS else _error("invalid_grant", "assertion expired")


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _error(code: str, words: str, status: int = 400) -> Reply:
    body: dict[str, Any] = {"error": code, "error_description": words}
    return Reply(status, body)
