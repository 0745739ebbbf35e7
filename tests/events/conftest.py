"""A firm whose data team listens: a real receiver on loopback, which proves every request by code of its own."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from hub.events import business, interests, sending, services
from hub.events.models import Notification, Subscription
from hub.events.types import TYPES
from tests.fakes import http
from tests.sync import worlds

LOOPBACK = ["127.0.0.0/8"]


@pytest.fixture(autouse=True)
def nothing_outlives_its_database() -> Iterator[None]:
    interests.forget()
    business.forget()
    yield
    from hub.records.store import forget_profiles

    forget_profiles()
    interests.forget()
    business.forget()


def verify(secret: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Standard Webhooks as its specification says it, written without the hub's code; the event, or an AssertionError."""
    message_id, timestamp = headers["webhook-id"], headers["webhook-timestamp"]
    assert "." not in message_id
    assert abs(time.time() - int(timestamp)) <= 300
    prefix, _, encoded = secret.partition("_")
    key = base64.b64decode(encoded, validate=True)
    assert prefix == "whsec"
    assert 24 <= len(key) <= 64
    content = b".".join([message_id.encode(), timestamp.encode(), body])
    expected = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    signatures = [part.split(",", 1) for part in headers["webhook-signature"].split(" ")]
    assert any(version == "v1" and hmac.compare_digest(value, expected) for version, value in signatures)
    event = json.loads(body)
    assert event["id"] == message_id
    return event


@dataclass
class Receiver:
    """Answers with what `answers` holds, then 204. `told` are the events it could prove."""

    server: http.FakeServer = field(init=False)
    secret: str = ""
    answers: list[http.Answer] = field(default_factory=list)
    told: list[dict[str, Any]] = field(default_factory=list)
    refused: int = 0

    def __call__(self, request: http.Request) -> http.Answer:
        try:
            self.told.append(verify(self.secret, request.headers, request.body))
        except (AssertionError, KeyError, ValueError):
            self.refused += 1
            return http.Answer(status=401)
        return self.answers.pop(0) if self.answers else http.Answer(status=204)

    def of(self, name: str) -> list[dict[str, Any]]:
        """The events of one kind; those of different subjects arrive in any order."""
        return [event for event in self.told if event["type"] == f"syncline.{name}.v1"]

    @property
    def types(self) -> list[str]:
        return [event["type"].removeprefix("syncline.").removesuffix(".v1") for event in self.told]


@dataclass
class World:
    firm: worlds.Firm
    receiver: Receiver
    subscription: Subscription

    def send(self) -> None:
        """What a sender does when it is rung."""
        sending.send_due(self.subscription.pk)

    def due_now(self) -> None:
        """Let the time pass until the next attempt."""
        Notification.objects.filter(state="pending").update(next_at="2026-01-01T00:00:00Z")
        Subscription.objects.update(rest_until=None)

    def again(self) -> Subscription:
        self.subscription.refresh_from_db()
        return self.subscription


def subscribe(receiver: Receiver, slug: str = "data-team", **fields: Any) -> Subscription:
    values = {
        "event_types": list(TYPES),
        "allowed_networks": LOOPBACK,
        "url": f"{receiver.server.url}/events",
        **fields,
    }
    made = Subscription(slug=slug, name=f"Events for {slug}", **values)
    receiver.secret = services.save_subscription(subscription=made, by=None)
    interests.forget()  # as the commit does
    return made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    with http.serve(found) as server:
        found.server = server
        yield found


@pytest.fixture
def world(domains: Any, receiver: Receiver) -> World:
    return World(worlds.make(), receiver, subscribe(receiver))


@pytest.fixture
def api() -> Callable[..., Any]:
    """api(ada): a client with a token of that person."""
    from rest_framework.test import APIClient

    from hub.accounts.services import create_token

    def client(user: Any) -> APIClient:
        _, token = create_token(user, name="test", days=1, by=user, is_read_only=False)
        made = APIClient()
        made.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return made

    return client
