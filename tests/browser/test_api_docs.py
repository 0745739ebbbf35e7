from __future__ import annotations

from typing import Any

from playwright.sync_api import expect

from hub.accounts.models import User


def test_the_api_reference_is_drawn_under_the_strict_policy(visit: Any, ada: User) -> None:
    here = visit(ada)
    page = here.go("/api/docs/")
    expect(page.get_by_text("Syncline API")).to_be_visible()
    here.shoot("api_docs")
