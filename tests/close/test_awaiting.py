"""What waits for approval is noted with the page that stores it, and a note alone says nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from hub.records.models import CanonicalRecord
from hub.sync import services
from monitoring.close import awaiting
from monitoring.models import AwaitingApproval
from tests import memory
from tests.sync import builders as build

RULES = [{"target": name, "source": name} for name in ("number", "status")]
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["number"],
    "properties": {"number": {"type": "string", "x-key": True}, "status": {"type": "string"}},
}


@pytest.fixture
def read(domains: Any) -> Any:
    """Read time entries, given as number and status, into the hub; answers the numbers that are noted."""
    sync = build.sync(
        "psa-time", "in", build.stream(build.connection("psa"), "time"), build.entity("time_entry", SCHEMA), RULES
    )

    def these(**statuses: str) -> set[str]:
        memory.system("psa").sources["time"] = [{"id": n, "number": n, "status": s} for n, s in statuses.items()]
        assert services.run_here(sync=sync).error == ""
        return noted()

    return these


def noted() -> set[str]:
    return set(
        CanonicalRecord.objects.filter(pk__in=AwaitingApproval.objects.values("record_id")).values_list(
            "key", flat=True
        )
    )


def test_what_is_handed_in_is_noted_new_or_changed(read: Any) -> None:
    assert read(A="submitted", B="approved", C="reopened") == {"A", "C"}
    assert read(A="submitted", B="submitted", C="reopened") == {"A", "B", "C"}


def test_a_note_of_what_moved_on_is_dropped_once_it_is_an_hour_old(read: Any) -> None:
    read(A="submitted", B="submitted")
    read(A="approved", B="submitted")
    assert awaiting.forget_settled() == 0
    AwaitingApproval.objects.update(noted_at=timezone.now() - timedelta(hours=2))
    assert awaiting.forget_settled() == 1
    assert noted() == {"B"}


def test_a_record_of_another_entity_is_not_noted(domains: Any) -> None:
    jobs = build.sync(
        "psa-jobs", "in", build.stream(build.connection("psa"), "jobs"), build.entity("job", SCHEMA), RULES
    )
    memory.system("psa").sources["jobs"] = [{"id": "1", "number": "1", "status": "submitted"}]
    services.run_here(sync=jobs)
    assert not AwaitingApproval.objects.exists()
