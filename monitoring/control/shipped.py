"""The rows of the control room that monitoring brings: failures, dead letters, queues and connections."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from connectors import queries as connections
from connectors.models import Circuit
from hub.common.db import plain_cursor
from hub.common.display import duration
from hub.sync import liveness
from monitoring.alerts.queries import alerts_for
from monitoring.control import queues
from monitoring.control.rows import CAP, Cell, Line, Money, Row, Tile, View, row
from monitoring.models import Alert

SHOWN = 5


def plural(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def tile(label: str, number: int, money: Money, state: str) -> Tile:
    """A count with the money below it."""
    more = "+" if number >= CAP else ""
    detail = f"{money.currency} {money.amount:,.2f}" if money.amount else ""
    if money.rest:
        detail = f"{detail} and amounts without a rate".removeprefix(" and ")
    return Tile(label, f"{number:,}{more}", detail, state if number else "ok")


@row(20, title="Failed transactions", permission="ledger.view")
def failed_transactions(view: View) -> Row:
    """What did not pass in this time, by sync and cause, from the newest rows of the ledger."""
    found = _failed(view)
    number = sum(count for *_, count in found.values_list)
    lines = [
        Line(
            code or "No code",
            f"{reverse('sync:transaction_list')}?sync={slug}&outcome=trouble",
            name,
            [Cell("number", count), Cell("money", view.money(amounts))],
        )
        for (slug, name, code), amounts, count in found.values_list[:SHOWN]
    ]
    return Row(
        "Failed transactions",
        tile("Failed", number, view.money(found.amounts), "failed"),
        ["Cause", "Failed", "At risk"],
        lines,
        f"{reverse('sync:transaction_list')}?outcome=trouble",
        "Transactions",
        "by cause",
        "Everything passed in this time.",
    )


class _Grouped:
    """(key, amounts, number), the most money first."""

    def __init__(self, view: View, rows: Iterable[tuple[tuple[Any, ...], str | None, Decimal | None, int]]) -> None:
        groups: dict[tuple[Any, ...], tuple[list[tuple[str | None, Decimal]], int]] = {}
        for key, currency, amount, number in rows:
            amounts, count = groups.get(key, ([], 0))
            groups[key] = (amounts + ([(currency, amount)] if amount else []), count + number)
        found = [(key, amounts, count) for key, (amounts, count) in groups.items()]
        self.values_list = sorted(found, key=lambda each: (-(view.money(each[1]).amount or 0), -each[2]))
        self.amounts = [pair for _, amounts, _ in found for pair in amounts]


def _failed(view: View) -> _Grouped:
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select s.slug, s.name, t.error_code, t.currency, sum(t.amount), count(*) from ("
            "  select sync_id, error_code, currency, amount from sync_transaction where outcome >= 5 and outcome <= 10"
            "  and at >= %(since)s and at < %(until)s and (%(ids)s::bigint[] is null or sync_id = any(%(ids)s))"
            "  order by id desc limit %(cap)s) t join sync_sync s on s.id = t.sync_id group by 1, 2, 3, 4",
            {"since": view.range.since, "until": view.range.until, "ids": view.sync_ids, "cap": CAP},
        ).fetchall()
    return _Grouped(view, [(tuple(row[:3]), *row[3:]) for row in rows])


@row(30, title="Dead letters", permission="ledger.view")
def dead_letters(view: View) -> Row:
    """Parked records by connection; they need a decision, whatever time is looked at."""
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select c.slug, c.name, x.currency, sum(x.amount), count(*), min(x.at) from ("
            "  (select d.sync_id, r.currency, r.amount, d.next_at as at from sync_delivery d"
            "    join records_canonicalrecord r on r.id = d.record_id where d.state in (2, 4, 5)"
            "    and (%(ids)s::bigint[] is null or d.sync_id = any(%(ids)s)) limit %(cap)s)"
            "  union all (select h.sync_id, h.currency, h.amount, h.first_at from sync_heldrecord h"
            "    where h.state in (1, 3) and (%(ids)s::bigint[] is null or h.sync_id = any(%(ids)s)) limit %(cap)s)) x"
            " join sync_sync s on s.id = x.sync_id join mappings_mapping m on m.id = s.mapping_id"
            " join connectors_stream t on t.id = m.stream_id join connectors_connection c on c.id = t.connection_id"
            " group by 1, 2, 3",
            {"ids": view.sync_ids, "cap": CAP},
        ).fetchall()
    oldest: dict[str, datetime] = {}
    for slug, *_, at in rows:
        oldest[slug] = min(oldest.get(slug, at), at)
    found = _Grouped(view, [((row[0], row[1]), *row[2:5]) for row in rows])
    now = timezone.now()
    lines = [
        Line(
            name,
            f"{reverse('sync:dead_letter_list')}?connection={slug}",
            f"oldest {duration(max((now - oldest[slug]).total_seconds(), 0))}",
            [Cell("number", count), Cell("money", view.money(amounts))],
        )
        for (slug, name), amounts, count in found.values_list[:SHOWN]
    ]
    return Row(
        "Dead letters",
        tile("Dead letters", sum(count for *_, count in found.values_list), view.money(found.amounts), "dead"),
        ["Connection", "Parked", "At risk"],
        lines,
        reverse("sync:dead_letter_list"),
        "Recover…",
        "parked, need a decision",
        "Nothing is parked.",
    )


@row(60, title="Queues and workers")
def queues_and_workers(view: View) -> Row:
    seen = queues.seen()
    waiting = sum(queue.waiting or 0 for queue in seen)
    deserted = [queue for queue in seen if queue.is_deserted]
    oldest = liveness.oldest_delivery()
    lines = [
        Line(
            queue.name,
            "",
            _worker_words(queue),
            [
                Cell("number", "–" if queue.waiting is None else queue.waiting),
                _answers(queue),
                Cell("spark", queue.lengths, f"{queue.name}, the last hour"),
            ],
        )
        for queue in seen
    ]
    detail = f"no worker on {', '.join(queue.name for queue in deserted)}" if deserted else ""
    if oldest and not detail:
        detail = f"oldest delivery {duration(oldest.seconds)}"
    state = "failed" if deserted else "warning" if oldest and oldest.seconds > 120 else "ok"
    return Row(
        "Queues and workers",
        Tile("Backlog", f"{waiting:,}", detail, state),
        ["Queue", "Waiting", "Workers", "60 min"],
        lines,
        f"{reverse('alerts:alert_list')}?rule=queue-unanswered&state=all",
        "Alerts",
        "asked every minute",
        is_wide=True,
    )


def _worker_words(queue: queues.Queue) -> str:
    if queue.looked_at is None:
        return "nobody has looked yet"
    return f"seen {duration((timezone.now() - queue.looked_at).total_seconds())} ago"


def _answers(queue: queues.Queue) -> Cell:
    if queue.is_deserted:
        return Cell("state", "failed", f"No worker answers {queue.name}")
    if queue.workers is None:
        return Cell("state", "unmeasured", "Not known")
    return Cell("state", "ok", plural(queue.workers, "worker", "workers"))


@row(70, title="Connections", permission="connections.view")
def connection_health(view: View) -> Row:
    """Connections that are not called, limited, or near the end of their credentials."""
    mine = connections.connections_for(view.user)
    total = mine.count()
    alerts = {
        alert.subject: alert
        for alert in _alerts(view, ["connection_down", "connection_trouble", "quota", "credential_expiry"])
    }
    lines = [
        Line(alert.name, alert.url, alert.words[:140], [_state(alert), Cell("when", alert.since)])
        for alert in alerts.values()
    ]
    down = Circuit.objects.filter(connection__in=mine).exclude(state=Circuit.State.CLOSED).count()
    state = "failed" if down else "warning" if alerts else "ok"
    return Row(
        "Connections",
        Tile("Connections down", f"{down}", f"of {total}", state),
        ["Connection", "State", "Since"],
        lines[:SHOWN],
        reverse("connectors:connection_list"),
        f"All {total}",
        "down, limited, or near the end of their credentials",
        "Every connection is called as usual." if total else "There is no connection yet.",
    )


def _alerts(view: View, what: Iterable[str]) -> QuerySet[Alert]:
    rows = alerts_for(view.user).exclude(state="ok").filter(rule__what__in=list(what))
    return rows.order_by("-since")[:200]


def _state(alert: Alert) -> Cell:
    return Cell("state", alert.state, alert.get_state_display())
