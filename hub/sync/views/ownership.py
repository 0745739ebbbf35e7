"""Systems of record beside the traffic: an entity's matrix, and what a change would have stopped."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from governance.models import OwnershipRule
from governance.ownership.definitions import ground_of
from governance.ownership.forms import RuleForm
from governance.ownership.proposals import row_of
from governance.ownership.queries import rules_for
from governance.queries import find_entity
from hub.common.errors import HubError
from hub.common.permissions import requires
from hub.sync.ownership import whatif
from hub.sync.ownership.matrix import DAYS, matrix_of
from hub.sync.ownership.queries import SEE as SEE_RECORDS
from hub.sync.views.common import me

SEE, EDIT = "contracts.view", "contracts.edit"
# Longer than this nobody waits for a page; the command goes through everything.
SECONDS = 10.0
PERIODS = (7, 30, 90)


@requires(SEE)
def ownership_matrix(request: HttpRequest, slug: str) -> HttpResponse:
    """Who may set each field of an entity."""
    entity = find_entity(me(request), slug, SEE)
    context = {
        "entity": entity,
        "matrix": matrix_of(entity),
        "days": DAYS,
        "can_edit": me(request).has_hub_perm(EDIT, entity.domain_id),
        "can_see_records": me(request).has_hub_perm(SEE_RECORDS, entity.domain_id),
    }
    return render(request, "sync/ownership_matrix.html", context)


@requires(EDIT)
@never_cache
@require_http_methods(["GET", "POST"])
def ownership_whatif(request: HttpRequest, slug: str) -> HttpResponse:
    """What the form that was sent, or with ?drafts=1 the entity's drafts, would have stopped. Nothing is saved."""
    entity = find_entity(me(request), slug, EDIT)
    rule = rules_for(me(request), EDIT).filter(entity=entity, slug=request.GET.get("rule", "")).first()
    days = _days(request)
    context: dict[str, Any] = {"entity": entity, "days": days, "periods": PERIODS, "seconds": SECONDS, "rule": rule}
    context["can_see_records"] = me(request).has_hub_perm(SEE_RECORDS, entity.domain_id)
    if "drafts" in request.GET:
        drafts = OwnershipRule.objects.filter(entity=entity, status=OwnershipRule.Status.DRAFT)
        return _forecast(request, context, list(drafts.select_related("entity__domain", "replaces")))
    form = RuleForm(entity, ground_of(entity), rule, request.POST or None)
    if not form.is_valid():
        return render(
            request, "governance/ownership_rule.html", {**context, "form": form, "can_edit": True}, status=422
        )
    document = form.document
    if replaces := request.GET.get("replaces"):
        document["replaces"] = replaces
    hidden = [(name, value) for name, values in request.POST.lists() if name not in _OURS for value in values]
    return _forecast(request, {**context, "hidden": hidden}, [row_of(document)])


_OURS = ("csrfmiddlewaretoken", "days")


def _forecast(request: HttpRequest, context: dict[str, Any], rows: list[OwnershipRule]) -> HttpResponse:
    try:
        found = whatif.forecast(rows, days=context["days"], seconds=SECONDS)
    except HubError as error:
        return render(request, "sync/ownership_whatif.html", {**context, "problem": str(error)}, status=422)
    return render(request, "sync/ownership_whatif.html", {**context, **_shown(found)})


def _shown(found: list[whatif.Forecast]) -> dict[str, Any]:
    return {"found": found[0], "aside": f"{', '.join(found[0].set_aside)}."} if found else {"found": None}


def _days(request: HttpRequest) -> int:
    asked = request.POST.get("days") or request.GET.get("days") or ""
    return int(asked) if asked in {str(days) for days in PERIODS} else whatif.DAYS
