"""Possible duplicates as people see them: the list, side by side, decided by keyboard, and the rules behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.records.models import CanonicalRecord
from hub.sync.models import Duplicate
from tests.sync import builders as build
from tests.sync.test_duplicates import Firm, row


@pytest.fixture
def firm(domains: Any) -> Firm:
    made = Firm()
    made.by_tax()
    made.by_name()
    target = build.stream(build.connection("bi"), "customers")
    build.sync("bi-out", "out", target, made.entity, [{"target": "number", "source": "code"}])
    made.show(
        made.crm,
        row("A-1", name="Northgate Logistics Ltd", phone="+49 30 1234567", postal_code="10115", tax_id="DE123456789"),
        row("A-2", name="Northgate Logistik", phone="+49 89 7654321", postal_code="80331"),
        row("A-3", name="Beta Holding AG"),
    )
    made.show(
        made.erp,
        row("70001", name="Northgate Logistics", phone="030 1234567", budget="48250.00", currency="EUR"),
        row("70002", name="Beta Holdings", postal_code="20095"),
    )
    return made


def test_the_pages(visit: Callable[..., Any], firm: Firm, ada: Any) -> None:
    page = visit(ada)
    page.inspect("/duplicates/", "duplicates")
    page.inspect(Duplicate.objects.get(key="70001").get_absolute_url(), "duplicate")
    page.inspect("/match-rules/", "match_rules")
    page.inspect("/match-rules/name/", "match_rule")
    page.inspect("/identities/?q=A-", "identities")
    page.inspect(f"/merges/new/customer/{CanonicalRecord.objects.get(key='A-1').pk}/", "merge_new")


def test_the_pages_without_anything(visit: Callable[..., Any], domains: Any, ada: Any) -> None:
    page = visit(ada)
    page.inspect("/duplicates/", "duplicates_empty")
    page.inspect("/match-rules/", "match_rules_empty")


def test_deciding_without_the_mouse(visit: Callable[..., Any], firm: Firm, ada: Any) -> None:
    first, second = Duplicate.objects.get(key="70001"), Duplicate.objects.get(key="70002")
    page = visit(ada).go(first.get_absolute_url())
    for key in ("2", "m", "r"):
        page.keyboard.press(key)
    page.keyboard.type("Entered twice.")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{second.get_absolute_url()}")
    first.refresh_from_db()
    assert (first.decision, first.chosen_id, first.reason) == ("merge", first.candidates[1]["record"], "Entered twice.")
