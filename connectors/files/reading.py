"""Reading files one after the other, each whole or not at all, in pages of records."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from decimal import Decimal
from fnmatch import fnmatchcase
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from connectors.files.control import MAX_BYTES, Control, Facts, add_to_total
from connectors.files.csv_text import CsvFormat
from connectors.files.ledger import Ledger
from connectors.files.storage import Entry, Storage, is_unfinished
from hub.common.errors import ConfigError
from hub.common.records import BadRecord, Page, Record

DEFAULT_SETTLE_SECONDS = 30
_IN_MEMORY = 16 * 1024 * 1024


class Reader:
    """Reads the files of one folder that match a pattern, in the order of their names."""

    def __init__(
        self,
        storage: Storage,
        form: CsvFormat,
        *,
        folder: str,
        pattern: str,
        control: Control | None,
        settle_seconds: float,
        page_size: int,
    ) -> None:
        self.storage, self.form, self.control = storage, form, control
        self.folder, self.pattern = folder, pattern
        self.settle_seconds, self.page_size = settle_seconds, page_size

    def waiting(self, cursor: str | None) -> list[Entry]:
        """The files that match and were not read, whether they are ready or not."""
        ledger = Ledger(cursor)
        return [entry for entry in self._matching() if not ledger.has_seen(entry)]

    def pages(self, cursor: str | None, resume: Any) -> Iterator[Page]:
        """The pages of all files that are ready; the last one may be empty.

        `resume` names the list of files read, and the file and record where the next page begins. Raises ConfigError
        at the first file that its control file contradicts: later files wait, as they may build on it.
        """
        at = resume or {"ledger": cursor}
        ledger = Ledger(at["ledger"])
        entries = self._matching()
        todo = [entry for entry in entries if not ledger.has_seen(entry)]
        todo.sort(key=lambda entry: (entry.name != at.get("file"), entry.name))
        for entry in todo:
            start = at if entry.name == at.get("file") else {}
            yield from self._pages_of(entry, ledger, start)
        ledger.forget_all_but({entry.name for entry in entries})
        yield Page([], cursor=ledger.text, ordered=True)

    def _matching(self) -> list[Entry]:
        control = self.control.suffix if self.control else None
        return [
            entry
            for entry in self.storage.list(self.folder)
            if fnmatchcase(entry.name, self.pattern)
            and not is_unfinished(entry.name)
            and not (control and entry.name.endswith(control))
        ]

    def _pages_of(self, entry: Entry, ledger: Ledger, start: dict[str, Any]) -> Iterator[Page]:
        told = self._control_of(entry)
        if told is None:
            return
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            file = cast(BinaryIO, spool)
            sha256 = self._copy(entry, file)
            if sha256 is None:
                return
            if ledger.has_read(entry, sha256):
                ledger.add(entry, sha256)
                return
            if self.control:
                self._verify(entry, told, sha256, file)
            file.seek(0)
            row = start.get("row", 0) if start.get("sha") == sha256 else 0
            yield from self._chunks(entry, ledger, sha256, file, row)

    # --- ready or not ----------------------------------------------------------------------------------------------

    def _control_of(self, entry: Entry) -> bytes | None:
        """The content of the control file (nothing where none is declared); None while the file must wait."""
        if self.control is None:
            return b"" if time.time() - entry.changed_at >= self.settle_seconds else None
        name = self.control.name_for(entry.name)
        if self.storage.stat(self.folder, name) is None:
            return None
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            self.storage.copy(self.folder, name, cast(BinaryIO, spool), lambda piece: None)
            spool.seek(0)
            return spool.read(MAX_BYTES)

    def _copy(self, entry: Entry, file: BinaryIO) -> str | None:
        """Copy the file and return its checksum; None when it changed meanwhile."""
        digest = hashlib.sha256()
        size = self.storage.copy(self.folder, entry.name, file, digest.update)
        now = self.storage.stat(self.folder, entry.name)
        return digest.hexdigest() if size == entry.size and now == entry else None

    def _verify(self, entry: Entry, told: bytes, sha256: str, file: BinaryIO) -> None:
        assert self.control is not None
        count, total = 0, Decimal(0)
        if self.control.needs_rows:
            file.seek(0)
            for row in self.form.rows(file, name=entry.name):
                count += 1
                if not isinstance(row, BadRecord):
                    total = add_to_total(total, row.get(self.control.total_field))
        self.control.verify(self.control.name_for(entry.name), told, Facts(sha256, count, total))

    # --- pages -----------------------------------------------------------------------------------------------------

    def _chunks(self, entry: Entry, ledger: Ledger, sha256: str, file: BinaryIO, row: int) -> Iterator[Page]:
        """The pages of one file; the list of files names it only when its last page is out."""
        records: list[Record] = []
        bad: list[BadRecord] = []
        position = 0
        for number, found in enumerate(self.form.rows(file, name=entry.name)):
            if number < row:
                continue
            if position == self.page_size:
                place = {"ledger": ledger.text, "file": entry.name, "sha": sha256, "row": number}
                yield Page(records, resume=place, cursor=ledger.text, ordered=True, bad=bad)
                records, bad, position = [], [], 0
            if isinstance(found, BadRecord):
                bad.append(BadRecord(position, found.error, found.raw))
            else:
                records.append(found)
            position += 1
        ledger.add(entry, sha256)
        yield Page(records, resume={"ledger": ledger.text}, cursor=ledger.text, ordered=True, bad=bad)


def checked_pattern(pattern: str) -> str:
    """A pattern for file names; raises ConfigError for one that names folders."""
    if "/" in pattern or "\\" in pattern or not pattern:
        raise ConfigError(
            f"{pattern!r} is not a pattern for file names.", where="pattern", fix="Name the folder under `folder`."
        )
    return pattern
