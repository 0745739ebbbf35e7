"""Firm as a configuration document; there is at most one, with the short name `firm`."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from governance.models import Firm
from governance.models.firm import SLUG
from hub.common.kinds import Attr, ModelKind
from hub.common.money import CURRENCY_DIGITS
from hub.common.registry import Document, Problem


class FirmKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        found = []
        if document.get("slug") != SLUG:
            found.append(Problem("slug", f"There is one firm, and its short name is {SLUG!r}."))
        if (currency := document.get("currency")) not in CURRENCY_DIGITS:
            found.append(Problem("currency", f"{currency!r} is not a currency code. Use three capitals such as EUR."))
        if (zone := document.get("time_zone", "UTC")) not in available_timezones():
            found.append(Problem("time_zone", f"{zone!r} is not a time zone. Use a name such as Europe/London."))
        return found


def firm_kind() -> Any:
    fields = [Attr("name", required=True), Attr("currency", required=True)]
    fields += [Attr(name) for name in ("rate_type", "rate_max_age_days", "time_zone")]
    return FirmKind(name="Firm", model=Firm, fields=fields)
