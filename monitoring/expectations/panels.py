"""Expectations on the first page: what is late though nothing failed."""

from __future__ import annotations

from django.db.models import Min
from django.http import HttpRequest
from django.urls import reverse

from hub.accounts.queries import scope_to_domains
from hub.common import home
from hub.common.home import Need
from monitoring.expectations import queries
from monitoring.expectations.late import late_unfailed
from monitoring.expectations.views import me
from monitoring.models.expectation import plain


@home.needs("monitor.view")
def late_though_nothing_failed(request: HttpRequest) -> list[Need]:
    """One row for all of it: what no other queue shows, with what it is worth."""
    rows = scope_to_domains(late_unfailed().filter(record_id__isnull=False), me(request), queries.SEE)
    total = queries.totals(rows).get(queries.State.BREACHED)
    if total is None:
        return []
    rest = f", {total.unconverted} without an exchange rate" if total.unconverted else ""
    return [
        Need(
            title=f"{total.number:,} {'record is' if total.number == 1 else 'records are'} late though nothing failed",
            url=f"{reverse('expectations:expectation_list')}?state=late",
            detail=f"No delivery failed: it was never queued, left out, or still waits{rest}.",
            amount=plain(total.amount, 2),
            currency=queries.firm_currency() if total.amount is not None else "",
            due="overdue",
            due_at=rows.aggregate(first=Min("due_at"))["first"],
            state="late",
        )
    ]
