"""The retry ladder of a connection and the page of a delivery that fails, as people see them."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.models import Connection
from hub.common.errors import TransientError
from hub.sync.keys import delivery_key
from hub.sync.models import Delivery
from tests.sync import builders as build
from tests.sync import worlds


@pytest.fixture
def firm(domains: Any) -> worlds.Firm:
    found = worlds.make()
    retry = {"base_seconds": 1, "max_age_seconds": 43_200, "attempts": 12, "conflict": {"cap_seconds": 60}}
    Connection.objects.filter(slug="erp").update(retry=retry)
    return found


def test_the_ladder_and_its_preview(visit: Any, ada: Any, firm: worlds.Firm) -> None:
    here = visit(ada)
    here.inspect("/connections/erp/settings/", "retry_form")
    here.inspect("/connections/erp/", "retry_connection")
    page = here.go("/connections/psa/settings/")
    page.locator("summary", has_text="Retries").click()
    page.fill("#id_retry_base_seconds", "3")
    page.wait_for_function("() => document.querySelector('#retry-preview').textContent.includes('up to 3 s')")
    page.fill("#id_retry_attempts", "0")
    page.wait_for_function("() => document.querySelector('#retry-preview').textContent.includes('Attempts:')")
    here.settle()
    here.shoot("retry_form_wrong")


def test_a_delivery_that_is_tried_again(visit: Any, olga: Any, firm: worlds.Firm) -> None:
    firm.erp.refuse["P-0001"] = TransientError("HTTP 502: bad gateway.")
    firm.read(build.project_row(1))
    firm.deliver()
    visit(olga).inspect(f"/deliveries/{delivery_key(Delivery.objects.get())}/", "retry_delivery")
