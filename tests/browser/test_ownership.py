"""Systems of record: the matrix, a rule, stopped values and what a change would stop, as people see them."""

from __future__ import annotations

from typing import Any

import pytest

from governance.models import ContractVersion
from hub.accounts.models import User
from tests.ownership import builders as build
from tests.ownership.builders import Firm, row

PAGES = {
    "ownership": "/ownership/",
    "ownership_matrix": "/ownership/entity/project/",
    "ownership_rule": "/ownership/rules/erp-budget/",
    "ownership_activate": "/ownership/entity/project/activate/",
    "ownership_blocked": "/ownership/blocked/",
    "ownership_blocked_one": "/ownership/blocked/{blocked}/",
    "ownership_record": "/records/project/{record}/",
}


@pytest.fixture
def firm(domains: Any) -> Firm:
    """Rules of every sort, values that were stopped, and a draft."""
    found = build.firm()
    build.active(
        found.entity,
        build.document("crm-rest", "crm", note="The CRM knows its clients."),
        build.document("erp-budget", "erp", group="Money", fields=["budget", "currency"], policy="review"),
        build.document("won-name", "erp", fields=["name"], phase_field="status", phases=["won", "closed"]),
        build.document("rank", "crm", "erp", fields=["company"], decide="ranking", policy="revert"),
    )
    build.draft("late-budget", "crm", fields=["budget"], from_date="2030-01-01")
    found.read("crm", row(1, name="Northgate roll-out", status="draft"), row(2, name="Harbour audit", status="won"))
    found.read("erp", *(row(n, budget=f"{n}25000.00", currency="EUR", name="Other") for n in (1, 2)))
    found.read("crm", *(row(n, budget=f"{n}30000.00", name="Northgate", status="won") for n in (1, 2)))
    return found


@pytest.mark.parametrize("name", PAGES)
def test_pages(visit: Any, ada: User, firm: Firm, name: str) -> None:
    blocked = firm.blocked(record=firm.record(), field="budget")
    visit(ada).inspect(PAGES[name].format(blocked=blocked.pk, record=firm.record().pk), name)


def test_a_rule_is_tried_and_kept_from_the_form(visit: Any, ada: User, firm: Firm) -> None:
    seen = visit(ada)
    page = seen.go("/ownership/entity/project/new/?field=status")
    page.get_by_label("Owner, or most trusted").select_option("erp")
    page.get_by_role("button", name="What would this have stopped?").click()
    page.get_by_role("heading", name="What this would have stopped").wait_for()
    seen.shoot("ownership_whatif_1440_light")
    seen.assert_accessible()
    page.go_back()
    page.get_by_role("button", name="Save draft").click()
    page.get_by_role("link", name="Put 2 drafts in force").wait_for()


def test_an_entity_that_nobody_speaks_of(visit: Any, ada: User, domains: Any) -> None:
    build.world()
    assert ContractVersion.objects.exists()
    visit(ada).inspect("/ownership/entity/project/", "ownership_empty")
    visit(ada).inspect("/ownership/blocked/", "ownership_blocked_empty")
