"""The control room: everything that is wrong in one screen, each row leading to the list behind it."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from hub.accounts.models import User
from hub.common.htmx import render_page
from hub.common.permissions import requires
from monitoring.alerts.queries import active_for
from monitoring.control import changes, rows, timerange
from monitoring.control.rows import Failed, View

REFRESH_SECONDS = 30


@requires("monitor.view")
@require_safe
def room(request: HttpRequest) -> HttpResponse:
    """`?from=now-6h&to=now` is the time, `?kiosk=1` the wall screen, `?paused=1` stands still; all of it in the address."""
    assert isinstance(request.user, User)
    span = timerange.of_request(request)
    view = View(request.user, span)
    found = rows.rows_for(view)
    is_kiosk, is_paused = request.GET.get("kiosk") == "1", request.GET.get("paused") == "1"
    active = active_for(request.user)
    context = {
        "base": "monitor/kiosk.html" if is_kiosk else "base.html",
        "range": span,
        "rows": found,
        "tiles": [row.tile for row in found if not isinstance(row, Failed)],
        "changes": changes.changes_in(request.user, span),
        "audit_url": changes.audit_url(request.user),
        "critical": list(active.filter(state="critical").order_by("-since")[:3]),
        "choices": [
            (word, _address(request, **{"from": text, "to": ""}), text == span.text) for text, word in timerange.CHOICES
        ],
        "here": _address(request),
        "is_kiosk": is_kiosk,
        "is_paused": is_paused,
        "pause_url": _address(request, paused="" if is_paused else "1"),
        "kiosk_url": _address(request, kiosk="" if is_kiosk else "1"),
        "seconds": REFRESH_SECONDS,
    }
    return render_page(request, "monitor/room.html", context, partial="monitor/_rows.html")


def _address(request: HttpRequest, **changes: str) -> str:
    """The room's address with these parameters changed; an empty one goes."""
    kept = {name: request.GET[name] for name in ("from", "to", "kiosk", "paused") if request.GET.get(name)}
    params = {name: value for name, value in {**kept, **changes}.items() if value}
    return reverse("monitor:room") + (f"?{urlencode(params)}" if params else "")
