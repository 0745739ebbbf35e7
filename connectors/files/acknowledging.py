"""Acknowledgements: what the hub found in a file that was delivered, put back where its sender looks.

They speak of the file alone: whether it is whole, how many of its lines can be read, and which cannot and why. What a
contract refuses later stands in the quarantine.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import orjson

from connectors.files.storage import Storage
from hub.common.errors import ConfigError
from hub.common.exports import csv_cell
from hub.common.records import BadRecord


class Acknowledgement:
    """The `acknowledge` section of a stream. Writing the same one twice leaves the same file."""

    def __init__(self, section: Mapping[str, Any]) -> None:
        self.folder: str = section["folder"]
        self.suffix: str = section.get("suffix", ".ack")
        self.rejects: str = section.get("rejects", ".rej.csv")
        self.is_json = section.get("format", "key_value") == "json"

    def is_mine(self, name: str) -> bool:
        return name.endswith((self.suffix, self.rejects))

    def accept(self, storage: Storage, name: str, sha256: str, count: int, bad: Sequence[BadRecord]) -> None:
        """Say how many records were found; those that cannot be read are listed in a file of their own, first."""
        if bad:
            storage.write(self.folder, _beside(name, self.rejects), _rejected(bad))
        status = "accepted" if not bad else "partial" if len(bad) < count else "rejected"
        counts = {"accepted": count - len(bad), "rejected": len(bad)}
        self._write(storage, name, {"file": name, "status": status, **counts, "sha256": sha256})

    def refuse(self, storage: Storage, name: str, sha256: str, error: ConfigError) -> None:
        """Say why nothing of a file was read."""
        found = {"file": name, "status": "refused", "accepted": 0, "rejected": 0, "sha256": sha256}
        self._write(storage, name, {**found, "reason": error.what})

    def _write(self, storage: Storage, name: str, facts: Mapping[str, Any]) -> None:
        lines = "".join(f"{key}={value}\n" for key, value in facts.items()).encode()
        storage.write(self.folder, _beside(name, self.suffix), orjson.dumps(facts) if self.is_json else lines)


def _beside(name: str, suffix: str) -> str:
    return PurePosixPath(name).stem + suffix


def _rejected(bad: Sequence[BadRecord]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["place", "reason", "line"])
    for each in bad:
        writer.writerow([csv_cell(value) for value in (each.error.where, each.error.what, each.raw)])
    return text.getvalue().encode("utf-8", "replace")
