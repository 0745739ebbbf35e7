"""Field names in normal form, and what the synonym table says about them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

SYNONYMS = Path(__file__).parent / "synonyms.yaml"
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_NAMESPACE = re.compile(r"^[A-Za-z0-9]{1,15}__(?=.)|__[a-z]{1,2}$")


@dataclass(frozen=True, slots=True)
class Concept:
    """Other names of a target field, surest first; `maybe` names are doubtful, `opposite` names hold its negation."""

    names: tuple[str, ...] = ()
    maybe: tuple[str, ...] = ()
    opposite: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The synonym table, read once."""

    abbreviations: Mapping[str, str]
    noise: frozenset[str]
    units: frozenset[str]
    identifiers: tuple[str, ...]
    entities: Mapping[str, tuple[str, ...]]
    concepts: Mapping[str, Concept]

    def normal(self, name: str) -> str:
        """`pse__Project_Manager__c` and `ProjectMgr` are `project manager`."""
        words = (word.lower() for word in _WORD.findall(_NAMESPACE.sub("", name)))
        full = (self.abbreviations.get(word, word) for word in words if word not in self.noise)
        return " ".join(word for word in full if word)

    def concept(self, entity: str, field: str) -> Concept:
        """What is known about a field of an entity, else about the field of any."""
        return self.concepts.get(f"{entity}.{field}") or self.concepts.get(field) or Concept()

    def without_unit(self, phrase: str) -> tuple[str, str]:
        """`rate in cents` is `rate`, counted in `cents`."""
        words = phrase.split()
        if len(words) > 1 and words[-1] in self.units:
            end = -2 if len(words) > 2 and words[-2] == "in" else -1
            return " ".join(words[:end]), words[-1]
        return phrase, ""

    def without_entity(self, phrase: str, entity: str) -> str:
        """In a record of a project, `project name` is `name`."""
        for word in sorted(self.entities.get(entity, ()), key=len, reverse=True):
            if phrase.startswith(f"{word} "):
                return phrase[len(word) + 1 :]
        return phrase

    def without_identifier(self, phrase: str) -> tuple[str, str]:
        """`project id` is `project`, named by its `id`."""
        for tail in sorted(self.identifiers, key=len, reverse=True):
            if phrase.endswith(f" {tail}"):
                return phrase[: -len(tail) - 1], tail
        return phrase, ""


@lru_cache(maxsize=1)
def vocabulary() -> Vocabulary:
    """The table that ships with the product."""
    data: dict[str, Any] = yaml.safe_load(SYNONYMS.read_text(encoding="utf-8"))
    return Vocabulary(
        abbreviations=data["abbreviations"],
        noise=frozenset(data["noise"]),
        units=frozenset(data["units"]),
        identifiers=tuple(data["identifiers"]),
        entities={entity: tuple(names) for entity, names in data["entities"].items()},
        concepts={
            field: Concept(tuple(spec.get("names", ())), tuple(spec.get("maybe", ())), tuple(spec.get("not", ())))
            for field, spec in data["concepts"].items()
        },
    )


@dataclass(frozen=True, slots=True)
class Phrase:
    """One way to read a source field's name; `trust` is below 1 when words were left out to get it."""

    text: str
    trust: float = 1.0
    identifier: str = ""
    unit: str = ""


def phrases(names: tuple[str, ...], title: str, entity: str) -> Iterator[Phrase]:
    """Every reading of a source field: with and without its parents, its entity's own word, its unit, its identifier."""
    words = vocabulary()
    leaf, whole = words.normal(names[-1]), " ".join(filter(None, map(words.normal, names)))
    readings = [(whole, 1.0)]
    if len(names) > 1:
        readings.append((leaf, 0.8))
    if title:
        readings.append((words.normal(title), 0.99))
    for text, trust in readings:
        plain, unit = words.without_unit(text)
        for reading, less in ((plain, 1.0), (words.without_entity(plain, entity), 0.99)):
            yield Phrase(reading, trust * less, unit=unit)
            shorter, identifier = words.without_identifier(reading)
            if identifier:
                yield Phrase(shorter, trust * less * (0.85 if identifier == "name" else 0.98), identifier, unit)
