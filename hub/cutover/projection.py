"""What two payloads say of the same canonical fields: each mapping read backwards where that can be done honestly.

Compared are the canonical fields that both mappings read by a direct rule or a value map, and constants of one name. A rule
whose conversion cannot be undone is compared only with the same conversion at the other side; what is not compared is listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from governance.schemas import fields_of
from hub.common.errors import HubError
from hub.common.records import Record
from hub.sync.plan import SyncPlan
from mappings.paths import MISSING, parse_path, read_path
from mappings.queries import value_maps_of
from mappings.rules import Conversion, FieldRule

CENT = Decimal("0.01")
# Conversions that shorten text: what they do at one side is a difference worth seeing.
_SEEN = frozenset({"truncate", "trim"})
_NUMERIC = frozenset({"decimal", "number", "integer"})
_UNITS = frozenset({"money_to_cents", "hours_to_minutes", "hours_to_seconds"})


def _factor(step: Conversion) -> Decimal:
    """By how much a conversion of units multiplies."""
    if step.fn == "money_to_cents":
        return Decimal(10) ** int(step.args.get("digits", 2))
    return {"hours_to_minutes": Decimal(60), "hours_to_seconds": Decimal(3600)}.get(step.fn, Decimal(1))


@dataclass(frozen=True, slots=True)
class Reader:
    """One rule of an outbound mapping, read backwards. `back`: payload text → the canonical values that it may stand for."""

    rule: FieldRule
    back: Mapping[str, frozenset[str]] | None = None

    def read(self, body: Record) -> Any:
        try:
            found = read_path(body, parse_path(self.rule.target))
        except HubError:
            return None
        return None if found is MISSING else found

    @property
    def chain(self) -> tuple[Any, ...]:
        """The conversions that matter for whether two rules can be compared."""
        kept = [step for step in self.rule.convert if step.fn not in _SEEN and step.fn not in _UNITS]
        return tuple((step.fn, str(sorted(step.args.items()))) for step in kept)

    @property
    def factor(self) -> Decimal:
        found = Decimal(1)
        for step in self.rule.convert:
            found *= _factor(step)
        return found


@dataclass(frozen=True, slots=True)
class Difference:
    field: str
    pattern: str
    legacy: str
    new: str


@dataclass(frozen=True, slots=True)
class Projection:
    """The pairs of rules that are compared, by canonical field, and the fields that are not, with why."""

    pairs: Mapping[str, tuple[Reader, Reader]]
    left_out: Mapping[str, str]
    kinds: Mapping[str, str] = field(default_factory=dict)
    tolerances: Mapping[str, Decimal] = field(default_factory=dict)

    def differences(self, legacy: Record, new: Record) -> list[Difference]:
        found = (self._of(name, *pair, legacy, new) for name, pair in self.pairs.items())
        return [one for one in found if one is not None]

    def _of(self, name: str, old: Reader, fresh: Reader, legacy: Record, new: Record) -> Difference | None:
        kind = self.kinds.get(name, "")
        one, other = old.read(legacy), fresh.read(new)
        if _is_same(_values(old, one, kind), _values(fresh, other, kind), self.tolerances.get(name)):
            return None
        shown = _shown(old, one, kind), _shown(fresh, other, kind)
        return Difference(name, pattern_of(*shown, kind), *shown)


def projection_of(legacy: SyncPlan, new: SyncPlan, tolerances: Mapping[str, str]) -> Projection:
    old, fresh = _readers(legacy), _readers(new)
    pairs, left_out = {}, {}
    for name in dict.fromkeys((*old, *fresh)):
        if name not in old or name not in fresh:
            left_out[name] = "only the new mapping reads it" if name in fresh else "only the legacy mapping reads it"
        elif old[name].rule.kind == "reference" or fresh[name].rule.kind == "reference":
            left_out[name] = "a reference: each side has its own ids"
        elif (why := _why_not(old[name], fresh[name])) != "":
            left_out[name] = why
        else:
            pairs[name] = (old[name], fresh[name])
    limits = {name: Decimal(amount) for name, amount in tolerances.items()}
    return Projection(pairs, left_out, _kinds(legacy), limits)


def _why_not(old: Reader, fresh: Reader) -> str:
    for reader in (old, fresh):
        if reader.rule.kind in ("template", "expression"):
            return f"a rule of the kind {reader.rule.kind} cannot be read backwards"
    if old.chain != fresh.chain:
        return "the two sides convert it differently, in a way that cannot be undone"
    return ""


def _readers(plan: SyncPlan) -> dict[str, Reader]:
    """By canonical field; constants by their own name, with a mark."""
    maps = value_maps_of(plan.rules)
    found: dict[str, Reader] = {}
    for rule in plan.rules:
        name = f"constant {rule.target}" if rule.kind == "constant" else rule.source or f"rule {rule.target}"
        back: dict[str, set[str]] | None = None
        if rule.kind == "value_map" and rule.value_map in maps:
            back = {}
            for asked, answer, _ in maps[rule.value_map].pairs(rule.reverse):
                back.setdefault(_text(answer), set()).add(asked)
        found.setdefault(name, Reader(rule, {k: frozenset(v) for k, v in back.items()} if back is not None else None))
    return found


def _kinds(plan: SyncPlan) -> dict[str, str]:
    """canonical field → money, a number, a date, or "" for text."""
    found = {}
    for one in fields_of(plan.contract.schema):
        kind = "money" if one.currency else "number" if one.type in _NUMERIC else one.type if one.type == "date" else ""
        found[one.name] = kind
    return found


# Values ----------------------------------------------------------------------------------------------------
def _values(reader: Reader, value: Any, kind: str) -> frozenset[Any]:
    """The canonical values that the payload's value may stand for, in one form."""
    if reader.back is not None and (texts := reader.back.get(_text(value))):
        return frozenset(_normal(text, kind) for text in texts)
    return frozenset([_normal(_canonical(reader, value), kind)])


def _canonical(reader: Reader, value: Any) -> Any:
    number = _number(value) if reader.factor != 1 else None
    return value if number is None else number / reader.factor


def _normal(value: Any, kind: str) -> Any:
    number = _number(value) if kind in ("money", "number") else None
    if number is not None:
        return number.quantize(CENT, ROUND_HALF_UP) if kind == "money" else number.normalize()
    text = _text(value).strip()
    return text[:10] if kind == "date" else text


def _is_same(old: frozenset[Any], fresh: frozenset[Any], tolerance: Decimal | None) -> bool:
    if old & fresh:
        return True
    if tolerance is None:
        return False
    pairs = [(a, b) for a in old for b in fresh if isinstance(a, Decimal) and isinstance(b, Decimal)]
    return any(abs(a - b) <= tolerance for a, b in pairs)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or value in (None, ""):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _text(value: Any) -> str:
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _shown(reader: Reader, value: Any, kind: str) -> str:
    """As people read it: what the payload says, in canonical units; of a value map also what it stands for."""
    if reader.back is not None:
        meant = ", ".join(sorted(reader.back.get(_text(value), ())))
        return f"{_text(value)} ({meant})" if meant and meant != _text(value) else _text(value)
    found = _normal(_canonical(reader, value), kind)
    return format(found, "f") if isinstance(found, Decimal) else found


def pattern_of(legacy: str, new: str, kind: str) -> str:
    """In which way two values differ: with the field, the cause that a person explains."""
    if not new:
        return "missing at the new side"
    if not legacy:
        return "missing at the legacy side"
    old, fresh = _number(legacy), _number(new)
    if kind in ("money", "number") and old is not None and fresh is not None:
        return "a cent or less" if abs(old - fresh) <= CENT else "another amount"
    if " ".join(legacy.split()).casefold() == " ".join(new.split()).casefold():
        return "letter case or blanks"
    if legacy.startswith(new) or new.startswith(legacy):
        return "cut short"
    return "another value"
