"""Confirmed uploads as an inbox of their sync: the run takes them page by page, each page in its own transaction."""

from __future__ import annotations

import logging
from typing import Any

from hub.spreadsheets.models import Upload, UploadPage
from hub.sync import engine
from hub.sync.feeds import Fed
from hub.sync.models import Run
from hub.sync.plan import SyncPlan
from hub.sync.states import WENT_THROUGH

log = logging.getLogger(__name__)


def take(plan: SyncPlan) -> Fed | None:
    """The next page of the oldest confirmed upload; None when all are taken."""
    waiting = UploadPage.objects.filter(upload__sync=plan.sync, upload__state=Upload.State.CONFIRMED, run_id=None)
    page = waiting.order_by("upload_id", "number").first()
    if page is None:
        return None
    return Fed([record for _, _, record in page.entries], lambda cursor, run_id: _settle(cursor, run_id, page))


def _settle(cursor: Any, run_id: int, page: UploadPage) -> None:
    """In the page's own transaction: it is taken, and with the last one its upload is done."""
    cursor.execute("update spreadsheets_uploadpage set run_id = %s where id = %s", [run_id, page.pk])
    cursor.execute(
        "update spreadsheets_upload set run_ids = case when %s = any(run_ids) then run_ids else run_ids || %s::bigint end"
        " where id = %s",
        [run_id, run_id, page.upload_id],
    )
    cursor.execute(
        "update spreadsheets_upload u set state = 'done', done_at = now() where id = %s and not exists"
        " (select from spreadsheets_uploadpage p where p.upload_id = u.id and p.run_id is null)",
        [page.upload_id],
    )


def has_waiting(sync_id: int) -> bool:
    return UploadPage.objects.filter(
        upload__sync_id=sync_id, upload__state=Upload.State.CONFIRMED, run_id=None
    ).exists()


def after_run(*, run: Run) -> None:
    """An upload that was confirmed while a run was ending gets one of its own. Never raises: the run has ended."""
    try:
        if run.status in WENT_THROUGH and not run.sync.is_paused and has_waiting(run.sync_id):
            engine.start(run.sync, trigger=Run.Trigger.UPLOAD)
    except Exception:
        log.exception("What was uploaded while run %s ended waits for the next one.", run.pk)
