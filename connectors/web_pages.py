"""Web pages that come in place of data: sign-in pages, proxies, maintenance notices."""

from __future__ import annotations

import re
from html import unescape

_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)
_TAGS = re.compile(r"<(script|style)[^>]{0,500}>.*?</\1>|<[^>]{0,2000}>", re.IGNORECASE | re.DOTALL)


def is_page(content_type: str, body: bytes) -> bool:
    """Whether an answer is a web page."""
    start = body[:200].lstrip().lower()
    return "html" in content_type.lower() or start.startswith((b"<!doctype html", b"<html"))


def asks_for_password(text: str) -> bool:
    return bool(re.search(r"type\s*=\s*[\"']?password", text, re.IGNORECASE))


def page_words(text: str) -> str:
    """The title of a web page, else its text in one line."""
    title = _TITLE.search(text[:5_000])
    if title and title[1].strip():
        return unescape(title[1]).strip()
    return " ".join(unescape(_TAGS.sub(" ", text[:5_000])).split())
