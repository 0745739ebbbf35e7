"""What the pages of alerts share: who asks, the tabs, and what this person may see or change (404 otherwise)."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.urls import reverse

from hub.accounts.models import Domain, User
from monitoring.alerts import queries
from monitoring.alerts.queries import EDIT, SEE
from monitoring.models import Alert, AlertRoute, AlertRule


def me(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def tabs(request: HttpRequest, current: str) -> list[tuple[str, str, bool, int | None]]:
    """For components/tabs.html."""
    active = queries.active_for(me(request)).count()
    pages: list[tuple[str, str, int | None]] = [
        ("Alerts", "alerts:alert_list", active),
        ("History", "alerts:change_list", None),
        ("Notices", "alerts:notice_list", None),
        ("Mutes", "alerts:mute_list", queries.mutes_for(me(request)).filter(queries.in_force()).count()),
        ("Rules", "alerts:rule_list", None),
        ("Routes", "alerts:route_list", None),
    ]
    return [(word, reverse(name), word == current, number) for word, name, number in pages]


def find_alert(request: HttpRequest, pk: int, permission: str = SEE) -> Alert:
    return get_object_or_404(queries.with_mutes(queries.alerts_for(me(request), permission)), pk=pk)


def find_rule(request: HttpRequest, slug: str, permission: str = SEE) -> AlertRule:
    return get_object_or_404(queries.rules_for(me(request), permission), slug=slug)


def find_route(request: HttpRequest, slug: str, permission: str = SEE) -> AlertRoute:
    return get_object_or_404(queries.routes_for(me(request), permission), slug=slug)


def may_edit(request: HttpRequest, domain: Domain | None) -> bool:
    """What belongs to the whole firm is changed by those who may for all domains."""
    user = me(request)
    return user.domain_ids_for(EDIT) is None if domain is None else user.has_hub_perm(EDIT, domain)


def check_edit(request: HttpRequest, domain: Domain | None) -> None:
    if not may_edit(request, domain):
        where = f"in {domain}" if domain else "for all domains"
        raise PermissionDenied(f"This needs {EDIT} {where}.")
