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
from playwright.sync_api import Browser, Page, sync_playwright

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
LOOKS: list[tuple[int, Literal["light", "dark"]]] = [
    (1440, "light"), (1440, "dark"), (900, "light"), (360, "dark"), (360, "light"),
]  # fmt: skip
AXE_RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}


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
        # The browser also reports every answer of 400 and above; tests look at those themselves.
        if message.type == "error" and "the server responded with a status" not in message.text:
            self.complaints.append(message.text)

    def go(self, path: str) -> Page:
        self.page.goto(self.base + path)
        return self.page

    @property
    def path(self) -> str:
        return self.page.url.removeprefix(self.base)

    def inspect(self, path: str, name: str) -> None:
        """The page in both themes and at three widths: a picture of each, and nothing that axe finds."""
        self.go(path)
        for width, scheme in LOOKS:
            self.page.set_viewport_size({"width": width, "height": 1000})
            self.page.emulate_media(color_scheme=scheme)
            self.shoot(f"{name}_{width}_{scheme}")
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
        result = Axe().run(self.page, options=AXE_RULES)
        assert not result.violations_count, result.generate_report()
        wide = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{self.path} is {wide} px wider than the window"
