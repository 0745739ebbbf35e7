"""The API of calendars, service levels and billing rules does what the pages do, with the same rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from rest_framework.test import APIClient

from governance.billing.starters import MILESTONE
from governance.models import AuditEntry, BillingRule, BusinessCalendar, ServiceLevel
from hub.accounts.services import create_token
from hub.common import governed
from hub.common.governed import Put
from hub.common.times import set_business_clock
from tests.service_levels.builders import World, document

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
WEEK = {day: ["09:00-17:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
OFFICE = {"slug": "office", "name": "Office", "time_zone": "Europe/London", "hours": WEEK}
RULE = {"slug": "milestones", "name": "Milestones", "purpose": "milestone", "domain": "billing-gl", "table": MILESTONE}


@pytest.fixture
def world(domains):
    set_business_clock(NOW)
    return World()


@pytest.fixture
def call():
    def client(user):
        _, secret = create_token(user, name="test", days=None, by=user)
        made = APIClient()
        made.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return made

    return client


def test_a_calendar_is_made_read_changed_and_counts(domains, ada, call):
    api = call(ada)
    made = api.post("/api/v1/calendars/", OFFICE, format="json")
    assert made.status_code == 201, made.json()
    assert made.json() == {**OFFICE, "description": "", "parent": None, "holidays": []}
    changed = {**OFFICE, "holidays": [{"date": "2026-11-23"}]}
    assert api.put("/api/v1/calendars/office/", changed, format="json").json()["holidays"] == [{"date": "2026-11-23"}]
    found = api.get("/api/v1/calendars/office/due/?at=2026-11-20T16:00:00Z&hours=4").json()
    assert (found["due_at"], found["is_open"]) == ("2026-11-24T12:00:00Z", True)
    assert api.get("/api/v1/calendars/office/due/?hours=many").status_code == 400
    assert api.delete("/api/v1/calendars/office/").status_code == 204


def test_a_service_level_is_made_measured_and_tested(world, ada, call):
    api = call(ada)
    made = api.post("/api/v1/service-levels/", document(world), format="json")
    assert made.status_code == 201, made.json()
    assert made.json()["sentence"].endswith("reaches erp in 4 hours, 99 % a month.")
    world.arrived(NOW - timedelta(days=1), timedelta(hours=5))
    now = api.get("/api/v1/service-levels/approved-time/attainment/").json()
    assert (now["state"], now["breached"], len(now["months"])) == ("breached", 1, 1)
    tested = api.get("/api/v1/service-levels/approved-time/backtest/?days=60").json()
    assert [row["month"] for row in tested["months"]] == ["2026-09", "2026-10", "2026-11"]
    assert api.get("/api/v1/service-levels/approved-time/backtest/?days=0").status_code == 400


def test_a_billing_rule_is_made_versioned_and_decides(domains, finn, call):
    api = call(finn)
    assert api.post("/api/v1/billing-rules/", RULE, format="json").status_code == 201
    again = api.post("/api/v1/billing-rules/", RULE, format="json")
    assert again.status_code == 422
    case = {"status": "accepted", "needs_acceptance": True, "amount": "12.50", "currency": "EUR"}
    decided = api.post("/api/v1/billing-rules/milestones/decide/", {"case": case}, format="json").json()
    assert decided == {"version": 1, "rows": [5], "results": [{"action": "bill", "bill": "12.50"}]}
    wrong = api.post("/api/v1/billing-rules/milestones/decide/", {"case": {}}, format="json")
    assert wrong.status_code == 400
    assert wrong.json()["detail"] == "Milestone status is missing."
    assert [row["number"] for row in api.get("/api/v1/billing-rules/milestones/versions/").json()] == [1]


def test_a_table_with_a_gap_is_a_problem_that_names_the_row(domains, finn, call):
    table = {**MILESTONE, "rows": MILESTONE["rows"][:4]}
    answer = call(finn).post("/api/v1/billing-rules/", {**RULE, "table": table}, format="json")
    assert answer.status_code == 422
    assert "No row matches milestone status accepted" in answer.json()["detail"]
    assert not BillingRule.objects.exists()


def test_who_may_only_read_decides_and_writes_nothing(domains, finn, grace, call):
    call(finn).post("/api/v1/billing-rules/", RULE, format="json")
    api = call(grace)
    case = {"status": "planned", "needs_acceptance": False, "amount": "1", "currency": "EUR"}
    assert api.post("/api/v1/billing-rules/milestones/decide/", {"case": case}, format="json").status_code == 200
    assert api.put("/api/v1/billing-rules/milestones/", RULE, format="json").status_code == 403
    assert api.post("/api/v1/calendars/", OFFICE, format="json").status_code == 403


def test_another_domain_is_closed(world, make_person, ada, call):
    otto = make_person("Otto", ("integration_admin", "billing-gl"))
    call(ada).post("/api/v1/service-levels/", document(world), format="json")
    api = call(otto)
    assert api.get("/api/v1/service-levels/").json()["results"] == []
    assert api.put("/api/v1/service-levels/approved-time/", document(world), format="json").status_code == 404
    assert api.post("/api/v1/service-levels/", document(world, slug="mine"), format="json").status_code == 403
    assert api.post("/api/v1/calendars/", OFFICE, format="json").status_code == 403


def test_what_reviewers_have_to_see_is_not_written(world, ada, call, monkeypatch):
    monkeypatch.setattr(governed, "_gates", [])
    governed.install(lambda documents, by, reason: Put(False, "Waits for review.", "/changes/1/"))
    answer = call(ada).post("/api/v1/service-levels/", document(world), format="json")
    assert (answer.status_code, answer.json()) == (202, {"said": "Waits for review.", "url": "/changes/1/"})
    assert not ServiceLevel.objects.exists()
    assert not AuditEntry.objects.filter(act="service_level.saved").exists()
    assert not BusinessCalendar.objects.exists()
