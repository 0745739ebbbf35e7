"""Two schemas compared, property by property, into changes of known kinds.

Objects count as closed: an optional field that is added contradicts nothing that was sent before. Parts that are shared by
`$ref` are followed; where a schema contains itself, each pair of parts is compared once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from governance.compatibility import levels, limits
from governance.compatibility.changes import Change, change
from governance.schemas import CLASSIFICATIONS, Schema, is_nullable

Spec = Mapping[str, Any]

# Formats that say what a text is, so that another one is another type; the others only say how it must look.
TYPE_FORMATS = frozenset({"decimal", "period", "currency", "date", "date-time", "time", "duration"})
TEXTS = {
    "title": "Name",
    "description": "Description",
    "examples": "Example",
    "x-expects": "Expects",
    "$comment": "Comment",
}
MEANINGS = {
    "x-ref": "reference_changed",
    "x-unit": "unit_changed",
    "x-money": "currency_changed",
    "x-time-zone": "time_zone_changed",
    "x-rounding": "rounding_changed",
    "x-meaning": "meaning_changed",
    "x-term": "meaning_changed",
}
ROLES = ("x-currency", "x-customer", "x-project", "x-legal-entity", "x-period", "x-updated-at")
# Deeper parts are compared as a whole: nobody reads a record that deep, and a hostile schema must not exhaust the stack.
MAX_DEPTH = 60
# Handled by name elsewhere.
_KNOWN = {
    "type", "format", "enum", "const", "properties", "required", "items", "$ref", "$defs", "additionalProperties", "default",
    "x-key", "x-aliases", "x-renamed-from", "x-classification", "allOf", "$schema", "$id", "version", *TEXTS, *MEANINGS,
    *ROLES, *limits.NAMES,
}  # fmt: skip
# Keywords that constrain in ways that are only compared as a whole.
_WHOLE = (
    "pattern", "anyOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "patternProperties",
    "propertyNames", "prefixItems", "contains", "unevaluatedProperties", "unevaluatedItems", "contentEncoding",
)  # fmt: skip


def compare(before: Schema, after: Schema) -> list[Change]:
    """Every change between two schemas, gravest first; empty when they say the same."""
    walker = _Walker(before, after)
    found = {_identity(one): one for one in walker.objects("", before, after)}
    return sorted(found.values(), key=lambda one: (-one.kind.severity.rank, one.path, one.kind.name))


def _identity(one: Change) -> tuple[str, str, str]:
    return one.path, one.kind.name, json.dumps([one.before, one.after], sort_keys=True, default=str)


class _Walker:
    def __init__(self, before: Schema, after: Schema) -> None:
        self.roots = (before, after)
        self.seen: set[tuple[str, str]] = set()

    # Objects -----------------------------------------------------------------------------------------------
    def objects(self, path: str, before: Spec, after: Spec) -> Iterator[Change]:
        """Properties, what is required of them, the key and the rules of an object."""
        old, new = _properties(before), _properties(after)
        renamed = self._renamed(old, new)
        for name, came_from in renamed.items():
            served = came_from in _aliases(new[name])
            yield change(_join(path, name), "field_renamed_with_alias" if served else "field_renamed", came_from, name)
        for name in old:
            if name not in new and name not in renamed.values():
                kind = "required_field_removed" if name in _required(before) else "field_removed"
                yield change(_join(path, name), kind, _brief(old[name]), None)
        for name, spec in new.items():
            yield from self._property(path, renamed.get(name, name), name, before, after, old, spec)
        yield from _key(path, before, after)
        yield from _openness(path, before, after)
        yield from _rules(path, before, after)
        yield from self._whole(path, before, after)
        yield from limits.compared(path, before, after)
        yield from _words(path, before, after)
        if not path:
            yield from levels.compared(before, after)
        if not path and [n for n in old if n in new] != [n for n in new if n in old]:
            yield change(path, "order_changed", list(old), list(new))

    def _renamed(self, old: Mapping[str, Spec], new: Mapping[str, Spec]) -> dict[str, str]:
        """new name → the old one that it names among its aliases or as its origin."""
        gone = [name for name in old if name not in new]
        found = {}
        for name, spec in new.items():
            named = [*_aliases(spec), spec.get("x-renamed-from")]
            origin = next((other for other in gone if other in named), None)
            if name not in old and origin is not None:
                found[name] = origin
        return found

    def _property(
        self, path: str, old_name: str, name: str, before: Spec, after: Spec, old: Mapping[str, Spec], spec: Spec
    ) -> Iterator[Change]:
        here, is_required = _join(path, name), name in _required(after)
        if old_name not in old:
            yield change(here, _added(spec, is_required), None, _brief(self._resolved(spec, 1)))
            return
        was_required = old_name in _required(before)
        if was_required != is_required:
            yield change(here, "made_required" if is_required else "made_optional", was_required, is_required)
        yield from self.values(here, old[old_name], spec)

    # Values ------------------------------------------------------------------------------------------------
    def values(self, path: str, before: Spec, after: Spec) -> Iterator[Change]:
        """Everything that can differ about one value."""
        if not self._is_new_pair(before, after):
            return
        if path.count(".") + path.count("[") > MAX_DEPTH:
            yield from _constraint(path, before, after)
            return
        before, after = self._resolved(before, 0), self._resolved(after, 1)
        if is_nullable_spec(before) != is_nullable_spec(after):
            kind = "made_nullable" if is_nullable_spec(after) else "made_not_nullable"
            yield change(path, kind, is_nullable_spec(before), is_nullable_spec(after))
        types = list(_types(path, before, after))
        yield from types
        yield from _allowed(path, before, after)
        yield from _notes(path, before, after)
        if any(found.kind.name == "type_changed" for found in types):
            yield from _words(path, before, after)
            return
        if "object" in (before.get("type"), after.get("type")) or "properties" in before or "properties" in after:
            yield from self.objects(path, before, after)
        else:
            yield from limits.compared(path, before, after)
            yield from self._whole(path, before, after)
            yield from _words(path, before, after)
        if isinstance(before.get("items"), Mapping) and isinstance(after.get("items"), Mapping):
            yield from self.values(f"{path}[]", before["items"], after["items"])
        elif ("items" in before) != ("items" in after):
            yield change(f"{path}[]", "constraint_added" if "items" in after else "constraint_removed")

    def _is_new_pair(self, before: Spec, after: Spec) -> bool:
        """A schema may contain itself by reference; the same two references need to be compared once."""
        pair = (str(before.get("$ref", "")), str(after.get("$ref", "")))
        if pair == ("", ""):
            return True
        is_new = pair not in self.seen
        self.seen.add(pair)
        return is_new

    def _resolved(self, spec: Spec, side: int) -> Spec:
        """The part behind a `$ref`, with what stands beside it."""
        found, hops = dict(spec), 0
        while isinstance(found.get("$ref"), str) and hops < 50:
            target = _pointer(self.roots[side], found.pop("$ref"))
            found, hops = {**target, **found}, hops + 1
        return found

    def _whole(self, path: str, before: Spec, after: Spec) -> Iterator[Change]:
        for name in _WHOLE:
            yield from _constraint(path, before.get(name), after.get(name))
        told = levels.NAMES if not path else frozenset()
        for name in sorted({*before, *after} - _KNOWN - set(_WHOLE) - told):
            if before.get(name) != after.get(name):
                yield change(path, "annotation_changed", {name: before.get(name)}, {name: after.get(name)})


# Parts that need no walking --------------------------------------------------------------------------------------
def _constraint(path: str, old: Any, new: Any) -> Iterator[Change]:
    if old != new:
        kind = "constraint_added" if old is None else "constraint_removed" if new is None else "constraint_changed"
        yield change(path, kind, old, new)


def _added(spec: Spec, is_required: bool) -> str:
    if not is_required:
        return "field_added"
    return "required_field_with_default_added" if "default" in spec else "required_field_added"


def _key(path: str, before: Spec, after: Spec) -> Iterator[Change]:
    old, new = _key_of(before), _key_of(after)
    if old != new:
        yield change(path, "key_changed", old, new)


def _key_of(spec: Spec) -> list[str]:
    return [name for name, part in _properties(spec).items() if part.get("x-key")]


def _openness(path: str, before: Spec, after: Spec) -> Iterator[Change]:
    old, new = before.get("additionalProperties", True), after.get("additionalProperties", True)
    if old == new:
        return
    if new is False:
        yield change(path, "closed", old, new)
    elif old is False:
        yield change(path, "opened", old, new)
    else:
        yield change(path, "constraint_changed", old, new)


def _rules(path: str, before: Spec, after: Spec) -> Iterator[Change]:
    """Rules across fields are told apart by their titles."""
    old, new = _titled(before.get("allOf")), _titled(after.get("allOf"))
    for title in dict.fromkeys((*old, *new)):
        if title not in old:
            yield change(path, "rule_added", None, title)
        elif title not in new:
            yield change(path, "rule_removed", title, None)
        elif old[title] != new[title]:
            yield change(path, "rule_changed", old[title], new[title])


def _titled(rules: Sequence[Any] | None) -> dict[str, Any]:
    """A rule may be a plain true or false; it is known by that then."""
    return {_title(rule) or json.dumps(rule, sort_keys=True): rule for rule in rules or ()}


def _title(rule: Any) -> str:
    return str(rule.get("title") or "") if isinstance(rule, Mapping) else ""


def _aliases(spec: Spec) -> list[Any]:
    given = spec.get("x-aliases")
    return given if isinstance(given, list) else []


def _types(path: str, before: Spec, after: Spec) -> Iterator[Change]:
    old, new = types_of(before), types_of(after)
    if _meaning(before) != _meaning(after) and "string" in old & new:
        yield change(path, "type_changed", _type_words(before), _type_words(after))
        return
    if before.get("format") != after.get("format") and _meaning(before) == _meaning(after):
        yield from _constraint(path, before.get("format"), after.get("format"))
    if old == new:
        return
    wider, narrower = _covers(new, old), _covers(old, new)
    if wider and narrower:
        return
    kind = "type_widened" if wider else "type_narrowed" if narrower else "type_changed"
    yield change(path, kind, _type_words(before), _type_words(after))


def types_of(spec: Spec) -> frozenset[str]:
    """The types that a value may have beside null; empty for any."""
    declared = spec.get("type", ())
    return frozenset([declared] if isinstance(declared, str) else declared) - {"null"}


def _covers(wide: frozenset[str], narrow: frozenset[str]) -> bool:
    if not wide:
        return True
    extra = {"integer"} if "number" in wide else set()
    return bool(narrow) and narrow <= wide | extra


def _meaning(spec: Spec) -> str:
    found = spec.get("format", "")
    return str(found) if found in TYPE_FORMATS else ""


def _type_words(spec: Spec) -> str:
    words = sorted(types_of(spec)) or ["anything"]
    return " or ".join(words) + (f" ({spec['format']})" if spec.get("format") else "")


def is_nullable_spec(spec: Spec) -> bool:
    return is_nullable({"enum": allowed_values(spec)} if allowed_values(spec) is not None else spec)


def allowed_values(spec: Spec) -> list[Any] | None:
    if "const" in spec:
        return [spec["const"]]
    return list(spec["enum"]) if "enum" in spec else None


def _allowed(path: str, before: Spec, after: Spec) -> Iterator[Change]:
    old, new = allowed_values(before), allowed_values(after)
    if old is None and new is None:
        return
    if old is None or new is None:
        yield change(path, "values_introduced" if old is None else "values_lifted", old, new)
        return
    if added := [value for value in new if value is not None and value not in old]:
        yield change(path, "value_added", None, added)
    if removed := [value for value in old if value is not None and value not in new]:
        yield change(path, "value_removed", removed, None)


def _notes(path: str, before: Spec, after: Spec) -> Iterator[Change]:
    """What a value stands for: none of it is seen by a validator, all of it by whoever adds the numbers up."""
    for name, kind in MEANINGS.items():
        if before.get(name) != after.get(name):
            yield change(path, kind, before.get(name), after.get(name))
    for name in ROLES:
        if bool(before.get(name)) != bool(after.get(name)):
            yield change(
                path, "role_changed", *(name.removeprefix("x-") if part.get(name) else None for part in (before, after))
            )
    old, new = _classification(before), _classification(after)
    if old != new:
        yield change(
            path,
            "classification_raised" if new > old else "classification_lowered",
            CLASSIFICATIONS[old],
            CLASSIFICATIONS[new],
        )
    if before.get("default") != after.get("default"):
        yield change(path, "default_changed", before.get("default"), after.get("default"))


def _classification(spec: Spec) -> int:
    """Its place among the classes; a word that is none counts as the strictest."""
    found = spec.get("x-classification", "internal")
    return CLASSIFICATIONS.index(found) if found in CLASSIFICATIONS else len(CLASSIFICATIONS) - 1


def _words(path: str, before: Spec, after: Spec) -> Iterator[Change]:
    for name, label in TEXTS.items():
        if before.get(name) != after.get(name):
            yield change(path, "text_changed", {label: before.get(name)}, {label: after.get(name)})


# Small reads -----------------------------------------------------------------------------------------------
def _properties(spec: Spec) -> dict[str, Spec]:
    found = spec.get("properties") or {}
    return {name: part if isinstance(part, Mapping) else {} for name, part in found.items()}


def _required(spec: Spec) -> frozenset[str]:
    return frozenset(spec.get("required") or ())


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _brief(spec: Spec) -> str:
    values = allowed_values(spec)
    return f"choice of {len(values)}" if values is not None else _type_words(spec)


def _pointer(root: Schema, ref: str) -> Spec:
    found: Any = root
    for part in ref.removeprefix("#").strip("/").split("/") if ref != "#" else ():
        found = found.get(part.replace("~1", "/").replace("~0", "~"), {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
