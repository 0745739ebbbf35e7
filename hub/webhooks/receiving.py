"""From a request to a stored message: size, type, proof, JSON, row, in this order; nothing is parsed before it is proven."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import escape_uri_path

from connectors import paths
from hub.common import facts
from hub.common.display import MASK
from hub.sync.payloads import SENSITIVE
from hub.webhooks import handshakes, schemes, waking
from hub.webhooks.models import Endpoint, Message
from hub.webhooks.schemes import STANDARD_PROOF, Incoming, Proof, Refused

JSON_TYPE = "application/json"
JSON_TYPES = frozenset({JSON_TYPE, "application/cloudevents+json"})
MAX_ID = 200
KEPT_HEADERS, KEPT_LENGTH = 40, 300
# A flood of forged messages must not become a flood of writes to one row.
NOTE_SECONDS = 1

log = logging.getLogger(__name__)


class Answered(Exception):
    """The request is answered with an error; `status` says which, the sentence is for the sender."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status, self.sentence = status, sentence
        super().__init__(sentence)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a message: stored now, or known from an earlier delivery."""

    message_id: str
    is_new: bool
    endpoint: Endpoint


def receive(request: HttpRequest, path: str, *, is_test: bool = False) -> Taken:
    """Store the message of a request once; when this returns, its row is committed. Raises Answered, and Greeted."""
    body = _body(request)
    endpoint = _endpoint(path)
    if endpoint is None:
        schemes.waste_time(body)
        raise Answered(404, "There is no webhook at this address.")
    incoming = Incoming(_headers(request), request.GET.dict(), body)
    proof = _proven(endpoint, incoming, str(request.META.get("REMOTE_ADDR", "")))
    data = _parsed(body)
    handshakes.answer_question(endpoint, data)
    message_id = _message_id(endpoint, proof, data)
    is_new, is_busy = _store(endpoint, message_id, proof, incoming, is_test=is_test)
    if is_new and not is_busy and not is_test:
        transaction.on_commit(lambda: waking.wake(endpoint), robust=True)
    return Taken(message_id, is_new, endpoint)


def greet(request: HttpRequest, path: str) -> HttpResponse | None:
    """The answer to a vendor's question about this address; None where there is nothing to say."""
    endpoint = _endpoint(path)
    try:
        return handshakes.greet(request, endpoint) if endpoint else None
    except Refused:
        return None


def _endpoint(path: str) -> Endpoint | None:
    """In plain SQL: compiling the query would cost more than running it, hundreds of times a second."""
    found = Endpoint.objects.raw("select * from webhooks_endpoint where path = %s and is_active", [path])
    return next(iter(found), None)


# The request -----------------------------------------------------------------------------------------------
def _body(request: HttpRequest) -> bytes:
    """The raw bytes, read only when they are few enough and say that they are JSON."""
    most = settings.HUB_WEBHOOK_BYTES
    length = request.META.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdigit()) or int(length) > most:
        raise Answered(413, f"A message may have {most} bytes. Send less, or a message that only says what changed.")
    name, _, rest = request.META.get("CONTENT_TYPE", "").partition(";")
    charset = rest.strip().lower().replace('"', "").removeprefix("charset=")
    if (
        name.strip().lower() not in JSON_TYPES
        or charset not in ("", "utf-8")
        or request.META.get("HTTP_CONTENT_ENCODING")
    ):
        raise Answered(415, f"Send {JSON_TYPE} in UTF-8, not compressed.")
    body = request.read(most + 1)
    if len(body) > most:
        raise Answered(413, f"A message may have {most} bytes.")
    return body


def _headers(request: HttpRequest) -> dict[str, str]:
    return {name.lower(): value for name, value in request.headers.items()}


def _proven(endpoint: Endpoint, incoming: Incoming, address: str) -> Proof:
    try:
        return schemes.verify(endpoint, incoming, now=time.time())
    except Refused as reason:
        _note_refusal(endpoint, str(reason), address)
        raise Answered(401, "The message is not signed as this webhook expects.") from None


def _note_refusal(endpoint: Endpoint, reason: str, address: str) -> None:
    """One line and one fact, never the body; the page shows the newest reason."""
    log.warning("Webhook %s refused a message from %s: %s", endpoint.slug, escape_uri_path(address), reason)
    facts.publish("webhook_refused", endpoint=endpoint, reason=reason, address=address)
    quiet = Q(refused_at__isnull=True) | Q(refused_at__lt=Now() - timedelta(seconds=NOTE_SECONDS))
    Endpoint.objects.filter(quiet, pk=endpoint.pk).update(refused_at=Now(), refused_reason=reason[:200])


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Answered(400, "The message is signed, but it is not JSON.") from None


def _message_id(endpoint: Endpoint, proof: Proof, data: Any) -> str:
    """The sender's id where it is covered by the proof, else the hash of what was proven."""
    if proof.message_id:
        return proof.message_id
    found = paths.get(data, endpoint.id_path) if endpoint.id_path else None
    if isinstance(found, str | int) and not isinstance(found, bool) and 0 < len(str(found)) <= MAX_ID:
        return str(found).replace("\x00", "")
    return f"sha256:{schemes.content_hash(proof).hex()}"


def _speaks_of_secrets(header: str) -> bool:
    return header.endswith(("key", "sign", "signature")) or bool(SENSITIVE.search(header.replace("-", "_")))


# The row ---------------------------------------------------------------------------------------------------
def _store(
    endpoint: Endpoint, message_id: str, proof: Proof, incoming: Incoming, *, is_test: bool
) -> tuple[bool, bool]:
    """Insert the message unless it is known; (it is new, a run will look at it anyway). One statement, one commit."""
    state, outcome = (Message.State.DONE, Message.Outcome.TEST) if is_test else (Message.State.NEW, "")
    headers = orjson.dumps(kept_headers(endpoint, incoming.headers)).decode()
    content = schemes.content_hash(proof)
    row = (endpoint.pk, message_id, content, headers, incoming.body, str(state), str(outcome))
    with connection.cursor() as cursor:
        cursor.execute(
            "with kept as (insert into webhooks_message"
            " (endpoint_id, message_id, content_hash, headers, body, state, outcome, error)"
            " values (%s, %s, %s, %s::jsonb, %s, %s, %s, '') on conflict (endpoint_id, message_id) do nothing returning id)"
            f" select exists (select from kept), {waking.IS_BUSY}",
            [*row, *waking.busy_parameters(endpoint)],
        )
        is_new, is_busy = cursor.fetchone()
        return is_new, is_busy


def kept_headers(endpoint: Endpoint, headers: Mapping[str, str]) -> dict[str, str]:
    """Headers without proofs and other secrets, cut short."""
    proofs = {endpoint.proof_name.lower(), STANDARD_PROOF, "authorization", "proxy-authorization", "cookie"}
    hidden = {name for name in headers if name in proofs or _speaks_of_secrets(name)}
    return {
        name[:KEPT_LENGTH]: MASK if name in hidden else value[:KEPT_LENGTH].replace("\x00", "")
        for name, value in sorted(headers.items())[:KEPT_HEADERS]
    }


def take(endpoint: Endpoint, message_id: str, body: Any) -> Taken:
    """Keep a record that came, proven, another way than by the endpoint's address. A known id is not kept twice."""
    data = orjson.dumps(body)
    incoming = Incoming({"content-type": "application/json"}, {}, data)
    is_new, is_busy = _store(endpoint, message_id[:MAX_ID], Proof(data), incoming, is_test=False)
    if is_new and not is_busy:
        transaction.on_commit(lambda: waking.wake(endpoint), robust=True)
    return Taken(message_id, is_new, endpoint)
