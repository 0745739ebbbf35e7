"""Drift of a source as a change request: where people agree to streams, the shape that was seen is proposed to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from governance import drift as drifts
from governance.changes.proposals import is_watched
from governance.changes.services import open_change, waiting_items
from governance.models import ChangeRequest, Drift
from hub.common import facts, governed
from hub.common.errors import ConfigError
from hub.common.governed import Held
from hub.common.registry import Document, kind

KIND = "Stream"


def subscribe() -> None:
    facts.subscribe("schema_drift", propose_shape)
    facts.subscribe("change_applied", settle_drifts)


def propose_shape(*, drift: Drift) -> None:
    """Open a change request for the shape that was seen, once, where a policy speaks of streams."""
    slug = drift.stream.slug
    if not is_watched(KIND) or waiting_items(KIND, slug).exists() or (document := proposed(drift)) is None:
        return
    seen = "when the source was asked for its fields" if drift.seen_in == "discovery" else "in the records that came"
    broken = f" It breaks {', '.join(drift.broken_paths)}." if drift.broken_paths else ""
    title = f"{drift.stream} has another shape"
    open_change([document], by=None, title=title, reason=f"Seen {seen}.{broken}")


def proposed(drift: Drift) -> Document | None:
    """The stream's document with the shape that was seen; None where that says the same."""
    now = kind(KIND).dump(drift.stream.slug)
    if now is None:
        return None
    document = {**now, "fields": [_short(field) for field in drift.proposed]}
    return document if kind(KIND).diff(document) else None


def _short(field: dict[str, Any]) -> dict[str, Any]:
    """A field as documents write it: without what it does not say."""
    return {name: value for name, value in field.items() if value or name in ("path", "type")}


def settle_drifts(*, change: ChangeRequest, objects: Sequence[tuple[str, str]]) -> None:
    """Drifts whose shape has been agreed to are accepted, and what they had stopped goes on."""
    slugs = [slug for name, slug in objects if name == KIND]
    for found in Drift.objects.filter(stream__slug__in=slugs, status=Drift.Status.OPEN).select_related("stream"):
        if proposed(found) is None:
            drifts.accept(found, by=change.author, reason=f"Change #{change.pk}.")


def accept(drift: Drift, *, by: Any, reason: str = "") -> Drift:
    """Accept a drift on its own page. Where people agree to streams, its shape is proposed to them: Held."""
    if item := waiting_items(KIND, drift.stream.slug).first():
        raise ConfigError(
            f"The new shape of {drift.stream} is under review.",
            where=str(item.change),
            fix="Decide about that change; the drift then counts as accepted.",
            code="UNDER_REVIEW",
        )
    document = proposed(drift) if is_watched(KIND) else None
    if document and (held := governed.hold([document], by=by, reason=reason)):
        raise Held(held)
    return drifts.accept(drift, by=by, reason=reason)
