"""A change in a browser: an edit is held, looked at with the keyboard, discussed, approved and live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from governance.models import Contract, ReviewGroup, ReviewPolicy
from governance.services import load_canonical_model, save_field
from hub.common.governed import Held
from tests.browser.tools import Visit
from tests.conftest import PASSWORD

Open = Callable[..., Visit]


@pytest.fixture
def waiting(domains: Any, ada: Any, grace: Any, make_person: Any) -> Any:
    """Four edits of one contract wait for the PMO and for finance; one of them breaks something."""
    load_canonical_model()
    finance = make_person("Frida", "approver")
    pmo = ReviewGroup.objects.create(slug="pmo", name="PMO", members=[grace.email])
    money = ReviewGroup.objects.create(slug="finance", name="Finance", members=[finance.email])
    ReviewPolicy.objects.create(slug="all", name="Contracts", kind="Contract", group=pmo)
    ReviewPolicy.objects.create(slug="rates", name="Rates", kind="Contract", path="**.bill_rate", group=money)
    contract = Contract.objects.get(slug="time_entry")
    fields = contract.versions.get().schema["properties"]
    for name, spec in (
        ("bill_rate", {**fields["bill_rate"], "title": "Rate per hour"}),
        ("hours", {"type": "integer"}),
        ("desk", {"type": "string", "title": "Desk"}),
    ):
        with pytest.raises(Held):
            save_field(contract=contract, name=name, spec=spec, required=False, by=ada)
    return contract


def test_a_change_is_reviewed_with_the_keyboard(visit: Open, waiting: Any, grace: Any) -> None:
    here = visit(grace)
    page = here.go("/changes/")
    page.get_by_role("link", name="Contract time_entry").click()
    page.get_by_role("heading", name="Who has to agree").wait_for()
    here.assert_accessible()
    page.keyboard.press("n")
    page.keyboard.press("v")
    assert page.locator("[data-viewed='1']").is_checked()
    page.keyboard.press("c")
    page.keyboard.type("Agreed with payroll.")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("Waits for reviewers").first.wait_for()
    page.get_by_text("You have approved this change already").wait_for()


def test_the_pages_of_approvals_are_accessible_on_a_phone(visit: Open, waiting: Any, grace: Any) -> None:
    here = visit(grace, width=360)
    for path in ("/changes/?view=all", "/changes/policies/", "/changes/delegations/"):
        here.go(path)
        here.assert_accessible()
