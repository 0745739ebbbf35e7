"""Every change to a subscription, and everything that can be asked of its events: for pages, programs and documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from connectors import secrets
from hub.common import facts, governed
from hub.common.db import plain_cursor
from hub.common.egress import parse_networks
from hub.common.errors import ConfigError, HubError
from hub.common.wire import parse_url
from hub.events import bell, business, interests, outbox
from hub.events.models import Notification, Subscription
from hub.events.outbox import Draft
from hub.events.types import RECORD_TYPES, TEST, TYPES
from hub.sync.configure import condition_problems
from hub.webhooks import schemes
from hub.webhooks.models import Endpoint

RESERVED_SLUGS = ("new",)
SCHEME = Endpoint.Scheme.STANDARD
MAX_HEADERS, MAX_HEADER = 20, 2_000
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")
# What the hub or HTTP itself sets.
_TAKEN = re.compile(r"webhook-.*|ce-.*|content-.*|host|connection|transfer-encoding|te|upgrade|expect|accept-encoding")

Problem = tuple[str, str]


# What a subscription cannot be -----------------------------------------------------------------------------
def problems(subscription: Subscription) -> list[Problem]:
    """(field, sentence) for everything that a subscription cannot be, whoever asks for it."""
    return [
        *_name_problems(subscription),
        *_address_problems(subscription),
        *_type_problems(subscription),
        *_scope_problems(subscription),
        *header_problems(subscription.headers),
    ]


def _name_problems(subscription: Subscription) -> Iterator[Problem]:
    if subscription.slug in RESERVED_SLUGS:
        yield "slug", f"{subscription.slug!r} is an address of the hub itself. Choose another one."


def _address_problems(subscription: Subscription) -> Iterator[Problem]:
    try:
        parse_networks(tuple(subscription.allowed_networks))
    except ConfigError as error:
        yield "allowed_networks", str(error)
    try:
        parse_url(subscription.url)
    except HubError as error:
        yield "url", str(error)
        return
    if urlsplit(subscription.url).scheme != "https" and not subscription.allowed_networks:
        yield "url", "Use https. Plain http is for private networks that are named below."


def _type_problems(subscription: Subscription) -> Iterator[Problem]:
    if not subscription.event_types:
        yield "event_types", "Choose at least one kind of event."
    known = [*TYPES, *business.names()]
    for name in subscription.event_types:
        if name not in known:
            yield "event_types", f"There is no event {name!r}. Known: {', '.join(known)}."


def _scope_problems(subscription: Subscription) -> Iterator[Problem]:
    if subscription.entity and subscription.domain_id not in (None, subscription.entity.domain_id):
        yield "domain", f"{subscription.entity} belongs to another domain. Leave the domain empty."
    if not subscription.only_when:
        return
    about_records = {*RECORD_TYPES, *business.names()}
    if subscription.entity is None or not about_records & set(subscription.event_types):
        yield "only_when", "A condition is about records of one entity. Choose the entity and an event of records."
    else:
        yield from condition_problems(subscription.only_when, subscription.entity)


def header_problems(headers: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with headers that shall be sent along; no sentence repeats a value."""
    if len(headers) > MAX_HEADERS:
        yield "headers", f"At most {MAX_HEADERS} headers."
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or _TAKEN.fullmatch(name.lower()):
            yield "headers", f"{name[:100]!r} cannot be sent along: it is no header name, or the hub sets it itself."
        elif not isinstance(value, str) or not value.isprintable() or not value.isascii() or len(value) > MAX_HEADER:
            yield "headers", f"The value of {name} must be printable ASCII of at most {MAX_HEADER} characters."


# Changes ---------------------------------------------------------------------------------------------------
def _typed(given: Mapping[str, Any]) -> governed.Secrets:
    """The secrets that were given with a subscription: of an old one the headers alone."""
    subscription, secret = given["subscription"], given.get("secret", "")
    found = Subscription.objects.filter(pk=subscription.pk).first()
    stored = found.headers if found else {}
    gone = {name: None for name in stored if name not in subscription.headers}
    return {
        "secrets": {"current": secret} if secret and subscription.pk is None else {},
        "headers": secrets.changed(stored, {**subscription.headers, **gone}),
    }


@governed.governs(lambda given: [("Subscription", given["subscription"].slug)], sealed=_typed)
@transaction.atomic
def save_subscription(*, subscription: Subscription, by: Any, secret: str = "") -> str:
    """Store a subscription. Returns the secret of a new one, which is shown this once.

    Raises ConfigError with the first thing that is wrong; Held where reviewers have to agree. Secrets then wait sealed.
    """
    found, is_new = problems(subscription), subscription.pk is None
    if secret and (sentence := schemes.secret_problem(SCHEME, secret)):
        found.append(("secret", sentence))
    if found:
        raise ConfigError(found[0][1], where=found[0][0], code="SUBSCRIPTION")
    made = secret or schemes.new_secret(SCHEME) if is_new else ""
    if made:
        subscription.secrets = {"current": made}
    take_domain(subscription)
    subscription.full_clean(exclude=["secrets", "headers"])
    _store(subscription, is_new=is_new)
    facts.publish("subscription_saved", subscription=subscription, is_new=is_new, by=by)
    return made


def take_domain(subscription: Subscription) -> None:
    """An entity's events are those of its domain: whoever may see that may see the subscription."""
    if subscription.entity:
        subscription.domain = subscription.entity.domain


def _store(subscription: Subscription, *, is_new: bool) -> None:
    """What the sender writes meanwhile is left alone."""
    names = [f.name for f in Subscription._meta.concrete_fields if f.name not in ("id", *Subscription.RUNTIME)]
    subscription.save(update_fields=None if is_new else names)
    was_applied()


def was_applied() -> None:
    """What is told from now on follows the subscriptions as they are then."""
    transaction.on_commit(interests.forget)


@transaction.atomic
def rotate_secret(*, subscription: Subscription, by: Any, secret: str = "") -> str:
    """A new secret, given or made here; requests are signed with the older one too until it is dropped."""
    if secret and (sentence := schemes.secret_problem(SCHEME, secret)):
        raise ConfigError(sentence, where="secret", code="SUBSCRIPTION")
    stored = Subscription.objects.select_for_update().get(pk=subscription.pk)
    made, before = secret or schemes.new_secret(SCHEME), stored.secrets.get("current")
    _keep(stored, {"current": made} | ({"previous": before} if before else {}), "Secret rotated.")
    facts.publish("subscription_secret_rotated", subscription=subscription, by=by)
    subscription.secrets = stored.secrets
    return made


@transaction.atomic
def drop_previous(*, subscription: Subscription, by: Any) -> None:
    """Nothing is signed with the older secret any more."""
    stored = Subscription.objects.select_for_update().get(pk=subscription.pk)
    _keep(stored, {name: value for name, value in stored.secrets.items() if name == "current"}, "Older secret dropped.")
    facts.publish("subscription_secret_dropped", subscription=subscription, by=by)
    subscription.secrets = stored.secrets


def _keep(stored: Subscription, secrets: dict[str, str], reason: str) -> None:
    """The history keeps that it happened, never the values."""
    stored.secrets = secrets
    stored._change_reason = reason  # type: ignore[attr-defined]
    stored.save(update_fields=["secrets", "updated_at"])


@transaction.atomic
def switch_on(*, subscription: Subscription, by: Any) -> None:
    """Collect events again, and send what waits: it was switched off by a person, or because its receiver failed."""
    Subscription.objects.filter(pk=subscription.pk).update(
        disabled_at=None, disabled_reason="", failing_since=None, failures=0, rest_until=None
    )
    subscription.refresh_from_db()
    subscription.is_active = True
    _store(subscription, is_new=False)
    facts.publish("subscription_switched_on", subscription=subscription, by=by)
    bell.ring([subscription.pk])


# Sending ---------------------------------------------------------------------------------------------------
@transaction.atomic
def send_test(*, subscription: Subscription, by: Any) -> Notification:
    """Put a test event in line, which takes the way of every other one."""
    _refuse_off(subscription)
    data = {"subscription": subscription.slug, "sent_by": getattr(by, "email", None)}
    with plain_cursor() as cursor:
        numbers = outbox.write(cursor, [Draft(TEST, f"subscription/{subscription.slug}", data, [subscription.pk])])
    return Notification.objects.get(event_id=numbers[0])


@transaction.atomic
def send_again(*, notification: Notification, by: Any) -> bool:
    """Put an event in line again, under its own id; False when it waits already."""
    _refuse_off(notification.subscription)
    done = Notification.objects.filter(pk=notification.pk).exclude(state=Notification.State.PENDING)
    number = done.update(state=Notification.State.PENDING, attempts=0, next_at=Now(), done_at=None, error="")
    if number:
        _sent_again(notification.subscription, number, by)
    return bool(number)


@transaction.atomic
def send_failed(*, subscription: Subscription, since: datetime, by: Any) -> int:
    """Put every event in line again that happened since then and was given up; returns how many."""
    _refuse_off(subscription)
    failed = Notification.objects.filter(
        subscription=subscription, state=Notification.State.FAILED, event__at__gte=since
    )
    number = failed.update(state=Notification.State.PENDING, attempts=0, next_at=Now(), done_at=None, error="")
    if number:
        _sent_again(subscription, number, by)
    return number


def _sent_again(subscription: Subscription, number: int, by: Any) -> None:
    """Somebody expects it to work now, so the receiver is not left alone any longer."""
    Subscription.objects.filter(pk=subscription.pk, rest_until__gt=timezone.now()).update(rest_until=None)
    facts.publish("events_sent_again", subscription=subscription, number=number, by=by)
    bell.ring([subscription.pk])


def _refuse_off(subscription: Subscription) -> None:
    if not subscription.is_on:
        raise ConfigError(f"{subscription.name} is switched off.", fix="Switch it on first.", code="OFF")
