"""Process as a configuration document."""

from __future__ import annotations

from typing import Any

from connectors.models import Stream
from governance.models import Entity
from hub.accounts.models import Domain
from hub.accounts.roles import ROLES
from hub.common import registry
from hub.common.errors import ConfigError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem
from hub.events.event_types import services as event_types
from hub.events.models import EventType
from hub.processes import definition, services, starting
from hub.processes.definition import Definition, steps_of
from hub.processes.models import Process, ProcessVersion
from hub.sync.models import Sync

PARTS = ("triggers", "lookups", "steps")


def definition_in(document: Document) -> Definition:
    return {name: document[name] for name in PARTS if document.get(name)}


class ProcessKind(ModelKind):
    def extra_dump(self, found: Process) -> Document:
        return {name: value for name, value in found.newest.definition.items() if value}

    def extra_validate(self, document: Document) -> list[Problem]:
        found = [Problem(path, sentence) for path, sentence in definition.problems(definition_in(document))]
        return found or [*_role_problems(document)]

    def extra_references(self, document: Document) -> list[tuple[str, str, str]]:
        found = [
            (f"steps.{number}.{name}", kind, str(given[name]))
            for number, given in enumerate(document.get("steps") or ())
            for name, kind in (("sync", "Sync"), ("stream", "Stream"))
            if isinstance(given, dict) and given.get(name)
        ]
        looked = [
            (f"lookups.{name}.entity", "Entity", str(given["entity"]))
            for name, given in (document.get("lookups") or {}).items()
            if isinstance(given, dict) and given.get("entity")
        ]
        return [*found, *looked]

    def before_save(self, found: Process, document: Document) -> None:
        for path, sentence in _missing(document):
            raise ConfigError(sentence, where=path, code="PROCESS")

    def extra_apply(self, found: Any, document: Document, *, by: Any) -> None:
        wanted = definition_in(document)
        last = found.versions.order_by("-number").first()
        if last is None or last.definition != wanted:
            ProcessVersion.objects.create(process=found, number=last.number + 1 if last else 1, definition=wanted)
        starting.set_slot(found)
        starting.forget()

    def before_remove(self, found: Process) -> None:
        if found.instances.exists():
            raise ConfigError(f"{found} has run.", where=found.slug, fix="Switch it off instead.", code="HAS_RUN")

    def impact(self, slug: str) -> list[tuple[str, str]]:
        return []


def _role_problems(document: Document) -> list[Problem]:
    return [
        Problem(f"steps.{number}.role", f"There is no role {given['role']!r}. Use one of: {', '.join(ROLES)}.")
        for number, given in enumerate(document["steps"])
        if given.get("role") and given["role"] not in ROLES
    ]


def _missing(document: Document) -> list[tuple[str, str]]:
    """Names that nothing has, judged when it is applied: what it refers to may come with the same documents."""
    found = []
    for number, trigger in enumerate(document.get("triggers") or ()):
        if "event" in trigger and not EventType.objects.filter(name=trigger["event"]).exists():
            found.append((f"triggers.{number}.event", f"There is no event type {trigger['event']!r}."))
    for name, step in steps_of(definition_in(document)).items():
        if (
            step.kind == "wait"
            and "event" in step.more
            and not EventType.objects.filter(name=step.more["event"]).exists()
        ):
            found.append((name, f"There is no event type {step.more['event']!r}."))
        if step.kind == "ensure" and not Sync.objects.filter(slug=step.more["sync"], mapping__direction="out").exists():
            found.append((name, f"There is no outbound sync {step.more['sync']!r}."))
        if step.kind == "action" and not Stream.objects.filter(slug=step.more["stream"]).exists():
            found.append((name, f"There is no stream {step.more['stream']!r}."))
    return found


def starts_on(event: str) -> list[tuple[str, str]]:
    """Processes that an event starts, or that wait for it."""
    return [
        (services.KIND, process.slug) for process in Process.objects.order_by("slug") if event in events_of(process)
    ]


def events_of(process: Process) -> set[str]:
    found = process.newest.definition
    waits = {step.more["event"] for step in steps_of(found).values() if "event" in step.more}
    return waits | {trigger["event"] for trigger in found.get("triggers") or () if "event" in trigger}


def register() -> None:
    event_types.users.append(starts_on)
    registry.register(
        ProcessKind(
            name=services.KIND,
            model=Process,
            after=["Entity", "Domain", "EventType", "Sync", "Stream"],
            fields=[
                Attr("name", required=True),
                Attr("purpose"),
                Attr("owner"),
                Ref("domain", lambda: Domain, "Domain", required=True),
                Ref("entity", lambda: Entity, "Entity"),
                Attr("is_active"),
            ],
            extra=list(PARTS),
            is_removable=True,
        )
    )
