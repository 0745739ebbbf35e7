"""What a reconciliation's document says, parsed once: sides, columns, tolerances, totals and match rules.

sides     {"stream": "erp-time", "label": "ERP", "filter": {"status": ["approved"]}, "fields": {"hours": "quantity"}}
          or {"hub": true}; `fields` give canonical names to what no inbound mapping brings: a path, {"path": …, "via":
          stream} for an id of another stream, or {"value": …}
compare   {"field": "hours", "type": "decimal", "absolute": "0.01", "percent": "0.5"}; "days" for dates, "seconds" for
          instants, "ignore_case" and "ignore_space" for text
totals    {"amount": …, "currency": …, "legal_entity": …, "period": …, "date": …, "client": …, "project": …, "sums": […]}
rules     {"name": …, "kind": one_to_one | one_to_many | many_to_one | many_to_many, "group": […], "absolute": …}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from governance.schemas import Markers
from hub.common.errors import HubError
from hub.common.money import parse_decimal
from hub.common.registry import Document

TYPES = ("text", "decimal", "date", "instant", "boolean")
ROLES = ("amount", "currency", "legal_entity", "period", "date", "client", "project")
RULE_KINDS = ("one_to_one", "one_to_many", "many_to_one", "many_to_many")
MOST_FIELDS = 40
_SIDE_KEYS = {"hub", "stream", "label", "filter", "key", "fields"}
_COMPARE_KEYS = {"field", "type", "absolute", "percent", "days", "seconds", "ignore_case", "ignore_space"}
_RULE_KEYS = {"name", "kind", "group", "absolute", "percent", "auto"}
# The contract's promoted columns beside their names here.
_MARKED = {"legal_entity": "legal_entity", "customer": "client", "project": "project", "period": "period"}


@dataclass(frozen=True, slots=True)
class Side:
    """One side: a stream's slug, or the hub where it is empty."""

    stream: str
    label: str
    key: tuple[str, ...]
    filter: Mapping[str, Sequence[Any]]
    fields: Mapping[str, Any]

    @property
    def is_hub(self) -> bool:
        return not self.stream


@dataclass(frozen=True, slots=True)
class Compared:
    """One field that must be equal within a tolerance; both of `absolute` and `percent`: whichever allows more."""

    field: str
    type: str = "text"
    absolute: Decimal = Decimal(0)
    percent: Decimal = Decimal(0)
    days: int = 0
    seconds: int = 0
    ignore_case: bool = False
    ignore_space: bool = False


@dataclass(frozen=True, slots=True)
class MatchRule:
    """Gaps of both sides that agree in `group` belong together when their amounts do; `auto` needs no person."""

    name: str
    kind: str
    group: tuple[str, ...]
    absolute: Decimal = Decimal(0)
    percent: Decimal = Decimal(0)
    auto: bool = False

    def as_data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"name": self.name, "kind": self.kind, "group": list(self.group)}
        data |= {"absolute": str(self.absolute)} if self.absolute else {}
        data |= {"percent": str(self.percent)} if self.percent else {}
        return data | ({"auto": True} if self.auto else {})


@dataclass(frozen=True, slots=True)
class Definition:
    """`columns`: (canonical field, type) of what is kept of each record beside its roles, in order."""

    left: Side
    right: Side
    compare: tuple[Compared, ...]
    rules: tuple[MatchRule, ...]
    sums: tuple[str, ...]
    roles: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[tuple[str, str], ...] = ()
    # Fields whose values nobody sees without revealing them: they are compared, and only a mark of each is kept.
    masked: frozenset[str] = frozenset()

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.columns]


def parse(document: Document, markers: Markers | None = None, masked: frozenset[str] = frozenset()) -> Definition:
    """The definition of a document that `problems` finds nothing in; roles it does not name are those of the contract."""
    key = tuple(document["key"])
    compare = tuple(_compared(item) for item in document.get("compare") or ())
    rules = tuple(_rule(item) for item in document.get("rules") or ())
    totals = document.get("totals") or {}
    sums = tuple(totals.get("sums") or ())
    roles = _marked(markers) | {name: totals[name] for name in ROLES if name in totals}
    return Definition(
        left=_side(document["left"], "Left", key),
        right=_side(document["right"], "Right", key),
        compare=compare,
        rules=rules,
        sums=sums,
        roles={name: found for name, found in roles.items() if found},
        columns=_columns(compare, sums, rules, roles),
        masked=masked,
    )


def _marked(markers: Markers | None) -> dict[str, str]:
    if markers is None:
        return {}
    promoted = dict(markers.promoted)
    found = {role: promoted[column] for column, role in _MARKED.items() if column in promoted}
    return found | {"amount": markers.amount, "currency": markers.currency}


def _side(given: Mapping[str, Any], label: str, key: tuple[str, ...]) -> Side:
    stream = str(given.get("stream") or "")
    return Side(
        stream=stream,
        label=given.get("label") or ("Hub" if not stream else stream or label),
        key=tuple(given.get("key") or key),
        filter=given.get("filter") or {},
        fields=given.get("fields") or {},
    )


def _compared(given: Mapping[str, Any]) -> Compared:
    return Compared(
        field=given["field"],
        type=given.get("type", "text"),
        absolute=parse_decimal(given.get("absolute", "0")),
        percent=parse_decimal(given.get("percent", "0")),
        days=int(given.get("days", 0)),
        seconds=int(given.get("seconds", 0)),
        ignore_case=bool(given.get("ignore_case")),
        ignore_space=bool(given.get("ignore_space")),
    )


def _rule(given: Mapping[str, Any]) -> MatchRule:
    return MatchRule(
        name=given["name"],
        kind=given["kind"],
        group=tuple(given.get("group") or ()),
        absolute=parse_decimal(given.get("absolute", "0")),
        percent=parse_decimal(given.get("percent", "0")),
        auto=bool(given.get("auto")),
    )


def rule_of(given: Mapping[str, Any]) -> MatchRule:
    """One rule of a form or a request; raises ConfigError's cousins through `rule_problems` first."""
    return _rule(given)


def _columns(
    compare: Sequence[Compared], sums: Sequence[str], rules: Sequence[MatchRule], roles: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Compared fields with their types, then what is added up, then what rules group by, then the roles for people."""
    found = {item.field: item.type for item in compare}
    for name in sums:
        found.setdefault(name, "decimal")
    for rule in rules:
        for name in rule.group:
            found.setdefault(name, "text")
    for role in ("date", "project", "client"):
        if roles.get(role):
            found.setdefault(roles[role], "text")
    return tuple(found.items())


# What is wrong with a document --------------------------------------------------------------------------------
def problems(document: Document) -> list[tuple[str, str]]:
    """(path, sentence) of everything that is wrong with the document by itself."""
    found: list[tuple[str, str]] = []
    for side in ("left", "right"):
        found += _side_problems(side, document.get(side))
    found += _names("key", document.get("key"), needed=True)
    found += _list("compare", document.get("compare") or [], _compare_problems)
    found += _list("rules", document.get("rules") or [], rule_problems)
    found += _totals_problems(document.get("totals") or {})
    found += _twice("compare", [item.get("field") for item in document.get("compare") or [] if isinstance(item, dict)])
    found += _twice("rules", [item.get("name") for item in document.get("rules") or [] if isinstance(item, dict)])
    if document.get("left") and document.get("left") == document.get("right"):
        found.append(("right", "Both sides are the same."))
    return found


def _side_problems(path: str, given: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(given, dict):
        yield path, f"{path!r} is a side: {{hub: true}} or {{stream: its short name}}."
        return
    yield from _unknown(path, given, _SIDE_KEYS)
    if bool(given.get("hub")) == bool(given.get("stream")):
        yield path, "A side is either the hub ({hub: true}) or a stream ({stream: its short name})."
    if not isinstance(given.get("filter", {}), dict):
        yield f"{path}.filter", "A filter names fields and the values that pass: {status: [approved]}."
        return
    for name, values in (given.get("filter") or {}).items():
        if not isinstance(values, list):
            yield f"{path}.filter.{name}", "Write the values that pass as a list."
    if "key" in given:
        yield from _names(f"{path}.key", given["key"], needed=True)
    fields = given.get("fields", {})
    if not isinstance(fields, dict):
        yield f"{path}.fields", "Fields are written as canonical name: path."
        return
    for name, spec in fields.items():
        if not (isinstance(spec, str) or (isinstance(spec, dict) and {"path", "value"} & spec.keys())):
            yield f"{path}.fields.{name}", "A field is a path, {path: …, via: a stream} or {value: …}."


def _compare_problems(path: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    yield from _unknown(path, given, _COMPARE_KEYS)
    if not isinstance(given.get("field"), str) or not given["field"]:
        yield f"{path}.field", "Name the canonical field that is compared."
    kind = given.get("type", "text")
    if kind not in TYPES:
        yield f"{path}.type", f"{kind!r} is not a type. Use one of {', '.join(TYPES)}."
    yield from _numbers(path, given, ("absolute", "percent", "days", "seconds"))
    allowed = {
        "decimal": {"absolute", "percent"},
        "date": {"days"},
        "instant": {"seconds", "days"},
        "text": {"ignore_case", "ignore_space"},
    }
    for name in ("absolute", "percent", "days", "seconds", "ignore_case", "ignore_space"):
        if given.get(name) and kind in TYPES and name not in allowed.get(kind, set()):
            yield f"{path}.{name}", f"{name!r} says nothing about the type {kind}."


def rule_problems(path: str, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(path, sentence) for one match rule."""
    yield from _unknown(path, given, _RULE_KEYS)
    if not isinstance(given.get("name"), str) or not given["name"] or len(given["name"]) > 80:
        yield f"{path}.name", "Give the rule a name of at most 80 characters."
    if given.get("kind") not in RULE_KINDS:
        yield f"{path}.kind", f"A rule is one of {', '.join(RULE_KINDS)}."
    yield from _names(f"{path}.group", given.get("group"), needed=True)
    yield from _numbers(path, given, ("absolute", "percent"))


def _totals_problems(given: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(given, dict):
        yield (
            "totals",
            "Totals name the fields of amount, currency, legal_entity, period, date, client, project and sums.",
        )
        return
    yield from _unknown("totals", given, {*ROLES, "sums"})
    yield from _names("totals.sums", given.get("sums", []), needed=False)
    for role in ROLES:
        if role in given and not isinstance(given[role], str):
            yield f"totals.{role}", "Name one canonical field, or leave it empty."


def _list(path: str, given: Any, check: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(given, list) or len(given) > MOST_FIELDS:
        yield path, f"{path!r} is a list of at most {MOST_FIELDS} entries."
        return
    for at, item in enumerate(given):
        if isinstance(item, dict):
            yield from check(f"{path}.{at}", item)
        else:
            yield f"{path}.{at}", "Each entry is a mapping of names to values."


def _unknown(path: str, given: Mapping[str, Any], known: set[str]) -> Iterator[tuple[str, str]]:
    for name in given:
        if name not in known:
            yield f"{path}.{name}", f"There is no {name!r} here. Known: {', '.join(sorted(known))}."


def _names(path: str, given: Any, *, needed: bool) -> Iterator[tuple[str, str]]:
    if not isinstance(given, list) or not all(isinstance(name, str) and name for name in given):
        yield path, "Write a list of canonical fields."
    elif needed and not given:
        yield path, "Name at least one canonical field."


def _numbers(path: str, given: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        if name not in given:
            continue
        try:
            if parse_decimal(given[name]) < 0:
                yield f"{path}.{name}", "A tolerance is not negative."
        except HubError as error:
            yield f"{path}.{name}", str(error)


def _twice(path: str, names: Sequence[Any]) -> Iterator[tuple[str, str]]:
    seen = {repr(name) for name in names if name}
    if len(seen) != len([name for name in names if name]):
        yield path, "Two entries have the same name."
