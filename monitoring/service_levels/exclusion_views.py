"""Asking that a time does not count for a service level, and deciding about it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from governance.models import ServiceLevel
from governance.service_levels.queries import EDIT
from hub.accounts.queries import scope_to_domains
from hub.common import home
from hub.common.errors import HubError
from hub.common.home import Need
from hub.common.htmx import redirect_to
from hub.common.permissions import requires
from monitoring.models import Exclusion
from monitoring.service_levels import exclusions
from monitoring.service_levels.exclusions import ExclusionForm
from monitoring.service_levels.views import find, me

DECIDE = "approvals.decide"


@requires(EDIT)
@require_POST
def exclusion_ask(request: HttpRequest, slug: str) -> HttpResponse:
    level = find(request, slug, EDIT)
    form = ExclusionForm(request.POST)
    if not form.is_valid():
        field, problems = next(iter(form.errors.items()))
        messages.error(request, f"{form.fields[field].label or field.capitalize()}: {problems[0]}")
        return _back(request, level)
    try:
        exclusions.ask(level, **form.cleaned_data, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Asked for. It does not count once another person has agreed.")
    return _back(request, level)


@requires(DECIDE)
@require_POST
def exclusion_decide(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    level = find(request, slug, DECIDE)
    found = get_object_or_404(Exclusion, service_level=level, pk=pk)
    is_approved = request.POST.get("do") == "approve"
    try:
        exclusions.decide(found, approve=is_approved, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "Agreed: what ran then does not count." if is_approved else "Refused: it counts.")
    return _back(request, level)


def _back(request: HttpRequest, level: ServiceLevel) -> HttpResponse:
    return redirect_to(request, reverse("service_levels:service_level", args=[level.slug]))


@home.needs(DECIDE)
def exclusions_to_decide(request: HttpRequest) -> list[Need]:
    """Times that others ask not to count."""
    rows: Any = Exclusion.objects.filter(state=Exclusion.State.REQUESTED).exclude(requested_by=me(request))
    rows = scope_to_domains(rows, me(request), DECIDE, "service_level__domain").select_related("service_level")
    return [
        Need(
            f"Should this time not count for {row.service_level}?",
            row.service_level.get_absolute_url(),
            detail=row.reason,
            state="needs_approval",
        )
        for row in rows.order_by("pk")[:20]
    ]
