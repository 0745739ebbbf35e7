"""What is kept of a person's way through the threads, and the evidence that they take along."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from hub.accounts.models import User
from hub.common.acts import Act, tell
from hub.records.models import CanonicalRecord
from monitoring.models import ThreadVisit
from monitoring.thread.explaining import explain

KEPT = 8


def note_visit(user: User, anchor: CanonicalRecord) -> None:
    """Put an engagement on top of the person's recent ones; older ones than KEPT are forgotten."""
    now = timezone.now()
    ThreadVisit.objects.update_or_create(user=user, record=anchor, defaults={"at": now})
    rows = ThreadVisit.objects.filter(user=user).order_by("-at", "-pk")
    ThreadVisit.objects.filter(pk__in=list(rows.values_list("pk", flat=True)[KEPT:])).delete()


def take_evidence(user: User | None, entity: str, key: str) -> dict[str, Any]:
    """The evidence pack of a record. The audit keeps who took it, and the hash that tells whether a copy is this one."""
    pack = explain(user, entity, key)
    name = f"{pack['record']['entity']}/{pack['record']['key']}"
    tell(Act("evidence.taken", "CanonicalRecord", name, by=user, details={"content_sha256": pack["content_sha256"]}))
    return pack
