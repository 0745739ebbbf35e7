"""Whose turn an exception is: the first rule whose conditions hold. A rule sets what no person has set."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db.models import Case, Count, F, Q, Sum, Value, When

from hub.accounts.models import User
from monitoring.models import ExceptionItem, RoutingRule


@dataclass(frozen=True, slots=True)
class Route:
    """A team, a person, both, or nobody."""

    team: str = ""
    person_id: int | None = None


NOBODY = Route()


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules ask of an item; `amount` in the firm's currency."""

    domain_id: int | None
    entity_id: int | None
    system_id: int | None
    cause: str
    client: str
    client_name: str
    legal_entity: str
    amount: Decimal | None


class Router:
    """The rules of one sweep, with the people that they name."""

    def __init__(self, rules: Sequence[RoutingRule] | None = None) -> None:
        self.rules = list(RoutingRule.objects.filter(is_active=True)) if rules is None else list(rules)
        named = {rule.person.lower() for rule in self.rules if rule.person}
        found = User.objects.filter(email__in=named, is_active=True) if named else User.objects.none()
        self._people = {user.email: user.pk for user in found}

    def of(self, subject: Subject) -> Route:
        rule = next((rule for rule in self.rules if holds(rule, subject)), None)
        return Route(rule.team, self._people.get(rule.person.lower())) if rule else NOBODY

    @property
    def digest(self) -> str:
        told = [[rule.slug, *_said(rule)] for rule in self.rules] + [sorted(self._people.items())]
        return hashlib.md5(json.dumps(told, default=str).encode(), usedforsecurity=False).hexdigest()


_SAID = (
    "position",
    "domain_id",
    "entity_id",
    "system_id",
    "cause",
    "client",
    "legal_entity",
    "amount_from",
    "team",
    "person",
)


def _said(rule: RoutingRule) -> list[str]:
    return [str(getattr(rule, name)) for name in _SAID]


def holds(rule: RoutingRule, subject: Subject) -> bool:
    """Whether every condition that the rule gives holds."""
    ids = (
        (rule.domain_id, subject.domain_id),
        (rule.entity_id, subject.entity_id),
        (rule.system_id, subject.system_id),
    )
    if any(wanted is not None and wanted != given for wanted, given in ids):
        return False
    if rule.cause and rule.cause != subject.cause:
        return False
    if rule.client and rule.client.lower() not in (subject.client.lower(), subject.client_name.lower()):
        return False
    if rule.legal_entity and rule.legal_entity != subject.legal_entity:
        return False
    return rule.amount_from is None or (subject.amount is not None and abs(subject.amount) >= rule.amount_from)


# An empty condition holds for everything, and may not stand alone.
_ALWAYS = Q(pk__isnull=False)


def condition(rule: RoutingRule) -> Q:
    """The same question as `holds`, of stored items."""
    found = _ALWAYS
    for name in ("domain_id", "entity_id", "system_id"):
        if (wanted := getattr(rule, name)) is not None:
            found &= Q(**{name: wanted})
    for name in ("cause", "legal_entity"):
        if wanted := getattr(rule, name):
            found &= Q(**{name: wanted})
    if rule.client:
        found &= Q(client__iexact=rule.client) | Q(client_name__iexact=rule.client)
    if rule.amount_from is not None:
        found &= Q(amount_firm__gte=rule.amount_from) | Q(amount_firm__lte=-rule.amount_from)
    return found


def taken(rules: Sequence[RoutingRule]) -> dict[str, tuple[int, Decimal]]:
    """slug → the open items that the rules would give it now, and their amount in the firm's currency."""
    rows = ExceptionItem.objects.filter(state__in=ExceptionItem.UNSETTLED).order_by()
    used = [rule for rule in rules if rule.is_active]
    if not used:
        return {}
    first = Case(*(When(condition(rule), then=Value(rule.slug)) for rule in used), default=Value(""))
    found = rows.annotate(route=first).values_list("route").annotate(Count("pk"), Sum("amount_firm"))
    return {slug: (number, amount or Decimal(0)) for slug, number, amount in found}


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would do now: of `open` items it fits `fits`; of these a rule before it takes `before`, and people have
    set `kept`. `amount` is in the firm's currency."""

    open: int
    fits: int
    before: int
    kept: int
    amount: Decimal

    @property
    def routes(self) -> int:
        return self.fits - self.before - self.kept


def preview(rule: RoutingRule) -> Preview:
    rows = ExceptionItem.objects.filter(state__in=ExceptionItem.UNSETTLED).order_by()
    earlier = RoutingRule.objects.filter(is_active=True, position__lte=rule.position).exclude(slug=rule.slug)
    before = Q(pk__in=[])
    for other in earlier:
        if (other.position, other.slug) < (rule.position, rule.slug):
            before |= condition(other)
    by_hand = ~Q(team=F("routed_team")) | ~Q(assignee__isnull=True, routed_person__isnull=True) & ~Q(
        assignee=F("routed_person")
    )
    fits = condition(rule)
    free = fits & ~before
    found = rows.aggregate(
        open=Count("pk"),
        fits=Count("pk", filter=fits),
        before=Count("pk", filter=fits & before),
        kept=Count("pk", filter=free & by_hand),
        total=Sum("amount_firm", filter=free & ~by_hand),
    )
    total = found.pop("total") or Decimal(0)
    return Preview(**found, amount=total)
