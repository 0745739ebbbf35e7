"""How large a schema may be: judged before anything compiles, compares or shows it, in one pass without recursion.

A few lines can stand for a billion parts (each `$ref` used twice by the one above it), nest deeper than any parser's stack, or
lead round in a circle. What is counted here is what a reader of the schema would have to walk through.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

MAX_DEPTH = 100
MAX_VALUES = 300_000
MAX_CHOICES = 10_000
MAX_PARTS = 200_000

# Keywords whose value is one schema, a list of schemas, or schemas by name. Those marked True judge the same value again.
_ONE = {
    "items": False, "additionalProperties": False, "propertyNames": False, "contains": False, "unevaluatedItems": False,
    "unevaluatedProperties": False, "contentSchema": False, "not": True, "if": True, "then": True, "else": True,
}  # fmt: skip
_MANY = {"allOf": True, "anyOf": True, "oneOf": True, "prefixItems": False}
_NAMED = {
    "properties": False,
    "patternProperties": False,
    "$defs": False,
    "definitions": False,
    "dependentSchemas": True,
}
_NOTHING: dict[str, Any] = {}
_ELSEWHERE = ("$dynamicRef", "$recursiveRef", "$dynamicAnchor", "$anchor")

Found = tuple[str, str]  # (dotted path, sentence)


def bound_error(schema: Any, *, may_contain_itself: bool = True) -> Found | None:
    """Why a schema is too large, too deep or circular; None when it is within bounds."""
    return size_error(schema) or _Unfolding(schema, may_contain_itself).error()


def size_error(value: Any) -> Found | None:
    """Why plain data is too deep or too much as it is written down; None when it is within bounds."""
    waiting, count = [(value, "", 0)], 0
    while waiting:
        found, path, depth = waiting.pop()
        count += 1
        if depth > MAX_DEPTH:
            return _short(path), f"This is nested more than {MAX_DEPTH} levels deep."
        if count > MAX_VALUES:
            return "", f"It holds more than {MAX_VALUES:,} values."
        if isinstance(found, dict):
            waiting += [(part, f"{path}.{name}" if path else str(name), depth + 1) for name, part in found.items()]
        elif isinstance(found, list):
            if len(found) > MAX_CHOICES:
                return _short(path), f"A list of {len(found):,} entries is longer than {MAX_CHOICES:,}."
            waiting += [(part, path, depth + 1) for part in found]
    return None


def _short(path: str, most: int = 80) -> str:
    return path if len(path) <= most else f"{path[:most]}…"


@dataclass(slots=True)
class _Frame:
    """A part of the schema that is being unfolded; `same` says that it judges the value of the part above it."""

    spec: dict[str, Any]
    path: str
    same: bool
    rest: Iterator[tuple[Any, str, bool]]
    parts: int = 1


@dataclass(slots=True)
class _Unfolding:
    """Every part with the parts behind its references; what is known of a part is not walked again."""

    root: Any
    may_contain_itself: bool
    parts: dict[int, int] = field(default_factory=dict)

    def error(self) -> Found | None:
        if not isinstance(self.root, dict):
            return None
        trail, open_parts = [self._frame(self.root, "", False)], {id(self.root): 0}
        while trail:
            top = trail[-1]
            child = next(top.rest, None)
            if child is None:
                self._close(trail, open_parts)
                continue
            spec, path, same = child
            if isinstance(spec, str):
                return path, spec
            if id(spec) in self.parts:
                top.parts += self.parts[id(spec)]
            elif id(spec) in open_parts:
                if error := self._circle(trail[open_parts[id(spec)] + 1 :], path, same):
                    return error
            else:
                open_parts[id(spec)] = len(trail)
                trail.append(self._frame(spec, path, same))
            if top.parts > MAX_PARTS:
                return _short(top.path), f"With its references this unfolds to more than {MAX_PARTS:,} parts."
        return None

    def _frame(self, spec: dict[str, Any], path: str, same: bool) -> _Frame:
        return _Frame(spec, path, same, _children(self.root, spec, path))

    def _close(self, trail: list[_Frame], open_parts: dict[int, int]) -> None:
        done = trail.pop()
        del open_parts[id(done.spec)]
        self.parts[id(done.spec)] = done.parts
        if trail:
            trail[-1].parts += done.parts

    def _circle(self, between: list[_Frame], path: str, same: bool) -> Found | None:
        if same and all(frame.same for frame in between):
            return _short(path), "The reference leads back to itself, so no value could ever be judged."
        if self.may_contain_itself:
            return None
        return _short(path), "The part contains itself. A record of the hub has an end: write the levels out."


def _children(root: Any, spec: dict[str, Any], path: str) -> Iterator[tuple[Any, str, bool]]:
    """(part, path, whether it judges the same value); a sentence instead of a part where a reference cannot be followed."""
    for name, value in spec.items():
        here = f"{path}.{name}" if path else name
        if name == "$ref":
            yield _target(root, value), here, True
        elif name in _ELSEWHERE or (name == "$id" and path):
            yield f"`{name}` is not understood. Refer to a part by its place, such as #/$defs/address.", here, False
        elif name in _ONE and isinstance(value, dict):
            yield value, here, _ONE[name]
        elif name in _MANY and isinstance(value, list):
            yield from ((part, f"{here}.{at}", _MANY[name]) for at, part in enumerate(value) if isinstance(part, dict))
        elif name in _NAMED and isinstance(value, dict):
            yield from ((part, f"{here}.{key}", _NAMED[name]) for key, part in value.items() if isinstance(part, dict))


def _target(root: Any, ref: Any) -> Any:
    """The part that a reference names, or a sentence. True and false, which stand for no part, count as an empty one."""
    if not isinstance(ref, str):
        return "A reference is a text such as #/$defs/address."
    if ref != "#" and not ref.startswith("#/"):
        return f"The schema refers to another document, {ref[:80]}, which is not fetched. Write the part here."
    found = root
    for step in ref.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return f"The reference {ref[:80]} leads to nothing."
    return found if isinstance(found, dict) else _NOTHING
