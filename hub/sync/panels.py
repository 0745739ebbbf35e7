"""Parts of the first page: how the syncs ran, and which records wait for somebody."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse

from hub.common import home
from hub.common.home import Need, Panel
from hub.sync import queries, totals
from hub.sync.duplicates.queries import open_for
from hub.sync.models import BlockedValue, Sync
from hub.sync.outbox import NEVER
from hub.sync.ownership.queries import DECIDE, blocked_for
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
    rows = totals.deliveries_for(me(request), "ledger.replay").filter(state=DeliveryState.UNSURE, next_at__gte=NEVER)
    return _need(
        rows,
        ("delivery has", "deliveries have"),
        "an unknown outcome",
        f"{reverse('sync:delivery_list')}?state=unsure",
        "The target's answer was lost. Look there, then say whether the record arrived.",
        prefix="record__",
        state="unsure",
    )


@home.needs("ledger.replay")
def refused_deliveries(request: HttpRequest) -> list[Need]:
    """What a target will not take however often it is sent."""
    rows = totals.deliveries_for(me(request), "ledger.replay")
    rows = rows.filter(state__in=[DeliveryState.HELD, DeliveryState.DEAD])
    return _need(
        rows,
        ("delivery was", "deliveries were"),
        "refused by the target",
        reverse("sync:delivery_list"),
        "Nothing is sent again by itself. Correct the record or the mapping, then send it again.",
        prefix="record__",
    )


@home.needs("ledger.replay")
def rejected_records(request: HttpRequest) -> list[Need]:
    """What waits for a correction at its source, or of its contract or mapping."""
    rows = totals.held_for(me(request), "ledger.replay").exclude(state=HeldState.WAITING)
    return _need(
        rows,
        ("record", "records"),
        "may not pass",
        reverse("sync:held_list"),
        "Each says what is wrong with it. Correct it at its source, or change the mapping or the value map.",
    )


@home.needs("ledger.replay")
def possible_duplicates(request: HttpRequest) -> list[Need]:
    """Records that are not created before somebody says what they are."""
    return _need(
        open_for(me(request), "ledger.replay"),
        ("record may", "records may"),
        "be one that another system has",
        reverse("sync:duplicate_list"),
        "Held until somebody compares them: link, merge, or new.",
        state="review",
    )


@home.needs(DECIDE)
def offered_values(request: HttpRequest) -> list[Need]:
    """What systems offered for fields of others, where the rule asks a person; each record counts once."""
    rows = blocked_for(me(request), DECIDE).filter(state=BlockedValue.State.OPEN).exclude(policy="quarantine")
    once = rows.order_by("record_id", "-pk").distinct("record_id").values("pk")
    return _need(
        BlockedValue.objects.filter(pk__in=once),
        ("record", "records"),
        "with a value that another system owns",
        f"{reverse('sync:blocked_list')}?state=open",
        "A system offered a value that it may not set. Accept it once, or keep the hub's.",
        state="review",
    )


def _need(
    rows: QuerySet[Any],
    words: tuple[str, str],
    what: str,
    url: str,
    detail: str,
    *,
    prefix: str = "",
    state: str = "warn",
) -> list[Need]:
    """One line for all of the rows, with the amount where they have one currency; none for none."""
    number = rows.count()
    if not number:
        return []
    amounts = totals.amounts(rows, prefix=prefix)
    single = amounts[0] if len(amounts) == 1 else ("", None)
    return [
        Need(
            f"{number:,} {words[number > 1]} {what}",
            url,
            action="Look",
            detail=detail,
            amount=Decimal(totals.exact(single[1]) or 0) if single[1] is not None else None,
            currency=single[0],
            state=state,
        )
    ]
