"""Records that stopped on their way: dead letters by sync, in numbers and in money."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.urls import reverse

from monitoring.alerts.conditions import Finding, condition
from monitoring.alerts.look import Look, WatchedSync
from monitoring.alerts.readers.runs import finding


@condition(
    "dead_letters",
    "Dead letters",
    unit="records",
    help="Held records and deliveries that were given up or refused, by sync.",
    warning="1",
    critical="100",
    is_effect=True,
)
def dead_letters(look: Look) -> Iterator[Finding]:
    for sync, number, amounts in _stopped(look):
        yield finding(sync, number, _words(number), url=_url(sync), records=number, amounts=amounts)


@condition(
    "dead_letter_amount",
    "Money in dead letters",
    unit="in the firm's currency",
    help="What hangs on them; amounts without a rate are named and not counted.",
    warning="10000",
    critical="100000",
    is_effect=True,
    is_money=True,
)
def dead_letter_amounts(look: Look) -> Iterator[Finding]:
    for sync, number, amounts in _stopped(look):
        total, _ = look.in_firm_currency(amounts)
        if total is not None:
            yield finding(sync, total, _words(number), url=_url(sync), records=number, amounts=amounts)


def _stopped(look: Look) -> Iterator[tuple[WatchedSync, int, list[tuple[str, Decimal]]]]:
    for sync_id, (number, amounts) in look.stopped.items():
        if sync := look.syncs.get(sync_id):
            yield sync, number, amounts


def _words(number: int) -> str:
    if number == 1:
        return "1 record stopped on the way and waits for a decision."
    return f"{number:,} records stopped on the way and wait for a decision."


def _url(sync: WatchedSync) -> str:
    return f"{reverse('sync:dead_letter_list')}?sync={sync.slug}"
