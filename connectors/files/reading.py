"""Reading files one after the other, each whole or not at all, in pages of records."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from decimal import Decimal
from fnmatch import fnmatchcase
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from connectors.files.acknowledging import Acknowledgement
from connectors.files.control import MAX_BYTES, Control, Facts, add_to_total
from connectors.files.formats import FileFormat
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
        form: FileFormat,
        *,
        folder: str,
        pattern: str,
        control: Control | None,
        settle_seconds: float,
        page_size: int,
        acknowledgement: Acknowledgement | None = None,
    ) -> None:
        self.storage, self.form, self.control = storage, form, control
        self.folder, self.pattern = folder, pattern
        self.settle_seconds, self.page_size = settle_seconds, page_size
        self.acknowledgement = acknowledgement

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
            and not (self.acknowledgement and self.acknowledgement.is_mine(entry.name))
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
            sequence = self._sequence(entry, told, sha256, ledger)
            if sequence is not None and ledger.sequence is not None and sequence <= ledger.sequence:
                ledger.add(entry, sha256)
                return
            self._survey(entry, told, sha256, file)
            file.seek(0)
            row = start.get("row", 0) if start.get("sha") == sha256 else 0
            yield from self._chunks(entry, ledger, sha256, file, row, sequence)

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

    def _sequence(self, entry: Entry, told: bytes, sha256: str, ledger: Ledger) -> int | None:
        """The number of a file that may be read now, or that was read before; raises ConfigError for any other."""
        if self.control is None:
            return None
        number = self.control.sequence_of(entry.name, self.control.name_for(entry.name), told)
        last = ledger.sequence
        if number is None or last is None or number == last + 1:
            return number
        if number > last and self.control.holds_gaps:
            raise ConfigError(
                f"The file {entry.name} is number {number}, but number {last + 1} has not come. Nothing of it was read.",
                where=entry.name,
                fix="Have the missing file delivered, or declare `control.sequence.gap: accept`.",
                code="SEQUENCE",
            )
        if number <= last and not ledger.has_content(sha256):
            raise ConfigError(
                f"The file {entry.name} is number {number}, which was read before with another content.",
                where=entry.name,
                fix="Have it delivered under the next number.",
                code="SEQUENCE",
            )
        return number

    def _survey(self, entry: Entry, told: bytes, sha256: str, file: BinaryIO) -> None:
        """Look at all of a file before any of it is read, where something asks for that."""
        control = self.control
        if not (self.acknowledgement or self.form.is_judged_whole or (control and control.needs_rows)):
            if control:
                name = control.name_for(entry.name)
                control.verify(name, told, Facts(sha256, 0, Decimal(0)), data_name=entry.name)
            return
        try:
            self._look_through(entry, told, sha256, file)
        except ConfigError as error:
            if self.acknowledgement:
                self.acknowledgement.refuse(self.storage, entry.name, sha256, error)
            raise

    def _look_through(self, entry: Entry, told: bytes, sha256: str, file: BinaryIO) -> None:
        count, total = 0, Decimal(0)
        bad: list[BadRecord] = []
        file.seek(0)
        for row in self.form.rows(file, name=entry.name):
            count += 1
            if isinstance(row, BadRecord):
                bad.append(row)
            elif self.control:
                total = add_to_total(total, row.get(self.control.total_field))
        if self.control:
            name = self.control.name_for(entry.name)
            self.control.verify(name, told, Facts(sha256, count, total), data_name=entry.name)
        if self.acknowledgement:
            self.acknowledgement.accept(self.storage, entry.name, sha256, count, bad)

    # --- pages -----------------------------------------------------------------------------------------------------

    def _chunks(
        self, entry: Entry, ledger: Ledger, sha256: str, file: BinaryIO, row: int, sequence: int | None
    ) -> Iterator[Page]:
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
        ledger.add(entry, sha256, sequence)
        yield Page(records, resume={"ledger": ledger.text}, cursor=ledger.text, ordered=True, bad=bad)


def checked_pattern(pattern: str) -> str:
    """A pattern for file names; raises ConfigError for one that names folders."""
    if "/" in pattern or "\\" in pattern or not pattern:
        raise ConfigError(
            f"{pattern!r} is not a pattern for file names.", where="pattern", fix="Name the folder under `folder`."
        )
    return pattern
