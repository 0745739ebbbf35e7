"""MemoryConnector: a real connector whose system is a dict in this process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from connectors.base import Connector
from connectors.registry import register_protocol
from hub.common.errors import HubError, PermanentError
from hub.common.records import CheckStep, FieldInfo, Page, Record, StreamInfo, StreamSpec, WriteItem, WriteOutcome

PROTOCOL = "memory"


class MemorySystem:
    """What the fake system holds, by stream; `fail_with` makes the next calls fail."""

    def __init__(self) -> None:
        self.sources: dict[str, list[Record]] = {}
        self.targets: dict[str, dict[str, Record]] = {}
        self.writes: list[WriteItem] = []
        self.safety = "B"
        self.update_safety = ""  # as `safety` where it is empty
        self.settle_seconds = 0.0
        self.fail_with: list[HubError] = []
        self.refuse: dict[str, HubError] = {}
        self.page_size = 100
        self.removals: frozenset[str] = frozenset()  # which of deactivate and delete it offers
        self.inactive: set[str] = set()  # keys that were deactivated


SYSTEMS: dict[str, MemorySystem] = {}


def system(name: str = "default") -> MemorySystem:
    return SYSTEMS.setdefault(name, MemorySystem())


class MemoryConnector(Connector):
    protocol: ClassVar[str] = PROTOCOL
    label: ClassVar[str] = "Memory"

    @property
    def memory(self) -> MemorySystem:
        return system(self.config.get("name", "default"))

    @classmethod
    def spec(cls) -> dict[str, dict[str, Any]]:
        return {"name": {"title": "Name", "required": True}}

    def check(self) -> Iterator[CheckStep]:
        yield CheckStep("connect", True, "in memory")

    def discover(self) -> Sequence[StreamInfo]:
        return [StreamInfo(name, name, [FieldInfo("id")], key=["id"]) for name in self.memory.sources]

    def safety(self, stream: StreamSpec, *, updating: bool = False) -> str:
        return (updating and self.memory.update_safety) or self.memory.safety

    def removals(self, stream: StreamSpec) -> frozenset[str]:
        return self.memory.removals

    def settle_seconds(self, stream: StreamSpec) -> float:
        return self.memory.settle_seconds

    def read(self, stream: StreamSpec, *, cursor: str | None, resume: Any = None) -> Iterator[Page]:
        if self.memory.fail_with:
            raise self.memory.fail_with.pop(0)
        rows = self.memory.sources.get(stream.name, [])
        if stream.cursor and cursor:
            rows = [row for row in rows if row[stream.cursor] >= cursor]
        size = stream.page_size or self.memory.page_size
        start = resume or 0
        high = None
        while True:
            part = rows[start : start + size]
            start += size
            if stream.cursor and part:
                high = max(row[stream.cursor] for row in rows[:start])
            done = start >= len(rows)
            yield Page(part, resume=None if done else start, cursor=high)
            if done:
                return

    def write(self, stream: StreamSpec, items: Sequence[WriteItem]) -> Sequence[WriteOutcome]:
        if self.memory.fail_with:
            raise self.memory.fail_with.pop(0)
        held = self.memory.targets.setdefault(stream.name, {})
        outcomes = []
        for item in items:
            self.memory.writes.append(item)
            if item.key in self.memory.refuse:
                outcomes.append(WriteOutcome(item.key, "failed", error=self.memory.refuse[item.key]))
                continue
            if item.operation in ("deactivate", "delete"):
                outcomes.append(self._remove(held, item))
                continue
            status = "updated" if item.key in held else "created"
            held[item.key] = dict(item.body)
            outcomes.append(WriteOutcome(item.key, status, ref=f"ref-{item.key}"))
        return outcomes

    def _remove(self, held: dict[str, Record], item: WriteItem) -> WriteOutcome:
        """By the target's own id, as a real system does; what is not there is refused."""
        key = str(item.ref).removeprefix("ref-")
        if key not in held:
            return WriteOutcome(item.key, "failed", error=PermanentError("Nothing there.", code="NOT_FOUND"))
        if item.operation == "delete":
            del held[key]
        else:
            self.memory.inactive.add(key)
        return WriteOutcome(item.key, "updated", ref=item.ref)

    def find(self, stream: StreamSpec, keys: Sequence[str]) -> dict[str, Record]:
        if self.memory.fail_with:
            raise self.memory.fail_with.pop(0)
        held = self.memory.targets.get(stream.name, {})
        return {key: {"id": f"ref-{key}", **held[key]} for key in keys if key in held}


register_protocol(PROTOCOL, "tests.memory.MemoryConnector")
