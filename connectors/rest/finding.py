"""Asking a system what it holds under business keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.page_records import RecordReader
from connectors.paths import first, get
from connectors.rest.client import ApiClient
from connectors.rest.reading import extract_items, read_reply
from connectors.template import Scope
from hub.common.errors import RecordError
from hub.common.records import Record


class Finder:
    """Finds records of one stream. `section` is the stream's declaration with a `find` in it."""

    def __init__(
        self, api: ApiClient, section: Mapping[str, Any], scope: Scope, reader: RecordReader, key: Sequence[str]
    ) -> None:
        self.api, self._scope, self._reader = api, scope, reader
        self._section: Mapping[str, Any] = section["find"]
        self._stream = section
        self._key = self._section.get("key") or (key[0] if key else "id")

    def find(self, keys: Sequence[str]) -> dict[str, Record]:
        """What the system holds under these keys; raises RecordError where it holds two records under one."""
        found: dict[str, Record] = {}
        size = self._section.get("max", 1)
        for start in range(0, len(keys), size):
            wanted = keys[start : start + size]
            for record in self._ask(wanted):
                self._take(record, wanted, found)
        return found

    def refs(self, keys: Sequence[str]) -> dict[str, str]:
        """The system's own ids of the records under these keys."""
        paths = self._ref_paths()
        found = {key: first(record, paths) for key, record in self.find(keys).items()}
        return {key: str(ref) for key, ref in found.items() if ref is not None}

    def _ref_paths(self) -> Any:
        """Where a record holds its id: as an answer to a write does, without the wrapping."""
        declared = [op.get("ref") for op in self._stream.get("write", {}).values() if op.get("ref")]
        paths = [path for ref in declared for path in ([ref] if isinstance(ref, str) else ref)]
        return [*paths, *(path.rpartition(".")[2] for path in paths), "id"]

    def _take(self, record: Record, wanted: Sequence[str], found: dict[str, Record]) -> None:
        key = get(record, self._key)
        name = str(key) if key is not None else (wanted[0] if len(wanted) == 1 else "")
        if name not in wanted:
            return
        if name in found:
            raise RecordError(
                f"The system holds more than one record under the key {name!r}.",
                where=self._key,
                fix="Remove the double in the system.",
                code="AMBIGUOUS",
            )
        found[name] = record

    def _ask(self, keys: Sequence[str]) -> list[Record]:
        section = self._section
        scope = self._scope.extend(key=keys[0], keys=list(keys), cursor=None)
        reply = self.api.ask(section, scope)
        if reply.failure and reply.failure.kind == "not_found":
            return []
        read_reply(reply)
        layout = {**self._stream, **{name: section[name] for name in ("records", "single", "item") if name in section}}
        records, _ = self._reader.read(extract_items(reply.data, layout), size=len(reply.answer.body))
        return records
