"""Amounts in the currency of the firm, by the exchange rates that the hub holds as records.

No rate means no amount: whoever adds up says what could not be converted, and never counts it as nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from governance.models import Firm
from hub.common.db import plain_cursor
from hub.common.errors import HubError
from hub.common.money import CURRENCY_DIGITS, parse_decimal, quantize
from hub.common.times import business_today

ENTITY = "exchange_rate"
_UNIT = Decimal(1)


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of a currency is worth `rate` of the firm's; since when, and who says so."""

    rate: Decimal
    day: date
    source: str = ""


@dataclass(frozen=True, slots=True)
class Rates:
    """What every currency is worth on one day, in `currency`; empty where the firm has not said its currency."""

    currency: str = ""
    by_currency: Mapping[str, Rate] = field(default_factory=dict)

    def value(self, amount: Decimal | None, currency: str | None) -> Decimal | None:
        """The amount in the firm's currency, rounded half up to its decimals; None where there is no rate."""
        rate = self.by_currency.get(currency or "")
        if amount is None or rate is None:
            return None
        return quantize(amount * rate.rate, CURRENCY_DIGITS[self.currency], "half_up")

    def total(self, amounts: Iterable[tuple[str | None, Decimal]]) -> tuple[Decimal, dict[str, Decimal]]:
        """(the sum of what can be converted, the sums of what cannot, by currency).

        Each amount is rounded before it is added, so that the rows of a list add up to its total.
        """
        total, rest = Decimal(0), dict[str, Decimal]()
        for currency, amount in amounts:
            value = self.value(amount, currency)
            if value is None:
                rest[currency or ""] = rest.get(currency or "", Decimal(0)) + amount
            else:
                total += value
        return total, rest


def rates_on(day: date | None = None) -> Rates:
    """The newest rates that count on a day (today unless given): direct ones first, else the inverse of one that leads from
    the firm's currency."""
    firm = Firm.objects.first()
    if firm is None:
        return Rates()
    day = day or business_today(firm.time_zone)
    found = {firm.currency: Rate(_UNIT, day)}
    for source, target, rate in sorted(_newest(firm, day), key=lambda row: row[1] != firm.currency):
        if target == firm.currency:
            found.setdefault(source, rate)
        else:
            found.setdefault(target, Rate(_UNIT / rate.rate, rate.day, rate.source))
    return Rates(firm.currency, found)


def _newest(firm: Firm, day: date) -> Iterable[tuple[str, str, Rate]]:
    """(from, to, rate) of the newest record of each pair that leads to or from the firm's currency."""
    with plain_cursor() as cursor:
        rows = cursor.execute(
            "select distinct on (1, 2) body ->> 'from_currency', body ->> 'to_currency', body ->> 'rate',"
            " body ->> 'rate_date' as day, coalesce(body ->> 'source', '') from records_canonicalrecord"
            " where entity_id = (select id from governance_entity where slug = %(entity)s) and deleted_at is null"
            " and body ->> 'rate_type' = %(type)s and body ->> 'rate_date' between %(oldest)s and %(day)s"
            " and %(firm)s in (body ->> 'from_currency', body ->> 'to_currency') order by 1, 2, day desc",
            {
                "entity": ENTITY,
                "type": firm.rate_type,
                "oldest": (day - timedelta(days=firm.rate_max_age_days)).isoformat(),
                "day": day.isoformat(),
                "firm": firm.currency,
            },
        ).fetchall()
    for source, target, rate, dated, said in rows:
        number = _rate(rate)
        if number is not None and source != target:
            yield source, target, Rate(number, date.fromisoformat(dated), said)


def _rate(text: str | None) -> Decimal | None:
    try:
        number = parse_decimal(text)
    except HubError:
        return None
    return number if number > 0 else None
