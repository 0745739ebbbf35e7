"""What the palette finds here, and whether the first mapping is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Q
from django.urls import reverse

from hub.common import search
from hub.common.search import Hit
from mappings.models import Mapping
from mappings.queries import mappings_for, value_maps_for

LIMIT = 8


@search.provider(order=40)
def find_mappings(q: str, user: Any) -> list[Hit]:
    """Mappings and value maps by name, and value maps by an entry of theirs."""
    return [*_mappings(q, user), *_value_maps(q, user)] if q else []


def _mappings(q: str, user: Any) -> Iterator[Hit]:
    if not user.has_hub_perm("mappings.view"):
        return
    for found in mappings_for(user).filter(Q(name__icontains=q) | Q(slug__icontains=q)).order_by("name")[:LIMIT]:
        subtitle = f"{found.stream.connection.name}, {found.entity.name}"
        yield Hit(found.name, reverse("mappings:editor", args=[found.slug]), "Mappings", subtitle, "arrows-right-left")


def _value_maps(q: str, user: Any) -> Iterator[Hit]:
    if not user.has_hub_perm("valuemaps.view"):
        return
    matches = Q(name__icontains=q) | Q(slug__icontains=q) | Q(entries__source__iexact=q) | Q(entries__target__iexact=q)
    for found in value_maps_for(user).filter(matches).distinct().order_by("name")[:LIMIT]:
        yield Hit(
            found.name, reverse("mappings:value_map", args=[found.slug]), "Value maps", found.description[:80], "lookup"
        )


def is_any_live() -> bool:
    return Mapping.objects.filter(versions__status="active").exists()
