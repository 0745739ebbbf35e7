"""/healthz/work: red when something is due, may go on, and nobody takes it up; green for everything that stands still."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from connectors import circuits
from connectors import services as connectors_services
from hub.sync import engine, services
from hub.sync.models import Delivery, Run
from tests.sync import builders as build
from tests.sync import worlds

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def firm(domains):
    firm = worlds.make()
    firm.read(build.project_row(1))
    return firm


def age(seconds):
    then = Now() - timedelta(seconds=seconds)
    Run.objects.update(created_at=then, heartbeat_at=then)
    Delivery.objects.update(next_at=then)


def ask(client):
    answer = client.get("/healthz/work")
    return answer.status_code, answer.json()


def test_an_idle_hub_is_well(client, domains):
    assert ask(client) == (
        200,
        {
            "status": "ok",
            "reasons": [],
            "fix": "",
            "oldest_due_delivery_seconds": None,
            "oldest_queued_run_seconds": None,
            "seconds_since_claim": None,
        },
    )


def test_anyone_may_ask_and_learns_no_business(client, firm):
    status, body = ask(client)
    assert (status, body["status"]) == (200, "ok")
    assert "P-0001" not in str(body)


def test_work_that_nobody_takes_up_is_red_with_its_reasons(client, firm):
    age(300)
    status, body = ask(client)
    assert status == 503
    words = " ".join(body["reasons"])
    assert "The oldest due delivery, of the sync erp-jobs, has waited 300 s" in words
    assert "The oldest queued run, of the sync erp-jobs, has waited 300 s" in words
    assert "no run was claimed in 60 s" in words


def test_the_limit_is_twice_what_is_set(client, firm, settings):
    settings.HUB_WORK_SECONDS = 200
    age(300)
    assert [sentence for sentence in ask(client)[1]["reasons"] if "oldest" in sentence] == []


def test_no_claim_for_a_minute_is_red_before_the_limit(client, firm):
    age(90)
    status, body = ask(client)
    assert (status, len(body["reasons"])) == (503, 1)


def test_a_busy_hub_that_claims_other_runs_is_not_red_before_the_limit(client, firm):
    age(90)
    run, _ = services.start_run(sync=firm.inbound)
    engine.execute(run.pk)
    assert ask(client)[0] == 200


@pytest.mark.parametrize("gate", ["sync", "connection", "everything", "circuit", "sign-in"])
def test_what_stands_still_on_purpose_is_not_red(client, firm, ada, gate):
    erp = firm.outbound.stream.connection
    age(300)
    {
        "sync": lambda: services.set_paused(sync=firm.outbound, is_paused=True),
        "connection": lambda: connectors_services.set_paused(connection=erp, is_paused=True),
        "everything": lambda: services.set_standstill(is_paused=True, reason="Backup", by=ada),
        "circuit": lambda: circuits.note_failure(erp.pk, "No answer.", trip=True),
        "sign-in": lambda: circuits.pause_for_sign_in(erp.pk, "No."),
    }[gate]()
    assert ask(client)[0] == 200


def test_a_retry_that_is_not_due_is_not_red(client, firm):
    age(300)
    Run.objects.all().delete()
    Delivery.objects.update(next_at=Now() + timedelta(hours=1))
    assert ask(client)[0] == 200
