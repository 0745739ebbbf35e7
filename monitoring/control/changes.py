"""What people changed in the time that the control room looks at: the first thing to ask when something breaks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.urls import reverse

from governance.models import AuditEntry
from hub.accounts.models import User
from hub.accounts.queries import domains_for
from monitoring.control.timerange import TimeRange

SHOWN = 8
# The audit is read from its newest end; a busy hub has thousands of acts a day.
READ = 2_000
CONFIGURATION = (
    "Contract", "Mapping", "Sync", "Schedule", "Connection", "Stream", "Entity", "OwnershipRule", "ValueMap", "ChangeRequest",
    "MatchRule", "ServiceLevel", "BusinessCalendar", "AlertRule", "AlertRoute", "BillingRule", "Standstill",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Change:
    """`share` is where it lies in the range, 0 to 100."""

    at: datetime
    words: str
    by: str
    share: float
    state: str = "run"


def changes_in(user: User, span: TimeRange) -> list[Change]:
    """Newest first; what belongs to a domain that the person does not see is left out."""
    newest = AuditEntry.objects.order_by("-pk").values("pk")[:READ]
    rows = AuditEntry.objects.filter(pk__in=newest, at__gte=span.since, at__lt=span.until, kind__in=CONFIGURATION)
    return [_change(entry, span) for entry in _seen(rows, user).order_by("-pk")[:SHOWN]]


def _seen(rows: QuerySet[AuditEntry], user: User) -> QuerySet[AuditEntry]:
    if user.domain_ids_for("monitor.view") is None:
        return rows
    slugs = domains_for(user, "monitor.view").values_list("slug", flat=True)
    return rows.filter(Q(domain="") | Q(domain__in=list(slugs)))


def _change(entry: AuditEntry, span: TimeRange) -> Change:
    share = (entry.at - span.since).total_seconds() * 100 / span.seconds
    return Change(entry.at, f"{entry.words}: {entry.kind_words} {entry.name}".strip(), entry.actor, round(share, 2))


def audit_url(user: User) -> str:
    return reverse("governance:audit_list") if user.has_hub_perm("audit.view") else ""
