"""A headless Chromium with a profile of its own, signed in as whoever a test names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import expect

from tests.browser.tools import Visit, launch

# How long a page may take is measured in benchmarks; here a machine that runs a suite only must not hang.
expect.set_options(timeout=30_000)

# Playwright keeps an event loop in this thread; the ORM is used beside it, never inside it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.django_db(transaction=True))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    with launch() as browser:
        yield browser


@pytest.fixture
def visit(chromium: Any, live_server: Any, domains: Any) -> Iterator[Callable[..., Visit]]:
    """visit(ada, width=360, dark=True): a page of a fresh browser context; without a person nobody is signed in."""
    opened: list[Visit] = []

    def begin(user: Any = None, *, width: int = 1440, height: int = 1000, dark: bool = False) -> Visit:
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", locale="en-GB"
        )
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        if user is not None:
            context.add_cookies([_session_cookie(user, live_server.url)])
        opened.append(Visit(context.new_page(), live_server.url))
        return opened[-1]

    yield begin
    for one in opened:
        one.page.context.close()
        assert not one.complaints, f"the browser complained: {one.complaints}"


def _session_cookie(user: Any, url: str) -> dict[str, str]:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return {
        "name": settings.SESSION_COOKIE_NAME,
        "value": client.cookies[settings.SESSION_COOKIE_NAME].value,
        "url": url,
    }
