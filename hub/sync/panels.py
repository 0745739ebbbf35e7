"""Parts of the first page: how the syncs ran, and which records wait for somebody."""

from __future__ import annotations

from decimal import Decimal

from django.http import HttpRequest
from django.urls import reverse

from hub.common import home
from hub.common.home import Need, Panel
from hub.sync import queries, totals
from hub.sync.models import Sync
from hub.sync.states import DeliveryState, HeldState
from hub.sync.views.common import me

SHOWN = 8


@home.panel("main", order=20, permission="syncs.view")
def recent_runs(request: HttpRequest) -> Panel | None:
    """The syncs that ran last, with the strip of their last runs."""
    syncs = queries.with_schedules(queries.syncs_for(me(request), "syncs.view"))
    rows = [row for row in queries.sync_rows(syncs) if row.last_run]
    rows.sort(key=lambda row: row.last_run[0] if row.last_run else 0, reverse=True)
    return Panel("sync/_home_runs.html", {"rows": rows[:SHOWN], "more": len(rows) - SHOWN}) if rows else None


@home.panel("side", order=20, permission="ledger.view")
def in_trouble(request: HttpRequest) -> Panel | None:
    """Held records and deliveries by what they need, with amounts by currency."""
    held, deliveries = totals.held_for(me(request)), totals.deliveries_for(me(request))
    lines = [*_held_lines(totals.by_state(held)), *_delivery_lines(totals.by_state(deliveries))]
    if not Sync.objects.exists():
        return None
    amounts = (
        {"held": totals.amounts(held), "deliveries": totals.amounts(deliveries, prefix="record__")} if lines else {}
    )
    return Panel("sync/_home_trouble.html", {"lines": lines, **amounts})


Line = tuple[str, str, int, str]  # (state, word, number, address)


def _held_lines(found: list[tuple[int, int]]) -> list[Line]:
    url = reverse("sync:held_list")
    names = [(HeldState(state), number) for state, number in found]
    return [(s.name.lower(), f"{s.label}, held records", n, f"{url}?state={s.name.lower()}") for s, n in names]


def _delivery_lines(found: list[tuple[int, int]]) -> list[Line]:
    url = reverse("sync:delivery_list")
    words = {
        DeliveryState.PENDING: ("retrying", "Deliveries that will be tried again"),
        DeliveryState.UNSURE: ("unsure", "Deliveries of unknown outcome"),
        DeliveryState.WAITING: ("waiting", "Deliveries that wait for another record"),
        DeliveryState.HELD: ("held", "Deliveries that the target cannot take"),
        DeliveryState.DEAD: ("dead", "Dead letters"),
    }
    named = [(*words[DeliveryState(state)], number) for state, number in found]
    return [(state, word, number, f"{url}?state={state}") for state, word, number in named]


@home.needs("ledger.replay")
def unsure_deliveries(request: HttpRequest) -> list[Need]:
    """Lost answers: only a person who looks at the target can say what happened."""
    rows = totals.deliveries_for(me(request), "ledger.replay").filter(state=DeliveryState.UNSURE)
    number = rows.count()
    if not number:
        return []
    what = "1 delivery has" if number == 1 else f"{number:,} deliveries have"
    amounts = totals.amounts(rows, prefix="record__")
    return [
        Need(
            f"{what} an unknown outcome",
            f"{reverse('sync:delivery_list')}?state=unsure",
            action="Look",
            detail="The target's answer was lost. Look there, then say whether the record arrived.",
            amount=Decimal(totals.exact(amounts[0][1]) or 0) if len(amounts) == 1 else None,
            currency=amounts[0][0] if len(amounts) == 1 else "",
            state="unsure",
        )
    ]
