"""The legs of an engagement as they are declared in legs/engagement.yaml; every word is checked when it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from connectors.models import System
from hub.common.errors import ConfigError

FOLDER = Path(__file__).parent / "legs"
CATEGORIES = frozenset(value for value, _ in System.Category.choices)
# Words of `found_by` and what they need.
NEEDS: Mapping[str, frozenset[str]] = {
    "self": frozenset(),
    "column": frozenset(),
    "named": frozenset({"of", "field"}),
    "customer_with": frozenset({"of", "field"}),
}


@dataclass(frozen=True, slots=True)
class FoundBy:
    """One way in which records belong to an engagement; `of` names the anchor's entity or an earlier leg."""

    way: str
    of: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class LegSpec:
    """A leg as declared; see the head of the file for what the words mean."""

    slug: str
    title: str
    sentence: str
    entity: str
    found_by: tuple[FoundBy, ...]
    condition: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    when: tuple[str, ...] = ()
    at: tuple[str, ...] = ()
    reaches: str = ""
    source: str = ""
    after: tuple[str, ...] = ()
    unless: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    patience_days: int = 0
    quantity: str = ""
    unit: str = ""
    filled: tuple[str, ...] = ()

    @property
    def is_by_column(self) -> bool:
        return any(way.way == "column" for way in self.found_by)


@dataclass(frozen=True, slots=True)
class ThreadSpec:
    """An engagement: the entity that it is about, and its legs in order."""

    anchor: str
    title: str
    legs: tuple[LegSpec, ...]

    @property
    def entities(self) -> frozenset[str]:
        return frozenset({self.anchor, *(leg.entity for leg in self.legs)})


@cache
def engagement() -> ThreadSpec:
    return read(FOLDER / "engagement.yaml")


def read(path: Path) -> ThreadSpec:
    """Raises ConfigError with the leg and the word that is wrong."""
    given = yaml.safe_load(path.read_text())
    legs: list[LegSpec] = []
    for one in given["legs"]:
        legs.append(_leg(one, {given["anchor"], *(leg.slug for leg in legs)}, path))
    return ThreadSpec(given["anchor"], given["title"], tuple(legs))


def _leg(given: Mapping[str, Any], known: set[str], path: Path) -> LegSpec:
    where = f"{path.name}: leg {given.get('slug')!r}"
    names = {"from": "source", **{name: name for name in LegSpec.__slots__}}
    if unknown := set(given) - set(names):
        raise ConfigError(f"{sorted(unknown)[0]!r} is not a word of a leg.", where=where)
    values = {names[word]: value for word, value in given.items()}
    values["found_by"] = tuple(_found_by(way, known, where) for way in given.get("found_by") or ())
    for name in ("condition", "unless"):
        values[name] = {field_name: tuple(allowed) for field_name, allowed in (given.get(name) or {}).items()}
    for name in ("when", "at", "after", "filled"):
        values[name] = tuple(given.get(name) or ())
    leg = LegSpec(**values)
    _check(leg, known, where)
    return leg


def _found_by(given: Any, known: set[str], where: str) -> FoundBy:
    word, needs = (given, {}) if isinstance(given, str) else next(iter(given.items()))
    if word not in NEEDS or set(needs) != NEEDS[word]:
        raise ConfigError(f"{given!r} is no way to find records.", where=where)
    if needs and needs["of"] not in known:
        raise ConfigError(f"{needs['of']!r} is not an earlier leg.", where=where)
    return FoundBy(word, **needs)


def _check(leg: LegSpec, known: set[str], where: str) -> None:
    if not leg.found_by or (leg.is_by_column and len(leg.found_by) > 1):
        raise ConfigError("A leg says how its records are found, and `column` stands alone.", where=where)
    if wrong := _missing((*leg.at, *([leg.reaches] if leg.reaches else ())), CATEGORIES):
        raise ConfigError(f"{wrong!r} is no category of systems.", where=where)
    if wrong := _missing((*leg.after, *([leg.source] if leg.source else ())), known):
        raise ConfigError(f"{wrong!r} is not an earlier leg.", where=where)


def _missing(names: Iterable[str], known: Iterable[str]) -> str:
    return next((name for name in names if name not in known), "")
