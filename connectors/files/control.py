"""Control files: what stands beside a data file and says what it must hold."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import PurePosixPath
from typing import Any

import orjson

from connectors.exact_json import plain_decimal
from hub.common.errors import ConfigError

MAX_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Facts:
    """What a data file really holds."""

    sha256: str
    count: int
    total: Decimal


class Control:
    """The `control` section of a stream."""

    def __init__(self, section: Mapping[str, Any]) -> None:
        self.section = section
        self.suffix: str = section["suffix"]
        self.format: str = section.get("format", "key_value")
        self.total_field: str = section.get("total_field", "")

    @property
    def needs_rows(self) -> bool:
        """Whether the records must be counted (or summed) before the first is read."""
        return self.format != "empty" and ("count" in self.section or "total" in self.section)

    def name_for(self, data: str) -> str:
        return data + self.suffix if self.section.get("append") else PurePosixPath(data).stem + self.suffix

    def verify(self, name: str, content: bytes, facts: Facts, *, data_name: str) -> None:
        """Raises ConfigError when the control file cannot be read or says something else than the facts."""
        if self.format == "empty":
            return
        told = self._read(name, content)
        if "file" in self.section and (named := str(told.get(self.section["file"]))) != data_name:
            raise ConfigError(
                f"The control file {name} is about {named!r}, not about {data_name}. Nothing of it was read.",
                where=name,
                fix="Have the control file delivered that belongs to the file.",
                code="CONTROL",
            )
        found = {"count": str(facts.count), "sha256": facts.sha256, "total": plain_decimal(facts.total)}
        for kind, real in found.items():
            if kind in self.section:
                self._compare(name, kind, told.get(self.section[kind]), real)

    def _compare(self, name: str, kind: str, told: Any, real: str) -> None:
        if told is None:
            raise ConfigError(
                f"The control file {name} does not state {self.section[kind]!r}.",
                where=name,
                fix="Correct it or the declaration.",
            )
        if not _same(kind, str(told).strip(), real):
            raise ConfigError(
                f"The control file {name} says {self.section[kind]} {told}, but the file has {real}. Nothing of it was read.",
                where=name,
                fix="Have the file delivered again, whole, with its control file.",
                code="CONTROL",
            )

    def _read(self, name: str, content: bytes) -> dict[str, Any]:
        text = content[:MAX_BYTES].decode("utf-8-sig", "replace")
        try:
            if self.format == "json":
                found = orjson.loads(text)
                return found if isinstance(found, dict) else {}
            if self.format == "csv":
                delimiter = ";" if ";" in text.partition("\n")[0] else ","
                return dict(next(csv.DictReader(io.StringIO(text), delimiter=delimiter), {}))
        except (ValueError, csv.Error) as error:
            raise ConfigError(
                f"The control file {name} cannot be read as {self.format}: {error}.",
                where=name,
                fix="Correct `control.format`.",
            ) from error
        pairs = (line.partition("=" if "=" in line else ":") for line in text.splitlines() if line.strip())
        return {key.strip(): value.strip() for key, _, value in pairs}

    def sequence_of(self, data_name: str, name: str, content: bytes) -> int | None:
        """The number of a file by its name or its control file; None where files are not numbered."""
        declared = self.section.get("sequence")
        if not declared:
            return None
        if "pattern" in declared:
            found = re.search(declared["pattern"], data_name)
            text = found[1] if found and found.groups() else ""
        else:
            text = str(self._read(name, content).get(declared.get("value", ""), ""))
        if not (text.strip().isascii() and text.strip().isdigit()):
            raise ConfigError(
                f"The number of the file {data_name} cannot be told: {text!r}.",
                where=name,
                fix="Correct the control file, or `control.sequence`.",
                code="SEQUENCE",
            )
        return int(text)

    @property
    def holds_gaps(self) -> bool:
        return bool(self.section.get("sequence", {}).get("gap", "hold") == "hold")

    def write(self, facts: Facts, *, data_name: str) -> bytes:
        """The content of the control file for a data file."""
        real = {"count": str(facts.count), "sha256": facts.sha256, "total": plain_decimal(facts.total)}
        real["file"] = data_name
        values = {self.section[kind]: text for kind, text in real.items() if kind in self.section}
        if self.format == "empty":
            return b""
        if self.format == "json":
            return orjson.dumps(values)
        if self.format == "csv":
            return (",".join(values) + "\n" + ",".join(values.values()) + "\n").encode()
        return "".join(f"{name}={value}\n" for name, value in values.items()).encode()


def _same(kind: str, told: str, real: str) -> bool:
    if kind == "sha256":
        return told.lower() == real
    try:
        return Decimal(told) == Decimal(real)
    except InvalidOperation:
        return False


def add_to_total(total: Decimal, value: Any) -> Decimal:
    """A sum with one more value; what is no number counts as nothing (its record is set aside anyway)."""
    try:
        return total + Decimal(str(value)) if value is not None else total
    except InvalidOperation:
        return total
