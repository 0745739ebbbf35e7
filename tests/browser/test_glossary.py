"""The glossary in a browser: a term is written, measured before it is saved, and its drift is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from governance.models import Term
from governance.services import load_canonical_model
from governance.terms.services import load_shipped_terms
from hub.records.store import forget_profiles
from monitoring.glossary.measuring import measure
from tests.browser.tools import Visit
from tests.glossary import builders as build

Open = Callable[..., Visit]


@pytest.fixture
def world(domains: Any) -> Term:
    """Ten approved hours in the hub; twelve at the PSA, ten in the old one."""
    forget_profiles()
    load_canonical_model()
    build.entries({"hours": "10", "status": "approved", "amount": "1200", "currency": "EUR", "is_billable": True})
    build.memory_connection("planner", [{"id": 1, "hours": "12", "state": "OK"}])
    build.memory_connection("legacy", [{"id": 1, "hours": "10", "state": "OK"}])
    return build.term(
        probes=[build.stream_probe("planner"), build.stream_probe("legacy")],
        fields=["time_entry.hours", "time_entry.status"],
        synonyms=["posted time"],
        tolerance="0.5",
        tolerance_kind="percent",
    )


def test_a_term_is_measured_in_the_form_and_then_saved(visit: Open, ada: Any, world: Term) -> None:
    here = visit(ada)
    page = here.go("/glossary/approved-time/edit/")
    page.get_by_label("Expression in the hub").fill("sum(hours) of time_entry where status = approved")
    page.get_by_role("button", name="Measure now").click()
    page.get_by_text("It cannot be measured as it stands.").wait_for()
    assert page.locator("#look").get_by_text("line 1, column 41").is_visible()
    page.get_by_label("Expression in the hub").fill("sum(hours) of time_entry where status = 'approved' and hours > 1")
    page.get_by_role("button", name="Measure now").click()
    page.get_by_text("+2 h").wait_for()
    here.settle()
    here.shoot("glossary_form_measured")
    page.get_by_role("button", name="Save term").click()
    page.get_by_text("Approved time is saved.").wait_for()
    page.get_by_role("button", name="Measure now").click()
    page.get_by_text("The numbers part").wait_for()
    assert here.path == "/glossary/approved-time/"


def test_the_pages_hold_in_every_look(visit: Open, ada: Any, world: Term) -> None:
    here = visit(ada)
    load_shipped_terms(currency="EUR", by=ada)
    for term in Term.objects.all():
        measure(term)
    measure(world)
    for path, name in (
        ("/glossary/", "glossary"),
        ("/glossary/approved-time/", "term"),
        ("/glossary/approved-time/edit/", "term_form"),
        ("/glossary/approved-time/remove/", "term_remove"),
        ("/glossary/drift/", "drift"),
        ("/contracts/time_entry/", "bound_fields"),
    ):
        here.inspect(path, name)
