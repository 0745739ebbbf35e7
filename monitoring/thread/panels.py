"""The engagements that a person looked at last, on the first page."""

from __future__ import annotations

from django.http import HttpRequest

from hub.accounts.models import User
from hub.common import home
from hub.common.home import Panel
from monitoring.models import ThreadVisit
from monitoring.thread.queries import engagements_for
from monitoring.thread.wiring import SEE


@home.panel("side", order=60, permission=SEE)
def recent_threads(request: HttpRequest) -> Panel | None:
    """None for somebody who has not looked at any; a role that was taken away takes its engagements along."""
    assert isinstance(request.user, User)
    visits = ThreadVisit.objects.filter(user=request.user).order_by("-at")
    order = list(visits.values_list("record_id", flat=True))
    rows = sorted(engagements_for(request.user).filter(pk__in=order), key=lambda row: order.index(row.pk))
    named = [(row, str(row.body.get("name") or row.key)) for row in rows]
    return Panel("thread/_home.html", {"rows": named}) if named else None
