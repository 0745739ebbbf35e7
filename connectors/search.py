"""What connections tell the rest of the hub: hits of the search, what needs a person, the number beside the link."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from connectors import queries
from connectors.models import Connection
from hub.accounts.models import User
from hub.common import home, search
from hub.common.home import Need
from hub.common.nav import Badge
from hub.common.search import PER_GROUP, Hit


@search.provider(order=40)
def find_connections(q: str, user: User) -> Iterable[Hit]:
    """Connections by name, short name or system."""
    if not q:
        return
    for found in queries.matching(queries.connections_for(user), q).order_by("name")[:PER_GROUP]:
        url = reverse("connectors:connection_detail", args=[found.slug])
        subtitle = f"{found.system} · {queries.health(found).word}"
        yield Hit(found.name, url, "Connections", subtitle, icon="plug-connected")


@search.provider(order=45)
def find_streams(q: str, user: User) -> Iterable[Hit]:
    """Objects by label, name or short name."""
    if not q:
        return
    matches = Q(label__icontains=q) | Q(name__icontains=q) | Q(slug__icontains=q)
    for stream in queries.streams_for(user).filter(matches).order_by("slug")[:PER_GROUP]:
        url = reverse("connectors:stream_detail", args=[stream.slug])
        yield Hit(str(stream), url, "Objects", f"{stream.connection} · {stream.name}", icon="table")


@home.needs("connections.edit")
def failing_connections(request: HttpRequest) -> Iterable[Need]:
    """Connections whose last test failed, for those who can do something about it."""
    user = request.user
    assert isinstance(user, User)
    for found in queries.with_health(queries.connections_for(user, queries.EDIT), "failing").order_by("checked_at"):
        health = queries.health(found)
        url = reverse("connectors:connection_detail", args=[found.slug])
        yield Need(f"{found}: {health.word.lower()}", url, "Look", health.text, state=health.state, due=health.word)


def failing_badge(user: Any) -> Badge | None:
    """How many connections fail; no number when all are well."""
    count = queries.with_health(queries.connections_for(user), "failing").count()
    return Badge(count, hot=True) if count else None


def is_any_connection() -> bool:
    return Connection.objects.exists()
