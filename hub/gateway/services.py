"""Every change to APIs, consumers and their tokens: for pages, commands and documents."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document
from hub.common.saving import remove, save
from hub.gateway import known
from hub.gateway.kinds import KINDS
from hub.gateway.models import Api, Consumer, ConsumerToken, Layer

TOKEN_PREFIX = "hub_gw_"


def save_api(layer: str, document: Document, *, by: Any) -> Put:
    return save({"kind": KINDS[Layer(layer)], **document}, act="api.saved", by=by)


def delete_api(api: Api, *, by: Any) -> None:
    """Only one that was never in force; others are retired, so that callers are told."""
    if api.state != "draft":
        raise ConfigError(
            f"{api} was served.", where=api.slug, fix="Retire it instead: callers are told.", code="SERVED"
        )
    remove(KINDS[Layer(api.layer)], api.slug, act="api.deleted", by=by)


def save_consumer(document: Document, *, by: Any) -> Put:
    return save({"kind": "Consumer", **document}, act="consumer.saved", by=by)


def delete_consumer(consumer: Consumer, *, by: Any) -> None:
    """Its tokens end with it."""
    remove("Consumer", consumer.slug, act="consumer.deleted", by=by)
    known.changed()


@transaction.atomic
def issue_token(consumer: Consumer, *, by: Any, expires_at: datetime | None = None) -> str:
    """A new token, shown once: only its digest is kept. Those that it has stay until they are revoked."""
    if expires_at is not None and expires_at <= timezone.now():
        raise ConfigError("This moment has passed.", where="expires_at", fix="Choose a later one.", code="PAST")
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    begins = token[:12]
    ConsumerToken.objects.create(
        consumer=consumer, digest=known.digest_of(token), begins=begins, made_by=by, expires_at=expires_at
    )
    _tell("consumer.token_made", consumer, by, begins)
    known.changed()
    return token


@transaction.atomic
def revoke_token(token: ConsumerToken, *, by: Any) -> None:
    """It opens nothing any more, within some seconds. A second time is a no-op."""
    if ConsumerToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        _tell("consumer.token_revoked", token.consumer, by, token.begins)
        known.changed()


def _tell(act: str, consumer: Consumer, by: Any, begins: str) -> None:
    tell(Act(act, "Consumer", consumer.slug, by=by, details={"begins": begins}, domain=consumer.domain))
