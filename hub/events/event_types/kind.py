"""EventType as a configuration document."""

from __future__ import annotations

from typing import Any

from governance.models import Entity
from hub.common import registry
from hub.common.errors import ConfigError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem
from hub.events.event_types import checking, services
from hub.events.models import EventType, Subscription

COLUMNS = ("title", "description", "owner", "moment", "condition", "watched", "carries", "version", "is_active")


class EventTypeKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        entity = Entity.objects.filter(slug=document["entity"]).first()
        if entity is None:
            return []  # it comes with the same documents; what refers to it is judged when it is applied
        given = {name: document[name] for name in ("name", *COLUMNS) if name in document}
        trial = EventType(slug=document["slug"], entity=entity, **given)
        found = [Problem(path, sentence) for path, sentence in checking.problems(trial)]
        if not found and (problem := checking.version_problem(self.get(document["slug"]), trial)):
            found.append(Problem(*problem))
        return found

    def before_save(self, found: EventType, document: Document) -> None:
        for path, sentence in checking.problems(found):
            raise ConfigError(sentence, where=path, code="EVENT_TYPE")

    def extra_apply(self, found: Any, document: Document, *, by: Any) -> None:
        services.was_applied()

    def before_remove(self, found: EventType) -> None:
        users = [f"{name} {slug}" for name, slug in self.impact(found.slug)]
        if users:
            raise ConfigError(
                f"{found} is used by {', '.join(users)}.",
                where=found.slug,
                fix="Take it out there first.",
                code="IN_USE",
            )

    def impact(self, slug: str) -> list[tuple[str, str]]:
        """Subscriptions that are told of it, and what other packages say they do on it."""
        found = self.get(slug)
        told = Subscription.objects.filter(event_types__contains=[found.name]) if found else Subscription.objects.none()
        mine = [("Subscription", each) for each in told.order_by("slug").values_list("slug", flat=True)]
        return [*mine, *(each for users in services.users for each in users(found.name if found else ""))]


def register() -> None:
    registry.register(
        EventTypeKind(
            name=services.KIND,
            model=EventType,
            after=["Entity", "Contract"],
            fields=[
                Attr("name", required=True),
                Ref("entity", lambda: Entity, "Entity", required=True),
                *(Attr(name, required=name == "title") for name in COLUMNS),
            ],
            is_removable=True,
        )
    )
