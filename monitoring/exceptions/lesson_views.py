"""Make it a rule, on screen: choose, try it on the open queue, save or hand it to its reviewers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from hub.common.errors import HubError
from hub.common.htmx import redirect_to, render_page
from hub.common.permissions import requires
from monitoring.exceptions import act_forms, lessons
from monitoring.exceptions.act_views import me
from monitoring.exceptions.choosing import RESOLVE


@requires(RESOLVE)
def rule(request: HttpRequest) -> HttpResponse:
    """The rules that could be made of what the address names; posted, one of them tried; posted with `step=save`, saved."""
    asked = {key: request.GET[key] for key in ("job", "group", "ids") if request.GET.get(key)}
    items = lessons.looked_at(asked, me(request))
    given = act_forms.filled(request.POST)
    context: dict[str, Any] = {
        "query": act_forms.query_of(asked),
        "items": items[:5],
        "offers": lessons.offers(items, by=me(request)),
        "chosen": given.get("fix", ""),
        "posted": given,
    }
    if request.method != "POST" or not items:
        return render_page(request, "exceptions/rule.html", context)
    try:
        if given.get("step") == "save":
            done = lessons.save(items, context["chosen"], given, by=me(request), reason=given.get("why", ""))
            messages.success(request, done.said)
            return redirect_to(request, done.url or items[0].group.get_absolute_url())
        context["preview"] = lessons.preview(items, context["chosen"], given, by=me(request))
    except HubError as error:
        return render_page(request, "exceptions/rule.html", {**context, "error": error}, status=422)
    return render_page(request, "exceptions/rule.html", context)
