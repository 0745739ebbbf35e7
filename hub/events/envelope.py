"""What goes over the wire: a CloudEvent 1.0 in structured mode, signed as Standard Webhooks say. Pure functions."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from hub.events.models import Event, Subscription
from hub.records.copying import json_bytes
from hub.webhooks import schemes

MEDIA_TYPE = "application/cloudevents+json; charset=utf-8"
# Numbers as text that sorts like numbers, as the extension asks for.
SEQUENCE_DIGITS = 19


def envelope(event: Event, *, payload: str) -> dict[str, Any]:
    """The event as it is sent; the same for every attempt."""
    data = dict(event.data)
    if payload == Subscription.Payload.FULL and event.record is not None:
        data["record"] = event.record
    return {
        "specversion": "1.0",
        "id": str(event),
        "source": settings.HUB_EVENT_SOURCE,
        "type": f"syncline.{event.type}.v{event.version}",
        "subject": event.subject,
        "time": _instant(event.at),
        "datacontenttype": "application/json",
        "sequence": f"{event.pk:0{SEQUENCE_DIGITS}d}",
        "data": data,
    }


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def body_of(event: Event, subscription: Subscription) -> bytes:
    return json_bytes(envelope(event, payload=subscription.payload))


def headers_of(event: Event, subscription: Subscription, body: bytes, *, now: float) -> dict[str, str]:
    """The headers of one attempt: the id stays, the time and the signatures are its own."""
    stamp = str(int(now))
    signed = f"{event}.{stamp}.".encode() + body
    return {
        **subscription.headers,
        "Content-Type": MEDIA_TYPE,
        schemes.STANDARD_ID: str(event),
        schemes.STANDARD_TIME: stamp,
        schemes.STANDARD_PROOF: " ".join(_signature(secret, signed) for secret in subscription.live_secrets),
    }


def _signature(secret: str, signed: bytes) -> str:
    digest = hmac.new(schemes.standard_key(secret), signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
