"""Asking a system what it holds under business keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from connectors.failures import holds
from connectors.page_records import RecordReader
from connectors.paths import first, get
from connectors.rest.client import ApiClient
from connectors.rest.reading import extract_items, read_reply
from connectors.template import Scope
from hub.common.errors import RecordError
from hub.common.records import Record


class Finder:
    """Finds records of one stream. `section` is the stream's declaration with a `find` in it.

    `read_all` reads the whole stream, for systems that cannot be asked by key.
    """

    def __init__(
        self,
        api: ApiClient,
        section: Mapping[str, Any],
        scope: Scope,
        reader: RecordReader,
        key: Sequence[str],
        read_all: Callable[[], Iterable[Record]] = tuple,
    ) -> None:
        self.api, self._scope, self._reader, self._read_all = api, scope, reader, read_all
        self._section: Mapping[str, Any] = section["find"]
        self._stream = section
        paths = self._section.get("key") or (key[0] if key else "id")
        self._paths: Sequence[str] = (paths,) if isinstance(paths, str) else tuple(paths)

    def find(self, keys: Sequence[str]) -> dict[str, Record]:
        """What the system holds under these keys; raises RecordError where it holds two records under one."""
        found: dict[str, Record] = {}
        if self._section.get("scan"):
            for record in self._read_all() if keys else ():
                self._take(record, keys, found)
            return found
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

    def double(self, scope: Scope, query: Mapping[str, Any], adopt_when: Sequence[Mapping[str, Any]]) -> str | None:
        """The id of the one record that `query` finds, when it meets the conditions; None for any other outcome."""
        found = self._request({**self._section, "query": query}, scope)
        if len(found) != 1 or not all(holds(c, data=found[0], status=200, headers={}) for c in adopt_when):
            return None
        ref = first(found[0], self._ref_paths())
        return None if ref is None else str(ref)

    def _take(self, record: Record, wanted: Sequence[str], found: dict[str, Record]) -> None:
        names = self._names(record)
        if not names and len(wanted) == 1 and not self._section.get("scan"):
            # the answer to a question about one key, which does not repeat it
            names = {wanted[0]}
        fold = str.casefold if self._section.get("ignore_case") else str
        folded = {fold(name) for name in names}
        for name in (name for name in wanted if fold(name) in folded):
            if name in found:
                raise RecordError(
                    f"The system holds more than one record under the key {name!r}.",
                    where=", ".join(self._paths),
                    fix="Remove the double in the system.",
                    code="AMBIGUOUS",
                )
            found[name] = record

    def _names(self, record: Record) -> set[str]:
        """The business keys that a record bears."""
        listed = self._section.get("listed_in")
        entries: Any = (get(record, listed["path"]) or []) if listed else [record]
        ours = (listed or {}).get("when", ())
        fitting = [entry for entry in entries if all(holds(c, data=entry, status=200, headers={}) for c in ours)]
        values = (get(entry, path) for entry in fitting for path in self._paths)
        return {str(value) for value in values if value not in (None, "")}

    def _ask(self, keys: Sequence[str]) -> list[Record]:
        return self._request(self._section, self._scope.extend(key=keys[0], keys=list(keys), cursor=None))

    def _request(self, section: Mapping[str, Any], scope: Scope) -> list[Record]:
        reply = self.api.ask(section, scope)
        if reply.failure and reply.failure.kind == "not_found":
            return []
        read_reply(reply)
        layout = {**self._stream, **{name: section[name] for name in ("records", "single", "item") if name in section}}
        records, _ = self._reader.read(extract_items(reply.data, layout), size=len(reply.answer.body))
        return records
