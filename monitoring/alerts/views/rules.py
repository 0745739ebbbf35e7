"""Rules: the list with what each finds now, the form, and muting one as a whole."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from governance.histories import events_of
from hub.common.errors import HubError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar
from hub.common.htmx import redirect_to, render_page
from hub.common.lists import paginate
from hub.common.permissions import requires
from hub.sync.totals import exact
from monitoring.alerts import queries, services, shipped, telling
from monitoring.alerts.conditions import conditions
from monitoring.alerts.forms import MuteForm, RuleForm
from monitoring.alerts.queries import EDIT, SEE
from monitoring.alerts.views.common import find_rule, may_edit, me, tabs
from monitoring.models import AlertRule

COLUMNS = [
    Column("slug", "Short name"),
    Column("name", "Rule"),
    Column("what", "Watches"),
    Column("domain", "Domain", "domain.slug"),
    Column("system", "System", "system.slug"),
    Column("sync", "Sync", "sync.slug"),
    Column("warning", "Warning", lambda rule: exact(rule.warning)),
    Column("critical", "Critical", lambda rule: exact(rule.critical)),
    Column("evaluations", "Looks that agree"),
    Column("owner", "Owner"),
    Column("active", "Active alerts"),
    Column("evaluated_at", "Evaluated (UTC)"),
    Column("problem", "Problem"),
]


@requires(SEE)
@require_safe
def rule_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    bar = FilterBar(request, keys={}, hint="Name or owner")
    rows = queries.with_counts(queries.rules_for(me(request)))
    for word in bar.text.split():
        rows = rows.filter(name__icontains=word) | rows.filter(owner__icontains=word)
    if fmt:
        return export_response(list(rows.order_by("name")), COLUMNS, fmt, name="alert-rules")
    page = paginate(rows, request, order=("name", "pk"), page_size=100)
    known = conditions()
    context = {
        "bar": bar,
        "page": page,
        "rows": [{"rule": rule, "condition": known.get(rule.what)} for rule in page],
        "tabs": tabs(request, "Rules"),
        "can_edit": me(request).has_hub_perm(EDIT),
    }
    return render_page(request, "alerts/rules.html", context)


@requires(SEE)
@require_safe
def rule(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_rule(request, slug)
    alerts = queries.with_mutes(queries.alerts_for(me(request)).filter(rule=found)).exclude(state="ok")
    context = {
        "rule": found,
        "condition": queries.condition_of(found),
        "alerts": alerts.order_by("-since")[:50],
        "mutes": queries.mutes_in_force(found),
        "is_shipped": found.slug in shipped.slugs(),
        "history": events_of(found, "Rule")[:8],
        "form": MuteForm(),
        "currency": telling.firm_currency(),
        "can_edit": may_edit(request, found.domain),
    }
    return render_page(request, "alerts/rule.html", context)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def rule_new(request: HttpRequest) -> HttpResponse:
    return _form_page(request, None)


@requires(EDIT)
@require_http_methods(["GET", "POST"])
def rule_edit(request: HttpRequest, slug: str) -> HttpResponse:
    return _form_page(request, find_rule(request, slug, EDIT))


@requires(EDIT)
@require_POST
def rule_delete(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_rule(request, slug, EDIT)
    try:
        services.delete_rule(found, by=me(request))
    except HubError as error:
        messages.error(request, str(error))
        return redirect_to(request, found.get_absolute_url())
    messages.success(request, f"{found} is deleted.")
    return redirect_to(request, reverse("alerts:rule_list"))


@requires(EDIT)
@require_POST
def rule_mute(request: HttpRequest, slug: str) -> HttpResponse:
    found = find_rule(request, slug, EDIT)
    form = MuteForm(request.POST)
    try:
        if form.is_valid():
            services.mute(rule=found, until=form.until(), reason=form.cleaned_data["reason"], by=me(request))
            messages.success(request, f"Nobody is told of {found} until the mute ends.")
        else:
            messages.error(request, "A mute needs a reason and an end.")
    except HubError as error:
        messages.error(request, str(error))
    return redirect_to(request, found.get_absolute_url())


def _form_page(request: HttpRequest, found: AlertRule | None) -> HttpResponse:
    form = RuleForm(me(request), request.POST or None, found=found)
    if request.method == "POST" and form.is_valid() and (answer := _save(request, form)):
        return answer
    context = {
        "form": form,
        "rule": found,
        "conditions": list(conditions().values()),
        "currency": telling.firm_currency(),
    }
    return render_page(request, "alerts/rule_form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: RuleForm) -> HttpResponse | None:
    document = form.document()
    try:
        done = services.save_rule(document, by=me(request))
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    here = reverse("alerts:rule", args=[document["slug"]])
    return redirect_to(request, here if done.is_applied else done.url or reverse("alerts:rule_list"))
