"""Rules that every template of the product keeps."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from hub.common.states import STATES
from hub.common.templatetags.ui import OWN_ICONS, PLAN_STEPS

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
SOURCES = TEMPLATES + [path for package in ("hub", "connectors", "governance", "mappings", "monitoring")
                       for path in sorted((ROOT / package).rglob("*.py"))]  # fmt: skip

BANNED = {
    "a style attribute": r"\sstyle=",
    "an inline style": r"<style",
    "an inline script": r"<script(?![^>]*\ssrc=)",
    "an event attribute": r"\son[a-z]+=",
    "hx-on, which is evaluated": r"\bhx-on",
    "js: in an htmx attribute": r"=[\"']js:",
    "a filter in hx-trigger": r"hx-trigger=\"[^\"]*\[",
    "an address outside the hub": r"(?:src|href)=\"(?:https?:)?//",
}


@pytest.mark.parametrize("banned", BANNED)
def test_no_template_has(banned: str) -> None:
    found = [path.relative_to(ROOT) for path in TEMPLATES if re.search(BANNED[banned], path.read_text())]
    assert not found, f"{banned}: {found}"


def sprite(path: str) -> set[str]:
    return set(re.findall(r'id="i-([a-z0-9-]+)"', (ROOT / "static" / path).read_text()))


def test_every_icon_that_is_named_exists() -> None:
    named = {name for path in TEMPLATES for name in re.findall(r'{% icon "([^"]+)"', path.read_text())}
    named |= {name for path in SOURCES for name in re.findall(r'\bicon="([a-z0-9-]+)"', path.read_text())}
    named |= {state.icon for state in STATES.values()} | {step[3] for step in PLAN_STEPS}
    assert named <= sprite("vendor/icons.svg") | sprite("img/icons.svg")
    assert sprite("img/icons.svg") == OWN_ICONS


def test_third_party_files_have_their_licence_beside_them() -> None:
    assert {path.name for path in (ROOT / "static/vendor").iterdir()} == {
        "tabler.min.css", "LICENSE.tabler", "icons.svg", "LICENSE.tabler-icons",
    }  # fmt: skip


def weight(*paths: Path) -> int:
    return sum(len(gzip.compress(path.read_bytes(), 9)) for path in paths)


def test_pages_stay_light() -> None:
    import django_htmx

    htmx = Path(django_htmx.__file__).parent / "static/django_htmx/htmx-2.min.js"
    assert weight(ROOT / "static/js/app.js") <= 8_000
    assert weight(ROOT / "static/js/app.js", htmx) <= 30_000
    own = sorted((ROOT / "static/css").glob("*.css"))
    assert len(gzip.compress(b"".join(path.read_bytes() for path in own), 9)) <= 12_000
    assert weight(*own, ROOT / "static/vendor/tabler.min.css") <= 122_000
    assert weight(*(ROOT / "static/js").glob("*.js"), htmx) <= 30_000


def test_every_page_comes_with_a_strict_policy(browse: Any, ada: Any) -> None:
    policy = browse(ada).get("/").headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["script-src"] == rules["style-src"] == rules["default-src"] == "'self'"
    assert "unsafe" not in policy
    assert (rules["object-src"], rules["base-uri"], rules["frame-ancestors"]) == ("'none'",) * 3


@pytest.mark.parametrize("path", ["/", "/search/", "/settings/profile/", "/settings/people/", "/nowhere/"])
def test_every_page_has_one_heading_and_a_title(browse: Any, ada: Any, path: str) -> None:
    page = browse(ada).get(path).content.decode()
    assert page.count("<h1>") == 1
    assert re.search(r"<title>\S.* · Syncline</title>", page)
