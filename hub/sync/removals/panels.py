"""Suspect runs on the first page: somebody has to say whether their source is right."""

from __future__ import annotations

from django.http import HttpRequest
from django.urls import reverse

from hub.common import home
from hub.common.home import Need
from hub.sync.models import Run
from hub.sync.removals.queries import open_runs
from hub.sync.views.common import me

SHOWN = 8


@home.needs("ledger.replay")
def suspect_runs(request: HttpRequest) -> list[Need]:
    return [_need(run) for run in open_runs(me(request))[:SHOWN]]


def _need(run: Run) -> Need:
    url = reverse("sync:run_detail", args=[run.pk])
    return Need(f"{run.sync.name}: is the source right?", url, action="Look", detail=run.error, state="suspect")
