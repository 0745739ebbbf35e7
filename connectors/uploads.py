"""The connector behind spreadsheets that people upload: there is nothing to call, records come by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from connectors.base import Connector
from hub.common.records import CheckStep, Page, StreamInfo, StreamSpec


class UploadConnector(Connector):
    protocol: ClassVar[str] = "upload"
    label: ClassVar[str] = "Spreadsheets"

    @classmethod
    def spec(cls) -> dict[str, dict[str, Any]]:
        return {}

    def check(self) -> Iterator[CheckStep]:
        yield CheckStep(
            "read", True, "People upload workbooks and CSV files under Spreadsheets; there is nothing to reach."
        )

    def discover(self) -> Sequence[StreamInfo]:
        return []

    def read(self, stream: StreamSpec, *, cursor: str | None, resume: Any = None) -> Iterator[Page]:
        """Nothing: what was uploaded is in the hub already."""
        yield Page([], cursor=cursor, ordered=True)
