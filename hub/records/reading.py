"""A canonical record as people may see it: field by field, with its source, masked where its contract says so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal

from connectors.models import System
from governance.models import ContractVersion, Entity
from governance.schemas import Field, Markers, Schema, fields_of, markers_of
from hub.common.money import CURRENCY_DIGITS
from hub.records.models import CanonicalRecord
from hub.records.queries import known_ids

Look = Literal["text", "amount", "date", "instant", "yesno", "json", "nothing"]
PROMOTED = ("legal_entity", "customer", "project", "period")


@dataclass(frozen=True, slots=True)
class Shown:
    """One field of a record: `look` says how the value is printed, `record` is the id of what it refers to."""

    field: Field
    value: Any
    look: Look
    source: str
    is_masked: bool = False
    currency: str = ""
    record: int | None = None
    is_known: bool = True


class Described:
    """An entity's contract as the browser of records needs it."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self._versions = list(
            ContractVersion.objects.filter(contract__entity=entity).order_by("-number").values_list("status", "schema")
        )

    @cached_property
    def schema(self) -> Schema:
        """The version in force; empty when there is none."""
        return next((schema for status, schema in self._versions if status == "active"), {})

    @cached_property
    def fields(self) -> dict[str, Field]:
        return {field.name: field for field in fields_of(self.schema)}

    @cached_property
    def markers(self) -> Markers:
        return markers_of(self.schema)

    @cached_property
    def columns(self) -> list[str]:
        """Promoted columns that lists of this entity show: those the contract fills, beside the key itself."""
        marked = dict(self.markers.promoted)
        shown = {name for name, field in marked.items() if (field,) != self.markers.key and not self._is_secret(field)}
        return [name for name in PROMOTED if name in shown]

    @cached_property
    def _classified(self) -> dict[str, Field]:
        """The newest description of every field that any version knew."""
        known: dict[str, Field] = {}
        for _, schema in self._versions:
            for field in fields_of(schema):
                known.setdefault(field.name, field)
        return known | self.fields

    def masked(self, body: Mapping[str, Any]) -> set[str]:
        """Fields of a body that hold something people see only after revealing it.

        A field that left the contract stays as secret as it was; one that no version ever described is secret too.
        """
        return {name for name, value in body.items() if value is not None and self._is_secret(name)}

    def _is_secret(self, name: str) -> bool:
        field = self._classified.get(name)
        return field is None or field.is_masked

    def open_body(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The body without what is masked."""
        secret = self.masked(body)
        return {name: value for name, value in body.items() if name not in secret}

    def describe(self, name: str) -> Field:
        """The contract's field, or what is left of one that it no longer knows."""
        return self._classified.get(name) or Field(name, "string", name, False, classification="confidential")


def show(record: CanonicalRecord, described: Described, *, revealed: bool = False) -> list[Shown]:
    """Every field of the contract in its order, then what the record holds beside it."""
    body: dict[str, Any] = record.body
    secret = set() if revealed else described.masked(body)
    names = [*described.fields, *(name for name in body if name not in described.fields)]
    sources = sources_of(record)
    targets = _targets(described, body)
    return [_shown(described, name, body, name in secret, sources.get(name, ""), targets) for name in names]


def _shown(
    described: Described, name: str, body: Mapping[str, Any], masked: bool, source: str, targets: Mapping[str, int]
) -> Shown:
    field = described.describe(name)
    value = None if masked else body.get(name)
    return Shown(
        field,
        value,
        _look(field, value),
        source if name in body else "",
        is_masked=masked,
        currency=str(body.get(field.currency) or "") if field.currency else "",
        record=targets.get(name) if value is not None else None,
        is_known=name in described.fields,
    )


def _look(field: Field, value: Any) -> Look:
    if value in (None, ""):
        return "nothing"
    if isinstance(value, bool):
        return "yesno"
    if isinstance(value, dict | list):
        return "json"
    looks: Mapping[str, Look] = {"date": "date", "date-time": "instant"}
    return "amount" if field.currency else looks.get(field.type, "text")


def sources_of(record: CanonicalRecord, attribute: str = "name") -> dict[str, str]:
    """field → name (or another attribute) of the system that supplied it"""
    provenance: dict[str, int] = record.provenance.fields
    names = dict(System.objects.filter(pk__in=set(provenance.values())).values_list("pk", attribute))
    return {field: names.get(system, "a system that is gone") for field, system in provenance.items()}


def _targets(described: Described, body: Mapping[str, Any]) -> dict[str, int]:
    """field → id of the record it refers to, for those that are here"""
    given = [(name, ref, body[name]) for name, ref in described.markers.refs if isinstance(body.get(name), str)]
    entities = _entity_ids({ref for _, ref, _ in given})
    found = known_ids(entities.values(), [key for _, _, key in given])
    pairs = ((name, found.get((entities.get(ref, 0), key))) for name, ref, key in given)
    return {name: target for name, target in pairs if target is not None}


def _entity_ids(slugs: Iterable[str]) -> dict[str, int]:
    return dict(Entity.objects.filter(slug__in=slugs).values_list("slug", "pk"))


def plain_amount(record: CanonicalRecord) -> Decimal | None:
    """The promoted amount without the zeros that its column adds, but with the decimals of its currency."""
    if record.amount is None:
        return None
    digits = CURRENCY_DIGITS.get(record.currency or "", 0)
    short = record.amount.normalize()
    return max(short, short.quantize(Decimal(1).scaleb(-digits)), key=_decimals)


def _decimals(number: Decimal) -> int:
    exponent = number.as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def title_of(record: CanonicalRecord, described: Described) -> str:
    """What people call the record beside its key: its name, unless that is masked."""
    body = described.open_body(record.body)
    if name := body.get("name") or body.get("description"):
        return str(name)
    return " ".join(str(body[part]) for part in ("given_name", "family_name") if body.get(part))
