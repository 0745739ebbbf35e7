"""Which files were read: the cursor of a file stream. A file is known by name, size and checksum."""

from __future__ import annotations

from collections.abc import Collection

import orjson

from connectors.files.storage import Entry
from hub.common.errors import ConfigError

# Files that are gone are forgotten only when the list grows beyond this.
MAX_FILES = 5_000


class Ledger:
    """Files by name: [size, modification time, first half of the SHA-256]; and the last number, where files are numbered."""

    def __init__(self, text: str | None) -> None:
        try:
            stored = orjson.loads(text) if text else {"files": {}}
            self._files: dict[str, list[object]] = stored["files"]
            self.sequence: int | None = stored.get("sequence")
        except (ValueError, KeyError, TypeError):
            raise ConfigError(
                "The stored list of files cannot be read.", fix="Reset the cursor of the stream.", code="CURSOR"
            ) from None

    def has_seen(self, entry: Entry) -> bool:
        """Whether this file, untouched since, was read."""
        return self._files.get(entry.name, [])[:2] == [entry.size, entry.changed_at]

    def has_read(self, entry: Entry, sha256: str) -> bool:
        """Whether a file with this name and content was read, whenever it was touched."""
        known = self._files.get(entry.name)
        return known is not None and (known[0], known[2]) == (entry.size, sha256[:32])

    def has_content(self, sha256: str) -> bool:
        """Whether a file with this content was read, under whatever name."""
        return any(facts[2] == sha256[:32] for facts in self._files.values())

    def add(self, entry: Entry, sha256: str, sequence: int | None = None) -> None:
        self._files[entry.name] = [entry.size, entry.changed_at, sha256[:32]]
        if sequence is not None:
            self.sequence = max(sequence, self.sequence or 0)

    def forget_all_but(self, names: Collection[str]) -> None:
        if len(self._files) > MAX_FILES:
            self._files = {name: facts for name, facts in self._files.items() if name in names}

    @property
    def text(self) -> str:
        numbered = {} if self.sequence is None else {"sequence": self.sequence}
        return orjson.dumps({"files": self._files, **numbered}, option=orjson.OPT_SORT_KEYS).decode()
