"""A real worker is killed in the middle of a job; the next one finishes it, and nothing is done twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now

from hub.sync import bell
from monitoring.exceptions import choosing, jobs, work
from monitoring.models import ExceptionEvent, ExceptionItem, ExceptionJob
from tests.exception_acts import builders as build
from tests.worker import eventually, running_worker

pytestmark = pytest.mark.django_db(transaction=True)
ITEMS = 2 * work.CHUNK + 100


def many(number: int) -> None:
    first = build.item()
    fields = [f.attname for f in ExceptionItem._meta.concrete_fields if f.attname != "id"]
    values = {name: getattr(first, name) for name in fields}
    ExceptionItem.objects.bulk_create(
        [ExceptionItem(**{**values, "origin_key": f"gap:many:{n}"}) for n in range(number - 1)], batch_size=1_000
    )


def test_the_next_worker_goes_on_and_no_item_is_done_twice(domains: Any, finn: Any, tmp_path: Path) -> None:
    many(ITEMS)
    job, _ = jobs.start(choosing.of({}), "comment", {"text": "Asked the client."}, by=finn)
    assert job is not None
    blocked = job.items.order_by("pk")[work.CHUNK].item_id
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select 1 from monitoring_exceptionitem where id = %s for update", [blocked])
        with running_worker(tmp_path / "first.log"):
            bell.send(jobs.TASK, job.pk)
            eventually(lambda: jobs.numbers(job)["done"] == work.CHUNK)
    assert jobs.numbers(job)["planned"] == ITEMS - work.CHUNK

    ExceptionJob.objects.update(lease_until=Now())
    with running_worker(tmp_path / "second.log"):
        bell.send(jobs.TASK, job.pk)
        eventually(lambda: ExceptionJob.objects.get().state == "done", lambda: str(jobs.numbers(job)))
    assert jobs.numbers(job)["done"] == ITEMS
    told = Counter(ExceptionEvent.objects.filter(act="commented").values_list("item", flat=True))
    assert len(told) == ITEMS
    assert set(told.values()) == {1}
    assert set(ExceptionItem.objects.values_list("version", flat=True)) == {2}
