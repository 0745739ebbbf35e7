"""The demo firm, read and delivered once: what was planted is found, and nothing else is called unexplained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.simulators.client import Controls
from connectors.simulators.firm.faults import MANUAL_TIME
from monitoring.models import Reconciliation, ReconciliationGap
from monitoring.reconciliation import services
from tests.simulators.conftest import landscape, small, systems  # noqa: F401
from tests.simulators.test_demo import demo_folder, run_everything  # noqa: F401

pytestmark = pytest.mark.django_db(transaction=True)


def unexplained(slug: str) -> dict[str, tuple[str, list[str]]]:
    rows = ReconciliationGap.objects.filter(reconciliation__slug=slug, label="unexplained").exclude(state="gone")
    return {gap.key: (gap.kind, gap.fields) for gap in rows}


def test_only_what_was_typed_into_the_erp_is_unexplained(small: Controls, demo_folder: Path) -> None:  # noqa: F811
    run_everything()
    found: dict[str, Any] = {}
    for one in Reconciliation.objects.order_by("slug"):
        run = services.compare_here(one)
        assert run.status == "done", run.reason
        found[one.slug] = run
    assert unexplained("time-psa-erp") == {MANUAL_TIME: ("only_right", [])}
    assert unexplained("projects-psa-erp") == {}
    assert unexplained("customers-hub-erp") == {}
    assert found["time-psa-erp"].matched > 3_000
    labels = ReconciliationGap.objects.filter(reconciliation__slug="time-psa-erp").values_list("label", flat=True)
    assert set(labels) == {"unexplained", "exception", "duplicate"}
