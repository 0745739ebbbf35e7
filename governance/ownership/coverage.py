"""Overlaps and gaps of an entity's rules, cell by cell: field × condition × day. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import combinations, product

from governance.ownership.rules import Conditions, Rule, levels

# More combinations of conditions than this are not gone through; a rule without conditions settles them all.
MOST = 4096
# Stands for every value that no rule names.
OTHER = "\x00other"


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of the matrix that two rules claim (`rules` names them) or none does (`rules` is empty)."""

    field: str
    condition: str  # in words; empty where it is every record
    from_date: date | None  # None: today already
    rules: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        since = f" from {self.from_date}" if self.from_date else ""
        return f"{self.field}{f' where {self.condition}' if self.condition else ''}{since}"

    @property
    def sentence(self) -> str:
        if self.rules:
            return f"{self.place}: {' and '.join(self.rules)} both say who owns it."
        return f"{self.place}: no rule says who owns it."


@dataclass(frozen=True, slots=True)
class Coverage:
    overlaps: tuple[Cell, ...] = ()
    gaps: tuple[Cell, ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        return self.overlaps + self.gaps


def check(
    rules: Iterable[Rule], fields: Collection[str], *, today: date, values: Mapping[str, Collection[str]] | None = None
) -> Coverage:
    """Whether each field has exactly one rule from today on. No rule at all is no gap: the entity is not governed.

    `values` holds, for fields whose values are listed, all of them ("" for none): conditions on them can cover everything.
    """
    known = [rule for rule in rules if rule.to_date is None or rule.to_date >= today]
    if not known:
        return Coverage()
    found: dict[tuple[str, str, tuple[str, ...]], Cell] = {}
    for day in _days(known, today):
        live = [rule for rule in known if rule.is_in_force(day)]
        for name in fields:
            for cell in _cells(live, name, None if day == today else day, values or {}):
                found.setdefault((cell.field, cell.condition, cell.rules), cell)
    cells = list(found.values())
    return Coverage(tuple(c for c in cells if c.rules), tuple(c for c in cells if not c.rules))


def _days(rules: Sequence[Rule], today: date) -> list[date]:
    """The days from today on at which something begins or has ended."""
    begins = {rule.from_date for rule in rules if rule.from_date and rule.from_date > today}
    ends = {rule.to_date + timedelta(days=1) for rule in rules if rule.to_date and rule.to_date < date.max}
    return sorted({today, *begins, *ends})


def _cells(live: Sequence[Rule], name: str, day: date | None, values: Mapping[str, Collection[str]]) -> Iterator[Cell]:
    order = levels(live, name)
    for level in order:
        for one, other in combinations(level, 2):
            shared = _shared(one.conditions, other.conditions)
            if shared is not None:
                yield Cell(name, _words(shared), day, tuple(sorted((one.slug, other.slug))))
    if not any(not rule.conditions for level in order for rule in level):
        yield from _gaps([rule for level in order for rule in level], name, day, values)


def _shared(one: Conditions, other: Conditions) -> Conditions | None:
    """What records meet both conditions; None where none can."""
    found = dict(one)
    for name, wanted in other:
        found[name] = found[name] & wanted if name in found else wanted
        if not found[name]:
            return None
    return tuple(sorted(found.items()))


def _gaps(rules: Sequence[Rule], name: str, day: date | None, values: Mapping[str, Collection[str]]) -> Iterator[Cell]:
    """Combinations of the values that rules name which no rule meets; nothing is named where there are no rules."""
    named: dict[str, set[str]] = {}
    for rule in rules:
        for one, wanted in rule.conditions:
            named.setdefault(one, set()).update(wanted)
    domains = {one: sorted(values.get(one) or {*wanted, OTHER}) for one, wanted in sorted(named.items())}
    size = 1
    for domain in domains.values():
        size *= len(domain)
    if size > MOST:
        yield Cell(name, "no rule without conditions holds", day)
        return
    for combination in product(*domains.values()):
        texts = dict(zip(domains, combination, strict=True))
        if not any(rule.meets(texts) for rule in rules):
            yield Cell(name, _state_words(texts), day)


def _words(conditions: Conditions) -> str:
    return " and ".join(f"{name} is {' or '.join(map(_value, sorted(values)))}" for name, values in conditions)


def _state_words(texts: Mapping[str, str]) -> str:
    return " and ".join(
        f"{name} is {'anything else' if value == OTHER else _value(value)}" for name, value in texts.items()
    )


def _value(text: str) -> str:
    return text or "empty"
