"""What browser tests share: starting Chromium, going to pages, axe, and screenshots."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Error, Page, sync_playwright

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
LOOKS: list[tuple[int, Literal["light", "dark"]]] = [
    (1440, "light"), (1440, "dark"), (900, "light"), (360, "dark"), (360, "light"),
]  # fmt: skip
JUDGED = [(1440, "dark"), (360, "light")]
AXE_RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
# The browser reports every answer of 400 and above, which tests look at themselves, and htmx every exchange that ends
# because the page is left; one that fails says htmx:sendError or htmx:responseError besides.
EXPECTED = ("Failed to load resource: the server responded with a status", "htmx:sendAbort", "htmx:afterRequest")


@contextmanager
def launch() -> Iterator[Browser]:
    """The system's Chromium, or Playwright's own where there is none."""
    own = os.environ.get("HUB_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=own, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Visit:
    """One page in one browser context. `complaints` are console errors (a CSP breach is one) and script errors."""

    page: Page
    base: str
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("console", self._listen)

    def _listen(self, message: Any) -> None:
        if message.type == "error" and not message.text.startswith(EXPECTED):
            self.complaints.append(message.text)

    def go(self, path: str) -> Page:
        """Leave for another page. One that is left may just then be told to load itself anew, which ends our request."""
        try:
            self.page.goto(self.base + path)
        except Error as error:
            if not any(words in error.message for words in ("ERR_ABORTED", "interrupted by another navigation")):
                raise
            self.page.wait_for_load_state()
            self.page.goto(self.base + path)
        return self.page

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.base)

    def inspect(self, path: str, name: str) -> None:
        """The page in both themes and at three widths: a picture of each; axe finds nothing in either theme or extreme."""
        self.go(path)
        for width, scheme in LOOKS:
            self.page.set_viewport_size({"width": width, "height": 1000})
            self.page.emulate_media(color_scheme=scheme)
            self.shoot(f"{name}_{width}_{scheme}")
            self.assert_fits()
            if (width, scheme) in JUDGED:
                self.assert_accessible()

    def settle(self) -> None:
        """Until no exchange of htmx is under way: what it put into the page a moment ago does not listen yet."""
        busy = ".htmx-request, .htmx-swapping, .htmx-settling, .htmx-added"
        self.page.wait_for_function(f"() => !document.querySelector('{busy}')")

    def shoot(self, name: str) -> None:
        """Keep a picture when HUB_SHOTS names a folder."""
        if folder := os.environ.get("HUB_SHOTS"):
            self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def assert_accessible(self) -> None:
        """axe finds nothing, and the page does not scroll sideways."""
        self.assert_fits()
        result = Axe().run(self.page, options=AXE_RULES)
        assert not result.violations_count, result.generate_report()

    def assert_fits(self) -> None:
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{self.path} is {wide} px wider than the window"
