"""Which fix suits an exception: a registry, so that other parts of the hub add theirs.

    @fixes.register
    class RateFix(Fix):
        slug, title = "rate", "Add the rate"
        def offer(self, items, *, by): ...
        def apply(self, items, given, *, by, reason): ...

A fix is one thing that clears many: it is offered for items of one cause, tried in a rehearsal that is undone, and applied
once, before they are retried. What another system owns is not fixed here: the offer is a link to its record there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hub.common.errors import ConfigError
from monitoring.models import ExceptionItem

# Of a choice so many are looked at to see what suits it.
LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class Input:
    """A field of a fix. `kind` is text, date, choice or words; `choices` are (value, word); suggestions bind nobody."""

    name: str
    label: str
    kind: str = "text"
    value: str = ""
    required: bool = True
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Offer:
    """A fix as a page shows it: what to fill in, or where to go (`url`, `link`) when it is done elsewhere."""

    fix: str
    title: str
    sentence: str
    inputs: tuple[Input, ...] = ()
    url: str = ""
    link: str = ""
    retries: bool = True
    facts: tuple[tuple[str, str], ...] = field(default=())


class Fix:
    """Base of all fixes. Raise HubError for what cannot be done; nothing half of it is kept."""

    slug = ""
    title = ""
    # Fixes are offered in this order.
    order = 50
    # Changes each record, so that no more than are tried may be fixed at once.
    is_per_item = False
    # Refused while any of the records would still be rejected.
    must_pass = False

    def retries(self, given: Mapping[str, Any]) -> bool:
        """Whether the records are put again afterwards."""
        return True

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        """What the fix needs for these, or None where it does not suit them."""
        raise NotImplementedError

    def cleaned(self, items: Sequence[ExceptionItem], given: Mapping[str, Any], *, by: Any) -> dict[str, Any]:
        """What was filled in, as plain data; ConfigError names the field that is wrong."""
        offer = self.offer(items, by=by)
        if offer is None:
            raise ConfigError(f"{self.title} does not suit these any more.", code="CHANGED_MEANWHILE")
        found = {one.name: str(given.get(one.name, "")).replace("\x00", "").strip() for one in offer.inputs}
        for one in offer.inputs:
            if one.required and not found[one.name]:
                raise ConfigError(f"{one.label} is missing.", where=one.name, fix="Fill it in.", code="NEEDED")
            if one.choices and found[one.name] and found[one.name] not in dict(one.choices):
                raise ConfigError(f"{one.label}: {found[one.name]!r} is no choice.", where=one.name)
        return found

    def apply(self, items: Sequence[ExceptionItem], given: Mapping[str, Any], *, by: Any, reason: str = "") -> str:
        """Do it; returns a sentence. Also called in a rehearsal that is rolled back."""
        raise NotImplementedError


class RetryOnly(Fix):
    """For what was repaired elsewhere."""

    slug, title = "retry", "Retry only"
    order = 90

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        return Offer(self.slug, self.title, "The cause is gone, or was repaired where it lies.")

    def apply(self, items: Sequence[ExceptionItem], given: Mapping[str, Any], *, by: Any, reason: str = "") -> str:
        return ""


_fixes: dict[str, Fix] = {}


def register(kind: type[Fix]) -> type[Fix]:
    """Add a fix, by its slug."""
    _fixes[kind.slug] = kind()
    return kind


def find(slug: str) -> Fix:
    try:
        return _fixes[slug]
    except KeyError:
        raise ConfigError(f"There is no fix {slug!r}.", where="fix", fix=f"Use {', '.join(_fixes)}.") from None


def offers(items: Sequence[ExceptionItem], *, by: Any) -> list[Offer]:
    """Every fix that suits these, in order; none for none."""
    if not items:
        return []
    ordered = sorted(_fixes.values(), key=lambda fix: fix.order)
    return [offer for fix in ordered if (offer := fix.offer(items[:LOOKED_AT], by=by))]


register(RetryOnly)
