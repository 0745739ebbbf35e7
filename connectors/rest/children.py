"""Streams that are read once for each record of a parent stream, such as the tasks of each project."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from connectors.paths import get
from connectors.rest.client import ApiClient
from connectors.rest.reading import Crawl, Source
from connectors.template import Scope
from hub.common.records import Page, Record


class Children:
    """`parents` reads the pages of the parent stream and takes `resume`.

    A resume value says where the parents' page begins, which parent of it is at work, and where its own pages stand.
    """

    def __init__(self, api: ApiClient, source: Source, scope: Scope, parents: Callable[..., Iterator[Page]]) -> None:
        self.api, self.source, self.scope, self._parents = api, source, scope, parents
        self._copied: Mapping[str, str] = source.section["for_each"].get("copy", {})

    def pages(self, cursor: str | None, resume: Any = None) -> Iterator[Page]:
        """The pages of all parents in turn; the cursor is the highest over all of them."""
        at = resume or {"parents": None, "index": 0, "inner": None, "from": cursor, "high": cursor}
        start, high = at["from"], at["high"]
        parents_resume, index, inner = at["parents"], at["index"], at["inner"]
        for parents in self._parents(resume=parents_resume):
            for position in range(index, len(parents.records)):
                for page in self._pages_of(parents.records[position], start, high, inner):
                    high = page.cursor or high
                    place = {"parents": parents_resume, "from": start, "high": high}
                    more = self._next(page, place, position, parents)
                    yield Page(page.records, resume=more, cursor=high, bad=page.bad)
                inner = None
            parents_resume, index = parents.resume, 0

    def _pages_of(self, parent: Record, start: str | None, high: str | None, inner: Any) -> Iterator[Page]:
        # the cursor of one parent's children says nothing about another's: each starts from that of the whole crawl
        at = {**inner, "high": high} if inner else {"from": start, "high": high}
        for page in Crawl(self.api, self.source, self.scope.extend(parent=parent), start, at).pages():
            for record in page.records:
                record.update({name: get(parent, path) for name, path in self._copied.items()})
            yield page

    def _next(self, page: Page, place: dict[str, Any], position: int, parents: Page) -> dict[str, Any] | None:
        """Where to go on after a page: in it, at the next parent, at the next page of parents, or nowhere."""
        if page.resume is not None:
            return {**place, "index": position, "inner": page.resume}
        if position + 1 < len(parents.records):
            return {**place, "index": position + 1, "inner": None}
        if parents.resume is not None:
            return {**place, "parents": parents.resume, "index": 0, "inner": None}
        return None
