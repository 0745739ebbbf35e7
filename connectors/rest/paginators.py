"""Ways to the next page. A paginator keeps no state: what it needs stands in a JSON object that travels as `resume`."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.paths import get
from hub.common.errors import ConfigError

State = dict[str, Any]
DEFAULT_PAGE_SIZE = 200
_MAX_EMPTY_PAGES = 100
_LINK = re.compile(r"<([^<>]*)>((?:\s*;\s*[^;,=\s]+(?:\s*=\s*(?:\"[^\"]*\"|[^;,\s]+))?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^;,\s]+))", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Got:
    """What came back for a page: the parsed answer, its headers and the items in it."""

    data: Any
    headers: Mapping[str, str]
    items: Sequence[Any]


class Paginator(ABC):
    """`size` is the page size asked for. States hold `seen` (items so far) and `widest` (the largest page so far)."""

    # Whether an answer 404 to a later page means that the pages are over.
    ends_with_not_found = False

    def __init__(self, section: Mapping[str, Any], size: int) -> None:
        self.section, self.size = section, size

    def first(self) -> State:
        return {}

    def parameters(self, state: State) -> dict[str, Any]:
        """The paging parameters of a request."""
        name = self.section.get("size_param")
        return {name: self.size} if name else {}

    def values(self, state: State) -> dict[str, Any]:
        """The values that the request's templates may use."""
        return {"limit": self.size, **({"kept": state["kept"]} if "kept" in state else {})}

    def next(self, state: State, got: Got) -> State | None:
        """The state of the page after this one, None when this was the last."""
        after = self.advance(state, got)
        if after is None:
            return None
        empty = state.get("empty", 0) + 1 if not got.items else 0
        if empty > _MAX_EMPTY_PAGES:
            raise endless(f"{empty} pages in a row held no record, and the system still promises more")
        counts = {"seen": state.get("seen", 0) + len(got.items), "widest": max(state.get("widest", 0), len(got.items))}
        return {**counts, **({"empty": empty} if empty else {}), **self._kept(state, got), **after}

    def _kept(self, state: State, got: Got) -> State:
        """What the first answer said for all later requests."""
        paths: Mapping[str, str] = self.section.get("keep", {})
        if not paths:
            return {}
        return {"kept": state.get("kept") or {name: get(got.data, path) for name, path in paths.items()}}

    @abstractmethod
    def advance(self, state: State, got: Got) -> State | None:
        """What is particular to the state of the next page, None at the end."""

    def is_over(self, state: State, got: Got) -> bool:
        """Whether the answer says (or its size shows) that nothing follows."""
        section = self.section
        if "has_more_path" in section:
            return not is_true(get(got.data, section["has_more_path"]))
        total = _count(got, section.get("total_path"), section.get("total_header"))
        if total is not None:
            return not got.items or state.get("seen", 0) + len(got.items) >= total
        # A page may be short because the system cuts the size, or hides records: only an empty one is surely the last.
        return not got.items or bool(section.get("short_page_ends") and len(got.items) < self.size)


def is_true(value: Any) -> bool:
    return value.strip().lower() not in ("", "false", "0", "no", "n") if isinstance(value, str) else bool(value)


def _count(got: Got, path: str | None, header: str | None) -> int | None:
    value = get(got.data, path) if path else got.headers.get(header.lower()) if header else None
    if isinstance(value, list):
        return len(value)
    try:
        return int(value) if value is not None else None
    except (TypeError, ValueError):
        return None


def endless(why: str) -> ConfigError:
    """The error of pages that would never end."""
    return ConfigError(
        f"The pages do not end: {why}.",
        fix="Correct `paging` in the declaration; when one answer holds everything, its type is none.",
        code="ENDLESS",
    )


class SinglePage(Paginator):
    """One answer holds everything."""

    def advance(self, state: State, got: Got) -> State | None:
        return None


class PageNumber(Paginator):
    """Pages by number, until the count, the number of the next page, a flag or the size says that it is enough."""

    ends_with_not_found = True

    def first(self) -> State:
        return {"page": self.section.get("first_page", 1)}

    def parameters(self, state: State) -> dict[str, Any]:
        return {**super().parameters(state), self.section.get("page_param", "page"): state["page"]}

    def values(self, state: State) -> dict[str, Any]:
        return {**super().values(state), "page": state["page"]}

    def advance(self, state: State, got: Got) -> State | None:
        section, page = self.section, state["page"]
        if "next_page_path" in section:
            following = get(got.data, section["next_page_path"])
            if following in (None, "", False):
                return None
            if str(following) == str(page):
                raise endless(f"page {page} names itself as the next one")
            return {"page": following}
        pages = _count(got, section.get("pages_path"), section.get("pages_header"))
        counted = pages is not None and page - section.get("first_page", 1) + 1 >= pages
        return None if counted or (pages is None and self.is_over(state, got)) else {"page": page + 1}


class Offset(Paginator):
    """Pages by the number of the first record."""

    ends_with_not_found = True

    def first(self) -> State:
        return {"offset": self.section.get("first_offset", 0)}

    def parameters(self, state: State) -> dict[str, Any]:
        return {**super().parameters(state), self.section.get("offset_param", "offset"): state["offset"]}

    def values(self, state: State) -> dict[str, Any]:
        return {**super().values(state), "offset": state["offset"]}

    def advance(self, state: State, got: Got) -> State | None:
        if self.is_over(state, got):
            return None
        step = self.size if self.section.get("step") == "size" else len(got.items)
        if step == 0:
            raise endless("a page held no record, although the system promised more")
        return {"offset": state["offset"] + step}


class Token(Paginator):
    """A token in the answer leads to the next page."""

    def parameters(self, state: State) -> dict[str, Any]:
        name = self.section.get("cursor_param", "cursor")
        return {**super().parameters(state), **({name: state["next"]} if "next" in state else {})}

    def values(self, state: State) -> dict[str, Any]:
        return {**super().values(state), "next": state.get("next")}

    def advance(self, state: State, got: Got) -> State | None:
        token = _next(self.section, got)
        if token in (None, "", False):
            return None
        if "has_more_path" in self.section and not is_true(get(got.data, self.section["has_more_path"])):
            return None
        if token == state.get("next"):
            raise endless(f"the system answers the token {str(token)[:60]!r} with the same token again")
        return {"next": token}


def _next(section: Mapping[str, Any], got: Got) -> Any:
    if "next_header" in section:
        return got.headers.get(section["next_header"].lower())
    return get(got.data, section["next_path"])


class NextUrl(Paginator):
    """An address in the answer leads to the next page."""

    def parameters(self, state: State) -> dict[str, Any]:
        return {} if "url" in state else super().parameters(state)

    def advance(self, state: State, got: Got) -> State | None:
        url = self.link(got)
        if not url:
            return None
        if url == state.get("url"):
            raise endless("the address of the next page is that of this page")
        return {"url": url}

    def link(self, got: Got) -> str:
        value = _next(self.section, got)
        return value if isinstance(value, str) else ""


class LinkHeader(NextUrl):
    """The Link header (RFC 8288) leads to the next page."""

    def link(self, got: Got) -> str:
        return find_link(got.headers.get("link", ""), self.section.get("link_rel", "next"))


def find_link(header: str, relation: str) -> str:
    """The target of a relation in a Link header, empty text when there is none."""
    for target, parameters in _LINK.findall(header):
        found = _REL.search(parameters)
        if found and relation.lower() in (found[1] or found[2] or "").lower().split():
            return str(target)
    return ""


class Keyset(Paginator):
    """The next page starts after the key of the last record."""

    def parameters(self, state: State) -> dict[str, Any]:
        name = self.section.get("key_param")
        return {**super().parameters(state), **({name: state["last"]} if name and "last" in state else {})}

    def values(self, state: State) -> dict[str, Any]:
        return {**super().values(state), "last": state.get("last", self.section.get("first_key"))}

    def advance(self, state: State, got: Got) -> State | None:
        if self.is_over(state, got):
            return None
        last = get(got.items[-1], self.section["key"]) if got.items else None
        if last is None:
            raise endless(
                f"the last record of a page has no {self.section['key']!r} that the next page could start after"
            )
        if last == state.get("last"):
            raise endless(f"two pages end with the same {self.section['key']}")
        return {"last": last}


_KINDS: dict[str, type[Paginator]] = {
    "none": SinglePage,
    "page": PageNumber,
    "offset": Offset,
    "cursor": Token,
    "next_url": NextUrl,
    "link": LinkHeader,
    "keyset": Keyset,
}


def build_paginator(section: Mapping[str, Any], size: int) -> Paginator:
    """The paginator of a `paging` section."""
    return _KINDS[section.get("type", "none")](section, size)
