"""Which records say themselves that they are gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connectors import paths
from hub.common.records import Record

# What a flag holds while it is not set.
NOT_SET = ("", "false", "0", "no", "none", "null")


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a record says that it is gone, and by which values; without values, by any that is not false."""

    path: str = ""
    values: Sequence[str] = ()

    def is_on(self, record: Record) -> bool:
        if not self.path:
            return False
        said = _text(paths.get(record, self.path))
        return said in self.values if self.values else said.lower() not in NOT_SET


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
