"""Work that the clock starts."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.utils import timezone

from hub.celery import app
from mappings.models import Mapping, SampleSet
from mappings.samples import read_samples
from mappings.tasks import forget_expired_samples


def test_what_the_clock_starts_is_a_task_that_workers_know_and_have_a_queue_for() -> None:
    app.loader.import_default_modules()
    for entry in settings.CELERY_BEAT_SCHEDULE.values():
        assert entry["task"] in app.tasks
        assert entry["task"] in settings.CELERY_TASK_ROUTES


def test_every_task_that_anybody_rings_for_is_known_to_workers() -> None:
    app.loader.import_default_modules()
    ours = {name for name in app.tasks if not name.startswith("celery.")}
    bell = (settings.BASE_DIR / "hub" / "sync" / "bell.py").read_text()
    assert set(re.findall(r'"(hub\.sync\.tasks\.[a-z_]+)"', bell)) <= ours
    assert set(settings.CELERY_TASK_ROUTES) <= ours


def test_samples_go_after_their_hour_though_nobody_comes_back(live: Mapping, ada: Any, finn: Any) -> None:
    read_samples(live, ada)
    read_samples(live, finn)
    SampleSet.objects.filter(reader=ada).update(expires_at=timezone.now() - timedelta(seconds=1))
    forget_expired_samples()
    assert list(SampleSet.objects.values_list("reader", flat=True)) == [finn.pk]
