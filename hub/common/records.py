"""The values that travel the path of a record. No ORM, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from hub.common.errors import HubError

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record of a page that could not even be parsed; `position` counts from 0 within the page.

    `external_id` is the record's id at its source (`joined_key`) where its key can still be read, else empty. `record` is
    given for one that was parsed and must not be touched all the same.
    """

    position: int
    error: HubError
    raw: str = ""
    external_id: str = ""
    record: Record | None = None


def joined_key(parts: Sequence[str]) -> str:
    """One text for the values of a key: of a single field as it is, of several with bars between them."""
    return parts[0] if len(parts) == 1 else "|".join(part.replace("|", "||") for part in parts)


@dataclass(slots=True)
class Page:
    """One page of a source.

    `resume` is what the connector needs to fetch the *next* page (any JSON value), None after the last one.
    `cursor` is the highest cursor value seen so far, as the source's own string, never re-formatted.
    `ordered` says that pages come in cursor order, so that `cursor` may be kept before the crawl is complete.
    """

    records: Sequence[Record]
    resume: Any = None
    cursor: str | None = None
    ordered: bool = False
    bad: Sequence[BadRecord] = ()


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """A field that a stream offers; `path` is dotted, `type` is a JSON Schema type or date, date-time, decimal.

    `max_length` is in characters, 0 when it is not known; `options` are the only values that the system takes.
    """

    path: str
    type: str = "string"
    title: str = ""
    required: bool = False
    example: str = ""
    max_length: int = 0
    options: Sequence[str] = ()

    def as_data(self) -> dict[str, Any]:
        """As it is stored and compared; what few systems tell is left out where it is not told."""
        found = {name: getattr(self, name) for name in ("path", "type", "title", "required", "example")}
        if self.max_length:
            found["max_length"] = self.max_length
        return {**found, "options": list(self.options)} if self.options else found


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """An object type that a connection offers, as discovered."""

    name: str
    label: str
    fields: Sequence[FieldInfo] = ()
    key: Sequence[str] = ()
    cursor: str = ""
    readable: bool = True
    writable: bool = False
    safety: Literal["A", "B", "C", "D"] = "D"


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """What the engine asks a connector to read or write: the stream's name, its key and cursor fields, overrides."""

    name: str
    key: Sequence[str] = ()
    cursor: str = ""
    page_size: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One step of a connection test.

    `cause` is the remote system's own words, `fix` what to do about it, `code` that of the error.
    """

    name: Literal["resolve", "connect", "authenticate", "read"]
    ok: bool
    detail: str
    cause: str = ""
    fix: str = ""
    seconds: float = 0.0
    code: str = ""


Operation = Literal["upsert", "create", "update", "deactivate", "delete"]
WriteStatus = Literal["created", "updated", "unchanged", "failed", "unsure"]


@dataclass(slots=True)
class WriteItem:
    """One record for a target. `ref` is the target's own id when it is known; `idempotency_key` is stable over retries."""

    key: str
    operation: Operation
    body: Record
    ref: str | None = None
    idempotency_key: str = ""


@dataclass(slots=True)
class WriteOutcome:
    """What the target did with one item; `ref` is mandatory for created, updated and unchanged."""

    key: str
    status: WriteStatus
    ref: str | None = None
    error: HubError | None = None
    http_status: int | None = None
    response: str = ""
