"""A webhook: JSON, signed as Standard Webhooks say where the route has a secret, through the guarded client."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from hub.common.errors import PermanentError, TransientError
from hub.common.http import HttpClient
from hub.records.copying import json_bytes
from hub.webhooks import schemes
from monitoring.alerts.telling import as_data, firm_currency
from monitoring.models import AlertNotice, AlertRoute

TIMEOUT_SECONDS, CONNECT_SECONDS = 15.0, 5.0
MAX_ANSWER_BYTES = 64 * 1024


def send(route: AlertRoute, notices: Sequence[AlertNotice], hand_over: Callable[[], uuid.UUID]) -> None:
    """The same id for every attempt: a lost answer is followed by a repetition, which the receiver can tell."""
    client = guarded_client(route)
    try:
        message = hand_over()
        body = json_bytes(payload(route, notices, message))
        answer = client.send("POST", route.webhook, headers=_headers(route, message, body), body=body)
    finally:
        client.close()
    if not 200 <= answer.status < 300:
        raise refusal(answer.status, "The receiver")


def guarded_client(route: AlertRoute) -> HttpClient:
    return HttpClient(
        allowed_networks=route.allowed_networks,
        timeout_seconds=TIMEOUT_SECONDS,
        connect_timeout_seconds=CONNECT_SECONDS,
        max_response_bytes=MAX_ANSWER_BYTES,
        max_connections=1,
        secrets=[value for value in route.secrets.values() if value],
    )


def payload(route: AlertRoute, notices: Sequence[AlertNotice], message: uuid.UUID) -> dict[str, Any]:
    currency = firm_currency()
    alerts = [as_data(notice.change, currency) for notice in notices if notice.change]
    return {"id": str(message), "type": "alerts" if alerts else "test", "route": route.slug, "alerts": alerts}


def _headers(route: AlertRoute, message: uuid.UUID, body: bytes) -> dict[str, str]:
    headers = {"Content-Type": "application/json", schemes.STANDARD_ID: str(message)}
    if secret := route.secrets.get("webhook"):
        stamp = str(int(time.time()))
        signed = f"{message}.{stamp}.".encode() + body
        digest = hmac.new(schemes.standard_key(secret), signed, hashlib.sha256).digest()
        headers |= {
            schemes.STANDARD_TIME: stamp,
            schemes.STANDARD_PROOF: f"v1,{base64.b64encode(digest).decode()}",
        }
    return headers


def refusal(status: int, who: str) -> PermanentError | TransientError:
    if 300 <= status < 400:
        return PermanentError(f"{who} answered {status}; redirects are not followed.", fix="Enter the new address.")
    return TransientError(f"{who} answered {status}.")
