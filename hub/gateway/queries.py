"""Reads of APIs and consumers, and of how much is called."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db.models import Max, Q, QuerySet, Sum
from django.utils import timezone

from governance import consumers
from governance.models import Entity
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.gateway import definition
from hub.gateway.models import SERVED, Api, Consumer, Layer, Traffic
from hub.processes.models import Process

SEE, EDIT = "apis.view", "apis.edit"
WINDOW = timedelta(days=30)


def apis_for(user: User, permission: str = SEE) -> QuerySet[Api]:
    return scope_to_domains(Api.objects.select_related("domain"), user, permission)


def consumers_for(user: User, permission: str = SEE) -> QuerySet[Consumer]:
    """Those of the person's domains; one of no domain is everybody's who may see any."""
    ids = user.domain_ids_for(permission)
    rows = Consumer.objects.select_related("domain")
    return rows if ids is None else rows.filter(Q(domain=None) | Q(domain__in=ids))


def may_edit(user: User, domain_id: int | None) -> bool:
    """A consumer of no domain is changed only by who may change all."""
    ids = user.domain_ids_for(EDIT)
    return ids is None or (domain_id is not None and domain_id in ids)


def traffic_of(rows: QuerySet[Traffic]) -> dict[str, Any]:
    """{requests, failed, average_ms, last_at} of the last thirty days."""
    found = rows.filter(hour__gte=timezone.now() - WINDOW).aggregate(
        requests=Sum("requests"), failed=Sum("failed"), seconds=Sum("seconds"), last_at=Max("last_at")
    )
    return _figures(found)


def traffic_by(field: str, rows: QuerySet[Traffic]) -> dict[int, dict[str, Any]]:
    """The same by API or by consumer: {id: figures}."""
    recent = rows.filter(hour__gte=timezone.now() - WINDOW).values(field)
    found = recent.annotate(
        requests=Sum("requests"), failed=Sum("failed"), seconds=Sum("seconds"), last_at=Max("last_at")
    )
    return {row[field]: _figures(row) for row in found.order_by()}


def _figures(row: dict[str, Any]) -> dict[str, Any]:
    requests = row["requests"] or 0
    average = round(1_000 * (row["seconds"] or 0) / requests, 1) if requests else None
    return {"requests": requests, "failed": row["failed"] or 0, "average_ms": average, "last_at": row["last_at"]}


def granted(api: Api) -> list[Consumer]:
    """Who may call it."""
    return [each for each in Consumer.objects.order_by("name") if api.grant in each.grants]


def grant_choices() -> list[tuple[str, str]]:
    """(layer/path:operation, words) of everything that may be granted."""
    seen: dict[str, Api] = {}
    for api in Api.objects.order_by("layer", "path", "-version"):
        seen.setdefault(api.grant, api)
    return [
        (f"{grant}:{operation}", f"{api.name}: {operation}")
        for grant, api in seen.items()
        for operation in definition.operations(api.layer, api.definition)
    ]


# What others see of it ---------------------------------------------------------------------------------------
def of_entity(entity: Entity) -> Iterator[consumers.Consumer]:
    """APIs that give records of the entity away, as consumers of its contract."""
    for api in Api.objects.filter(state__in=SERVED).exclude(layer=Layer.PROCESS):
        for fields in _uses(api, entity.slug):
            yield consumers.Consumer(
                f"{str(api.layer).title()}Api", api.slug, str(api), "reads", fields, api.get_absolute_url()
            )


def _uses(api: Api, entity: str) -> Iterator[frozenset[str] | None]:
    given = api.definition
    if given.get("entity") == entity:
        yield frozenset(given["fields"]) if given.get("fields") else None
    for relation in (given.get("relations") or {}).values():
        if relation.get("entity") == entity:
            named = {
                *(relation.get("fields") or ()),
                *(relation.get("totals") or ()),
                *(relation.get("only_when") or {}),
            }
            yield frozenset(named) if relation.get("fields") else None


def of_process(process: Process) -> list[Api]:
    return list(Api.objects.filter(layer=Layer.PROCESS, definition__process=process.slug))
