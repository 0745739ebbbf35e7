"""Every change to a webhook: its rules stand here once, for pages, programs and documents."""

from __future__ import annotations

import io
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from django.core.handlers.wsgi import WSGIRequest
from django.db import transaction
from django.utils import timezone
from django.utils.http import urlencode

from connectors import paths
from hub.common import facts, governed
from hub.common.errors import ConfigError
from hub.webhooks import receiving, schemes, waking
from hub.webhooks.models import Endpoint, Message

RESERVED_SLUGS = ("new",)
MAX_TOLERANCE_SECONDS = 3_600
STATIC = (Endpoint.Scheme.STATIC_HEADER, Endpoint.Scheme.STATIC_QUERY)
HMAC = (Endpoint.Scheme.HMAC_SHA256, Endpoint.Scheme.HMAC_SHA1)

Problem = tuple[str, str]


# What a webhook cannot be ----------------------------------------------------------------------------------
def problems(endpoint: Endpoint) -> list[Problem]:
    """(field, sentence) for everything that a webhook cannot be, whoever asks for it."""
    return [*_sync_problems(endpoint), *_proof_problems(endpoint), *_path_problems(endpoint)]


def _sync_problems(endpoint: Endpoint) -> Iterator[Problem]:
    if endpoint.slug in RESERVED_SLUGS:
        yield "slug", f"{endpoint.slug!r} is an address of the hub itself. Choose another one."
    if endpoint.sync_id and endpoint.sync.direction != "in":
        yield "sync", f"{endpoint.sync} delivers. Choose a sync that reads."


def _proof_problems(endpoint: Endpoint) -> Iterator[Problem]:
    is_hmac, is_standard = endpoint.scheme in HMAC, endpoint.scheme == Endpoint.Scheme.STANDARD
    if not is_standard and not endpoint.proof_name:
        yield "proof_name", "Name the header (or the parameter) that carries the proof."
    signs_time = is_hmac and endpoint.signed_text != Endpoint.Signed.BODY
    if signs_time and not endpoint.timestamp_name:
        yield "timestamp_name", "Name the header with the timestamp that is signed."
    if endpoint.timestamp_name and not signs_time:
        yield (
            "timestamp_name",
            "A timestamp that is not signed proves nothing. Choose what is signed, or leave it empty.",
        )
    if not 1 <= endpoint.tolerance_seconds <= MAX_TOLERANCE_SECONDS:
        yield "tolerance_seconds", f"Between 1 and {MAX_TOLERANCE_SECONDS:,} seconds."


def _path_problems(endpoint: Endpoint) -> Iterator[Problem]:
    for name in ("id_path", "record_path", "time_path", "deleted_path"):
        try:
            paths.split_path(getattr(endpoint, name))
        except ConfigError as error:
            yield name, str(error)
    if bool(endpoint.deleted_path) != bool(endpoint.deleted_values):
        yield "deleted_values", "A deletion needs both: where the message says it, and the values that mean it."
    if endpoint.id_path and endpoint.scheme == Endpoint.Scheme.STANDARD:
        yield "id_path", "Standard Webhooks sign their own id, which is used. Leave this empty."


# Changes ---------------------------------------------------------------------------------------------------
def _typed(given: Mapping[str, Any]) -> governed.Secrets:
    secret = given.get("secret", "")
    return {"secrets": {"current": secret} if secret else {}}


@governed.governs(lambda given: [("Webhook", given["endpoint"].slug)], sealed=_typed)
@transaction.atomic
def save_endpoint(*, endpoint: Endpoint, by: Any, secret: str = "") -> str:
    """Store a webhook. Returns its secret when it got one now: the given one, or a new one for a new webhook.

    Raises ConfigError with the first thing that is wrong; Held where reviewers have to agree. A secret then waits sealed.
    """
    found = problems(endpoint)
    is_new = endpoint.pk is None
    changes_scheme = not is_new and _is_other_kind(endpoint)
    if secret and (sentence := schemes.secret_problem(endpoint.scheme, secret)):
        found.append(("secret", sentence))
    if found:
        raise ConfigError(found[0][1], where=found[0][0], code="WEBHOOK")
    made = secret or (schemes.new_secret(endpoint.scheme) if is_new or changes_scheme else "")
    if made:
        endpoint.secrets = {"current": made}
    endpoint.full_clean(exclude=["secrets"])
    endpoint.save()
    facts.publish("webhook_saved", endpoint=endpoint, is_new=is_new, by=by)
    return made


def _is_other_kind(endpoint: Endpoint) -> bool:
    """Whether the stored secret has another form than the scheme now asks for."""
    before = Endpoint.objects.filter(pk=endpoint.pk).values_list("scheme", flat=True).first()
    return (before == Endpoint.Scheme.STANDARD) != (endpoint.scheme == Endpoint.Scheme.STANDARD)


@transaction.atomic
def rotate_secret(*, endpoint: Endpoint, by: Any, secret: str = "") -> str:
    """A new secret, given or made here; the one until now is accepted beside it until it is dropped."""
    if secret and (sentence := schemes.secret_problem(endpoint.scheme, secret)):
        raise ConfigError(sentence, where="secret", code="WEBHOOK")
    stored = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    made = secret or schemes.new_secret(stored.scheme)
    before = stored.secrets.get("current")
    _keep(stored, {"current": made} | ({"previous": before} if before else {}), "Secret rotated.")
    facts.publish("webhook_secret_rotated", endpoint=endpoint, by=by)
    endpoint.secrets = stored.secrets
    return made


@transaction.atomic
def drop_previous(*, endpoint: Endpoint, by: Any) -> None:
    """The older secret proves nothing any more."""
    stored = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
    _keep(stored, {name: value for name, value in stored.secrets.items() if name == "current"}, "Older secret dropped.")
    facts.publish("webhook_secret_dropped", endpoint=endpoint, by=by)
    endpoint.secrets = stored.secrets


def _keep(stored: Endpoint, secrets: dict[str, str], reason: str) -> None:
    """The history keeps that it happened, never the values."""
    stored.secrets = secrets
    stored._change_reason = reason  # type: ignore[attr-defined]
    stored.save(update_fields=["secrets", "updated_at"])


@transaction.atomic
def try_again(*, message: Message, by: Any) -> bool:
    """A message that could not be used goes back to the inbox; False when it is not rejected any more."""
    rejected = Message.objects.filter(pk=message.pk, state=Message.State.REJECTED)
    changed = rejected.update(state=Message.State.NEW, error="", run_id=None, done_at=None)
    if changed:
        facts.publish("webhook_retried", message=message, by=by)
        transaction.on_commit(lambda: waking.wake(message.endpoint), robust=True)
    return bool(changed)


# A test message --------------------------------------------------------------------------------------------
def send_test(*, endpoint: Endpoint) -> receiving.Taken:
    """Sign a message as the sender would, and receive it as any other; it changes no record. Raises ConfigError."""
    if not endpoint.live_secrets:
        raise ConfigError("The webhook has no secret yet.", fix="Rotate its secret to make one.", code="WEBHOOK")
    body = orjson.dumps({"type": "syncline.test", "sent_at": timezone.now().isoformat()})
    headers, query = schemes.sign(endpoint, body, message_id=f"test_{uuid.uuid4().hex}", now=time.time())
    try:
        return receiving.receive(_request(endpoint, body, headers, query), endpoint.path, is_test=True)
    except receiving.Answered as answer:
        raise ConfigError(f"The webhook answered {answer.status}: {answer.sentence}", code="WEBHOOK") from None


def _request(endpoint: Endpoint, body: bytes, headers: dict[str, str], query: dict[str, str]) -> WSGIRequest:
    sent = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
    return WSGIRequest(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"/in/{endpoint.path}/",
            "QUERY_STRING": urlencode(query),
            "CONTENT_TYPE": receiving.JSON_TYPE,
            "CONTENT_LENGTH": str(len(body)),
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.input": io.BytesIO(body),
            **sent,
        }
    )
