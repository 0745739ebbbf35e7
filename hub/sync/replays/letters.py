"""Which dead letters are meant: a filter as it stands in an address, in a request, or on the command line."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Q, QuerySet

from connectors.models import Connection, System
from hub.common.errors import ConfigError
from hub.common.moments import moment
from hub.sync import ledger_search
from hub.sync.models import DeadLetter, Sync
from hub.sync.replays import causes

STATES = [
    ("dead", "Dead letter"),
    ("unsure", "Outcome unknown"),
    ("held", "Held"),
    ("quarantined", "Quarantined"),
    ("waiting", "Waiting"),
    ("retrying", "Will retry"),
]
LEGS = [("out", "Not delivered"), ("in", "Not taken in")]
KEYS = {
    "sync": "Sync",
    "connection": "Connection",
    "system": "System",
    "state": "State",
    "class": "Class",
    "code": "Error code",
    "leg": "Direction",
    "field": "Field",
    "since": "Since",
    "amount": "Amount from",
    "text": "Text",
}


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """What is asked for, as words by key, and the same as a condition. `since` is the instant that was meant."""

    asked: Mapping[str, str]
    condition: Q
    since: datetime | None = None

    def rows(self, sync_ids: Collection[int] | None) -> QuerySet[DeadLetter]:
        """The letters of these syncs; None means of all."""
        rows = DeadLetter.objects.filter(self.condition)
        return rows if sync_ids is None else rows.filter(sync_id__in=list(sync_ids))


def parse(text: str) -> LetterFilter:
    """`state=dead sync=psa-out since=2h`; raises ConfigError for what cannot be read."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"The filter cannot be read: {error}.", where="filter", code="FILTER") from None
    pairs = [word.partition("=") for word in words]
    for key, sign, _ in pairs:
        if not sign:
            raise ConfigError(f"{key!r} is not key=value.", where="filter", fix=_known(), code="FILTER")
    return of({key: value for key, _, value in pairs})


def of(asked: Mapping[str, str]) -> LetterFilter:
    """The filter of some words. A job must never take more than was meant, so what is not understood is an error."""
    kept = {key: value.replace("\x00", "").strip() for key, value in asked.items() if value.strip()}
    condition = Q()
    for key, value in kept.items():
        if key not in KEYS:
            raise ConfigError(f"There is no filter {key!r}.", where="filter", fix=_known(), code="FILTER")
        condition &= _CONDITIONS[key](value)
    return LetterFilter(kept, condition, moment(kept["since"]) if "since" in kept else None)


def _known() -> str:
    return f"Use {', '.join(KEYS)}."


# Conditions ------------------------------------------------------------------------------------------------
def _sync(slug: str) -> Q:
    return _of_syncs(_existing(Sync.objects.all(), slug, "sync"))


def _connection(slug: str) -> Q:
    rows = _existing(Connection.objects.all(), slug, "connection")
    return _of_syncs(Sync.objects.filter(mapping__stream__connection__in=rows))


def _system(slug: str) -> Q:
    rows = _existing(System.objects.all(), slug, "system")
    return _of_syncs(Sync.objects.filter(mapping__stream__connection__system__in=rows))


def _existing(rows: QuerySet[Any], slug: str, word: str) -> QuerySet[Any]:
    found = rows.filter(slug=slug)
    if not found.exists():
        raise ConfigError(f"There is no {word} {slug!r}.", where="filter", code="FILTER")
    return found


def _of_syncs(syncs: QuerySet[Sync]) -> Q:
    return Q(sync_id__in=list(syncs.order_by("pk").values_list("pk", flat=True)))


def _states(words: str) -> Q:
    return Q(state__in=_choices(words, dict(STATES), "state"))


def _classes(words: str) -> Q:
    found = Q()
    for word in _choices(words, causes.CLASSES, "class"):
        found |= causes.in_class(word)
    return found


def _leg(word: str) -> Q:
    return Q(leg__in=_choices(word, dict(LEGS), "leg"))


def _choices(words: str, known: Mapping[str, Any], what: str) -> Sequence[str]:
    """One or several, with commas between them."""
    found = [word.strip().lower() for word in words.split(",")]
    for word in found:
        if word not in known:
            raise ConfigError(
                f"There is no {what} {word!r}.", where="filter", fix=f"Use {', '.join(known)}.", code="FILTER"
            )
    return found


def _since(text: str) -> Q:
    at = moment(text)
    if at is None:
        raise ConfigError(
            f"{text!r} is no time.", where="since", fix="Write 2h, 7d, a date, or an instant.", code="FILTER"
        )
    return Q(failed_at__gte=at)


def _amount(text: str) -> Q:
    """Amounts from this one up, in whatever currency."""
    try:
        least = Decimal(text.removeprefix(">=").removeprefix(">"))
    except InvalidOperation:
        least = Decimal("NaN")
    if not least.is_finite():
        raise ConfigError(f"{text!r} is no amount.", where="amount", fix="Write digits, such as 5000.", code="FILTER")
    return Q(amount__gte=least)


def _text(text: str) -> Q:
    """A key or an id that is known; else words of the sentence, or the beginning of a name."""
    if records := ledger_search.record_ids(text):
        return Q(record_id__in=records) | Q(external_id=text)
    return Q(external_id=text) | Q(error_detail__icontains=text) | Q(name__startswith=text)


_CONDITIONS = {
    "sync": _sync,
    "connection": _connection,
    "system": _system,
    "state": _states,
    "class": _classes,
    "code": lambda code: Q(error_code=code),
    "leg": _leg,
    "field": lambda name: Q(field=name),
    "since": _since,
    "amount": _amount,
    "text": _text,
}
