"""What was written to the simulators since they were seeded, kept in a file so that a restart finds it again.

One JSON line a write: {"system", "object", "key", "at", "row"}; `row` is null for a deletion, decimals are {"$d": "12.50"}.
The first line names the seeding that the writes belong to: with another one the file begins anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from threading import Lock
from typing import Any, TextIO

from connectors.simulators.base import Simulator
from connectors.simulators.tables import Row

_DECIMAL = "$d"


class Memory:
    """Replays the file into freshly seeded simulators, then writes down what happens to them."""

    def __init__(self, path: Path, simulators: Mapping[str, Simulator], seeding: Mapping[str, Any]) -> None:
        self._lock, self._path = Lock(), path
        head, *writes = list(_lines(path)) or [None]
        if head != {"seeding": dict(seeding)}:
            writes = []
        for line in writes:
            at = datetime.fromisoformat(line["at"])
            simulators[line["system"]].recall(line["object"], line["key"], line["row"], at)
        # Written anew: the last line may have been cut off when the process was killed.
        self._file = self._rewritten(seeding, writes)
        for simulator in simulators.values():
            simulator.remember = self._remember
            simulator.forget = self._forget

    def close(self) -> None:
        self._file.close()

    def _remember(self, system: str, object_name: str, key: str, row: Row | None, at: datetime) -> None:
        line = {"system": system, "object": object_name, "key": key, "at": at.isoformat(), "row": row}
        with self._lock:
            self._file.write(f"{_text(line)}\n")
            self._file.flush()

    def _forget(self, system: str, seeding: Mapping[str, Any]) -> None:
        """A simulator was seeded anew: what had been written to it counts no more."""
        with self._lock:
            self._file.close()
            kept = [line for line in _lines(self._path) if line.get("system", system) != system]
            self._file = self._rewritten(seeding, kept)

    def _rewritten(self, seeding: Mapping[str, Any], writes: list[Any]) -> TextIO:
        lines = [{"seeding": dict(seeding)}, *writes]
        self._path.write_text("".join(f"{_text(line)}\n" for line in lines))
        return self._path.open("a")


def _lines(path: Path) -> Iterator[Any]:
    """The lines that can be read; whatever follows a broken one is lost with it."""
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            yield json.loads(line, object_hook=_value)
        except ValueError:
            return


def _text(line: Any) -> str:
    return json.dumps(line, default=lambda value: {_DECIMAL: str(value)})


def _value(found: dict[str, Any]) -> Any:
    return Decimal(found[_DECIMAL]) if set(found) == {_DECIMAL} else found
