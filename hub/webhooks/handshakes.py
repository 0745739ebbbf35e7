"""What vendors ask of an address before they send to it: an answer that only its owner would give."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from connectors import paths
from hub.webhooks import schemes
from hub.webhooks.models import Endpoint
from hub.webhooks.schemes import Incoming

Handshake = Endpoint.Handshake

TOKEN = "validationToken"
MAX_TOKEN = 1_000


class Greeted(Exception):
    """A proven message was a question; `answer` is what its sender wants to hear."""

    def __init__(self, answer: dict[str, str]) -> None:
        self.answer = answer
        super().__init__("handshake")


# Questions in the request itself ---------------------------------------------------------------------------
def is_question(request: HttpRequest) -> bool:
    """Whether this may be a handshake that is no message; cheap, because it is asked of every message."""
    return request.method != "POST" or TOKEN in request.GET


def greet(request: HttpRequest, endpoint: Endpoint) -> HttpResponse | None:
    """The answer to a handshake that the webhook is set up for; None for anything else."""
    asked = _ASKED.get(endpoint.handshake)
    return asked(request, endpoint) if asked else None


def _validation_token(request: HttpRequest, endpoint: Endpoint) -> HttpResponse | None:
    """Business Central and Microsoft Graph: the token comes back as plain text."""
    if endpoint.scheme == Endpoint.Scheme.STATIC_QUERY:
        schemes.verify(endpoint, Incoming({}, request.GET.dict(), b""), now=0)
    return _text(request.GET.get(TOKEN, "")) if request.method in ("POST", "GET") else None


def _hub_challenge(request: HttpRequest, endpoint: Endpoint) -> HttpResponse | None:
    """WebSub and Meta: the challenge comes back to who knows the secret."""
    if request.method != "GET" or request.GET.get("hub.mode") != "subscribe":
        return None
    given = request.GET.get("hub.verify_token", "").encode()
    known = [hmac.compare_digest(given, secret.encode()) for secret in endpoint.live_secrets]
    return _text(request.GET.get("hub.challenge", "")) if any(known) else None


def _consent(request: HttpRequest, endpoint: Endpoint) -> HttpResponse | None:
    """CloudEvents: this address agrees to be sent to by that origin."""
    origin = request.headers.get("WebHook-Request-Origin", "")
    if request.method != "OPTIONS" or not origin or not origin.isprintable():
        return None
    allowed = {"WebHook-Allowed-Origin": origin[:MAX_TOKEN], "WebHook-Allowed-Rate": "*", "Allow": "POST"}
    return HttpResponse(headers=allowed)


def _text(token: str) -> HttpResponse | None:
    return HttpResponse(token, content_type="text/plain") if 0 < len(token) <= MAX_TOKEN else None


_ASKED: dict[str, Callable[[HttpRequest, Endpoint], HttpResponse | None]] = {
    Handshake.VALIDATION_TOKEN: _validation_token,
    Handshake.HUB_CHALLENGE: _hub_challenge,
    Handshake.CLOUDEVENTS: _consent,
}


# Questions as signed messages ------------------------------------------------------------------------------
def answer_question(endpoint: Endpoint, data: Any) -> None:
    """Raises Greeted when a proven message is the vendor's question."""
    if endpoint.handshake == Handshake.CHALLENGE and paths.get(data, "type") == "url_verification":
        raise Greeted({"challenge": str(paths.get(data, "challenge"))[:MAX_TOKEN]})
    if endpoint.handshake == Handshake.PLAIN_TOKEN and paths.get(data, "event") == "endpoint.url_validation":
        token = str(paths.get(data, "payload.plainToken"))[:MAX_TOKEN]
        proof = hmac.new(endpoint.live_secrets[0].encode(), token.encode(), hashlib.sha256).hexdigest()
        raise Greeted({"plainToken": token, "encryptedToken": proof})


def accepted(endpoint: Endpoint, word: str) -> JsonResponse:
    """The acknowledgement of a stored message; Xero's intent to receive insists on 200."""
    return JsonResponse({"status": word}, status=200 if endpoint.handshake == Handshake.INTENT else 202)
