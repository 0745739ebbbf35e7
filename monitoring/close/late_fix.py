"""The fix for postings whose period is closed: one of the legal choices, for all of them at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.common.errors import ConfigError
from monitoring.close.choices import Choice, choices_for, choose
from monitoring.exceptions import fixes
from monitoring.exceptions.fixes import Fix, Input, Offer
from monitoring.models import ExceptionItem, LatePolicy


@fixes.register
class ClosedPeriodFix(Fix):
    """Records what was decided; nothing is sent again by it. Writing off has an act of its own, with its second person."""

    slug, title = "closed_period", "Decide what becomes of them"
    order = 20
    is_per_item = True

    def retries(self, given: Mapping[str, Any]) -> bool:
        return False

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        common = _common(items)
        if not common:
            return None
        usual = next((choice.slug for choice in common if choice.is_usual), common[0].slug)
        return Offer(
            self.slug,
            self.title,
            " ".join(dict.fromkeys(f"{choice.label}: {choice.explanation}" for choice in common)),
            (
                Input("choice", "What to do", "choice", usual, choices=tuple((one.slug, one.label) for one in common)),
                Input("why", "Why", "words", help="It stands with each posting, under your name."),
            ),
            retries=False,
        )

    def apply(self, items: Sequence[ExceptionItem], given: Mapping[str, Any], *, by: Any, reason: str = "") -> str:
        for item in items:
            try:
                choose(item, given["choice"], given["why"], by=by)
            except ConfigError as error:
                raise ConfigError(f"{item.title}: {error.what}", where=error.where, fix=error.fix) from None
        number = len(items)
        label = LatePolicy(given["choice"]).label
        return f"{number:,} posting{'' if number == 1 else 's'}: {label[0].lower()}{label[1:]}."


def _common(items: Sequence[ExceptionItem]) -> list[Choice]:
    """What may be chosen for every one of these; nothing where a period takes postings, or one has no choice."""
    books = {(item.legal_entity, item.period, item.origin, item.cause): item for item in items}
    offered = [[one for one in choices_for(item) if not one.why_not] for item in books.values()]
    shared = set.intersection(*({one.slug for one in each} for each in offered)) - {LatePolicy.WRITE_OFF.value}
    return [one for one in offered[0] if one.slug in shared]
