"""The demo firm's books follow the day on which it was seeded, and find what was planted in them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
import yaml

from connectors.simulators.firm import build_firm
from connectors.simulators.firm.shapes import TimeEntry
from connectors.simulators.ids import psa_id
from hub.common.times import set_business_clock
from hub.sync import demo
from monitoring.close import services
from monitoring.close.books import books
from monitoring.close.closed_periods import late_postings
from tests.close.builders import CloseWorld

TODAY = date(2026, 11, 30)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("${demo.month}", "2026-11"),
        ("${demo.month-11}", "2025-12"),
        ("${demo.month+3.last}", "2027-02-28"),
        ("${demo.month-1.first+7}", "2026-10-08"),
        ("${demo.day+2}", "2026-12-02"),
        ("${demo.workday+5}", "2026-12-07"),
        ("${demo.crm} and $5", "${demo.crm} and $5"),
    ],
)
def test_days_of_the_demo_follow_its_day(text: str, shown: str) -> None:
    assert demo.dated(text, TODAY) == shown


def test_a_weekend_counts_as_the_monday_after_it() -> None:
    assert demo.dated("${demo.workday}", date(2026, 12, 5)) == "2026-12-07"
    assert demo.dated("${demo.workday+1}", date(2026, 12, 4)) == "2026-12-07"


@pytest.mark.django_db
@pytest.mark.parametrize("today", [date(2026, 11, 30), date(2027, 3, 1)])
def test_of_all_time_of_the_demo_firm_the_one_planted_entry_is_late(domains: Any, today: date) -> None:
    """Every approved entry of a closed period, as the PSA delivers it, against the periods of the demo."""
    set_business_clock(datetime(today.year, today.month, today.day, 20, tzinfo=UTC))
    world = CloseWorld()
    periods = demo.dated((demo.DOCUMENTS / "periods.yaml").read_text(), today)
    documents = [{k: v for k, v in one.items() if k not in ("kind", "calendar")} for one in yaml.safe_load_all(periods)]
    services.save_periods(documents, by=None)
    assert {book.status for book in books()} == {"closed", "closing", "open", "future"}
    firm = build_firm("small", today=today)
    legal_entities = {project.code: project.legal_entity for project in firm.projects}
    told = [entry for entry in firm.time_entries if entry.status == "approved" and entry.day < firm.posted_until]
    assert len(told) > 500
    ids = world.entries([_told(entry, legal_entities[entry.project]) for entry in told])
    made = dict(zip(ids, told, strict=True))
    late = [made[found.record_id] for found in late_postings() if found.record_id]
    planted = next(fault for fault in firm.faults if fault.code == "LATE_TIME")
    assert [psa_id("time_entries", entry.n) for entry in late] == [planted.external_id]


def _told(entry: TimeEntry, legal_entity: str) -> dict[str, Any]:
    """Columns of the record that the hub makes of the entry."""
    assert entry.approved_at
    body = {
        "date": entry.day.isoformat(),
        "status": "approved",
        "billing_status": "billed" if entry.invoiced else "unbilled",
        "is_billable": entry.billable,
        "approved_at": entry.approved_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {"body": body, "legal_entity": legal_entity, "currency": entry.currency}
