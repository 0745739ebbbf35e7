"""A firm that offers its projects to a client portal, and the portal's own hands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from hub.common import registry
from hub.common.errors import ConfigError
from hub.gateway import known, services, traffic
from hub.gateway.models import Consumer
from hub.webhooks import services as webhooks
from hub.webhooks.models import Endpoint
from tests.services import _forget_everything
from tests.sync import builders as build
from tests.sync import worlds

TIME = {
    "type": "object",
    "required": ["number", "project"],
    "properties": {
        "number": {"type": "string", "x-key": True},
        "project": {"type": "string", "x-ref": "project", "x-project": True},
        "hours": {"type": "string", "format": "decimal"},
        "status": {"type": "string"},
        "salary": {"type": "string", "x-classification": "confidential"},
    },
}


@pytest.fixture(autouse=True)
def nothing_outlives_its_database() -> Iterator[None]:
    _forget_everything()
    yield
    _forget_everything()


class Portal:
    """`call` is one request of the client portal: (status, body, headers)."""

    def __init__(self) -> None:
        self.firm = worlds.make()
        time = build.stream(self.firm.inbound.stream.connection, "time")
        entity = build.entity("time_entry", TIME)
        rules = [{"target": name, "source": name} for name in TIME["properties"]]
        self.time = build.sync("psa-time", "in", time, entity, rules)
        self.token = ""

    def offer(self, kind: str, slug: str, **given: Any) -> None:
        document = {"kind": kind, "slug": slug, "name": slug.capitalize(), "domain": "project-wbs", "path": slug,
                    "state": "active", **given}  # fmt: skip
        if problems := registry.kind(kind).validate(document):
            raise ConfigError(problems[0].sentence, where=problems[0].path)
        registry.kind(kind).apply(document, by=None)
        known.forget()

    def register(self, grants: dict[str, list[str]], **given: Any) -> Consumer:
        document = {
            "kind": "Consumer",
            "slug": "portal",
            "name": "Portal",
            "owner": "Digital",
            "grants": grants,
            **given,
        }
        if problems := registry.kind("Consumer").validate(document):
            raise ConfigError(problems[0].sentence, where=problems[0].path)
        registry.kind("Consumer").apply(document, by=None)
        found = Consumer.objects.get(slug=document["slug"])
        if not self.token:
            self.token = services.issue_token(found, by=None)
        known.forget()
        return found

    def endpoint(self) -> Endpoint:
        found = Endpoint(slug="projects-in", name="Projects in", sync=self.firm.inbound)
        webhooks.save_endpoint(endpoint=found, by=None)
        return Endpoint.objects.get(slug="projects-in")

    def call(self, method: str, path: str, data: Any = None, *, token: str | None = None, **headers: str) -> Any:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        token = self.token if token is None else token
        if token:
            sent["Authorization"] = f"Bearer {token}"
        body = json.dumps(data) if data is not None else ""
        answer = Client().generic(method, f"/gateway/{path}", body, "application/json", headers=sent)
        traffic.store()
        return answer.status_code, json.loads(answer.content) if answer.content else None, answer.headers


@pytest.fixture
def portal(domains: Any, transactional_db: None) -> Portal:
    return Portal()
