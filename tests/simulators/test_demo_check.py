"""Every planted fault of the demo firm stands in the queue once, with its cause, amount and team, and nothing else does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from connectors.simulators.client import Controls
from connectors.simulators.firm import build_firm
from hub.sync import demo
from monitoring.demo.comparing import compare
from monitoring.demo.running import run_until_quiet, watch

from .conftest import TODAY
from .test_demo import demo_folder  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_queue_holds_the_planted_faults_and_nothing_else(small: Controls, demo_folder: Path) -> None:  # noqa: F811
    demo.start_first_syncs()
    run_until_quiet()
    watch()
    found: dict[str, Any] = compare(build_firm("small", today=TODAY))
    assert found["missed"] == []
    assert found["false_alarms"] == []
    assert (found["planted"], found["precision"], found["recall"], found["passed"]) == (25, 1.0, 1.0, True)
