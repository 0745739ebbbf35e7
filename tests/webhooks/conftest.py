"""A firm whose PSA calls the hub: projects arrive by webhook and feed the sync that also reads them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.test import Client

from connectors.models import Stream
from hub.records.models import CanonicalRecord
from hub.sync import engine
from hub.sync.models import Run
from hub.webhooks import schemes, services
from hub.webhooks.models import Endpoint, Message
from tests.sync import builders as build
from tests.sync import worlds


@pytest.fixture(autouse=True)
def no_profile_outlives_its_database() -> Iterator[None]:
    yield
    from hub.records.store import forget_profiles

    forget_profiles()


@dataclass
class World:
    """`changed` is the PSA's own time of change; `send` signs as the PSA does."""

    firm: worlds.Firm
    endpoint: Endpoint

    def envelope(self, row: dict[str, Any], kind: str = "project.updated") -> bytes:
        return json.dumps({"type": kind, "data": row}).encode()

    def row(self, number: int = 1, version: int = 1, **changes: Any) -> dict[str, Any]:
        stamp = f"2026-11-01T10:{version:02d}:00Z"
        return {**build.project_row(number, title=f"Version {version}"), "changed": stamp, **changes}

    def send(self, row: dict[str, Any], *, message_id: str, kind: str = "project.updated") -> int:
        return self.post(self.envelope(row, kind), message_id=message_id).status_code

    def post(self, body: bytes, *, message_id: str = "m1", endpoint: Endpoint | None = None, **extra: Any) -> Any:
        endpoint = endpoint or self.endpoint
        headers, query = schemes.sign(endpoint, body, message_id=message_id, now=time.time())
        return deliver(endpoint, body, headers=headers | extra.pop("headers", {}), query=query, **extra)

    def work(self) -> Run | None:
        """What a worker does when the bell rings, until nothing waits."""
        run = None
        for _ in range(5):
            found = Run.objects.filter(sync=self.firm.inbound, status="queued").first()
            if found is None:
                break
            run = engine.execute(found.pk)
        return run

    @property
    def record(self) -> CanonicalRecord:
        return CanonicalRecord.objects.get(key="P-0001")

    def outcomes(self) -> dict[str, str]:
        return dict(Message.objects.values_list("message_id", "outcome"))


def deliver(
    endpoint: Endpoint, body: bytes, *, headers: dict[str, str], query: dict[str, str] | None = None,
    content_type: str = "application/json", path: str = "",
) -> Any:  # fmt: skip
    address = f"/in/{path or endpoint.path}/" + (f"?{'&'.join(f'{k}={v}' for k, v in query.items())}" if query else "")
    return Client().post(address, data=body, content_type=content_type, headers=headers)


def make_endpoint(firm: worlds.Firm, slug: str = "psa", **fields: Any) -> Endpoint:
    endpoint = Endpoint(slug=slug, name=f"Calls of {slug}", sync=firm.inbound, **{"record_path": "data", **fields})
    services.save_endpoint(endpoint=endpoint, by=None)
    return endpoint


@pytest.fixture
def world(domains: Any) -> World:
    firm = worlds.make()
    Stream.objects.filter(pk=firm.inbound.mapping.stream_id).update(cursor_field="changed")
    endpoint = make_endpoint(firm, deleted_path="type", deleted_values=["project.deleted"])
    return World(firm, endpoint)
