"""Simulated Kantata OX: the demo's PSA with external references as records of their own, and a feed of events."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from connectors.simulators import psa_data
from connectors.simulators.clock import Clock
from connectors.simulators.firm import Firm
from connectors.simulators.messages import Refusal, Reply, Request
from connectors.simulators.planted import Stamped
from connectors.simulators.psa import PsaSimulator, singular
from connectors.simulators.tables import Field, ObjectType, Row, Table

TOKEN = "kantata-rehearsal-token"
# the name under which the firm's older integration keeps its references
OLD_SERVICE = "Legacy bridge"
_ASKED = "external_reference_"
_REFERENCES = ObjectType(
    "external_references",
    (
        Field("id", "id", read_only=True),
        Field("subject_type", required=True),
        Field("subject_id", "id", required=True),
        Field("service_name", required=True),
        Field("service_model", required=True),
        Field("service_model_ref", required=True),
        Field("updated_at", read_only=True),
    ),
    modified="updated_at",
    writable=False,
)
_EVENTS = ObjectType(
    "subscribed_events",
    (
        Field("id", "id", read_only=True),
        Field("event_type"),
        Field("subject_type"),
        Field("subject_id", "id"),
        Field("created_at", read_only=True),
    ),
    modified="created_at",
    writable=False,
)


def _own(kind: ObjectType) -> ObjectType:
    """The demo PSA's object with the reference as an object that is written, and never shown as a field."""
    fields = (Field("external_reference", "object") if f.name == "external_reference" else f for f in kind.fields)
    kept = [f for f in fields if f.name not in ("employee_number", "external_reference")]
    minutes = [Field("minutes", "integer")] if kind.name == "workspace_allocations" else []
    return replace(kind, fields=(*kept, *minutes))


class KantataSimulator(PsaSimulator):
    system, label = "kantata", "Simulated Kantata OX"
    kinds = (*(_own(kind) for kind in psa_data.KINDS), _REFERENCES)

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        # what happened is no record of the firm
        self._events = Table(_EVENTS)

    def table(self, name: str) -> Table:
        return self._events if name == _EVENTS.name else super().table(name)

    def guard(self, request: Request) -> None:
        if request.headers.get("authorization", "") != f"Bearer {TOKEN}":
            raise Refusal("unauthorised", "Invalid OAuth 2 Request")

    def seed_rows(self, firm: Firm) -> dict[str, Iterable[Stamped]]:
        self._events = Table(_EVENTS)
        rows = {name: list(items) for name, items in super().seed_rows(firm).items()}
        references = list(_taken_out(rows))
        return {**rows, "external_references": references}

    # Reading

    def _filtered(self, table: Table, query: dict[str, str]) -> Iterator[Row]:
        asked = {name.removeprefix(_ASKED): text for name, text in query.items() if name.startswith(_ASKED)}
        plain = {n: t for n, t in query.items() if not n.startswith(_ASKED) and n not in ("include_archived",)}
        subjects = self._subjects(table.kind.name, asked) if asked else None
        for row in super()._filtered(table, plain):
            hidden = row.get("archived") and query.get("include_archived") != "true"
            if not hidden and (subjects is None or str(row["id"]) in subjects):
                yield row

    def _subjects(self, kind: str, asked: Mapping[str, str]) -> set[str]:
        """The ids of the records that the reference parameters fit."""
        wanted = {name.removesuffix("s"): set(text.split(",")) for name, text in asked.items()}
        rows = (row for row in self.tables["external_references"].rows.values() if row["subject_type"] == kind)
        return {str(row["subject_id"]) for row in rows if all(str(row.get(n)) in texts for n, texts in wanted.items())}

    def _envelope(self, kind: ObjectType, rows: list[Row], meta: Row | None = None) -> Reply:
        """With the references of each record beside it, as `include=external_references` asks."""
        reply, ids = super()._envelope(kind, rows, meta), {str(row["id"]) for row in rows}
        found = [
            row
            for row in self.tables["external_references"].rows.values()
            if row["subject_type"] == kind.name and str(row["subject_id"]) in ids
        ]
        if kind is not _REFERENCES:
            reply.body["external_references"] = {str(row["id"]): row for row in found}
        return reply

    # Writing

    def derive(self, kind: ObjectType, row: Row, before: Row | None) -> Row:
        return row if kind is _REFERENCES else super().derive(kind, row, before)

    def _unwrapped(self, kind: ObjectType, request: Request) -> Row:
        values = super()._unwrapped(kind, request)
        self._reference: Any = values.pop("external_reference", None)
        if not kind.writable:
            raise Refusal("method", f"{kind.name} cannot be written.")
        return values

    def insert(self, kind: ObjectType, values: Row) -> Row:
        """A record that is sent twice is there twice, each with the reference that came along."""
        row = super().insert(kind, values)
        if kind is not _REFERENCES:
            self._tell(kind, row, "created")
            if isinstance(self._reference, dict):
                subject = {"subject_type": kind.name, "subject_id": str(row["id"])}
                super().insert(_REFERENCES, {**self._reference, **subject})
        return row

    def update(self, kind: ObjectType, key: str, changes: Row) -> Row:
        row = super().update(kind, key, changes)
        self._tell(kind, row, "updated")
        return row

    def delete(self, kind: ObjectType, key: str) -> None:
        row = self.tables[kind.name].rows[key]
        super().delete(kind, key)
        self._tell(kind, row, "deleted")

    def _tell(self, kind: ObjectType, row: Row, what: str) -> None:
        events, now = self._events, self.clock.now()
        subject = singular(kind.name)
        events.load(
            {
                "id": str(1 + len(events.rows)),
                "event_type": f"{subject}:{what}",
                "subject_type": subject,
                "subject_id": str(row["id"]),
                "created_at": self.stamp(now),
            },
            now,
        )


def _taken_out(rows: Mapping[str, list[Stamped]]) -> Iterator[Stamped]:
    """The seed's own codes as references of an older integration; taken out of the rows themselves."""
    n = 0
    for name, items in rows.items():
        for stamped in items:
            stamped.row.pop("employee_number", None)
            code = stamped.row.pop("external_reference", None)
            if code:
                n += 1
                row = {
                    "id": str(n),
                    "subject_type": name,
                    "subject_id": str(stamped.row["id"]),
                    "service_name": OLD_SERVICE,
                    "service_model": singular(name),
                    "service_model_ref": code,
                }
                yield Stamped(str(n), row, stamped.changed_at)
