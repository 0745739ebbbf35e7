"""The connector for SOAP services: everything that the one for REST does, by the operations of a WSDL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, ClassVar

from connectors.paths import split_path
from connectors.rest.client import ApiClient
from connectors.rest.connector import RestConnector
from connectors.soap.client import SoapClient
from connectors.soap.contract import Operation
from connectors.soap.shapes import Shape
from hub.common.records import FieldInfo, StreamInfo, StreamSpec

_DEEPEST = 6
_MOST_FIELDS = 400


class SoapConnector(RestConnector):
    """Operations that the declaration does not mention are streams as well: each answers with what it has."""

    protocol: ClassVar[str] = "soap"
    label: ClassVar[str] = "SOAP"
    client_class: ClassVar[type[ApiClient]] = SoapClient
    source_option: ClassVar[str] = "operation"

    @property
    def client(self) -> SoapClient:
        assert isinstance(self.api, SoapClient)
        return self.api

    def declared_stream(self, spec: StreamSpec) -> Mapping[str, Any]:
        """What the declaration says, else what the WSDL says about the operation of that name."""
        if not self._is_open:
            return super().declared_stream(spec)
        operation = self.client.contract().operation(spec.name)
        records, is_list = find_records(operation.output)
        return {
            **self.declaration.body.get("defaults", {}),
            "operation": spec.name,
            "records": records or "$",
            **({} if is_list else {"single": True}),
        }

    @property
    def _is_open(self) -> bool:
        """Whether the declaration leaves it to the WSDL what there is."""
        return not self.declaration.streams

    def _authenticate(self, seconds: float) -> str:
        if not self._is_open or "operation" in self.declaration.body.get("check", {}):
            return super()._authenticate(seconds)
        self.api.time_limit = seconds
        count = len(self.client.contract().names())
        return f"The WSDL offers {count} operations. Whether the sign-in is accepted shows the first call."

    # --- discover --------------------------------------------------------------------------------------------------

    def discover(self) -> Sequence[StreamInfo]:
        if self._is_open:
            return [self._operation_info(operation) for operation in self.client.contract().operations()]
        return super().discover()

    def _operation_info(self, operation: Operation) -> StreamInfo:
        records, is_list = find_records(operation.output)
        shape = shape_at(operation.output, records) if records else operation.output
        return StreamInfo(
            operation.name,
            operation.name.replace("_", " "),
            fields=tuple(described(shape)) if shape else (),
            readable=is_list,
        )

    def _describe(self, name: str, stream: Mapping[str, Any]) -> StreamInfo:
        known = stream.get("fields") or self._fields_by_wsdl(stream)
        return super()._describe(name, {**stream, "fields": known})

    def _fields_by_wsdl(self, stream: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of a stream whose declaration names none, as the WSDL has them."""
        if not self._is_readable(stream):
            return {}
        output = self.client.contract(stream).operation(stream["operation"]).output
        shape = shape_at(output, stream.get("records", "$"))
        return {info.path: info.type for info in described(shape)} if shape else {}


def find_records(shape: Shape) -> tuple[str, bool]:
    """Path to the first element that repeats, nearest first, and whether there is one."""
    level: list[tuple[str, Shape]] = [("", shape)]
    for _ in range(_DEEPEST):
        below: list[tuple[str, Shape]] = []
        for path, each in level:
            for name, (inner, repeats) in each.children.items():
                place = f"{path}.{name}".lstrip(".")
                if repeats:
                    return place, True
                below.append((place, inner))
        level = below
    return "", False


def shape_at(shape: Shape, path: str) -> Shape | None:
    """The shape of the element at a path of names."""
    for part in () if path in ("", "$") else split_path(path):
        if part not in shape.children:
            return None
        shape = shape.children[part][0]
    return shape


def described(shape: Shape) -> list[FieldInfo]:
    """The fields of a record, to a bounded depth and number: types may hold themselves."""
    return list(islice(_walk(shape, "", _DEEPEST), _MOST_FIELDS))


def _walk(shape: Shape, path: str, depth: int) -> Iterator[FieldInfo]:
    for name, (inner, repeats) in shape.children.items():
        place = f"{path}.{name}".lstrip(".")
        if repeats:
            yield FieldInfo(place, "array")
        elif inner.children:
            if depth > 1:
                yield from _walk(inner, place, depth - 1)
        elif inner.attributes:
            yield FieldInfo(f"{place}.#text", inner.scalar)
        else:
            yield FieldInfo(place, inner.scalar)
