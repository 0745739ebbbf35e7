"""Signing in with a browser at a simulated system: consent page, codes with PKCE, and refresh tokens that rotate."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from urllib.parse import urlencode, urlsplit

from connectors.simulators.clock import Clock
from connectors.simulators.messages import Reply, Request

CODE_SECONDS = 60
_ASKED = ("response_type", "client_id", "redirect_uri", "scope", "state", "code_challenge", "code_challenge_method")


@dataclass(frozen=True, slots=True)
class _Code:
    redirect_uri: str
    challenge: str
    ends_at: datetime


class ConsentDesk:
    """Asks a person for consent on behalf of one client, and exchanges what comes of it.

    `redirect_uri` may hold any address until one is registered; then it must be exactly that one.
    """

    def __init__(self, label: str, client: tuple[str, str], clock: Clock) -> None:
        self.label, self.client, self._clock = label, client, clock
        self.registered: str = ""
        self._codes: dict[str, _Code] = {}
        self._count = 0
        # the refresh token that is good, and those that were replaced
        self.refresh_token, self._used = "", set[str]()

    def page(self, request: Request) -> Reply:
        """The consent page; a request that may not be answered to its sender is refused on the spot."""
        asked = {name: request.query.get(name, "") for name in _ASKED}
        if problem := self._problem(asked):
            return _html(400, f"<h1>{escape(self.label)}</h1><p>{escape(problem)}</p>")
        hidden = "".join(f'<input type="hidden" name="{k}" value="{escape(v, quote=True)}">' for k, v in asked.items())
        scope = escape(asked["scope"] or "everything")
        return _html(200, (
            f"<h1>{escape(self.label)}</h1><p>May Syncline use: {scope}?</p><form method=post>{hidden}"
            '<button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></form>'
        ))  # fmt: skip

    def decide(self, request: Request) -> Reply:
        """Send the person back with a code, or with a refusal."""
        form = request.form()
        if problem := self._problem(form):
            return _html(400, f"<p>{escape(problem)}</p>")
        if form.get("decision") != "allow":
            return _back(form, {"error": "access_denied", "error_description": "end-user denied authorization"})
        self._count += 1
        code = f"aPrx{self._count:06d}"
        ends_at = self._clock.now() + timedelta(seconds=CODE_SECONDS)
        self._codes[code] = _Code(form["redirect_uri"], form["code_challenge"], ends_at)
        return _back(form, {"code": code})

    def _problem(self, asked: dict[str, str]) -> str:
        if asked.get("client_id") != self.client[0]:
            return "error=invalid_client_id: client identifier invalid"
        if not asked.get("redirect_uri") or self.registered not in ("", asked["redirect_uri"]):
            return "error=redirect_uri_mismatch: redirect_uri must match configuration"
        if asked.get("response_type") != "code":
            return "error=unsupported_response_type: response type not supported"
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return "error=invalid_request: missing required code challenge"
        return ""

    def redeem(self, form: dict[str, str]) -> str:
        """A fresh refresh token for a code or for the last refresh token, empty when the grant is not valid."""
        good = self._redeem_code(form) if form.get("grant_type") == "authorization_code" else self._is_current(form)
        if not good:
            return ""
        self._count += 1
        self.refresh_token = f"5Aep861{self._count:06d}"
        return self.refresh_token

    def _redeem_code(self, form: dict[str, str]) -> bool:
        code = self._codes.pop(form.get("code", ""), None)
        verifier = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        return (
            code is not None
            and self._clock.now() < code.ends_at
            and form.get("redirect_uri") == code.redirect_uri
            and hmac.compare_digest(base64.urlsafe_b64encode(verifier).rstrip(b"=").decode(), code.challenge)
        )

    def _is_current(self, form: dict[str, str]) -> bool:
        """Whether it is the last refresh token; one that was replaced ends the whole sign-in."""
        given = form.get("refresh_token", "")
        if given in self._used:
            self.end()
        if not given or given != self.refresh_token:
            return False
        self._used.add(given)
        return True

    def end(self) -> None:
        """Take the consent back: no refresh token is good any more."""
        self.refresh_token = ""


def _html(status: int, inner: str) -> Reply:
    page = f'<!doctype html><html lang="en"><head><title>Sign in</title></head><body><main>{inner}</main></body></html>'
    return Reply(status, page.encode(), {"Content-Type": "text/html; charset=utf-8"})


def _back(form: dict[str, str], answer: dict[str, str]) -> Reply:
    joint = "&" if urlsplit(form["redirect_uri"]).query else "?"
    query = urlencode({**answer, **({"state": form["state"]} if form.get("state") else {})})
    return Reply(302, b"", {"Location": f"{form['redirect_uri']}{joint}{query}"})
