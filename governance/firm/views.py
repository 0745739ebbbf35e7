"""The firm: one form, and what its choice means for amounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from governance.calendars.queries import EDIT, SEE, may_edit
from governance.histories import events_of
from governance.models import Firm
from governance.models.firm import SLUG
from governance.saving import save
from governance.views import me
from hub.accounts.forms import zone_choices
from hub.common.errors import HubError
from hub.common.htmx import redirect_to, render_page
from hub.common.money import CURRENCY_DIGITS
from hub.common.permissions import requires


class FirmForm(forms.Form):
    name = forms.CharField(max_length=120)
    currency = forms.ChoiceField(
        choices=[(code, code) for code in sorted(CURRENCY_DIGITS)],
        help_text="Money at risk is added up in it, at the rates of the entity “Exchange rate”.",
    )
    rate_type = forms.ChoiceField(label="Rates", choices=Firm.RateType.choices, initial=Firm.RateType.SPOT)
    rate_max_age_days = forms.IntegerField(
        label="A rate holds for days",
        min_value=1,
        max_value=400,
        initial=45,
        help_text="With an older rate, or none, an amount is listed in its own currency and left out of sums.",
    )
    time_zone = forms.ChoiceField(label="Time zone", choices=zone_choices, initial="UTC")


@requires(SEE)
@require_http_methods(["GET", "POST"])
def firm(request: HttpRequest) -> HttpResponse:
    found = Firm.objects.first()
    can_edit = may_edit(me(request))
    if request.method == "POST" and not can_edit:
        raise PermissionDenied(f"The currency counts for the whole firm: changing it needs {EDIT} for all domains.")
    initial: dict[str, Any] = {"currency": "EUR"}
    if found:
        initial = {name: getattr(found, name) for name in FirmForm.base_fields}
    form = FirmForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid() and (answer := _save(request, form)):
        return answer
    history = events_of(found, "Firm")[:8] if found else []
    context = {"form": form, "firm": found, "can_edit": can_edit, "history": history}
    return render_page(request, "firm/form.html", context, status=422 if form.errors else 200)


def _save(request: HttpRequest, form: FirmForm) -> HttpResponse | None:
    try:
        done = save({"kind": "Firm", "slug": SLUG, **form.cleaned_data}, act="firm.saved", by=me(request))
    except HubError as error:
        form.add_error(None, str(error))
        return None
    messages.success(request, done.said)
    return redirect_to(request, done.url or request.path)
