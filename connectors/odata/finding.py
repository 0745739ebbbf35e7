"""Asking an entity set what it holds under business keys, several in one filter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.odata.keys import EntityKey
from connectors.odata.literals import equalities, split_key
from connectors.page_records import RecordReader
from connectors.paths import get
from connectors.rest.client import ApiClient
from connectors.rest.finding import Finder
from connectors.template import Scope, render_text
from hub.common.records import Record, joined_key

DEFAULT_KEYS_AT_ONCE = 10


class ODataFinder(Finder):
    """Finds records by `find.fields` (else `find.key`, else the key of the stream); writes the filter itself."""

    def __init__(
        self,
        api: ApiClient,
        section: Mapping[str, Any],
        scope: Scope,
        reader: RecordReader,
        key: Sequence[str],
        **more: Any,
    ) -> None:
        stated = section["find"]
        asked = {"max": DEFAULT_KEYS_AT_ONCE, **stated, "query": {"$filter": "${filter}", **stated.get("query", {})}}
        super().__init__(api, {**section, "find": asked}, scope, reader, key, **more)
        self._parts: Sequence[str] = stated.get("fields") or (self._paths if "key" in stated else key)
        self._fields: Mapping[str, Any] = section.get("fields", {})
        self._entity = EntityKey(key, self._fields)
        self._own_filter = "$filter" in stated.get("query", {})

    def refs(self, keys: Sequence[str]) -> dict[str, str]:
        """The keys of the entities that bear these business keys."""
        found = {key: self._entity.ref(record) for key, record in self.find(keys).items()}
        return {key: ref for key, ref in found.items() if ref is not None}

    def _names(self, record: Record) -> set[str]:
        if self._own_filter:
            return super()._names(record)
        values = [get(record, name) for name in self._parts]
        return set() if any(value in (None, "") for value in values) else {joined_key([str(value) for value in values])}

    def _ask(self, keys: Sequence[str]) -> list[Record]:
        if self._own_filter:
            return super()._ask(keys)
        scope = self._scope.extend(key=keys[0], keys=list(keys), filter=self._filter(keys), cursor=None)
        return self._request(self._section, scope)

    def _filter(self, keys: Sequence[str]) -> str:
        wanted = [equalities(split_key(key, self._parts), self._parts, self._fields) for key in keys]
        any_of = " or ".join(f"({one})" for one in wanted) if len(wanted) > 1 else wanted[0]
        fixed = self._section.get("filter")
        return f"({render_text(fixed, self._scope)}) and ({any_of})" if fixed else any_of
