"""Two people sign a close: one has prepared it, another has reviewed it. Each signature keeps the figures it was given for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.reasons import tidy
from hub.common.times import business_now
from monitoring.close.kind import KIND
from monitoring.close.readiness import Readiness, as_data, digest
from monitoring.models import CloseSignature

Step = CloseSignature.Step


@dataclass(frozen=True, slots=True)
class Signed:
    """The signatures in force; `moved` when the figures are no longer those that the last one was given for."""

    prepared: CloseSignature | None
    reviewed: CloseSignature | None
    moved: bool

    @property
    def next_step(self) -> str:
        if self.prepared is None:
            return Step.PREPARED
        return "" if self.reviewed else Step.REVIEWED


def signatures(found: Readiness) -> Signed:
    rows = CloseSignature.objects.select_related("by").filter(
        legal_entity=found.scope.legal_entity, period=found.scope.period, withdrawn_at__isnull=True
    )
    by_step = {row.step: row for row in rows}
    last = by_step.get(Step.REVIEWED) or by_step.get(Step.PREPARED)
    moved = last is not None and last.digest != digest(as_data(found))
    return Signed(by_step.get(Step.PREPARED), by_step.get(Step.REVIEWED), moved)


def why_not_sign(found: Readiness, by: Any) -> str:
    """Why this person may not give the next signature; empty when they may."""
    signed = signatures(found)
    if not signed.next_step:
        return "Both have signed."
    if signed.prepared and signed.prepared.by_id == by.pk:
        return "Who prepared a close does not review it: a second person signs."
    if found.failed:
        return f"Not everything could be read: {', '.join(found.failed)}."
    if signed.next_step == Step.REVIEWED and signed.moved:
        return "The figures have changed since it was prepared: withdraw that signature and sign anew."
    return ""


@transaction.atomic
def sign(found: Readiness, *, by: Any, note: str = "") -> CloseSignature:
    """Give the next signature. With something in the way a note has to say why. ConfigError for what may not be signed."""
    if reason := why_not_sign(found, by):
        raise ConfigError(reason, code="NOT_SIGNED")
    words = tidy(note)
    if found.blocking and not words:
        raise ConfigError(
            f"{found.count} things still stand in the way.",
            where="note",
            fix="Say why it is signed all the same.",
            code="NEEDED",
        )
    step, data = signatures(found).next_step, as_data(found)
    try:
        with transaction.atomic():
            made = CloseSignature.objects.create(
                legal_entity=found.scope.legal_entity,
                period=found.scope.period,
                step=step,
                by=by,
                at=business_now(),
                note=words,
                figures=data,
                digest=digest(data),
            )
    except IntegrityError:
        raise ConfigError("Somebody signed a moment ago.", fix="Look at the page again.", code="CONFLICT") from None
    _tell(made, f"close.{step}", by, words)
    return made


@transaction.atomic
def withdraw(legal_entity: str, period: str, *, by: Any, reason: str) -> int:
    """Take back the signatures of a close, both of them; returns how many there were."""
    rows = CloseSignature.objects.select_for_update().filter(
        legal_entity=legal_entity, period=period, withdrawn_at__isnull=True
    )
    found = list(rows)
    if not found:
        raise ConfigError("Nobody has signed.", code="NOT_SIGNED")
    words = tidy(reason)
    if not words:
        raise ConfigError("Say why the signatures are withdrawn.", where="reason", code="NEEDED")
    rows.update(withdrawn_at=business_now(), withdrawn_by=by)
    _tell(found[0], "close.signatures_withdrawn", by, words)
    return len(found)


def _tell(signature: CloseSignature, act: str, by: Any, reason: str) -> None:
    name = f"{signature.legal_entity}/{signature.period}"
    tell(Act(act, KIND, name, by=by, reason=reason, details={"digest": signature.digest}))
