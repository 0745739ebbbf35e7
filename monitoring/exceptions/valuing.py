"""What hangs on an exception: client, project, period, legal entity and money, from the record or from what it refers to.

Where the record has no amount, hours times a rate of the hub's own rate cards estimate it, and `amount_note` says how. What
is not known stays unknown: no amount is ever set to nought.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from hub.common.errors import HubError
from hub.common.money import CURRENCY_DIGITS, decimal_text, parse_decimal, quantize
from hub.common.records import Record
from hub.common.times import parse_date, period_of
from hub.records.models import CanonicalRecord
from monitoring.exceptions.intake import Found

MOST_CARDS = 2_000


@dataclass(frozen=True, slots=True)
class Line:
    """A price of one hour: of a card's line, or of a person."""

    rate: Decimal
    currency: str
    of: str


@dataclass(slots=True)
class Around:
    """The canonical records that a batch of exceptions refers to, by key."""

    projects: Mapping[str, Record] = field(default_factory=dict)
    customers: Mapping[str, Record] = field(default_factory=dict)
    people: Mapping[str, Record] = field(default_factory=dict)


class Cards:
    """Rate cards and their lines, read when the first amount has to be estimated."""

    def __init__(self) -> None:
        self._cards: dict[str, Record] | None = None
        self._lines: dict[str, list[Record]] = {}

    def line(self, project: str, about: Record, role: str, day: date | None) -> Line | None:
        """The line of a role in the card of the project: its own one, else its customer's, else its legal entity's."""
        if not role:
            return None
        self._load()
        for card in self._of(project, about):
            lines = [one for one in self._lines.get(card, ()) if role in (one.get("role"), one.get("line"))]
            lines = [one for one in lines if one.get("unit") in (None, "", "hour") and _counts(one, day)]
            for one in sorted(lines, key=lambda one: -(one.get("precedence") or 0)):
                rate = number(one.get("bill_rate"))
                if rate:
                    currency = one.get("currency") or (self._cards or {}).get(card, {}).get("currency") or ""
                    return Line(rate, str(currency), f"rate card {card}")
        return None

    def _of(self, project: str, about: Record) -> Iterable[str]:
        if about.get("rate_card"):
            yield str(about["rate_card"])
        cards = self._cards or {}
        wanted = {"project": project, "customer": about.get("customer"), "legal_entity": about.get("legal_entity")}
        nearer: list[str] = []
        for name, value in wanted.items():
            fit = [code for code, card in cards.items() if value and _is_for(card, name, value, nearer)]
            yield from sorted(fit, key=lambda code: (-(cards[code].get("precedence") or 0), code))
            nearer.append(name)

    def _load(self) -> None:
        if self._cards is not None:
            return
        rows = CanonicalRecord.objects.filter(entity__slug="rate_card", deleted_at=None)
        self._cards = dict(rows.order_by("key").values_list("key", "body")[:MOST_CARDS])
        lines = CanonicalRecord.objects.filter(entity__slug="rate_line", deleted_at=None)
        for body in lines.values_list("body", flat=True):
            self._lines.setdefault(str(body.get("rate_card")), []).append(body)


def _is_for(card: Record, name: str, value: Any, nearer: Sequence[str]) -> bool:
    """Whether a card is for this one, and not for something nearer that is another one."""
    return card.get(name) == value and card.get("is_active") is not False and not any(card.get(n) for n in nearer)


def _counts(one: Record, day: date | None) -> bool:
    text = day.isoformat() if day else ""
    start, end = one.get("valid_from") or "", one.get("valid_to") or "9999"
    return not text or start <= text <= end


def complete(found: Sequence[Found], cards: Cards) -> None:
    """Fill in what is known about each of them."""
    around = around_of(found)
    for one in found:
        _complete(one, around, cards)


def around_of(found: Sequence[Found]) -> Around:
    projects = _bodies("project", {one.project for one in found})
    clients = {one.client for one in found} | {str(body.get("customer") or "") for body in projects.values()}
    people = {str((one.body or {}).get("resource") or "") for one in found}
    return Around(projects, _bodies("customer", clients), _bodies("resource", people))


def _bodies(entity: str, keys: set[str]) -> dict[str, Record]:
    wanted = [key for key in keys if key]
    rows = CanonicalRecord.objects.filter(entity__slug=entity, key__in=wanted)
    return dict(rows.values_list("key", "body")) if wanted else {}


def _complete(one: Found, around: Around, cards: Cards) -> None:
    body: Mapping[str, Any] = one.body or {}
    project = around.projects.get(one.project, {})
    person = around.people.get(str(body.get("resource") or ""), {})
    day = _day(body)
    one.client = one.client or str(project.get("customer") or "")
    one.legal_entity = one.legal_entity or str(project.get("legal_entity") or person.get("legal_entity") or "")
    one.period = one.period or (period_of(day) if day else "")
    one.client_name = one.client_name or str(around.customers.get(one.client, {}).get("name") or "")
    one.project_name = one.project_name or str(project.get("name") or "")
    hours, role = number(body.get("hours")), str(body.get("role") or person.get("role") or "")
    known = {
        "hours": decimal_text(hours) if hours is not None else "",
        "role": role if "resource" in body or "hours" in body else "",
        "person": str(person.get("name") or ""),
        "date": day.isoformat() if day else "",
    }
    one.facts = {name: text for name, text in known.items() if text} | one.facts
    _value(one, project, person, hours, role, day, cards)


def _value(
    one: Found, project: Record, person: Record, hours: Decimal | None, role: str, day: date | None, cards: Cards
) -> None:
    one.amount = number(one.amount)
    if one.amount is not None:
        one.currency = one.currency or str(project.get("currency") or "")
        return
    if hours is None or (one.body or {}).get("is_billable") is False:
        return
    line = cards.line(one.project, {**project, "customer": one.client}, role, day) or _standard(person)
    if line is None:
        return
    one.amount = quantize(hours * line.rate, CURRENCY_DIGITS.get(line.currency, 2), "half_up")
    one.currency = line.currency
    one.amount_note = f"{decimal_text(hours)} h × {decimal_text(line.rate)} {line.currency} of {line.of}"


def _standard(person: Record) -> Line | None:
    """What the hub holds as the price of the person, where no card says one."""
    rate, currency = number(person.get("bill_rate")), str(person.get("currency") or "")
    return Line(rate, currency, f"{person.get('name')}, standard rate") if rate and currency else None


def plain(amount: Decimal | None) -> Decimal | None:
    """An amount without the zeros that only its column adds; pages add those of the currency."""
    if amount is None:
        return None
    short = amount.normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short


def number(value: Any) -> Decimal | None:
    """A number that is one; None for nothing and for anything else."""
    if value in (None, ""):
        return None
    try:
        return parse_decimal(value)
    except HubError:
        return None


def _day(body: Mapping[str, Any]) -> date | None:
    for name in ("date", "planned_date"):
        try:
            if text := body.get(name):
                return parse_date(str(text)[:10])
        except HubError:
            continue
    return None
