"""All components on one page, as docs/components.md shows them: looked at by axe, and used."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template import RequestContext, Template
from django.urls import include, path
from playwright.sync_api import expect

from hub.accounts.models import User
from hub.common.filters import FilterBar, Select
from hub.common.lists import KeysetPage
from hub.common.permissions import public
from hub.common.states import TOKENS

ROOT = Path(settings.BASE_DIR)
MARKS = ["succeeded"] * 12 + ["partial", "failed", "dead", "late", "review", "held", "queued", "skipped", "running"]


@public
def gallery(request: HttpRequest) -> HttpResponse:
    choices = [("failed", "Failed"), ("held", "Held")]
    context = {
        "at": datetime(2026, 11, 24, 8, 19, tzinfo=UTC),
        "seconds": 241,
        "tabs": [("Before close", "/", True, 9), ("New", "/", False, 4), ("All", "/", False, None)],
        "bar": FilterBar(
            request, keys={"status": "State", "sync": "Sync"}, selects=[Select("status", "State", choices)]
        ),
        "rows": [
            {"key": f"TE-901{n}", "state": state, "amount": Decimal("1160.00"), "marks": MARKS, "values": [1, 2, n, 8]}
            for n, state in enumerate(["held", "rejected", "probing", "dead_letter"])
        ],
        "page": KeysetPage([], "newer", "older", 50),
        "counts": {"create": 12, "update": 3, "reject": 1},
        "changes": [
            {"field": "rate", "before": "100.00", "after": "120.00"},
            {"field": "note", "before": None, "after": "x"},
        ],
        "events": [
            {
                "state": "ok",
                "title": "Read 1,412 records",
                "detail": "8 pages",
                "at": datetime(2026, 11, 24, 8, tzinfo=UTC),
            },
            {"state": "failed", "title": "429, wait 30 s", "detail": "batch 5", "at": None},
        ],
        "record": {"name": "J. Ruiz", "bank": {"iban": "DE02"}, "hours": 7.5},
        "masked": ["bank.iban"],
        "states": TOKENS,
    }
    template = Template((Path(__file__).parent / "gallery.html").read_text())
    return HttpResponse(template.render(RequestContext(request, context)))


urlpatterns = [path("gallery/", gallery), path("", include("hub.accounts.urls")), path("", include("hub.common.urls"))]


@pytest.fixture(autouse=True)
def gallery_urls(settings: Any) -> None:
    settings.ROOT_URLCONF = __name__


def test_all_components(visit: Any, ada: User) -> None:
    visit(ada).inspect("/gallery/?status=held&sync=time-to-erp", "gallery")


def test_choosing_in_a_drop_down_writes_the_address_and_keeps_the_other_filters(visit: Any, ada: User) -> None:
    page = visit(ada).go("/gallery/?q=sync:time-to-erp&size=100")
    page.get_by_label("State", exact=True).select_option("held")
    expect(page).to_have_url(re.compile(r"/gallery/\?status=held&sync=time-to-erp&size=100$"))
    page.get_by_label("Remove the filter sync").click()
    expect(page).to_have_url(re.compile(r"/gallery/\?status=held&size=100$"))


def test_selecting_rows_shows_the_bulk_bar_with_their_number(visit: Any, ada: User) -> None:
    page = visit(ada).go("/gallery/")
    bar = page.locator("[data-bulk=records]")
    expect(bar).to_be_hidden()
    page.get_by_label("Select TE-9011").check()
    expect(bar).to_contain_text("1 selected")
    page.get_by_label("Select all").check()
    expect(bar).to_contain_text("4 selected")
    page.get_by_label("Select all").uncheck()
    expect(bar).to_be_hidden()


def test_a_dangerous_action_takes_the_typed_name(visit: Any, ada: User) -> None:
    page = visit(ada).go("/gallery/")
    page.get_by_role("button", name="Cancel…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("wrong period")
    typed = dialog.get_by_label(re.compile("^Type"))
    typed.fill("time-to-er")
    dialog.get_by_role("button", name="Cancel run").click()
    expect(dialog).to_be_visible()
    assert typed.evaluate("field => field.validationMessage") == "Type time-to-erp exactly."


def test_every_component_is_described() -> None:
    words = (ROOT / "docs/components.md").read_text()
    tags = re.findall(
        r"@register\.(?:simple_tag|filter)[^\n]*\ndef (\w+)",
        "".join((ROOT / f"hub/common/templatetags/{name}.py").read_text() for name in ("ui", "charts")),
    )
    inner = {"head", "logo", "nav", "palette", "palette_hits", "profile_menu", "toasts"}
    files = {path.stem for path in (ROOT / "templates/components").glob("*.html")} - inner
    assert not [name for name in [*tags, *files] if not re.search(rf"\b{name}\b", words)]
