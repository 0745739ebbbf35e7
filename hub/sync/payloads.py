"""What a record carried: the stored payload of a ledger row, what must be masked in it, and what a change changed.

Masked are values of contract fields that are confidential or restricted, wherever the mapping takes them from or puts them,
and everything under a name that speaks of secrets, bank accounts or pay.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.core.exceptions import ObjectDoesNotExist

from governance.models import ContractVersion
from governance.schemas import Schema, fields_of
from hub.common import facts
from hub.common.display import MASK
from hub.common.errors import HubError
from hub.common.records import Record
from hub.records import services as records
from hub.records.models import CanonicalRecord
from hub.sync import ledger
from hub.sync.models import Batch, Sync, Transaction
from hub.sync.plan import SyncPlan, load_plan
from hub.sync.prepare import RAW
from hub.sync.replays.pins import Pin, as_ran
from hub.sync.states import Outcome
from mappings.models import MappingVersion
from mappings.rules import FieldRule, parse_rules

MASKED_CLASSES = ("confidential", "restricted")
SENSITIVE = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|api_?key|credential|iban|bic$|salary|wage|pay_?rate|bank|account_?number"
    r"|tax_?(id|number)|ssn|national_?id|birth",
    re.IGNORECASE,
)
# Where an error's sentence names the field that it is about: at its beginning, or in brackets.
_ABOUT = re.compile(r"^(?:The field )?([\w.\-]+) (?:is|has|does|holds) |\(([^()]*)\)")
_WORD = re.compile(r"[\w\-]+")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?")
# How far back the last value of a field is looked for.
LOOK_BACK = 25


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of one record; None stands for nothing, `is_known` is False where the earlier payload is not kept."""

    field: str
    before: Any
    after: Any
    is_known: bool = True


# The payload of a ledger row -------------------------------------------------------------------------------
def payload_of(row: Transaction) -> Any:
    """The record as it was read, or as it was sent; None when it is not kept (any more)."""
    batch = Batch.objects.filter(pk=row.batch_id).only("payload").first() if row.batch_id else None
    if batch is None or batch.payload is None:
        return None
    records = ledger.unpack(bytes(batch.payload))
    return records[row.position] if 0 <= row.position < len(records) else None


def plan_of(row: Transaction, sync: Sync) -> SyncPlan | None:
    """The sync compiled with the versions of the row's batch; None when they cannot be loaded."""
    batch = Batch.objects.filter(pk=row.batch_id).values_list("mapping_version_id", "contract_version_id").first()
    try:
        return load_plan(sync, run=as_ran(Pin(batch[0] or 0, batch[1] or 0))) if batch else None
    except (HubError, ObjectDoesNotExist):
        return None


# Masks -----------------------------------------------------------------------------------------------------
def classified(schema: Schema) -> frozenset[str]:
    """Contract fields whose values are not for everybody."""
    return frozenset(field.name for field in fields_of(schema) if field.classification in MASKED_CLASSES)


def secret_by_sync(syncs: Iterable[Sync]) -> dict[int, frozenset[str]]:
    """sync id → classified fields of its entity's active contract, and what the system calls them by the active mapping."""
    chosen = list(syncs)
    contracts = ContractVersion.objects.filter(
        contract__entity__in={sync.mapping.entity_id for sync in chosen}, status=ContractVersion.Status.ACTIVE
    ).select_related("contract")
    mappings = MappingVersion.objects.filter(
        mapping__in={sync.mapping_id for sync in chosen}, status=MappingVersion.Status.ACTIVE
    )
    fields = {version.contract.entity_id: classified(version.schema) for version in contracts}
    versions = {version.mapping_id: version for version in mappings}
    return {
        sync.pk: _both_sides(sync, fields.get(sync.mapping.entity_id, frozenset()), versions.get(sync.mapping_id))
        for sync in chosen
    }


def _both_sides(sync: Sync, secret: frozenset[str], mapping: MappingVersion | None) -> frozenset[str]:
    if not secret or mapping is None:
        return secret
    paths = {_path_of(rule, sync.direction, secret) for rule in _rules(mapping)}
    return secret | {path.rsplit(".", 1)[-1] for path in paths if path}


def masked_paths(
    payload: Any, sync: Sync, *, mapping: MappingVersion | None, contract: ContractVersion | None
) -> set[str]:
    """Dotted paths of the payload on the system's side of a sync whose values are masked."""
    secret = classified(contract.schema) if contract else frozenset()
    if isinstance(payload, dict) and set(payload) == {RAW}:
        return {RAW} if secret or _speaks_of_secrets(str(payload[RAW])) else set()
    found = set(sensitive_paths(payload))
    if mapping and secret:
        found |= {path for rule in _rules(mapping) if (path := _path_of(rule, sync.direction, secret))}
    return found


def _speaks_of_secrets(text: str) -> bool:
    """Whether the text of a record that could not be read names a field that is masked wherever it stands."""
    return any(map(SENSITIVE.search, _WORD.findall(text)))


def _rules(mapping: MappingVersion) -> Sequence[FieldRule]:
    try:
        return parse_rules(mapping.rules)
    except HubError:
        return ()


def _path_of(rule: FieldRule, direction: str, secret: Collection[str]) -> str:
    """Where the system's record holds what this rule moves, if that is classified."""
    if direction == "in":
        return rule.source if rule.target.split(".", 1)[0] in secret else ""
    sources = {rule.source.split(".", 1)[0], *re.findall(r"\w+", rule.text)}
    return rule.target if sources & set(secret) else ""


def sensitive_paths(value: Any, at: str = "") -> Iterator[str]:
    """Paths whose last name speaks of secrets, bank accounts or pay; list items share their list's path."""
    if isinstance(value, list):
        for item in value:
            yield from sensitive_paths(item, at)
    elif isinstance(value, dict):
        for name, item in value.items():
            path = f"{at}.{name}" if at else str(name)
            if SENSITIVE.search(str(name)):
                yield path
            else:
                yield from sensitive_paths(item, path)


def masked_names(names: Collection[str], schema: Schema) -> set[str]:
    """Canonical field names to mask: by class, and by name."""
    secret = classified(schema)
    return {name for name in names if name.split(".", 1)[0] in secret or SENSITIVE.search(name)}


def masked_sentence(text: str | None, names: Collection[str]) -> str:
    """An error's sentence, or one without the value when it is about a field that is not for everybody.

    Sentences repeat values in many ways, so the whole of it is left out rather than a part.
    """
    text = text or ""
    if text.startswith("The field ") and " is missing." in text:
        return text
    about = {word for match in _ABOUT.finditer(text) for part in match.groups("") for word in _WORD.findall(part)}
    secret = set(_WORD.findall(text)) & set(names) | {word for word in about if SENSITIVE.search(word)}
    return f"The value of {min(secret)} is not accepted. It is masked; a reveal shows the reason." if secret else text


def with_shown_error(rows: Iterable[Any]) -> Iterator[Any]:
    """The same held records or deliveries with `shown_error`: the sentence without values that are not for everybody."""
    secret: dict[int, frozenset[str]] = {}
    for row in rows:
        if row.sync_id not in secret:
            secret |= secret_by_sync([row.sync])
        row.shown_error = masked_sentence(row.error_detail, secret[row.sync_id])
        yield row


def masked_changes(changes: Sequence[FieldChange], names: Collection[str]) -> list[FieldChange]:
    return [
        FieldChange(c.field, _hidden(c.before), _hidden(c.after), c.is_known) if c.field in names else c
        for c in changes
    ]


def _hidden(value: Any) -> Any:
    return None if value is None else MASK


def tell_reveal(row: Transaction, *, by: Any) -> None:
    """Somebody looks at what is masked: kept with the record where there is one, and told in any case."""
    record = CanonicalRecord.objects.filter(pk=row.record_id).first() if row.record_id else None
    if record is not None:
        records.reveal(record, [f"transaction T-{row.pk}"], by=by)
    else:
        facts.publish("payload_revealed", transaction=row, fields=["payload"], by=by)


# What a change changed -------------------------------------------------------------------------------------
def changes_of(row: Transaction, sync: Sync) -> list[FieldChange]:
    """Fields with their values before and after, as far as the stored payloads tell."""
    if row.outcome not in (Outcome.CREATED, Outcome.UPDATED) or not row.batch_id:
        return []
    return _changes_in(row, sync) if sync.direction == "in" else _changes_out(row, sync)


def _changes_in(row: Transaction, sync: Sync) -> list[FieldChange]:
    body = _mapped(row, sync)
    if body is None:
        return [FieldChange(name, None, None, is_known=False) for name in row.changed or ()]
    if row.outcome == Outcome.CREATED:
        return [FieldChange(name, None, value) for name, value in body.items() if value is not None]
    before = _last_values(row, row.changed or ())
    return [FieldChange(name, before.get(name), body.get(name), is_known=name in before) for name in row.changed or ()]


def _mapped(row: Transaction, sync: Sync) -> Record | None:
    """The canonical fields that an inbound row brought, by the versions of its run."""
    payload, plan = payload_of(row), plan_of(row, sync)
    if not isinstance(payload, dict) or plan is None:
        return None
    try:
        return plan.mapper.apply(payload)
    except HubError:
        return None


def _last_values(row: Transaction, names: Sequence[str]) -> dict[str, Any]:
    """The value that each field had before: what the newest earlier row that wrote it had brought."""
    earlier = Transaction.objects.filter(record_id=row.record_id, pk__lt=row.pk, outcome__in=[1, 2]).exclude(batch_id=0)
    inbound = {
        s.pk: s
        for s in Sync.objects.filter(mapping__direction="in").select_related(
            "mapping__entity", "mapping__stream__connection"
        )
    }
    found: dict[str, Any] = {}
    for old in earlier.filter(sync_id__in=list(inbound)).order_by("-pk")[:LOOK_BACK]:
        wanted = [n for n in names if n not in found and (old.outcome == Outcome.CREATED or n in (old.changed or ()))]
        if wanted and (body := _mapped(old, inbound[old.sync_id])) is not None:
            found |= {name: body.get(name) for name in wanted}
        if len(found) == len(names):
            break
    return found


def _changes_out(row: Transaction, sync: Sync) -> list[FieldChange]:
    after = payload_of(row)
    if not isinstance(after, dict):
        return []
    before = _delivered_before(row) if row.outcome == Outcome.UPDATED else {}
    return differences(before or {}, after, is_known=before is not None)


def _delivered_before(row: Transaction) -> Record | None:
    """The body of the last successful delivery of this record by this sync."""
    old = (
        Transaction.objects.filter(record_id=row.record_id, sync_id=row.sync_id, pk__lt=row.pk, outcome__in=[1, 2])
        .exclude(batch_id=0)
        .order_by("-pk")
        .first()
    )
    body = payload_of(old) if old else None
    return body if isinstance(body, dict) else None


def differences(before: Mapping[str, Any], after: Mapping[str, Any], *, is_known: bool = True) -> list[FieldChange]:
    """Fields of `after` that `before` does not hold just so, in their order; nested records by dotted path."""
    found = []
    for path, value in flat(after):
        old = value_at(before, path)
        if not same(old, value):
            found.append(FieldChange(path, old, value, is_known))
    return found


def flat(record: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        path = f"{at}.{name}" if at else str(name)
        if isinstance(value, dict) and value:
            yield from flat(value, path)
        else:
            yield path, value


def value_at(record: Mapping[str, Any], path: str) -> Any:
    """The value under a dotted path, or under the very name; None when there is none."""
    if path in record:
        return record[path]
    found: Any = record
    for step in path.split("."):
        if not isinstance(found, Mapping) or step not in found:
            return None
        found = found[step]
    return found


def same(one: Any, other: Any) -> bool:
    """Equal as a target would see it: "1000.00" and 1000 are one amount, nothing and an empty text are both empty."""
    if one == other or (one in (None, "") and other in (None, "")):
        return True
    if isinstance(one, bool) or isinstance(other, bool):
        return str(one).lower() == str(other).lower()
    return _plain(one) == _plain(other)


def _plain(value: Any) -> Any:
    """A number as a decimal, also when it comes as text; a code with leading zeros stays text."""
    if isinstance(value, int | float | str):
        text = str(value)
        return Decimal(text) if _NUMBER.fullmatch(text) else text
    return value
