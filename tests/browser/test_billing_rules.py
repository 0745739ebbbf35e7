"""The pages of billing rules in a browser: the table is edited, checked, tried and activated."""

from __future__ import annotations

from typing import Any

import pytest

from governance.billing.services import activate
from governance.billing.starters import MILESTONE
from governance.models import BillingRule
from hub.accounts.models import User


@pytest.fixture
def rule(visit: Any) -> BillingRule:
    head = {"slug": "milestones", "name": "Milestones", "purpose": "milestone", "domain": "billing-gl"}
    activate({**head, "table": MILESTONE}, by=None)
    return BillingRule.objects.get()


def test_the_pages(visit: Any, finn: User, rule: BillingRule) -> None:
    case = "try-status=completed&try-needs_acceptance=yes&try-amount=1000&try-currency=EUR"
    for path, name in (("", "list"), (f"milestones/?{case}", "detail"), ("milestones/edit/", "form")):
        visit(finn).inspect(f"/billing-rules/{path}", f"billing_rule_{name}")


def test_a_limit_is_moved_tried_and_activated(visit: Any, finn: User, rule: BillingRule) -> None:
    page = visit(finn).go("/billing-rules/milestones/edit/")
    page.get_by_label("Row 3, when Milestone amount").fill("< 60000")
    page.get_by_role("button", name="Check the table").last.click()
    page.wait_for_selector("text=both match")
    page.get_by_label("Row 4, when Milestone amount").fill(">= 60000")
    page.select_option("#id_try-status", "completed")
    page.select_option("#id_try-needs_acceptance", "yes")
    page.fill("#id_try-amount", "55000")
    page.select_option("#id_try-currency", "EUR")
    page.get_by_role("button", name="Decide").click()
    page.wait_for_selector("text=44000.00")
    page.get_by_role("button", name="Save and activate").click()
    page.wait_for_url("**/billing-rules/milestones/")
    assert list(rule.versions.order_by("number").values_list("status", flat=True)) == ["retired", "active"]
