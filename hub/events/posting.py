"""One request to a receiver, and what its answer means."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from connectors.exact_json import parse_json
from connectors.retry_after import asked_seconds
from hub.common.display import mask
from hub.common.errors import HubError
from hub.common.http import HttpAnswer, HttpClient
from hub.events import envelope
from hub.events.models import Event, Subscription
from hub.records.copying import json_bytes, without_nul
from hub.sync.payloads import sensitive_paths

# Standard Webhooks recommend 15 to 30 s for the whole request.
TIMEOUT_SECONDS, CONNECT_SECONDS = 15.0, 5.0
AT_ONCE = 8
MAX_ANSWER_BYTES = 1024 * 1024
KEPT_CHARACTERS = 500
GONE = 410
# What a receiver says of one event; every other refusal is about the receiver, and the next event would meet it too.
OF_THE_EVENT = frozenset({400, 409, 413, 422})


@dataclass(frozen=True, slots=True)
class Result:
    """What an attempt has shown. `is_its_own` says that the receiver, not the event, is the reason of a failure."""

    milliseconds: int
    status: int | None = None
    error: str = ""
    answer: str = ""
    is_its_own: bool = False
    is_gone: bool = False
    asked_seconds: float | None = None

    @property
    def wants_rest(self) -> bool:
        """Whether other events would fail too, or may not be sent for a while."""
        return self.is_its_own or self.asked_seconds is not None


def client_of(subscription: Subscription) -> HttpClient:
    """The guarded client for one receiver: its networks, and the secrets that no kept text may show."""
    return HttpClient(
        allowed_networks=subscription.allowed_networks,
        timeout_seconds=TIMEOUT_SECONDS,
        connect_timeout_seconds=CONNECT_SECONDS,
        max_response_bytes=MAX_ANSWER_BYTES,
        max_connections=AT_ONCE,
        secrets=_secrets(subscription),
    )


def _secrets(subscription: Subscription) -> Iterable[str]:
    """Of a header such as `Bearer abc` also the part that is the secret."""
    for value in subscription.headers.values():
        yield value
        yield from value.split()
    yield from subscription.live_secrets


def post(client: HttpClient, event: Event, subscription: Subscription) -> Result:
    """Send the event once; never raises for what the network or the receiver does."""
    body = envelope.body_of(event, subscription)
    headers = envelope.headers_of(event, subscription, body, now=time.time())
    started = time.monotonic()
    try:
        answer = client.send("POST", subscription.url, headers=headers, body=body)
    except HubError as error:
        return Result(_milliseconds(started), error=str(error), is_its_own=True)
    return _judged(answer, client, _milliseconds(started))


def _milliseconds(started: float) -> int:
    return int((time.monotonic() - started) * 1000)


def _judged(answer: HttpAnswer, client: HttpClient, milliseconds: int) -> Result:
    beginning = shown(answer.body, client)
    if 200 <= answer.status < 300:
        return Result(milliseconds, answer.status, answer=beginning)
    return Result(
        milliseconds,
        answer.status,
        error=_sentence(answer.status),
        answer=beginning,
        is_its_own=answer.status not in OF_THE_EVENT,
        is_gone=answer.status == GONE,
        asked_seconds=asked_seconds({name.lower(): value for name, value in answer.headers.items()}),
    )


def _sentence(status: int) -> str:
    if status == GONE:
        return "The receiver answered 410: it wants no more events."
    if 300 <= status < 400:
        return f"The receiver answered {status}; redirects are not followed. Enter the new address in the settings."
    return f"The receiver answered {status}."


def shown(body: bytes, client: HttpClient) -> str:
    """The beginning of an answer, without our own secrets and without what speaks of secrets, bank accounts or pay."""
    try:
        data, _ = parse_json(body)
        text = json_bytes(mask(data, frozenset(sensitive_paths(data)))).decode()
    except (ValueError, HubError):
        text = body[: 4 * KEPT_CHARACTERS].decode("utf-8", "replace")
    return str(without_nul(client.redact(text)))[:KEPT_CHARACTERS]
