"""A record that can be written to a simulator: recorded beside the declaration, else made from one that it holds."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from connectors.base import Connector
from connectors.certification.proofs import NotRun
from connectors.certification.rehearsal import Rehearsal
from connectors.declared import key_fields
from connectors.template import Scope, compile_template, render, texts
from hub.common.errors import HubError
from hub.common.records import Operation, Record, StreamSpec, WriteItem, WriteOutcome

# Refusals that may be due to a field that only the system itself fills.
MOST_FIELDS_DROPPED = 25
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Sample:
    """A body for a stream; `key_field` is where the business key stands, empty when it stands only in the address.

    In a recorded body `${key}` is the key of the record, for what must differ from one record to the next.
    """

    stream: str
    key_field: str
    body: Record
    recorded: bool = False

    def item(self, operation: Operation, key: str = "", ref: str | None = None) -> WriteItem:
        """A write of this body under a key, a fresh one when none is given."""
        key = key or fresh_key()
        body = render(self.body, Scope({"key": key})) | ({self.key_field: key} if self.key_field else {})
        return WriteItem(key, operation, body, ref, idempotency_key=f"certify-{key}")

    def without(self, field: str) -> Sample:
        return replace(self, body={name: value for name, value in self.body.items() if name != field})


def fresh_key() -> str:
    return f"CERT-{next(_numbers):05d}"


def business_key(section: Mapping[str, Any]) -> str:
    """The field in which a system keeps the key that the hub gives: what `find` looks for, what an upsert leaves out."""
    find, write = section.get("find", {}), section["write"]
    if any("${key" in text for _, text in texts(write.get("create", {}).get("add", {}))):
        # the declaration itself puts the key into what is sent
        return ""
    found = find.get("key") or next(iter(write.get("upsert", {}).get("omit", ())), "")
    return str(found[0] if isinstance(found, list) else found)


def recorded(declaration_source: str, stream: str) -> Record | None:
    """The body that stands beside the declaration: `NAME.payloads/write/STREAM.json`."""
    path = Path(declaration_source).with_suffix(".payloads") / "write" / f"{stream}.json"
    if not path.is_file():
        return None
    try:
        data: Record = orjson.loads(path.read_bytes())
    except ValueError as error:
        raise NotRun(f"{path.name} is not JSON: {error}.") from error
    return data


def sample(rehearsal: Rehearsal, connector: Connector, stream: str) -> Sample:
    """A body for a stream; raises NotRun where nothing tells what a record looks like."""
    section = rehearsal.declaration.streams[stream]
    own = recorded(rehearsal.declaration.source, stream)
    if own is not None:
        return Sample(stream, business_key(section), own, recorded=True)
    return Sample(stream, business_key(section), _from_a_record(connector, stream, section))


def _from_a_record(connector: Connector, stream: str, section: Mapping[str, Any]) -> Record:
    """The fields of a held record without what the system itself fills: its id, its cursor, its annotations."""
    held = next(_held(connector, stream), None)
    if held is None:
        raise NotRun(f"no record to write is known: add {stream}.json to the folder of payloads, below write/.")
    cursor = section.get("incremental", {}).get("cursor", ())
    own = {*key_fields(section), *((cursor,) if isinstance(cursor, str) else cursor)} - {business_key(section)}
    scalars = {name: value for name, value in held.items() if not isinstance(value, dict | list) and value is not None}
    return {name: value for name, value in scalars.items() if name not in own and "@" not in name}


def _held(connector: Connector, stream: str) -> Iterator[Record]:
    try:
        yield from (record for page in connector.read(StreamSpec(stream), cursor=None) for record in page.records)
    except HubError:
        return


def write_one(connector: Connector, stream: str, item: WriteItem) -> WriteOutcome:
    return connector.write(StreamSpec(stream), [item])[0]


def accepted(connector: Connector, found: Sample, operation: Operation, ref: str | None = None) -> Sample:
    """The sample without the fields that the system refuses to be given; raises NotRun when it refuses it all the same."""
    outcome = None
    for _ in range(MOST_FIELDS_DROPPED):
        outcome = write_one(connector, found.stream, found.item(operation, ref=ref))
        if outcome.status in ("created", "updated", "unchanged"):
            return found
        # the key stands in the address, so that every refusal names it
        field = _named_field(outcome, found.without(found.key_field).body)
        if found.recorded or not field:
            break
        found = found.without(field)
    said = outcome.error if outcome else ""
    raise NotRun(f"the simulator takes no sample of {found.stream} ({said}). Record one in write/{found.stream}.json.")


def _named_field(outcome: WriteOutcome, body: Record) -> str:
    """The field that a refusal is about, as far as it names one of the body."""
    words = [getattr(outcome.error, "field", ""), outcome.error.where if outcome.error else "", outcome.response]
    named = [name for text in words for name in body if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text or "")]
    return next(iter(named), "")


def address_pattern(operation: Mapping[str, Any]) -> str:
    """A regular expression for the requests of an operation, out of the literal part of its address."""
    place = operation.get("path") or operation.get("batch", {}).get("path") or ""
    parts = compile_template(place).parts
    literal = [re.escape(part) for part in parts if isinstance(part, str)]
    return ".*".join(literal)


def names_key(operation: Mapping[str, Any]) -> bool:
    """Whether the address of an operation holds the key."""
    return "key" in {reference.root for reference in compile_template(operation.get("path", "")).references}
