"""Does the work move? /healthz/work is red when something is due, may go on, and is not taken up."""

from __future__ import annotations

from typing import NamedTuple

from django.conf import settings
from django.db import connection as database
from django.http import HttpRequest, JsonResponse

from hub.common.permissions import public
from hub.sync.gate import GATE

# A queued run that nobody has claimed for this long is not merely waiting for its turn.
CLAIM_SECONDS = 60


class Age(NamedTuple):
    """Seconds that the oldest thing of a kind is overdue, and the sync it belongs to."""

    seconds: float
    sync: str


def oldest_delivery() -> Age | None:
    """The delivery that has been due the longest, of the syncs that may work."""
    return _oldest(
        "select min(d.next_at) from sync_delivery d where d.sync_id = s.id and d.state = 1 and d.next_at <= now()"
    )


def oldest_run() -> Age | None:
    """The run that has been waiting for a worker the longest: since it was made, or since its last sign of life."""
    return _oldest(
        "select min(greatest(r.created_at, r.heartbeat_at, r.lease_until)) from sync_run r where r.sync_id = s.id"
        " and r.status in ('queued', 'running') and (r.lease_until is null or r.lease_until < now())"
    )


def _oldest(since: str) -> Age | None:
    """A sync whose run is alive moves, however much it has before it."""
    with database.cursor() as cursor:
        cursor.execute(
            f"select extract(epoch from now() - o.at)::float8, s.slug from sync_sync s join {GATE} g on g.sync_id = s.id"
            f" cross join lateral ({since}) o(at)"
            " where g.why is null and o.at is not null and not exists (select 1 from sync_run w where w.sync_id = s.id"
            "   and w.status = 'running' and w.lease_until > now() and w.trigger <> 'backfill') order by o.at limit 1"
        )
        row = cursor.fetchone()
    return Age(max(row[0], 0.0), row[1]) if row else None


def seconds_since_claim() -> float | None:
    """How long ago a worker last took up a run; None when none ever did."""
    with database.cursor() as cursor:
        cursor.execute(
            "select extract(epoch from now() - max(heartbeat_at))::float8"
            " from (select heartbeat_at from sync_run order by id desc limit 200) newest"
        )
        row = cursor.fetchone()
    return max(row[0], 0.0) if row and row[0] is not None else None


def reasons(delivery: Age | None, run: Age | None, claimed: float | None) -> list[str]:
    """Sentences for what does not move."""
    limit, found = 2 * settings.HUB_WORK_SECONDS, []
    if delivery and delivery.seconds > limit:
        found.append(
            f"The oldest due delivery, of the sync {delivery.sync}, has waited {delivery.seconds:.0f} s;"
            f" more than {limit} s is too long."
        )
    if run and run.seconds > limit:
        found.append(
            f"The oldest queued run, of the sync {run.sync}, has waited {run.seconds:.0f} s;"
            f" more than {limit} s is too long."
        )
    if run and run.seconds > CLAIM_SECONDS and (claimed is None or claimed > CLAIM_SECONDS):
        last = "none ever was" if claimed is None else f"the last sign of life is {claimed:.0f} s old"
        found.append(f"A run of the sync {run.sync} is due and no run was claimed in {CLAIM_SECONDS} s: {last}.")
    return found


@public
def healthz_work(request: HttpRequest) -> JsonResponse:
    """503 with the reasons when work that may go on is not taken up. What is paused or shut off does not count."""
    delivery, run, claimed = oldest_delivery(), oldest_run(), seconds_since_claim()
    found = reasons(delivery, run, claimed)
    body = {
        "status": "failing" if found else "ok",
        "reasons": found,
        "fix": "Look whether the workers run (manage.py up), and at their log." if found else "",
        "oldest_due_delivery_seconds": round(delivery.seconds, 1) if delivery else None,
        "oldest_queued_run_seconds": round(run.seconds, 1) if run else None,
        "seconds_since_claim": round(claimed, 1) if claimed is not None else None,
    }
    return JsonResponse(body, status=503 if found else 200)
