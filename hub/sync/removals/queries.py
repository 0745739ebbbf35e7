"""What a person may see of suspect runs and merges."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.sync import queries
from hub.sync.models import Merge, Run
from hub.sync.states import WENT_THROUGH, RunStatus


def open_runs(user: User) -> QuerySet[Run]:
    """Suspect runs that no later run of their sync has answered, newest first."""
    later = Run.objects.filter(
        sync=OuterRef("sync"), pk__gt=OuterRef("pk"), status__in=WENT_THROUGH, crawl__isnull=False
    )
    return queries.runs_for(user, "ledger.replay").filter(~Exists(later), status=RunStatus.SUSPECT).order_by("-pk")


def merges_for(user: User, permission: str) -> QuerySet[Merge]:
    rows = Merge.objects.select_related("entity__domain", "loser__entity", "winner__entity", "by", "undone_by")
    return scope_to_domains(rows, user, permission, "entity__domain")
