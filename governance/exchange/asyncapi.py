"""The hub's events as an AsyncAPI 3.0 document: one channel for each entity, CloudEvents in structured mode. Pure.

Which events there are is told by the package that sends them, see `register`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.contracts import portable_schema
from governance.exchange.odcs import Agreement
from governance.exchange.words import KEPT, Data
from governance.schemas import Schema, fields_of

VERSION = "3.0.0"
MEDIA_TYPE = "application/cloudevents+json"
HUB = "hub"


@dataclass(frozen=True, slots=True)
class EventType:
    """`name` without prefix and version; `data` are the names of what it says. One about a record carries that record,

    or the fields of it that `carries` names.
    """

    name: str
    title: str
    data: tuple[str, ...]
    is_about_record: bool = False
    version: int = 1
    carries: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        return f"syncline.{self.name}.v{self.version}"


_types: list[EventType] = []
_hidden: list[Callable[[Collection[str], Schema], Collection[str]]] = []
# Events that a firm has defined for an entity, by the entity's short name.
_own: list[Callable[[str], Sequence[EventType]]] = []


def register(
    types: Iterable[EventType],
    hidden: Callable[[Collection[str], Schema], Collection[str]],
    own: Callable[[str], Sequence[EventType]] | None = None,
) -> None:
    """What is sent, which fields of a record never are, and what the firm has defined for an entity."""
    _types[:], _hidden[:], _own[:] = types, [hidden], [own] if own else []


def to_asyncapi(agreements: Sequence[Agreement], *, source: str, is_whole: bool = False) -> Data:
    """`is_whole` adds the events about runs, deliveries and connections, which belong to no one entity."""
    channels = {
        each.entity: _channel(each.name, each.description, _names(each.entity, _of(each.entity))) for each in agreements
    }
    messages = {
        f"{each.entity}.{kind.name}": _message(kind, each, source) for each in agreements for kind in _of(each.entity)
    }
    if is_whole:
        others = [kind for kind in _types if not kind.is_about_record]
        said = "What happens to runs, deliveries and connections."
        channels[HUB] = _channel("The hub itself", said, _names(HUB, others))
        messages |= {f"{HUB}.{kind.name}": _message(kind, None, source) for kind in others}
    return {
        "asyncapi": VERSION,
        "info": _info(agreements, is_whole),
        "defaultContentType": MEDIA_TYPE,
        "channels": channels,
        "operations": {f"send.{name}": _operation(name, part["messages"]) for name, part in channels.items()},
        "components": {"messages": messages, "schemas": {each.entity: _record(each) for each in agreements}},
    }


def _info(agreements: Sequence[Agreement], is_whole: bool) -> Data:
    title = "Events of the hub" if is_whole else f"Events of {agreements[0].name}"
    said = "CloudEvents 1.0, signed as Standard Webhooks say, to the address of each subscription."
    return {"title": title, "version": "1.0.0" if is_whole else agreements[0].version, "description": said}


def _about_records() -> list[EventType]:
    return [kind for kind in _types if kind.is_about_record]


def _of(entity: str) -> list[EventType]:
    """What is told of the records of an entity."""
    return [*_about_records(), *(kind for own in _own for kind in own(entity))]


def _names(place: str, types: Sequence[EventType]) -> dict[str, str]:
    return {kind.name: f"#/components/messages/{place}.{kind.name}" for kind in types}


def _channel(title: str, description: str, messages: Mapping[str, str]) -> Data:
    """The address is that of a subscription, which the document cannot know."""
    said = {"description": description} if description else {}
    return {
        "address": None,
        "title": title,
        **said,
        "messages": {name: {"$ref": ref} for name, ref in messages.items()},
    }


def _operation(channel: str, messages: Mapping[str, Any]) -> Data:
    return {
        "action": "send",
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _message(kind: EventType, about: Agreement | None, source: str) -> Data:
    data: Data = {"type": "object", "required": list(kind.data), "properties": {name: {} for name in kind.data}}
    subject = "what it is about, as kind/name"
    if about is not None:
        data["properties"] |= _identity(about) | {"record": _carried(kind, about)}
        subject = f"{about.entity}/ and the key of the record"
    return {
        "name": kind.full_name,
        "title": kind.title,
        "contentType": MEDIA_TYPE,
        "payload": _envelope(kind, data, source, subject),
    }


def _carried(kind: EventType, about: Agreement) -> Data:
    whole = f"#/components/schemas/{about.entity}"
    if not kind.carries:
        return {"$ref": whole}
    return {"type": "object", "properties": {name: {"$ref": f"{whole}/properties/{name}"} for name in kind.carries}}


def _identity(about: Agreement) -> Data:
    return {
        "entity": {"const": about.entity},
        "id": {"type": "string"},
        "key": {"type": "string"},
        "version": {"type": "integer"},
        "changed": {"type": "array", "items": {"type": "string"}, "description": "Names of the fields that changed."},
    }


def _envelope(kind: EventType, data: Data, source: str, subject: str) -> Data:
    text = {"type": "string"}
    properties = {
        "specversion": {"const": "1.0"},
        "id": {**text, "description": "The same in every attempt."},
        "source": {"const": source},
        "type": {"const": kind.full_name},
        "subject": {**text, "description": subject[:1].upper() + subject[1:] + "."},
        "time": {**text, "format": "date-time"},
        "datacontenttype": {"const": "application/json"},
        "sequence": {**text, "description": "Grows with every event of the hub."},
        "data": data,
    }
    return {"type": "object", "required": list(properties), "properties": properties}


def _record(about: Agreement) -> Data:
    """The contract's schema without what is never sent, its references pointing into this document."""
    schema = {name: value for name, value in about.schema.items() if name not in (KEPT, "allOf")}
    hide = {name for rule in _hidden for name in rule([field.name for field in fields_of(about.schema)], about.schema)}
    schema["properties"] = {name: spec for name, spec in schema["properties"].items() if name not in hide}
    schema["required"] = [name for name in schema.get("required") or () if name not in hide]
    if schema.get("additionalProperties") is False:
        del schema["additionalProperties"]
    portable = portable_schema(schema)
    del portable["$schema"]
    found: Data = _moved(portable, f"#/components/schemas/{about.entity}")
    return found


def _moved(spec: Any, place: str) -> Any:
    if isinstance(spec, list):
        return [_moved(part, place) for part in spec]
    if not isinstance(spec, dict):
        return spec
    return {name: place + part[1:] if _is_reference(name, part) else _moved(part, place) for name, part in spec.items()}


def _is_reference(name: str, part: Any) -> bool:
    return name == "$ref" and isinstance(part, str) and part.startswith("#")
