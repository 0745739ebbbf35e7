"""What the queue says of one thing that is open: cause, group, title, deadline, value in the firm's currency, whose turn."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import timezone

from connectors.models import System
from governance.models import Entity
from hub.records.rates import Rates
from hub.sync.models import Sync
from monitoring.exceptions import classify, explain, ranking
from monitoring.exceptions.classify import Classifier
from monitoring.exceptions.intake import Found
from monitoring.exceptions.routing import Route, Router, Subject
from monitoring.models import ExceptionItem

_Kind = ExceptionItem.Kind


@dataclass(frozen=True, slots=True)
class Known:
    """The open item that the queue has of something, if any; `cause` where a person chose it."""

    item_id: int | None = None
    opened_at: datetime | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Judged:
    """A row of the queue before it is stored.

    `item_id` is None for one that is new; `is_again` where the rules have changed and the source said nothing new.
    """

    item_id: int | None
    origin: str
    found: Found
    kind: str
    cause: str
    classified_as: str
    title: str
    fingerprint: str
    group_title: str
    group_facts: dict[str, str]
    system_id: int | None
    amount_firm: Decimal | None
    rate_date: object
    due_at: datetime | None
    opened_at: datetime
    route: Route
    is_again: bool = False


class Judge:
    """Everything that a sweep judges by, read once."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self.moments = ranking.moments()
        self.classifier = Classifier()
        self.router = Router()
        self._entities = {pk: (slug, name, domain) for pk, slug, name, domain in
                          Entity.objects.values_list("pk", "slug", "name", "domain_id")}  # fmt: skip
        self._systems = dict(Sync.objects.values_list("pk", "mapping__stream__connection__system_id"))
        self._names = {pk: (slug, name) for pk, slug, name in System.objects.values_list("pk", "slug", "name")}

    @property
    def digest(self) -> str:
        """Of the rules: another one means that open items are judged again."""
        text = classify.digest(self.classifier.rules) + self.router.digest
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()

    def of(self, origin: str, found: Found, known: Known) -> Judged:
        """Something that is open, new or in another way than the queue has it."""
        opened_at = known.opened_at or found.since or timezone.now()
        return self._judged(origin, found, known.item_id, opened_at, kept_cause=known.cause)

    def again(self, item: ExceptionItem) -> Judged:
        """An open item by the rules of now, from what is kept of it."""
        kept = item.cause if item.cause != item.classified_as else ""
        return self._judged(item.origin, found_of(item), item.pk, item.opened_at, kept_cause=kept, is_again=True)

    def chosen(self, item: ExceptionItem, cause: str) -> Judged:
        """An item under the cause that a person says it is."""
        return self._judged(item.origin, found_of(item), item.pk, item.opened_at, kept_cause=cause, is_again=True)

    def _judged(
        self,
        origin: str,
        found: Found,
        item_id: int | None,
        opened_at: datetime,
        *,
        kept_cause: str,
        is_again: bool = False,
    ) -> Judged:
        slug, entity, domain_id = self._entities.get(found.entity_id or 0, ("", "", None))
        found.domain_id = found.domain_id or domain_id
        system_id = self._systems.get(found.sync_id or 0)
        system_slug, system = self._names.get(system_id or 0, ("", ""))
        rule = self.classifier.of(found, origin, slug, system_slug)
        said = rule
        if kept_cause:
            rule = self.classifier.named(kept_cause)
        facts = classify.facts_of(rule, found, system)
        value = self.rates.value(found.amount, found.currency)
        rate = self.rates.by_currency.get(found.currency)
        subject = Subject(
            found.domain_id,
            found.entity_id,
            system_id,
            rule.slug,
            found.client,
            found.client_name,
            found.legal_entity,
            value,
        )
        return Judged(
            item_id=item_id,
            origin=origin,
            found=found,
            kind=_kind(found, rule.kind),
            cause=rule.slug,
            classified_as=said.slug,
            title=explain.title(found, entity),
            fingerprint=classify.fingerprint(rule, found.entity_id, found.domain_id, facts),
            group_title=classify.title_of(rule, facts, entity or "Record"),
            group_facts=facts,
            system_id=system_id,
            amount_firm=value,
            rate_date=rate.day if rate and value is not None else None,
            due_at=found.due_at or self.classifier.due_at(rule, opened_at),
            opened_at=opened_at,
            route=self.router.of(subject),
            is_again=is_again,
        )


def _kind(found: Found, usual: str) -> str:
    if found.business is None:
        return usual
    return _Kind.BUSINESS if found.business else _Kind.TECHNICAL


def found_of(item: ExceptionItem) -> Found:
    """A stored item as its source would give it."""
    return Found(
        key=item.origin_key,
        title=item.title,
        detail=item.detail,
        cause=item.given.get("cause", ""),
        business=item.given.get("business"),
        error_code=item.error_code,
        field=item.field,
        facts=dict(item.facts),
        entity_id=item.entity_id,
        domain_id=item.domain_id,
        sync_id=item.sync_id,
        record_id=item.record_id,
        external_id=item.external_id,
        transaction_id=item.transaction_id,
        client=item.client,
        project=item.project,
        period=item.period,
        legal_entity=item.legal_entity,
        amount=item.amount,
        currency=item.currency,
        amount_note=item.amount_note,
        due_at=item.due_at if item.given.get("due") else None,
        since=item.opened_at,
        name=item.name,
        client_name=item.client_name,
        project_name=item.project_name,
    )
