"""What stored payloads become under a change: each once through what is live and once through what is proposed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import transaction

from governance.changes.applying import agreed, in_order
from governance.contracts import ContractCheck, unknown_fields
from governance.models import ChangeRequest, Contract, ContractVersion
from hub.common import governed
from hub.common.display import MASK
from hub.common.errors import HubError
from hub.common.records import Record
from hub.records.models import CanonicalRecord
from hub.sync import ledger
from hub.sync.models import Batch, Sync
from hub.sync.payloads import classified
from mappings.compile import Mapper, ValueMapData, compile_mapping
from mappings.models import Mapping as MappingModel
from mappings.models import MappingVersion
from mappings.queries import value_maps_of
from mappings.rules import parse_rules

EXAMPLES = 20
STEP = 50


@dataclass(frozen=True, slots=True)
class Way:
    """The way of a payload through one state of the configuration. Two ways are the same when `signature` is."""

    mapper: Mapper
    contract: ContractCheck | None
    dropped: frozenset[str]
    signature: tuple[Any, ...]

    def take(self, payload: Record) -> tuple[Record | None, str]:
        """(body, "") or (None, why it fails)."""
        try:
            body = self.mapper.apply(payload)
            body = {name: value for name, value in body.items() if name not in self.dropped}
            if self.contract is not None and not self.contract.passes(body):
                raise self.contract.first_error(body)
        except HubError as error:
            return None, error.what
        return body, ""


@dataclass
class Tally:
    """What became of the payloads of one mapping."""

    mapping: MappingModel
    contract: ContractCheck | None
    masked: frozenset[str]
    counts: Counter[str] = field(default_factory=Counter)
    fields: Counter[str] = field(default_factory=Counter)
    amounts: defaultdict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    examples: list[dict[str, Any]] = field(default_factory=list)

    def add(self, before: tuple[Record | None, str], after: tuple[Record | None, str]) -> None:
        (old, failed), (new, fails) = before, after
        what = _what(old, new)
        self.counts[what] += 1
        if what in ("identical", "failing"):
            return
        names = sorted({*(old or {}), *(new or {})}) if old is not None and new is not None else []
        changed = [name for name in names if (old or {}).get(name) != (new or {}).get(name)]
        self.fields.update(changed)
        body = old or new or {}
        self._add_amount(body)
        if self._has_room(what):
            shown = [[name, self._shown(name, old), self._shown(name, new)] for name in changed]
            sentence = "" if self.masked and (fails or failed) else fails or failed
            self.examples.append({"what": what, "key": self._key(body), "fields": shown, "sentence": sentence})

    def _has_room(self, what: str) -> bool:
        return sum(example["what"] == what for example in self.examples) < EXAMPLES

    def _add_amount(self, body: Record) -> None:
        markers = self.contract.markers if self.contract else None
        if markers is None or not markers.amount or markers.amount in self.masked:
            return
        try:
            self.amounts[str(body.get(markers.currency) or "")] += abs(Decimal(str(body.get(markers.amount) or 0)))
        except InvalidOperation:
            return

    def _key(self, body: Record) -> str:
        names = self.contract.markers.key if self.contract else ()
        return " · ".join(str(body.get(name, "")) for name in names if name not in self.masked)

    def _shown(self, name: str, body: Record | None) -> str:
        value = (body or {}).get(name)
        return "" if value is None else MASK if name.split(".", 1)[0] in self.masked else str(value)[:120]

    def as_data(self) -> dict[str, Any]:
        names = ("identical", "changed", "newly_failing", "newly_fixed", "failing")
        return {
            "mapping": self.mapping.slug,
            "name": self.mapping.name,
            "tried": self.counts.total(),
            **{name: self.counts[name] for name in names},
            "fields": self.fields.most_common(),
            "amounts": {currency: str(amount) for currency, amount in sorted(self.amounts.items()) if amount},
            "examples": self.examples,
        }


def make_packet(change: ChangeRequest, limit: int, tell: Callable[[int, int], None]) -> list[dict[str, Any]]:
    """One part for each mapping whose way would be another one, with up to `limit` of its newest payloads."""
    before = _ways()
    after = _ways_after(change)
    touched = [pk for pk, way in after.items() if pk in before and way.signature != before[pk].signature]
    mappings = MappingModel.objects.select_related("entity").in_bulk(touched)
    payloads = {pk: list(_payloads(mappings[pk], limit)) for pk in touched}
    total, done = sum(map(len, payloads.values())), 0
    tell(0, total)
    parts = []
    for pk in touched:
        tally = Tally(mappings[pk], before[pk].contract, _masked(mappings[pk]))
        for payload in payloads[pk]:
            tally.add(before[pk].take(payload), after[pk].take(payload))
            done += 1
            if done % STEP == 0:
                tell(done, total)
        parts.append(tally.as_data())
    tell(done, total)
    return parts


def _what(old: Record | None, new: Record | None) -> str:
    if old is None:
        return "failing" if new is None else "newly_fixed"
    if new is None:
        return "newly_failing"
    return "identical" if old == new else "changed"


def _ways_after(change: ChangeRequest) -> dict[int, Way]:
    """The ways as they would be: the change is applied, read, and undone before anybody can see it."""
    with transaction.atomic(), governed.passing():
        for item in in_order(change):
            governed.bring_in(agreed(change, item), by=change.author)
        found = _ways()
        transaction.set_rollback(True)
    return found


def _ways() -> dict[int, Way]:
    """Every mapping that is live, compiled; one that cannot be compiled has no way."""
    active = MappingVersion.objects.filter(status=MappingVersion.Status.ACTIVE)
    rows = active.select_related("mapping__stream", "mapping__entity")
    contracts = ContractVersion.objects.filter(status=ContractVersion.Status.ACTIVE).select_related("contract")
    by_entity = {version.contract.entity_id: version for version in contracts}
    found = {}
    for row in rows:
        try:
            found[row.mapping_id] = _way(row, by_entity.get(row.mapping.entity_id))
        except HubError:
            continue
    return found


def _way(row: MappingVersion, version: ContractVersion | None) -> Way:
    rules = parse_rules(row.rules)
    maps: Mapping[str, ValueMapData] = value_maps_of(rules)
    is_inbound = row.mapping.direction == "in"
    mapper = compile_mapping(
        rules, value_maps=maps, time_zone=row.mapping.stream.time_zone, direction="in" if is_inbound else "out"
    )
    if not is_inbound or version is None:
        return Way(mapper, None, frozenset(), (row.rules, dict(maps)))
    mode = version.contract.mode
    dropped = unknown_fields(version.schema, [rule.target for rule in rules]) if mode != Contract.Mode.EVOLVE else []
    signature = (row.rules, dict(maps), version.schema, mode)
    return Way(mapper, ContractCheck(version.schema), frozenset(dropped), signature)


def _payloads(mapping: MappingModel, limit: int) -> Iterator[Record]:
    """The newest payloads of the mapping's stream, or for one that leads out the newest records of its entity."""
    if mapping.direction == "out":
        rows = CanonicalRecord.objects.filter(entity=mapping.entity_id, deleted_at__isnull=True).order_by("-pk")
        yield from rows.values_list("body", flat=True)[:limit]
        return
    syncs = list(Sync.objects.filter(mapping=mapping).values_list("pk", flat=True))
    batches = Batch.objects.filter(sync_id__in=syncs, payload__isnull=False).order_by("-pk")
    left = limit
    for payload in batches.values_list("payload", flat=True).iterator(chunk_size=10):
        records = _records(ledger.unpack(bytes(payload or b"")))[:left]
        yield from records
        left -= len(records)
        if left <= 0:
            return


def _records(raws: Sequence[Any]) -> list[Record]:
    """Those that could be read, the newest first."""
    return [raw for raw in reversed(raws) if isinstance(raw, dict)]


def _masked(mapping: MappingModel) -> frozenset[str]:
    """Canonical fields whose values nobody sees here; for a mapping that leads out, all of its fields where any is."""
    version = ContractVersion.objects.filter(
        contract__entity=mapping.entity_id, status=ContractVersion.Status.ACTIVE
    ).first()
    secret = classified(version.schema) if version else frozenset()
    if mapping.direction == "out" and secret:
        active = mapping.versions.filter(status=MappingVersion.Status.ACTIVE).first()
        return frozenset(rule.target.split(".", 1)[0] for rule in parse_rules(active.rules)) if active else secret
    return frozenset(secret)
