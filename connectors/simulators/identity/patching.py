"""SCIM PATCH (RFC 7644, section 3.5.2): operations laid over a resource, all of them or none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from connectors.simulators.identity.filters import BadFilter, own_name, parse_filter, split_name

_PATH = re.compile(r"(?P<name>(?:urn:[\w.:-]+:)?[A-Za-z$][\w$-]*)(?:\[(?P<filter>.+)\])?(?:\.(?P<sub>[\w$-]+))?")
_READ_ONLY = frozenset({"id", "meta", "groups"})
_MULTIPLE = frozenset({"emails", "phonenumbers", "addresses", "roles", "entitlements", "members"})


class BadPatch(ValueError):
    """A PATCH that is refused; `kind` is the scimType."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message


@dataclass(frozen=True, slots=True)
class Manner:
    """`lenient`: operations in any case and booleans as text, as Entra's client writes them."""

    lenient: bool = False

    def operation(self, given: Any) -> str:
        name = given.lower() if self.lenient and isinstance(given, str) else given
        if name not in ("add", "replace", "remove"):
            raise BadPatch("invalidSyntax", f"{given!r} is no operation: use add, replace or remove.")
        return str(name)

    def value(self, name: str, value: Any) -> Any:
        if name.lower() == "active" and isinstance(value, str):
            if not self.lenient or value.lower() not in ("true", "false"):
                raise BadPatch("invalidValue", f"active is true or false, not the text {value!r}.")
            return value.lower() == "true"
        return value


def patched(resource: Mapping[str, Any], operations: Any, manner: Manner) -> dict[str, Any]:
    """A copy of the resource after all operations; raises BadPatch."""
    if not isinstance(operations, list) or not operations:
        raise BadPatch("invalidSyntax", "Operations must be a list with at least one operation.")
    changed = deepcopy(dict(resource))
    for each in operations:
        if not isinstance(each, dict):
            raise BadPatch("invalidSyntax", "An operation must be an object.")
        _apply(changed, manner.operation(each.get("op")), each.get("path"), each.get("value"), manner)
    return changed


def _apply(resource: dict[str, Any], operation: str, path: str | None, value: Any, manner: Manner) -> None:
    if path:
        _at_path(resource, operation, path, value, manner)
        return
    if operation == "remove":
        raise BadPatch("noTarget", "remove needs a path.")
    if not isinstance(value, dict):
        raise BadPatch("invalidValue", "Without a path the value must be an object.")
    for name, part in value.items():
        if name.lower().startswith("urn:") and isinstance(part, dict):
            extension = resource.setdefault(own_name(resource, name), {})
            extension.update(part)
        elif name.lower() != "schemas":
            _at_path(resource, operation, name, part, manner)


def _at_path(resource: dict[str, Any], operation: str, path: str, value: Any, manner: Manner) -> None:
    match = _PATH.fullmatch(path)
    if match is None:
        raise BadPatch("invalidPath", f"The path {path!r} cannot be read.")
    *schema, name = split_name(match["name"])
    if name.lower() in _READ_ONLY:
        raise BadPatch("mutability", f"{name} is set by the system alone.")
    holder = resource.setdefault(own_name(resource, schema[0]), {}) if schema else resource
    name = own_name(holder, name)
    if match["filter"]:
        _among(holder, name, match["filter"], match["sub"], operation, value)
    elif match["sub"]:
        inner = holder.setdefault(name, {})
        _set(inner, own_name(inner, match["sub"]), operation, value)
    else:
        _set(holder, name, operation, manner.value(name, value))


def _set(holder: dict[str, Any], name: str, operation: str, value: Any) -> None:
    if operation == "remove":
        gone = {entry.get("value") for entry in value or () if isinstance(entry, dict)}
        held = holder.pop(name, None)
        if gone and isinstance(held, list):
            holder[name] = [entry for entry in held if entry.get("value") not in gone]
        return
    if name.lower() in _MULTIPLE:
        value = value if isinstance(value, list) else [value]
        held = holder.get(name) or []
        holder[name] = [*held, *(entry for entry in value if entry not in held)] if operation == "add" else value
    elif value is None:
        holder.pop(name, None)
    else:
        merges = isinstance(value, dict) and isinstance(holder.get(name), dict)
        holder[name] = {**holder[name], **value} if merges else value


def _among(holder: dict[str, Any], name: str, text: str, sub: str | None, operation: str, value: Any) -> None:
    """The entries of a list that meet a filter, such as `emails[type eq "work"].value`."""
    try:
        test = parse_filter(text)
    except BadFilter as error:
        raise BadPatch("invalidFilter", str(error)) from None
    entries = holder.get(name) or []
    fitting = [entry for entry in entries if test(entry)]
    if not fitting:
        raise BadPatch("noTarget", f"No entry of {name} meets {text!r}.")
    if operation == "remove" and not sub:
        holder[name] = [entry for entry in entries if entry not in fitting]
        return
    for entry in fitting:
        if sub:
            _set(entry, own_name(entry, sub), operation, value)
        else:
            entry.update(value)
