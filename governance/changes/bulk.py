"""Approving several small changes at once: only what breaks nothing, moves little money, and is of one kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from django.db import transaction

from governance.changes import packets, page, reviewing
from governance.models import ChangePacket, ChangeRequest
from hub.accounts.models import User
from hub.common.errors import ConfigError

# A change that touches this much or more of any currency is looked at by itself.
AMOUNT = Decimal(10_000)
MOST = 50


def why_alone(change: ChangeRequest) -> str:
    """Why a change has to be reviewed on its own page, as a sentence; empty when it may be approved with others."""
    if change.is_emergency:
        return "It is an emergency."
    items = page.items_of(change)
    if change.is_breaking or any(row.severity in ("fail", "warn") for item in items for row in item.rows):
        return "It breaks something, removes something, or comes with a warning."
    if len({item.proposal.kind for item in items}) > 1:
        return "It changes objects of several kinds."
    return _money(change)


def _money(change: ChangeRequest) -> str:
    """Where payloads pass through it, only having tried them tells the amounts."""
    if not change.items.filter(kind__in=packets.KINDS).exists():
        return ""
    packet = packets.latest(change)
    if packet is None or packet.state != ChangePacket.State.DONE:
        return "Nobody has tried stored payloads on it, so what it moves is not known."
    for part in packet.result:
        if part["newly_failing"]:
            return "Stored payloads would fail that pass today."
        for currency, amount in part["amounts"].items():
            if Decimal(amount) >= AMOUNT:
                return f"It touches {Decimal(amount):,.2f} {currency}."
    return ""


@transaction.atomic
def approve_all(chosen: Mapping[int, str], *, by: User, comment: str, among: Sequence[ChangeRequest]) -> int:
    """Approve these changes (number → content that was seen), all or none; returns how many. `among` are those in reach.

    Raises ConfigError that names the first one that has to be looked at by itself, or that this person cannot decide.
    """
    found = [change for change in among if change.pk in chosen]
    if not found or len(found) < len(chosen):
        raise ConfigError("Choose changes that wait for you.", code="NEEDED")
    if len(found) > MOST:
        raise ConfigError(f"At most {MOST} at once.", code="TOO_MANY")
    kinds = {kind for change in found for kind in change.items.values_list("kind", flat=True)}
    if len(kinds) > 1:
        raise ConfigError(
            f"They are of several kinds: {', '.join(sorted(kinds))}.", fix="Choose those of one kind.", code="MIXED"
        )
    for change in found:
        if sentence := why_alone(change):
            raise ConfigError(sentence, where=str(change), fix="Review it on its own page.", code="ALONE")
        reviewing.approve(change, by=by, seen=chosen[change.pk], comment=comment)
    return len(found)
