"""Writing records as one file with its control file: never half visible, and the same batch never twice."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any

import orjson

from connectors.files.control import Control, Facts, add_to_total
from connectors.files.formats import FileFormat
from connectors.files.storage import Storage, checked_name
from connectors.template import Scope, render_text
from hub.common.errors import ConfigError, HubError, RecordError, UnknownOutcome
from hub.common.records import WriteItem, WriteOutcome, WriteStatus

_WRITTEN = frozenset({"upsert", "create", "update"})


class Writer:
    """Writes the files of one stream. `scope` holds the values that a file name may use."""

    def __init__(
        self, storage: Storage, form: FileFormat, control: Control | None, section: Mapping[str, Any], scope: Scope
    ) -> None:
        self.storage, self.form, self.control, self.scope = storage, form, control, scope
        self.folder: str = section.get("folder", "")
        self.name: str = section["file_name"]

    def write(self, items: Sequence[WriteItem]) -> list[WriteOutcome]:
        """One outcome for each item: records that the file cannot hold fail, the others stand in it together."""
        columns = list(self.form.columns or dict.fromkeys(name for item in items for name in item.body))
        problems = {position: self._problem(item, columns) for position, item in enumerate(items)}
        good = [item for position, item in enumerate(items) if problems[position] is None]
        status, name, error = self._write_file(good, columns) if good else ("failed", "", None)
        rows = iter(range(1, len(good) + 1))
        return [
            WriteOutcome(item.key, "failed", error=problem)
            if (problem := problems[position])
            else WriteOutcome(item.key, status, ref=f"{name}#{next(rows)}", error=error)
            for position, item in enumerate(items)
        ]

    def _problem(self, item: WriteItem, columns: Sequence[str]) -> HubError | None:
        if item.operation not in _WRITTEN:
            return ConfigError(f"A file cannot {item.operation} a record.", where="write", code="OPERATION")
        strange = next((name for name in item.body if name not in columns), None)
        if strange is not None:
            return ConfigError(f"The file has no column {strange!r}.", where="columns", code="UNKNOWN_COLUMN")
        try:
            for name in columns:
                self.form.check(name, item.body.get(name))
        except RecordError as error:
            return error
        except ValueError:
            return RecordError("A date cannot be written in its format.", code="TEXT")
        return None

    def _write_file(
        self, items: Sequence[WriteItem], columns: Sequence[str]
    ) -> tuple[WriteStatus, str, HubError | None]:
        """What became of the file, its name, and the error if there is one."""
        content = self.form.content([item.body for item in items], columns)
        batch = _batch_number(items)
        name = self._file_name(f"{datetime.now(UTC):%Y%m%d%H%M%S}", batch)
        try:
            there = self._find(batch)
            name = there or name
            if there is None:
                self.storage.write(self.folder, name, content)
            self._write_control(name, content, items)
        except UnknownOutcome as error:
            return "unsure", name, error
        except HubError as error:
            return "failed", name, error
        return "created", name, None

    def _write_control(self, name: str, content: bytes, items: Sequence[WriteItem]) -> None:
        if self.control is None:
            return
        control_name = self.control.name_for(name)
        if self.storage.stat(self.folder, control_name) is not None:
            return
        total = Decimal(0)
        for item in items:
            total = add_to_total(total, item.body.get(self.control.total_field))
        facts = Facts(hashlib.sha256(content).hexdigest(), len(items), total)
        self.storage.write(self.folder, control_name, self.control.write(facts, data_name=name))

    def _file_name(self, now: str, batch: str) -> str:
        return checked_name(render_text(self.name, self.scope.extend(now=now, batch=batch), where="file_name"))

    def _find(self, batch: str) -> str | None:
        """The file of the same batch from an earlier try, whatever time its name holds."""
        if "${batch}" not in self.name:
            return None
        pattern = self._file_name("*", batch)
        try:
            entries = self.storage.list(self.folder)
        except ConfigError:
            return None
        return next((entry.name for entry in entries if fnmatchcase(entry.name, pattern)), None)


def _batch_number(items: Sequence[WriteItem]) -> str:
    """The same for the same items, and another for any other."""
    digest = hashlib.blake2b(digest_size=6)
    for item in items:
        digest.update(
            orjson.dumps([item.key, item.operation, item.idempotency_key, item.body], option=orjson.OPT_SORT_KEYS)
        )
    return digest.hexdigest()
