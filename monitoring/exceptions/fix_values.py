"""The fix for a value that a value map does not list: one entry, by the service that value maps are kept with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from hub.common.errors import ConfigError, HubError
from hub.common.records import Record
from hub.common.times import parse_date
from hub.records.models import CanonicalRecord
from hub.sync.models import HeldRecord, Sync
from hub.sync.payloads import classified
from hub.sync.plan import SyncPlan, load_plan
from mappings.compile import compile_mapping
from mappings.convert import to_text
from mappings.entries import Entry, add_entry
from mappings.models import ValueMap
from mappings.paths import MISSING
from mappings.queries import value_maps_of
from monitoring.exceptions import fixes
from monitoring.exceptions.fixes import Fix, Input, Offer
from monitoring.models import ExceptionItem

UNMAPPED = "UNMAPPED"
EDIT = "valuemaps.edit"
MOST = 10
_NOT_THERE = "is not in the value map"


@dataclass(frozen=True, slots=True)
class Gap:
    """A value that a map does not know. Reversed, it is looked up among the map's targets."""

    slug: str
    value: str
    reverse: bool = False


@fixes.register
class ValueMapFix(Fix):
    slug, title = "value_map", "Add it to the value map"
    order = 10

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        gaps = gaps_of(items)
        if not gaps:
            return None
        maps = ValueMap.objects.in_bulk({gap.slug for gap in gaps}, field_name="slug")
        first = maps[gaps[0].slug]
        if by is not None and not by.has_hub_perm(EDIT, first.domain_id):
            url, words = reverse("mappings:value_map", args=[first.slug]), f"{first.name} is kept by others: ask them."
            return Offer(self.slug, self.title, words, url=url, link=f"Open {first.name}", retries=False)
        inputs = [self._input(number, gap, maps[gap.slug]) for number, gap in enumerate(gaps[:MOST])]
        dates = [
            Input("valid_from", "Valid from", "date", required=False, help="Empty: since ever."),
            Input("valid_to", "Valid to", "date", required=False, help="Empty: until further notice."),
        ]
        known = "1 value is" if len(gaps) == 1 else f"{len(gaps)} values are"
        return Offer(self.slug, self.title, f"{known} not in {first.name}.", (*inputs, *dates))

    def _input(self, number: int, gap: Gap, value_map: ValueMap) -> Input:
        column = "source" if gap.reverse else "target"
        known = value_map.entries.order_by(column).values_list(column, flat=True).distinct()[:200]
        return Input(
            f"value_{number}",
            f"{gap.value} becomes",
            required=number == 0,
            help=f"In {value_map.name}." + ("" if number == 0 else " Leave it empty to see to it later."),
            suggestions=tuple(word for word in known if word),
        )

    def cleaned(self, items: Sequence[ExceptionItem], given: Mapping[str, Any], *, by: Any) -> dict[str, Any]:
        found = super().cleaned(items, given, by=by)
        for name in ("valid_from", "valid_to"):
            if found.get(name):
                parse_date(found[name])
        gaps = gaps_of(items)[:MOST]
        pairs = [[gap.slug, gap.value, gap.reverse, found.get(f"value_{n}", "")] for n, gap in enumerate(gaps)]
        return {**found, "pairs": [pair for pair in pairs if pair[3]]}

    def apply(self, items: Sequence[ExceptionItem], given: Mapping[str, Any], *, by: Any, reason: str = "") -> str:
        said = []
        dates = {name: parse_date(given[name]) for name in ("valid_from", "valid_to") if given.get(name)}
        for slug, value, reverse_, answer in given["pairs"]:
            value_map = ValueMap.objects.filter(slug=slug).first()
            if value_map is None:
                raise ConfigError(f"There is no value map {slug!r} any more.", fix="Look at the mapping.")
            if by is not None and not by.has_hub_perm(EDIT, value_map.domain_id):
                raise ConfigError(f"You may not change {value_map.name}.", fix="Ask who keeps it.")
            source, target = (answer, value) if reverse_ else (value, answer)
            add_entry(value_map=value_map, entry=Entry(source, target, **dates), by=by)
            said.append(f"{value_map.name}: {source} → {target}")
        return f"{'; '.join(said)}."


# What is missing ---------------------------------------------------------------------------------------------
def gaps_of(items: Sequence[ExceptionItem]) -> list[Gap]:
    """The values that stop these, the most frequent first."""
    stopped = [item for item in items if item.error_code == UNMAPPED and item.sync_id]
    counts: dict[Gap, int] = {}
    by_sync: dict[int, list[ExceptionItem]] = {}
    for item in stopped:
        by_sync.setdefault(item.sync_id or 0, []).append(item)
    syncs = Sync.objects.select_related("mapping__entity", "mapping__stream__connection__system").in_bulk(list(by_sync))
    for sync_id, of_sync in by_sync.items():
        if sync := syncs.get(sync_id):
            for gap in _of_sync(sync, of_sync):
                counts[gap] = counts.get(gap, 0) + 1
    return sorted(counts, key=lambda gap: (-counts[gap], gap.slug, gap.value))


def _of_sync(sync: Sync, items: Sequence[ExceptionItem]) -> Iterator[Gap]:
    try:
        plan = load_plan(sync)
    except HubError:
        return
    for body in _bodies(plan, items):
        yield from _unmapped(plan, body)


def _bodies(plan: SyncPlan, items: Sequence[ExceptionItem]) -> Sequence[Record]:
    """What is mapped: the source's records on the way in, the hub's on the way out."""
    if plan.is_inbound:
        ids = [item.external_id for item in items if item.external_id is not None]
        rows = HeldRecord.objects.filter(sync_id=plan.sync.pk, external_id__in=ids)
        return list(rows.values_list("body", flat=True))
    records = CanonicalRecord.objects.filter(pk__in=[item.record_id for item in items if item.record_id])
    return list(records.values_list("body", flat=True))


def _unmapped(plan: SyncPlan, body: Record) -> Iterator[Gap]:
    """By each rule that looks something up; what an expression looks up, or is masked, is not told."""
    secret = classified(plan.contract_version.schema)
    rules = [rule for rule in plan.rules if rule.kind == "value_map" and rule.value_map]
    rules = [rule for rule in rules if not {rule.target.split(".", 1)[0], rule.source.split(".", 1)[0]} & secret]
    mapper = compile_mapping(rules, value_maps=value_maps_of(rules), direction="in" if plan.is_inbound else "out")
    for rule, trace in zip(rules, mapper.explain(body), strict=True):
        value = trace.steps[-1].after if trace.steps else trace.raw
        if _NOT_THERE in trace.error and value is not MISSING and (text := to_text(value)):
            yield Gap(rule.value_map, text, rule.reverse)
