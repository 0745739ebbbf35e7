"""Exceptions on the first page: those that wait for this person or their team, and the money that is stuck."""

from __future__ import annotations

from decimal import Decimal

from django.db.models import Count, Max, Min, Sum
from django.http import HttpRequest
from django.urls import reverse

from governance.views import me
from hub.common import home
from hub.common.home import Need, Panel
from monitoring.exceptions import queries, ranking, showing
from monitoring.models import ExceptionItem

SHOWN = 6
_BILLABLE = ("time_entry", "expense", "milestone", "invoice", "invoice_line", "billing_event")


@home.needs(queries.SEE)
def mine(request: HttpRequest) -> list[Need]:
    """Causes with items that are assigned to this person, the weightiest first: one line each."""
    user = me(request)
    rows = queries.items_for(user).select_related(None).filter(assignee=user, state__in=ExceptionItem.UNSETTLED)
    found = (
        rows.order_by()
        .values_list("group_id", "group__title")
        .annotate(
            number=Count("pk"),
            amount=Sum("amount_firm"),
            due=Min("due_at"),
            last=Max("client_name"),
            first=Min("client_name"),
            weight=Sum("rank"),
        )
        .order_by("-weight")[:SHOWN]
    )
    currency, at = showing.firm_currency(), ranking.moments()
    return [
        Need(
            title=title,
            url=f"{reverse('exceptions:group', args=[pk])}",
            action="Settle",
            detail=f"{number:,} record{'' if number == 1 else 's'} assigned to you",
            client=last if last == first else "",
            amount=amount,
            currency=currency if amount is not None else "",
            due_at=due,
            state=showing.TOKENS[ranking.urgency_of(due, at)],
        )
        for pk, title, number, amount, due, last, first, _ in found
    ]


@home.panel("tiles", order=10, permission=queries.SEE)
def unbilled(request: HttpRequest) -> Panel | None:
    """What cannot be billed because it did not pass: time, expenses, milestones and invoices, with the oldest of it."""
    if queries.last_sweep() is None:
        return None
    found = (
        queries.groups_for(me(request))
        .filter(open_items__gt=0, entity__slug__in=_BILLABLE)
        .order_by()
        .aggregate(
            number=Sum("open_items"), total=Sum("amount_firm"), unpriced=Sum("unconverted"), oldest=Min("oldest_at")
        )
    )
    context = {**found, "amount": found["total"] or Decimal(0), "currency": showing.firm_currency()}
    return Panel("exceptions/_home_tile.html", context)
