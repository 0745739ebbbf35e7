"""Reads of event types and of what has happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import Count, Max, QuerySet
from django.utils import timezone

from governance.contracts import portable_schema
from governance.exchange import asyncapi
from governance.models import ContractVersion, Entity
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.events.envelope import envelope
from hub.events.event_types.checking import fields
from hub.events.models import Event, EventType, Subscription
from hub.records.models import CanonicalRecord
from hub.sync.plan import passing

SEE, EDIT = "subscriptions.view", "subscriptions.edit"
EXAMPLES = 5
WINDOW = timedelta(days=1)


def event_types_for(user: User, permission: str = SEE) -> QuerySet[EventType]:
    """Event types about entities of domains in which the person holds the permission."""
    rows = EventType.objects.select_related("entity__domain")
    return scope_to_domains(rows, user, permission, "entity__domain")


def entities_for(user: User) -> QuerySet[Entity]:
    return scope_to_domains(Entity.objects.all(), user, EDIT).order_by("name")


def may_edit(user: User, found: EventType) -> bool:
    ids = user.domain_ids_for(EDIT)
    return ids is None or found.entity.domain_id in ids


class Traffic(NamedTuple):
    """How often an event happened within a day, and when last."""

    day: int = 0
    last_at: Any = None


def traffic(names: list[str]) -> dict[str, Traffic]:
    recent = Event.objects.filter(type__in=names, at__gt=timezone.now() - WINDOW).values("type").annotate(n=Count("*"))
    counts = {row["type"]: row["n"] for row in recent}
    last = {name: Event.objects.filter(type=name).aggregate(at=Max("at"))["at"] for name in names}
    return {name: Traffic(counts.get(name, 0), last[name]) for name in names}


def subscribers(found: EventType) -> QuerySet[Subscription]:
    return Subscription.objects.filter(event_types__contains=[found.name]).order_by("name")


def events_for(user: User, *, types: list[str] | None = None, subject: str = "") -> QuerySet[Event]:
    """What happened in the firm, as far as a person may see the entities it is about."""
    names = list(event_types_for(user).values_list("name", flat=True))
    rows = Event.objects.filter(type__in=[name for name in names if types is None or name in types])
    return rows.filter(subject__startswith=subject) if subject else rows


def schema_of(found: EventType) -> dict[str, Any]:
    """The contract of an event's record: the part of the entity's contract that it tells, as JSON Schema."""
    active = ContractVersion.objects.filter(contract__entity=found.entity, status=ContractVersion.Status.ACTIVE).first()
    if active is None:
        return {}
    open_fields = fields(found.entity)
    told = [name for name in open_fields if not found.carries or name in found.carries]
    whole = {name: value for name, value in active.schema.items() if name not in ("allOf", "additionalProperties")}
    whole["properties"] = {name: active.schema["properties"][name] for name in told}
    whole["required"] = [name for name in active.schema.get("required") or () if name in told]
    return {"title": f"{found.name} v{found.version}", **portable_schema(whole)}


def standing(found: EventType) -> dict[str, Any]:
    """How many records meet the condition now, with some of them: what people check a new event type by."""
    allowed = passing(found.condition)
    rows = CanonicalRecord.objects.filter(entity=found.entity, deleted_at__isnull=True)
    newest = rows.order_by("-pk")[:2_000]
    met = [row for row in newest if all(str(row.body.get(name, "")) in values for name, values in allowed.items())]
    return {"looked_at": len(newest), "met": len(met), "examples": met[:EXAMPLES]}


def words_of(found: EventType) -> str:
    """The moment in a sentence."""
    holds = " and ".join(f"{name} is {' or '.join(map(str, values))}" for name, values in found.condition.items())
    if found.moment == EventType.Moment.CHANGES:
        tail = f" while {holds}" if holds else ""
        return f"{' or '.join(found.watched)} of a {found.entity.name.lower()} changes{tail}"
    if not holds:
        return f"a {found.entity.name.lower()} is new"
    subject = f"a {found.entity.name.lower()}"
    ends = found.moment == EventType.Moment.ENDS
    return f"{holds} no longer, of {subject}" if ends else f"{holds}, of {subject}, and was not before"


def told(found: Event) -> dict[str, Any]:
    """The whole event as a full notification says it; fields that are not for everybody were never kept."""
    return envelope(found, payload=Subscription.Payload.FULL)


def described(entity: str) -> list[asyncapi.EventType]:
    """The event types of an entity as documents for developers describe them."""
    found = EventType.objects.filter(entity__slug=entity, is_active=True)
    data = ("entity", "id", "key", "version")
    return [
        asyncapi.EventType(
            one.name, one.title, data, is_about_record=True, version=one.version, carries=tuple(one.carries)
        )
        for one in found
    ]
