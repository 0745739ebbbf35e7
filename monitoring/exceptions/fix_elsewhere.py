"""Fixes that are done elsewhere: in the system that owns the value, on the page of a possible duplicate, in a period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.urls import reverse

from connectors import record_urls
from connectors.models import System
from governance.models import OwnershipRule
from governance.ownership.definitions import ground_of
from governance.ownership.rules import levels
from hub.common.errors import HubError
from hub.common.times import business_today, parse_date, period_bounds, shift_period
from hub.records.models import CanonicalRecord, Crosswalk
from hub.sync.models import Duplicate, Sync
from hub.sync.plan import load_plan
from monitoring.exceptions import acts, fix_payloads, fixes, ticking
from monitoring.exceptions.fixes import Fix, Input, Offer
from monitoring.models import ExceptionItem, Snooze

Origin = ExceptionItem.Origin
CLOSED = ("closed-period",)


@fixes.register
class OwnerFix(Fix):
    """Values belong to a system of record: the hub shows the way there, and writes nothing in its place."""

    slug, title = "owner", "Correct it where it belongs"
    order = 50

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        item = items[0]
        owner = owner_of(item)
        if owner is None:
            return None
        what = f"{item.field.replace('_', ' ').capitalize()} belongs" if item.field else "This belongs"
        url = address_of(item, owner)
        sentence = (
            f"{what} to {owner.name}: correct it there. The next run reads it, and what is right passes by itself."
        )
        return Offer(
            self.slug, self.title, sentence, url=url, link=f"Open it in {owner.name}" if url else "", retries=False
        )


def owner_of(item: ExceptionItem) -> System | None:
    """Whose value it is: by the rules of ownership, else who supplied it, else whose record it is."""
    return _by_rule(item) or _by_provenance(item) or _by_stream(item)


def _by_rule(item: ExceptionItem) -> System | None:
    if item.entity is None or not item.field:
        return None
    ground = ground_of(item.entity)
    rows = OwnershipRule.objects.filter(entity=item.entity, status=OwnershipRule.Status.ACTIVE)
    rules = [rule for rule in map(ground.rule, rows) if rule.is_in_force(business_today())]
    name = item.field.split(".", 1)[0]
    for level in levels(rules, name):
        for rule in level:
            if rule.systems and not rule.conditions:
                return System.objects.filter(slug=rule.systems[0]).first()
    return None


def _by_provenance(item: ExceptionItem) -> System | None:
    if not item.record_id or not item.field:
        return None
    record = CanonicalRecord.objects.select_related("provenance").filter(pk=item.record_id).first()
    system = record.provenance.fields.get(item.field.split(".", 1)[0]) if record else None
    return System.objects.filter(pk=system).first() if system else None


def _by_stream(item: ExceptionItem) -> System | None:
    sync = Sync.objects.select_related("mapping__stream__connection__system").filter(pk=item.sync_id or 0).first()
    return sync.stream.connection.system if sync and sync.direction == "in" else None


def address_of(item: ExceptionItem, owner: System) -> str:
    """Where the record is looked at in its system; empty where no address is declared."""
    if item.origin == Origin.HELD and item.external_id:
        sync = Sync.objects.select_related("mapping__stream__connection").filter(pk=item.sync_id or 0).first()
        if sync and sync.stream.connection.system_id == owner.pk:
            return record_urls.url_of(sync.stream, item.external_id)
    rows = Crosswalk.objects.select_related("stream").filter(
        record_id=item.record_id or 0, stream__connection__system=owner, gone_at__isnull=True
    )
    return next((url for row in rows[:10] if (url := row.url)), "")


@fixes.register
class DuplicateFix(Fix):
    """Whether two records are one is said on the page that shows both."""

    slug, title = "duplicate", "Link or keep apart"
    order = 20

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        item = items[0]
        found = _duplicate(item)
        if found is None:
            return None
        url = reverse("sync:duplicate_detail", args=[found])
        return Offer(self.slug, self.title, "Say whether it is the record that the hub has already.", url=url,
                     link="Compare the two", retries=False)  # fmt: skip


def _duplicate(item: ExceptionItem) -> int | None:
    if item.origin == Origin.DUPLICATE and (tail := item.origin_key.rsplit(":", 1)[-1]).isdigit():
        return Duplicate.objects.filter(pk=int(tail)).values_list("pk", flat=True).first()
    if item.origin == Origin.HELD and item.error_code == "POSSIBLE_DUPLICATE":
        rows = Duplicate.objects.filter(sync_id=item.sync_id or 0, external_id=item.external_id or "")
        return rows.order_by("-pk").values_list("pk", flat=True).first()
    return None


@fixes.register
class PeriodFix(Fix):
    """A posting into a closed period: the next open one, wait for a reopening, or give it up."""

    slug, title = "period", "Choose a period"
    order = 30
    is_per_item = True
    must_pass = True

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        item = items[0]
        if item.origin != Origin.PERIOD and item.cause not in CLOSED:
            return None
        choices = [("reopen", "Wait until the period is open again")]
        path = self._dated(items)
        if path:
            choices.insert(0, ("next", f"Post to the next open period ({next_open(item)})"))
        day = Input("day", "Posting date", "date", value=first_day(next_open(item)), required=False,
                    help="For the next open period.")  # fmt: skip
        words = (
            "Written off is on its own button."
            if path
            else "Its date is not the hub's to move: correct it at its source."
        )
        inputs = (Input("choice", "What happens", "choice", choices=tuple(choices)), *((day,) if path else ()))
        reason = Input("why", "Reason", "words")
        return Offer(self.slug, self.title, f"The period {item.period or 'of this posting'} is closed. {words}",
                     (*inputs, reason))  # fmt: skip

    def _dated(self, items: Sequence[ExceptionItem]) -> str:
        """The source's field that the contract takes the period from; empty where it cannot be moved here."""
        sync = Sync.objects.select_related("mapping__entity", "mapping__stream__connection__system").filter(
            pk=items[0].sync_id or 0
        ).first()  # fmt: skip
        if sync is None or any(fix_payloads.held_of(item) is None for item in items[:1]):
            return ""
        try:
            plan = load_plan(sync)
        except HubError:
            return ""
        name = dict(plan.contract.markers.promoted).get("period", "")
        return next((rule.source for rule in plan.rules if rule.target == name and name and "." not in rule.source), "")

    def retries(self, given: Mapping[str, Any]) -> bool:
        return given.get("choice") == "next"

    def apply(self, items: Sequence[ExceptionItem], given: Mapping[str, Any], *, by: Any, reason: str = "") -> str:
        if given["choice"] == "reopen":
            acts.carry_out("snooze", [item.pk for item in items], {"until": Snooze.Until.PERIOD}, by=by)
            return f"Waits until its period is open again: {given['why']}"
        day = parse_date(given.get("day") or first_day(next_open(items[0])))
        path = self._dated(items)
        changed = sum(fix_payloads.correct(item, {path: day.isoformat()}, given["why"], by) for item in items)
        return f"Posting date of {changed:,} moved to {day}: {given['why']}"


def next_open(item: ExceptionItem) -> str:
    """The first open period after the item's own."""
    period = item.period if len(item.period) == 7 else f"{business_today():%Y-%m}"
    for _ in range(24):
        period = shift_period(period, 1)
        if ticking.is_open(item.legal_entity, period):
            return period
    return period


def first_day(period: str) -> str:
    return period_bounds(period)[0].isoformat()
