"""Connections: the list, one connection's state, its test, its pause, its history, and its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from connectors import gallery, queries, services, vendor_sign_in
from connectors.health import facts_of
from connectors.models import Connection, System
from connectors.retry_policy import policy_of
from connectors.retry_preview import preview
from connectors.standing import standing
from hub.accounts.models import User
from hub.common.display import duration
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.common.usage import users_of

COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Name"),
    Column("system", "System", "system.name"),
    Column("category", "Category", "system.category"),
    Column("kind", "Kind", lambda found: found.catalogue or found.protocol),
    Column("state", "State", lambda found: queries.health(found).word),
    Column("detail", "Detail", lambda found: queries.health(found).text),
    Column("signed_in_as", "Signed in as", queries.signed_in_as),
    Column("objects", "Objects", "stream_count"),
    Column("checked_at", "Last test (UTC)"),
    Column("looked_at", "Last look (UTC)", queries.looked_at),
    Column("is_paused", "Paused"),
    Column("domain", "Domain", lambda found: found.domain.slug if found.domain else ""),
    Column("owner", "Owner", lambda found: str(found.owner or "")),
]
STEP_WORDS = {
    "resolve": "Name resolves",
    "connect": "Connection",
    "authenticate": "Sign-in",
    "read": "Read one record",
}


@requires("connections.view")
@require_GET
def connection_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    """Connections with their health; filters by state, category, kind and free text."""
    everything = queries.connections_for(me(request))
    bar = _filter_bar(request, queries.kinds_in_use(everything))
    rows = _filtered(everything, bar)
    if fmt:
        return export_response(rows.order_by("name", "pk"), COLUMNS, fmt, name="connections")
    page, labels = paginate(rows, request, order=("name",)), gallery.labels()
    context = {
        "page": page,
        "rows": [_row(found, labels) for found in page],
        "bar": bar,
        "totals": queries.totals(everything),
        "failing": queries.with_health(everything, "failing").order_by("-checked_at").first(),
        "groups": gallery.groups() if not bar.is_active and not page.rows else [],
    }
    return render_page(request, "connectors/connection_list.html", context)


def _filter_bar(request: HttpRequest, kinds: Sequence[tuple[str, str]]) -> FilterBar:
    selects = [
        Select("status", "State", queries.HEALTH_CHOICES),
        Select("category", "Category", System.Category.choices),
        Select("kind", "Kind", gallery.kind_choices(kinds)),
    ]
    return FilterBar(request, keys={"status": "State", "category": "Category", "kind": "Kind"}, selects=selects)


def _filtered(rows: Any, bar: FilterBar) -> Any:
    if status := bar.get("status"):
        rows = queries.with_health(rows, status)
    if category := bar.get("category"):
        rows = rows.filter(system__category=category)
    if kind := bar.get("kind"):
        rows = queries.of_kind(rows, kind)
    return queries.matching(rows, bar.text) if bar.text else rows


def _row(found: Connection, labels: Mapping[str, str]) -> dict[str, Any]:
    key = gallery.key_of(found.catalogue, found.protocol)
    return {
        "connection": found,
        "initials": gallery.initials(found.system.name),
        "health": queries.health(found),
        "kind": labels.get(key, found.catalogue or found.protocol),
        "signed_in_as": queries.signed_in_as(found),
        "seen": facts_of(getattr(found, "health", None)),
    }


@requires("connections.view")
@require_GET
def connection_detail(request: HttpRequest, slug: str) -> HttpResponse:
    """How the connection is doing: the steps of its last test, and what is known about it."""
    found = find(request, slug)
    context = {
        **frame(request, found, "status"),
        "test": test_result(found.check_steps, found.checked_at),
        "standing": standing(found),
        "seen": facts_of(getattr(found, "health", None)),
        "signed_in_as": queries.signed_in_as(found),
        "users": users_of(found),
        "stored_secrets": sorted(found.secrets),
        "retries": preview(policy_of(found.retry)),
    }
    return render_page(request, "connectors/connection_detail.html", context)


@requires("connections.edit")
@require_POST
def connection_test(request: HttpRequest, slug: str) -> HttpResponse:
    """Test the stored account and keep the result; htmx gets the steps alone."""
    found = find(request, slug, queries.EDIT)
    services.check_connection(found)
    context = {"test": test_result(found.check_steps, found.checked_at), "connection": found}
    if getattr(request, "htmx", None):
        return render_page(request, "connectors/connection_detail.html", context, partial="connectors/_test.html")
    return redirect("connectors:connection_detail", slug=slug)


@requires("connections.edit")
@require_POST
def connection_pause(request: HttpRequest, slug: str) -> HttpResponse:
    """Pause the connection, or let it go on (`is_paused` is 1 or 0), with a reason."""
    found = find(request, slug, queries.EDIT)
    is_paused = (request.POST.get("is_paused") or request.GET.get("is_paused")) == "1"
    services.set_paused(connection=found, is_paused=is_paused, reason=request.POST.get("reason", ""), by=me(request))
    messages.success(request, f"{found} is {'paused; what waits is kept' if found.is_paused else 'at work again'}.")
    return redirect("connectors:connection_detail", slug=slug)


@requires("connections.edit")
@require_POST
def connection_delete(request: HttpRequest, slug: str) -> HttpResponse:
    """Remove a connection that nothing uses."""
    found = find(request, slug, queries.EDIT)
    try:
        services.remove_connection(found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, reverse("connectors:connection_detail", args=[slug]))
    messages.success(request, f"The connection {found} and its secrets are removed.")
    return redirect_to(request, reverse("connectors:connection_list"))


@requires("connections.view")
@require_GET
def connection_history(request: HttpRequest, slug: str) -> HttpResponse:
    """Who changed what; secrets appear by name only."""
    found = find(request, slug)
    context = {**frame(request, found, "history"), "versions": queries.history(found)}
    return render_page(request, "connectors/connection_history.html", context)


# --- shared with the other views of connections ---------------------------------------------------------------------


def me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def find(request: HttpRequest, slug: str, permission: str = queries.VIEW) -> Connection:
    """A connection that this person holds the permission for; 404 otherwise."""
    return get_object_or_404(queries.connections_for(me(request), permission), slug=slug)


def frame(request: HttpRequest, found: Connection, tab: str) -> dict[str, Any]:
    """What head and tabs of a connection's pages need."""
    tabs = [
        ("Status", "connection_detail", "status", None),
        ("Objects", "connection_objects", "objects", found.streams.count()),
        ("Settings", "connection_edit", "settings", None),
        ("History", "connection_history", "history", None),
    ]
    return {
        "connection": found,
        "offer": gallery.offer_of(found),
        "health": queries.health(found),
        "initials": gallery.initials(found.system.name),
        "signs_in_there": vendor_sign_in.is_offered(found),
        "can_edit": queries.connections_for(me(request), queries.EDIT).filter(pk=found.pk).exists(),
        "tabs": [(word, reverse(f"connectors:{name}", args=[found.slug]), name_ == tab, count)
                 for word, name, name_, count in tabs],
    }  # fmt: skip


def test_result(steps: Sequence[Mapping[str, Any]], checked_at: Any) -> dict[str, Any] | None:
    """The steps of a test for _test.html; None while there has been no test.

    Steps behind the one that failed are shown as not tried.
    """
    if not steps:
        return None
    failed = next((step for step in steps if not step["ok"]), None)
    shown = [_shown(step) for step in steps]
    if failed:
        names = list(STEP_WORDS)
        later = names[names.index(failed["name"]) + 1 :]
        shown += [{"state": "muted", "word": STEP_WORDS[name], "detail": "Not tried."} for name in later]
    return {
        "steps": shown,
        "failed": failed,
        "word": f"Stopped at: {STEP_WORDS[failed['name']].lower()}" if failed else "Works",
        "took": _took(sum(step["seconds"] for step in steps)),
        "checked_at": checked_at,
    }


def _shown(step: Mapping[str, Any]) -> dict[str, Any]:
    """A step with its look; words of the system that are quoted below are not said twice."""
    detail = step["detail"].removesuffix(f": {step['cause']}") if step["cause"] else step["detail"]
    look = {"state": "ok" if step["ok"] else "fail", "word": STEP_WORDS[step["name"]], "took": _took(step["seconds"])}
    return {**step, **look, "detail": detail}


def _took(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else duration(seconds)
