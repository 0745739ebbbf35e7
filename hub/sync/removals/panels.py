"""Suspect runs on the first page: somebody has to say whether their source is right."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from hub.accounts.models import User
from hub.common import home
from hub.common.home import Need
from hub.sync import queries
from hub.sync.models import Run
from hub.sync.states import RunStatus
from hub.sync.views.common import me

SHOWN = 8


def open_runs(user: User) -> QuerySet[Run]:
    """Suspect runs that no later run of their sync has answered, newest first."""
    settled = (RunStatus.SUCCEEDED, RunStatus.COMPLETED_WITH_ERRORS, RunStatus.SUSPECT)
    later = Run.objects.filter(sync=OuterRef("sync"), pk__gt=OuterRef("pk"), status__in=settled, crawl__isnull=False)
    return queries.runs_for(user, "ledger.replay").filter(~Exists(later), status=RunStatus.SUSPECT).order_by("-pk")


@home.needs("ledger.replay")
def suspect_runs(request: HttpRequest) -> list[Need]:
    return [_need(run) for run in open_runs(me(request)).select_related("crawl")[:SHOWN]]


def _need(run: Run) -> Need:
    url = reverse("sync:run_detail", args=[run.pk])
    return Need(f"{run.sync.name}: is the source right?", url, action="Look", detail=run.error, state="suspect")
