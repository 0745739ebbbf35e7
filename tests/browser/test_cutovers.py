"""A cut-over as people see it: the matrix, the page with its gate, an explanation, a switch forward and back."""

from __future__ import annotations

from typing import Any

from tests.browser.tools import Visit
from tests.cutover.conftest import MONDAY, World
from tests.cutover.test_shadow import differing


def test_a_difference_is_explained_and_the_legal_entity_goes_on_and_back(domains: Any, ada: Any, visit: Any) -> None:
    world = World()
    differing(world, 1, 2)
    page_of: Visit = visit(ada)
    page_of.inspect("/cutovers/", "cutovers")
    page_of.inspect("/cutovers/projects/", "cutover")
    page_of.inspect("/cutovers/new/", "cutover_new")
    page = page_of.go("/cutovers/projects/")
    page.get_by_label("What explains all 2").fill("The new ERP takes four letters.")
    page.get_by_role("button", name="Explain all of this cause").click()
    page.get_by_text("No difference is unexplained.").wait_for()
    world.clean_days(until=MONDAY)
    page = page_of.go("/cutovers/projects/")
    page.get_by_role("button", name="To dual… UK").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("Both agree.")
    page.get_by_role("button", name="Switch", exact=True).click()
    page.get_by_text("UK: shadow → dual").wait_for()
    page.get_by_role("button", name="Roll back… UK").click()
    page.get_by_role("dialog").get_by_label("Reason").fill("The bank file is wrong.")
    page.get_by_role("button", name="Roll back", exact=True).click()
    page.get_by_text("UK: dual → shadow").wait_for()
    assert world.route().state == "shadow"
