"""The pages of reconciliation in a browser: nothing yet, gaps to match with the keyboard, and a side that broke off."""

from __future__ import annotations

from typing import Any

import pytest

from hub.accounts.models import User
from hub.common.errors import TransientError
from monitoring.models import ReconciliationGap, ReconciliationMatch
from tests import memory
from tests.reconciliation.builders import World, entry, posted


@pytest.fixture
def world(visit: Any, domains: Any) -> World:
    memory.SYSTEMS.clear()
    made = World()
    made.psa += [entry(n) for n in range(40)]
    made.psa += [
        entry(89320, hours="4.00", amount="494.40", project="P-4690"),
        entry(89321, hours="3.00", amount="370.80", project="P-4690"),
        entry(89388, hours="7.50", amount="927.00", project="P-4702", resource="R-7"),
        entry(89402, hours="4.00", amount="494.40", project="P-4711", resource="R-9"),
        {**entry(3), "id": "3b"},
        entry(50, date="2026-10-12", period="2026-10"),
    ]
    made.erp += [posted(n, quantity="8.01" if n == 7 else "8.00") for n in range(40)]
    made.erp[9]["lineAmount"] = "750.00"
    made.erp += [
        posted(88391, ref="E-88391", quantity="7.00", lineAmount="865.20", job="P-4690"),
        posted(88402, ref="E-88402", quantity="1.50", lineAmount="185.40", employee="R-4"),
        posted(50, day="2026-10-12"),
    ]
    return made


RULES = [{"name": "sum per day", "kind": "many_to_one", "group": ["resource", "project", "date"]}]


def test_nothing_yet(visit: Any, ada: User, domains: Any) -> None:
    visit(ada).inspect("/reconciliation/", "reconciliation_empty")


def test_the_pages(visit: Any, ada: User, world: World) -> None:
    world.compare(world.reconciliation(rules=RULES))
    for path, name in (
        ("", "scorecard"), ("time/", "detail"), ("time/edit/", "form"), ("time/2026-11/", "period"),
        ("time/2026-11/?view=suggested", "suggested"),
        ("time/2026-11/?view=explained", "explained"), ("time/2026-11/pack/", "pack"),
    ):  # fmt: skip
        visit(ada).inspect(f"/reconciliation/{path}", f"reconciliation_{name}")


def test_a_side_that_broke_off_says_so(visit: Any, ada: User, world: World) -> None:
    found = world.reconciliation()
    world.compare(found)
    memory.system("erp").fail_with.append(TransientError("The ERP does not answer."))
    world.compare(found)
    visit(ada).inspect("/reconciliation/time/", "reconciliation_failed")


def test_lines_are_matched_with_the_keyboard(visit: Any, ada: User, world: World) -> None:
    world.compare(world.reconciliation())
    one = visit(ada)
    page = one.go("/reconciliation/time/2026-11/")
    for key in ("T-89320", "T-89321", "E-88391"):
        page.check(f"input[aria-label='Choose {key}']")
    page.wait_for_selector("#selected:has-text('in tolerance')")
    one.shoot("reconciliation_ticked")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("m")
    page.wait_for_selector("text=3 lines are matched.")
    assert ReconciliationMatch.objects.get().reason == "Summed per day"
    assert ReconciliationGap.objects.get(key="E-88391").state == "matched"
