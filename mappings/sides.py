"""The two sides of a mapping: the fields that can be read, the fields to be filled, and how each looks on a page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from connectors.inference import infer_fields
from connectors.paths import split_path
from governance.models import ContractVersion
from governance.schemas import MASKED, Schema, field_type
from hub.common.records import FieldInfo, Record
from mappings.models import Mapping as MappingModel
from mappings.paths import format_path, parse_path
from mappings.target_fields import TargetField, target_fields

NO_SCHEMA: Schema = {"type": "object", "properties": {}}
_SHORT = {"string": "str", "decimal": "dec", "number": "num", "integer": "int", "boolean": "bool", "date-time": "time"}


@dataclass(frozen=True, slots=True)
class Target:
    """A field to be filled. `badge` is its type in a few signs; a free one is named by a rule, not by the target."""

    field: TargetField
    badge: str
    description: str = ""
    example: str = ""
    is_free: bool = False
    spec: Mapping[str, Any] = dataclasses.field(default_factory=dict, compare=False)

    @property
    def path(self) -> str:
        return self.field.path

    @property
    def is_masked(self) -> bool:
        return self.field.classification in MASKED


@dataclass(frozen=True, slots=True)
class Sides:
    """What a mapping maps between. `schema` describes the target; values of source fields in `masked` are never shown."""

    schema: Schema
    targets: tuple[Target, ...]
    sources: tuple[FieldInfo, ...]
    masked: frozenset[str]
    key: tuple[str, ...]

    @property
    def source_paths(self) -> tuple[str, ...]:
        return tuple(info.path for info in self.sources)

    def target(self, path: str) -> Target:
        """The target of a path; one that the target does not list is free."""
        return next((target for target in self.targets if target.path == path), free_target(path))


def active_schema(mapping: MappingModel) -> Schema:
    """The schema of the entity's active contract version; one without fields when there is none."""
    active = ContractVersion.objects.filter(contract__entity_id=mapping.entity_id, status="active").first()
    return active.schema if active else NO_SCHEMA


def sides_of(
    mapping: MappingModel, *, schema: Schema | None = None, samples: Sequence[Record] = (), free: Iterable[str] = ()
) -> Sides:
    """Both sides. A stream that was never discovered offers the fields of the samples; `free` adds targets."""
    contract = active_schema(mapping) if schema is None else schema
    offered = stream_fields(mapping, samples)
    if mapping.direction == MappingModel.Direction.IN:
        return Sides(contract, _targets(contract, free), offered, _marked(mapping.stream.source_schema), _key(mapping))
    schema = stream_schema(offered)
    known = target_fields(contract)
    return Sides(
        schema,
        _targets(schema, free),
        tuple(_as_info(each, contract) for each in known),
        frozenset(each.path for each in known if each.classification in MASKED),
        tuple(each.path for each in known if each.is_key),
    )


def stream_fields(mapping: MappingModel, samples: Sequence[Record]) -> tuple[FieldInfo, ...]:
    """The stream's fields under the paths that rules use: a name with a dot stands in quotes there, escaped here."""
    found = tuple(FieldInfo(**_known(each)) for each in mapping.stream.fields)
    is_inbound = mapping.direction == MappingModel.Direction.IN
    offered = found if found or not is_inbound else infer_fields(list(samples))
    return tuple(replace(info, path=format_path(split_path(info.path))) for info in offered)


def _known(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: data[name] for name in FieldInfo.__dataclass_fields__ if name in data}


def stream_schema(fields: Sequence[FieldInfo]) -> Schema:
    """A stream's fields as a schema; it stays open, because systems take more than they list."""
    schema: Schema = {"type": "object", "properties": {}, "required": []}
    for info in fields:
        *above, name = parse_path(info.path)
        at = schema
        for step in above:
            at = at["properties"].setdefault(step, {"type": "object", "properties": {}, "required": []})
            at.setdefault("properties", {})
        at["properties"][name] = _spec(info)
        if info.required:
            at.setdefault("required", []).append(name)
    return schema


def _spec(info: FieldInfo) -> dict[str, Any]:
    is_format = info.type in ("date", "date-time", "decimal")
    spec: dict[str, Any] = {"type": "string", "format": info.type} if is_format else {"type": info.type or "string"}
    return {
        **spec,
        **({"title": info.title} if info.title else {}),
        **({"examples": [info.example]} if info.example else {}),
    }


def _targets(schema: Schema, free: Iterable[str]) -> tuple[Target, ...]:
    listed = [_target(each, spec_at(schema, each.path)) for each in target_fields(schema)]
    known = {target.path for target in listed}
    return (*listed, *(free_target(path) for path in dict.fromkeys(free) if path not in known))


def _target(found: TargetField, spec: Mapping[str, Any]) -> Target:
    examples = spec.get("examples") or [""]
    return Target(found, badge(spec), str(spec.get("description") or ""), str(examples[0]), spec=spec)


def free_target(path: str) -> Target:
    name = parse_path(path)[-1]
    return Target(TargetField(path=path, name=name, title=name, type="string"), "free", is_free=True)


def spec_at(schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    """The part of a schema that describes a path; empty when there is none."""
    for step in parse_path(path):
        schema = (schema.get("properties") or {}).get(step, {})
    return schema


def badge(spec: Mapping[str, Any]) -> str:
    """`str ≤ 99`, `dec`, `ref · customer`, `one of 5`: a field's type in a few signs."""
    if spec.get("x-ref"):
        return f"ref · {spec['x-ref']}"
    if spec.get("enum"):
        return f"one of {sum(value is not None for value in spec['enum'])}"
    word = field_type(spec)
    short = _SHORT.get(word, word)
    return f"{short} ≤ {spec['maxLength']}" if short == "str" and spec.get("maxLength") else short


def source_badge(info: FieldInfo) -> str:
    return _SHORT.get(info.type or "string", info.type)


def _as_info(found: TargetField, schema: Schema) -> FieldInfo:
    spec = spec_at(schema, found.path)
    examples = spec.get("examples") or [""]
    return FieldInfo(found.path, field_type(spec), found.title, found.is_required, str(examples[0]))


def _marked(source_schema: Mapping[str, Any]) -> frozenset[str]:
    """Source fields that the stream's own schema calls confidential or restricted."""
    return frozenset(each.path for each in target_fields(source_schema) if each.classification in MASKED)


def _key(mapping: MappingModel) -> tuple[str, ...]:
    return tuple(mapping.stream.key_fields)
