"""Celery's side: one call each."""

from __future__ import annotations

import logging

from celery import shared_task

from hub.common.errors import HubError
from hub.cutover import comparing
from hub.cutover.models import COMPARED, Cutover
from hub.sync import bell

log = logging.getLogger(__name__)


@shared_task
def tick() -> None:
    """Look at every cut-over with a shadow."""
    for pk in Cutover.objects.filter(routes__state__in=COMPARED).order_by("pk").values_list("pk", flat=True).distinct():
        bell.send("hub.cutover.tasks.compare", pk)


@shared_task
def compare(pk: int) -> None:
    """Compare what was delivered since the last look."""
    cutover = Cutover.objects.select_related("legacy__mapping", "new__mapping").filter(pk=pk).first()
    if cutover is None:
        return
    try:
        comparing.compare(cutover, seconds=45)
    except HubError as error:
        log.warning("The shadow of %s cannot be built: %s", cutover.slug, error)


@shared_task
def forget_old() -> None:
    """Comparisons go some time after they were made."""
    comparing.forget_old()
