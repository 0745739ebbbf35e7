"""A firm in which a project is set up: its deal is checked, the job is made at the ERP, a person says the rate card."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hub.common import registry
from hub.common.errors import ConfigError
from hub.events import business, interests
from hub.events.event_types.services import save_event_type
from hub.processes import engine, services, starting
from hub.processes.models import Process, ProcessInstance, StepRun
from tests import memory
from tests.sync import builders as build
from tests.sync import worlds


@pytest.fixture(autouse=True)
def nothing_outlives_its_database() -> Iterator[None]:
    _forget()
    yield
    from hub.records.store import forget_profiles

    forget_profiles()
    _forget()


def _forget() -> None:
    business.forget()
    interests.forget()
    starting.forget()


class World:
    """`define` saves a process; `look` is what a worker does."""

    def __init__(self) -> None:
        self.firm = worlds.make()
        self.notes = build.stream(self.firm.outbound.stream.connection, "notes")
        document = {"slug": "project-active", "name": "project.active", "title": "Active", "entity": "project"}
        save_event_type({**document, "condition": {"status": ["active"]}}, by=None)
        business.forget()

    @property
    def erp(self) -> memory.MemorySystem:
        return self.firm.erp

    def define(self, *steps: dict[str, Any], **given: Any) -> Process:
        document: dict[str, Any] = {
            "slug": "set-up", "name": "Set up a project", "domain": "project-wbs", "entity": "project",
            "steps": list(steps), **given,
        }  # fmt: skip
        if problems := registry.kind("Process").validate({"kind": "Process", **document}):
            raise ConfigError(problems[0].sentence, where=problems[0].path)
        services.save_process(document, by=None)
        starting.forget()
        return Process.objects.get(slug=document["slug"])

    def start(self, process: Process, key: str = "P-0001", **given: Any) -> ProcessInstance:
        made = services.start(process, key, by=None, given=given)
        return self.look(made)

    def look(self, instance: ProcessInstance) -> ProcessInstance:
        engine.advance(instance.pk)
        return ProcessInstance.objects.select_related("process", "version").get(pk=instance.pk)

    def states(self, instance: ProcessInstance) -> dict[str, str]:
        return {run.step: str(run.state) for run in instance.steps.all()}

    def step(self, instance: ProcessInstance, name: str) -> StepRun:
        return instance.steps.get(step=name)

    @property
    def written(self) -> list[Any]:
        return [(write.key, write.body) for write in self.erp.writes]


@pytest.fixture
def world(domains: Any) -> World:
    return World()


CHECK = {"name": "budget", "kind": "check", "that": "record.budget", "message": "The project has no budget."}
ENSURE = {"name": "job", "kind": "ensure", "sync": "erp-jobs", "key": "key"}
ASK = {
    "name": "rate", "kind": "ask", "role": "finance", "question": "Which rate card?",
    "fields": [{"name": "card", "title": "Rate card", "type": "choice", "options": ["UK", "DE"]}],
}  # fmt: skip
ACTION = {
    "name": "book", "kind": "action", "stream": "erp-notes", "operation": "create", "key": "key",
    "body": {"code": "key", "text": "'Opened by the hub'"},
}  # fmt: skip
