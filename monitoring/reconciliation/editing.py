"""Making and changing a reconciliation, and trying its match rules on the gaps of now before they are saved."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from hub.common.db import plain_cursor
from hub.common.errors import HubError
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from monitoring.models import Reconciliation, ReconciliationGap
from monitoring.reconciliation import definition, rules, services
from monitoring.reconciliation.forms import ReconciliationForm
from monitoring.reconciliation.queries import EDIT
from monitoring.reconciliation.rules import Found
from monitoring.reconciliation.views import find, me
from monitoring.reconciliation.work import definition_of


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _form_page(request, find(request, slug, EDIT))


def _form_page(request: HttpRequest, found: Reconciliation | None) -> HttpResponse:
    form = ReconciliationForm(me(request), request.POST or None, reconciliation=found)
    context: dict[str, Any] = {"form": form, "reconciliation": found}
    if request.method == "POST" and form.is_valid():
        if request.POST.get("do") == "try" and found is not None:
            context["tried"] = _tried(found, form.cleaned_data["rules"])
        elif answer := _save(request, form):
            return answer
    return render_page(request, "reconciliation/form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: ReconciliationForm) -> HttpResponse | None:
    document = form.document()
    try:
        done = services.save_reconciliation(document, by=me(request))
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    here = reverse("reconciliation:reconciliation", args=[document["slug"]])
    return redirect_to(request, here if done.is_applied else done.url or reverse("reconciliation:scorecard"))


def _tried(found: Reconciliation, given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each rule as it stands in the form beside the saved one of its name; a rule that is gone loses all it had."""
    saved = definition_of(found)
    shown = []
    with plain_cursor() as cursor:
        for one in given:
            if problems := list(definition.rule_problems("rule", one)):
                shown.append({"name": one.get("name") or "A rule", "problem": problems[0][1]})
                continue
            if unknown := [name for name in one["group"] if not rules.is_kept(saved, name)]:
                sentence = (
                    f"The gaps of now do not say {unknown[0]}: save the rule and compare again to see what it does."
                )
                shown.append({"name": one["name"], "problem": sentence})
                continue
            preview = rules.preview(cursor, found, saved, definition.rule_of(one))
            shown.append(
                {
                    "name": one["name"],
                    "preview": preview,
                    "new": _named(preview.new[: rules.SHOWN]),
                    "lost": _named(preview.lost[: rules.SHOWN]),
                }
            )
    return shown


def _named(found: list[Found] | Any) -> list[tuple[str, str, Found]]:
    """(keys of the left, keys of the right, the match)"""
    ids = {pk for one in found for pk in one.ids}
    keys = dict(ReconciliationGap.objects.filter(pk__in=ids).values_list("pk", "key"))
    return [(_keys(one.left, keys), _keys(one.right, keys), one) for one in found]


def _keys(ids: frozenset[int], keys: dict[int, str]) -> str:
    names = sorted(keys.get(pk, "") for pk in ids)
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
