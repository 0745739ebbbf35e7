"""What people decide about a run that is suspect."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from hub.common import facts
from hub.common.errors import ConfigError
from hub.common.reasons import needed
from hub.sync import engine, runs
from hub.sync.models import Crawl, Run
from hub.sync.states import RunStatus


@transaction.atomic
def confirm(*, run: Run, reason: str, by: Any) -> Run | None:
    """Call what a suspect run has shown right; returns the run that takes the missing records away, None when none is.

    From now on its volume and its fields are the usual ones. Raises ConfigError where there is nothing to confirm, or a
    later crawl knows better.
    """
    reason = needed(reason, "Say how you know that the source is right.", where="reason")
    crawl = Crawl.objects.select_for_update().select_related("run__sync").filter(pk=run.pk).first()
    run.refresh_from_db()
    if crawl is None or run.status != RunStatus.SUSPECT:
        raise ConfigError(f"Run {run.pk} is not suspect.", where=f"run {run.pk}", code="NOT_SUSPECT")
    if crawl.missing:
        _refuse_outdated(crawl)
    Crawl.objects.filter(pk=crawl.pk).update(confirmed_by=by, confirmed_at=Now(), reason=reason)
    status = runs.judged(run)
    Run.objects.filter(pk=run.pk).update(status=status, error="", error_code="")
    run.refresh_from_db()
    facts.publish("run_confirmed", run=run, reason=reason, by=by)
    return engine.start(run.sync, trigger=Run.Trigger.REMOVAL)[0] if crawl.missing else None


def _refuse_outdated(crawl: Crawl) -> None:
    later = Crawl.objects.filter(run__sync=crawl.run.sync_id, is_whole=True, judged_at__isnull=False, pk__gt=crawl.pk)
    if newest := later.order_by("-pk").first():
        raise ConfigError(
            f"Run {newest.pk} has read the source since.", where=f"run {crawl.pk}", fix="Decide there.", code="OUTDATED"
        )
