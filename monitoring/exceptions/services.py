"""Writes of classifications and routing rules; what people do about items is in `acts`."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from governance.saving import save
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Document, kind
from monitoring.exceptions import bell, classify
from monitoring.exceptions.kinds import CLASSIFICATION, ROUTING
from monitoring.models import Classification, ExceptionItem, RoutingRule


def save_classification(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make or change a classification; open items are understood anew by the next sweep."""
    done = save({"kind": CLASSIFICATION, **document}, act="classification.saved", by=by, reason=reason)
    transaction.on_commit(bell.ring)
    return done


@transaction.atomic
def delete_classification(row: Classification, *, by: Any) -> None:
    """The shipped one of the same short name counts again; one of the firm's own only goes when nothing is under it."""
    shipped = {document["slug"] for document in classify.shipped_documents()}
    if (
        row.slug not in shipped
        and ExceptionItem.objects.filter(cause=row.slug, state__in=ExceptionItem.UNSETTLED).exists()
    ):
        raise ConfigError(
            f"Open exceptions are under {row}.", where=row.slug, fix="Switch it off; they find another cause then."
        )
    _delete(row, CLASSIFICATION, by)


def save_route(document: Document, *, by: Any, reason: str = "") -> Put:
    """Make or change a routing rule; the next sweep routes what no person has set."""
    done = save({"kind": ROUTING, **document}, act="routing_rule.saved", by=by, reason=reason)
    transaction.on_commit(bell.ring)
    return done


@transaction.atomic
def delete_route(row: RoutingRule, *, by: Any) -> None:
    _delete(row, ROUTING, by)


def _delete(row: Classification | RoutingRule, name: str, by: Any) -> None:
    before = kind(name).dump(row.slug)
    tell(
        Act(
            f"{'classification' if name == CLASSIFICATION else 'routing_rule'}.deleted",
            name,
            row.slug,
            by=by,
            before=before,
        )
    )
    row.delete()
    transaction.on_commit(bell.ring)
