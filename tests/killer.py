"""A system in a folder, and records that kill the process which handles them: in the mapping, or at the target.

Every death is written down first, so that a test can count how often each record was fatal.
"""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from connectors.base import Connector
from connectors.registry import register_protocol
from hub.common.records import CheckStep, Page, Record, StreamInfo, StreamSpec, WriteItem, WriteOutcome

PROTOCOL = "killer"
IN_MAPPING, AT_TARGET = "kills the mapping", "kills the target"


def die(folder: Path, key: str) -> None:
    with open(folder / "deaths", "a") as log:
        log.write(f"{key}\n")
    os.kill(os.getpid(), signal.SIGKILL)


def deaths(folder: Path) -> list[str]:
    found = folder / "deaths"
    return found.read_text().split() if found.exists() else []


def posts(folder: Path) -> list[str]:
    """The key of every row that the target holds, once for each time that it was made there."""
    return [path.name.partition("~")[0] for path in folder.glob("*~*")]


class KillerConnector(Connector):
    """`safety` B replaces a row by its key; C makes another one each time, and can be searched."""

    protocol: ClassVar[str] = PROTOCOL
    label: ClassVar[str] = "Killer"

    @property
    def folder(self) -> Path:
        return Path(self.config["folder"])

    @classmethod
    def spec(cls) -> dict[str, dict[str, Any]]:
        return {"folder": {"title": "Folder", "required": True}, "safety": {"title": "Safety"}}

    def check(self) -> Iterator[CheckStep]:
        yield CheckStep("connect", True, "a folder")

    def discover(self) -> Sequence[StreamInfo]:
        return []

    def safety(self, stream: StreamSpec, *, updating: bool = False) -> str:
        return str(self.config.get("safety", "B"))

    def settle_seconds(self, stream: StreamSpec) -> float:
        return 0.1

    def read(self, stream: StreamSpec, *, cursor: str | None, resume: Any = None) -> Iterator[Page]:
        rows = json.loads((self.folder / "rows.json").read_text())
        size = stream.page_size or 100
        for start in range(resume or 0, len(rows), size):
            following = start + size
            yield Page(rows[start:following], resume=following if following < len(rows) else None)

    def write(self, stream: StreamSpec, items: Sequence[WriteItem]) -> Sequence[WriteOutcome]:
        return [self._take(item) for item in items]

    def _take(self, item: WriteItem) -> WriteOutcome:
        if item.body["description"] == AT_TARGET:
            die(self.folder, item.key)
        name = item.key if self.safety(StreamSpec("")) == "B" else uuid.uuid4().hex
        (self.folder / f"{item.key}~{name}").write_text(json.dumps(item.body))
        return WriteOutcome(item.key, "created", ref=f"ref-{item.key}")

    def find(self, stream: StreamSpec, keys: Sequence[str]) -> dict[str, Record]:
        held = set(posts(self.folder))
        rows = {key: next(self.folder.glob(f"{key}~*")) for key in keys if key in held}
        return {key: {"id": f"ref-{key}", **json.loads(path.read_text())} for key, path in rows.items()}


def kill_in_mappings(folder: Path) -> None:
    """From now on the mappings of this process kill it over some records."""
    from mappings.compile import Mapper

    apply_all = Mapper.apply_all

    def deadly(self: Mapper, records: Sequence[Record]) -> Any:
        for record in records:
            if IN_MAPPING in (record.get("title"), record.get("name")):
                die(folder, record["code"])
        return apply_all(self, records)

    Mapper.apply_all = deadly  # type: ignore[method-assign]


register_protocol(PROTOCOL, "tests.killer.KillerConnector")
