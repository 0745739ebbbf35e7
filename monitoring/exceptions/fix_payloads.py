"""The fix for a value that is wrong in a held record itself: corrected here, for one try, with before and after.

A correction is labelled and listed, and the next thing that the source sends replaces it: better is a correction at its owner.
What the contract marks as key is never corrected, because it would be another record; amounts and currencies only by those
who keep contracts, and what is masked not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from governance.schemas import Field, fields_of
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError, HubError
from hub.common.money import parse_decimal
from hub.common.reasons import needed
from hub.common.records import Record
from hub.sync.models import HeldRecord, Sync
from hub.sync.payloads import MASKED_CLASSES
from hub.sync.plan import SyncPlan, load_plan
from hub.sync.states import HeldState
from hub.sync.trouble import why_not_tried
from monitoring.exceptions import fixes, notes
from monitoring.exceptions.fixes import Fix, Input, Offer
from monitoring.models import ExceptionItem, PayloadOverride

LIVES = timedelta(days=7)
# Who may correct what money is counted by.
MONEY_PERMISSION = "contracts.edit"
State = PayloadOverride.State


@dataclass(frozen=True, slots=True)
class Editable:
    """A field of the source's record that may be corrected, and the contract's field that is filled from it."""

    path: str
    field: Field


@fixes.register
class EditFix(Fix):
    slug, title = "edit", "Correct it in this record"
    order = 40
    is_per_item = True
    must_pass = True

    def offer(self, items: Sequence[ExceptionItem], *, by: Any) -> Offer | None:
        fields = common(items, by=by)
        if not fields:
            return None
        held = held_of(items[0])
        is_one = len(items) == 1
        inputs = [
            Input(
                f"field_{one.path}",
                one.field.title,
                "choice" if one.field.enum else "text",
                value=_text(held.body.get(one.path)) if held and is_one else "",
                required=False,
                help=f"{one.path} of the source",
                choices=(("", "–"), *((word, word) for word in one.field.enum)) if one.field.enum else (),
            )
            for one in fields
        ]
        why = Input("why", "Reason", "words", help="It stands in the report of corrected payloads.")
        where = "record" if is_one else "records"
        sentence = f"Only the {where} here; the source stays as it is, and what it sends next replaces this."
        return Offer(self.slug, self.title, sentence, (*inputs, why))

    def cleaned(self, items: Sequence[ExceptionItem], given: Mapping[str, Any], *, by: Any) -> dict[str, Any]:
        offer = self.offer(items, by=by)
        if offer is None:
            raise ConfigError("These records cannot be corrected here.", fix="Correct them at their source.")
        found = {one.name: str(given.get(one.name, "")).replace("\x00", "") for one in offer.inputs}
        is_one = len(items) == 1
        wanted = {
            one.name.removeprefix("field_"): found[one.name]
            for one in offer.inputs
            if one.name.startswith("field_") and (found[one.name] != one.value if is_one else found[one.name] != "")
        }
        if not wanted:
            raise ConfigError("Nothing is changed.", where="edit", fix="Correct a value first.", code="NEEDED")
        return {**found, "changes": wanted, "why": needed(found["why"], "Say why it is corrected.", where="why")}

    def apply(self, items: Sequence[ExceptionItem], given: Mapping[str, Any], *, by: Any, reason: str = "") -> str:
        allowed = {one.path for one in common(items, by=by)}
        if strange := sorted(set(given["changes"]) - allowed):
            raise ConfigError(
                f"{strange[0]} may not be corrected here.", where=strange[0], fix="Correct it at its source."
            )
        number = sum(correct(item, given["changes"], given["why"], by) for item in items)
        paths = ", ".join(given["changes"])
        return f"Corrected {paths} of {number:,} {'record' if number == 1 else 'records'}: {given['why']}"


# What may be corrected ---------------------------------------------------------------------------------------
def held_of(item: ExceptionItem) -> HeldRecord | None:
    """The record behind it, while it may not pass and enough of it is kept."""
    if item.origin != ExceptionItem.Origin.HELD:
        return None
    rows = HeldRecord.objects.filter(sync_id=item.sync_id or 0, external_id=item.external_id or "")
    held = rows.exclude(state=HeldState.RELEASED).first()
    return None if held is None or why_not_tried(held) else held


def common(items: Sequence[ExceptionItem], *, by: Any) -> list[Editable]:
    """Of one record every field that may be corrected; of several only the one that all of them stop at."""
    first = items[0]
    if any(item.origin != first.origin or item.sync_id != first.sync_id for item in items) or not held_of(first):
        return []
    sync = Sync.objects.select_related("mapping__entity", "mapping__stream__connection__system").filter(
        pk=first.sync_id or 0
    )
    fields = editable(sync.get(), by=by)
    if len(items) == 1:
        return fields
    stopped = {item.field for item in items}
    return [one for one in fields if stopped in ({one.field.name}, {one.path})]


def editable(sync: Sync, *, by: Any) -> list[Editable]:
    try:
        plan = load_plan(sync)
    except HubError:
        return []
    known = {one.name: one for one in fields_of(plan.contract_version.schema)}
    found: dict[str, Editable] = {}
    for rule in plan.rules:
        one = known.get(rule.target.split(".", 1)[0])
        if one and rule.source and "." not in rule.source and _may(plan, rule.source, one, by):
            found.setdefault(rule.source, Editable(rule.source, one))
    return list(found.values())


def _may(plan: SyncPlan, path: str, one: Field, by: Any) -> bool:
    markers = plan.contract.markers
    if one.is_key or one.name in markers.key or path in plan.stream.key or one.classification in MASKED_CLASSES:
        return False
    if one.currency or one.name in (markers.amount, markers.currency):
        return by is None or by.has_hub_perm(MONEY_PERMISSION, plan.entity.domain_id)
    return True


# Doing it ----------------------------------------------------------------------------------------------------
@transaction.atomic
def correct(item: ExceptionItem, wanted: Mapping[str, str], why: str, by: Any) -> bool:
    """One record; False where there is nothing of it any more, or it says that already."""
    held = HeldRecord.objects.select_for_update().filter(sync_id=item.sync_id or 0, external_id=item.external_id or "")
    row = held.exclude(state=HeldState.RELEASED).first()
    if row is None:
        return False
    new: Record = {path: _typed(row.body.get(path), text, path) for path, text in wanted.items()}
    changes = {path: [row.body.get(path), value] for path, value in new.items() if row.body.get(path) != value}
    if not changes:
        return False
    held.update(body={**row.body, **new})
    earlier = PayloadOverride.objects.filter(
        sync_id=item.sync_id or 0, external_id=item.external_id or "", state=State.READY
    )
    earlier.update(state=State.EXPIRED, settled_at=Now())
    PayloadOverride.objects.create(
        item=item,
        sync_id=row.sync_id,
        external_id=row.external_id,
        changes=changes,
        reason=why,
        by=by,
        expires_at=timezone.now() + LIVES,
    )
    before = {path: pair[0] for path, pair in changes.items()}
    after = {path: pair[1] for path, pair in changes.items()}
    notes.note([item.pk], "edited", by=by, text=why, before={item.pk: before}, after=after)
    tell(
        Act("exception.payload_corrected", "Exception", str(item.pk), by=by, reason=why, before=before, after=after,
            domain=item.domain)
    )  # fmt: skip
    return True


def _typed(before: Any, text: str, path: str) -> Any:
    """What was written as the kind of value that the source sends; empty is nothing where it was no text."""
    if isinstance(before, bool):
        if text.lower() not in ("true", "false", ""):
            raise ConfigError(f"{path}: write true or false, not {text!r}.", where=f"field_{path}")
        return {"true": True, "false": False}.get(text.lower())
    if isinstance(before, int | float) and text:
        try:
            number = parse_decimal(text)
        except HubError as error:
            raise ConfigError(f"{path}: {error.what}", where=f"field_{path}") from None
        return int(number) if number == number.to_integral_value() and isinstance(before, int) else float(number)
    return text if text or isinstance(before, str) else None


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def expire() -> int:
    """End corrections that nobody has used: the record says again what its source said. Returns how many."""
    rows = PayloadOverride.objects.filter(state=State.READY, expires_at__lte=Now()).order_by("pk")
    with transaction.atomic():
        due = list(rows.select_for_update(skip_locked=True)[:500])
        for override in due:
            _end(override)
    return len(due)


def _end(override: PayloadOverride) -> None:
    held = HeldRecord.objects.select_for_update().filter(sync_id=override.sync_id, external_id=override.external_id)
    row = held.first()
    override.state, override.settled_at = State.USED if row is None else State.EXPIRED, timezone.now()
    if row is not None:
        back = {path: pair[0] for path, pair in override.changes.items() if row.body.get(path) == pair[1]}
        held.update(body={**row.body, **back})
    override.save(update_fields=["state", "settled_at"])
