"""Dead letters and their replays as people see them: empty, full, a plan with doubts, a job that failed in part."""

from __future__ import annotations

from typing import Any

import pytest

from hub.common.errors import PermanentError, UnknownOutcome
from hub.sync import engine
from hub.sync.keys import delivery_key
from hub.sync.models import Delivery, Replay, Run
from hub.sync.replays import work
from tests.sync import builders as build
from tests.sync import worlds


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    return worlds.make()


def fill(firm: worlds.Firm) -> None:
    """Two are refused, one is in doubt, two are held."""
    firm.erp.safety = "D"
    refused = PermanentError("The account 4711 is closed.", fix="Open it, or book elsewhere.")
    firm.erp.refuse = {"P-0001": refused, "P-0002": refused}
    firm.read(build.project_row(3, currency="CHF", budget="125000.00"))
    firm.erp.fail_with = [UnknownOutcome("The connection broke after the request was sent.")]
    firm.deliver()
    firm.read(
        *(build.project_row(n) for n in (1, 2)),
        build.project_row(8, currency="euro"),
        build.project_row(9, status="somewhere in between"),
    )
    firm.deliver()


def test_nothing_is_dead(visit: Any, olga: Any, firm: worlds.Firm) -> None:
    here = visit(olga)
    here.inspect("/dead-letters/", "letters_empty")
    here.inspect("/dead-letters/?state=dead", "letters_filtered")
    here.inspect("/replays/", "replays_empty")
    here.inspect("/dead-letters/plan/", "plan_empty")
    here.inspect("/dead-letters/plan/?action=recover", "plan_recover_asks")


def test_from_the_list_by_the_plan_to_the_job(
    visit: Any, olga: Any, grace: Any, firm: worlds.Firm, settings: Any
) -> None:
    fill(firm)
    here = visit(olga)
    here.inspect("/dead-letters/", "letters_full")
    here.inspect("/dead-letters/plan/?action=discard&state=dead", "plan_discard")
    here.inspect("/dead-letters/plan/?action=recover&since=2h", "plan_recover")
    here.inspect(f"/deliveries/{delivery_key(Delivery.objects.get(record__key='P-0001'))}/", "delivery_payload")
    here.go("/dead-letters/").get_by_role("link", name="Put all again").click()
    here.inspect(here.path, "plan_full")
    here.page.get_by_role("button", name="Put 4 again").click()
    here.page.wait_for_url("**/replays/*/")
    here.inspect(here.path, "replay_running")
    del firm.erp.refuse["P-0001"]
    replay = Replay.objects.get()
    for _ in range(2):
        work.execute(replay.pk)
        for run in Run.objects.filter(status="queued"):
            engine.execute(run.pk)
    work.execute(replay.pk)
    here.inspect(f"/replays/{replay.pk}/", "replay_done")
    settings.HUB_REPLAY_RECORDS = 0
    here.inspect("/dead-letters/plan/?state=dead", "plan_needs_approval")
    here.page.get_by_role("button", name="Ask for approval").click()
    here.page.wait_for_url("**/replays/*/")
    other = visit(grace)
    other.inspect(here.path, "replay_to_approve")
    other.page.get_by_role("button", name="Approve").click()
    other.page.wait_for_load_state()
    here.inspect("/replays/", "replays_full")
