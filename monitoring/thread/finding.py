"""Any system's id, or the hub's own key, to the engagement: exact ids first, then keys that begin with the text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from hub.accounts.models import User
from hub.common import search
from hub.common.search import Hit
from hub.records import queries as records
from hub.records.models import CanonicalRecord
from hub.records.reading import Described, title_of
from hub.sync.ledger_search import record_ids
from monitoring.thread.anchors import anchors_of
from monitoring.thread.declaration import engagement
from monitoring.thread.wiring import SEE

MOST = 8


@dataclass(frozen=True, slots=True)
class Found:
    """An engagement, and the record through which it was found."""

    anchor: CanonicalRecord
    through: CanonicalRecord

    @property
    def url(self) -> str:
        return thread_url(self.through)


def thread_url(record: CanonicalRecord) -> str:
    return reverse("thread:thread", args=[record.entity.slug, record.key])


def find(user: User, text: str) -> list[Found]:
    """At most MOST engagements; each once, by the record that fits best."""
    found: dict[int, Found] = {}
    for through in records.search(user, text, MOST):
        if through.entity.slug not in engagement().entities:
            continue
        for anchor in anchors_of(through, engagement())[:MOST]:
            found.setdefault(anchor.pk, Found(anchor, anchor if through.entity.slug == "customer" else through))
    return list(found.values())[:MOST]


def records_called(text: str) -> list[CanonicalRecord]:
    """Every record of an engagement's entities that goes by exactly this id or key, at any system or in the hub."""
    ids = record_ids(text)
    rows = CanonicalRecord.objects.filter(pk__in=ids, entity__slug__in=engagement().entities, deleted_at__isnull=True)
    return list(rows.select_related("entity", "provenance")[:MOST])


@search.provider(order=5)
def find_engagements(q: str, user: Any) -> Iterable[Hit]:
    """The palette's first group: the thread of whatever is called so."""
    if len(q) < 2 or not user.has_hub_perm(SEE):
        return []
    return [_hit(found) for found in find(user, q)]


def _hit(found: Found) -> Hit:
    anchor, through = found.anchor, found.through
    name = title_of(anchor, Described(anchor.entity))
    by = "" if through.pk == anchor.pk else f"through {through.entity.name.lower()} {through.key}"
    return Hit(
        f"{anchor.key} {name}".strip(), found.url, "Engagements", subtitle=by or "closed-won to posted", icon="route"
    )
