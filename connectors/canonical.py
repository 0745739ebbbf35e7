"""The canonical entities that a declaration may say its streams contribute to, as far as the shipped model tells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path as FilePath
from typing import Any

import yaml

from connectors.declaration_schema import Path, suggest

_MODEL = FilePath(__file__).parents[1] / "governance" / "canonical"


def canonical_problems(path: Path, section: Mapping[str, Any] | None) -> Iterator[tuple[Path, str]]:
    """Entities that the canonical model does not have; an installation without the files checks nothing."""
    entities = canonical_fields()
    if not section or not entities:
        return
    entity = section["entity"]
    if entity not in entities:
        yield (*path, "entity"), f"There is no canonical entity {entity!r}.{suggest(entity, sorted(entities))}"


@cache
def canonical_fields() -> Mapping[str, frozenset[str]]:
    """Entity slug -> names of its fields, out of the shipped model; empty where its files cannot be read."""
    try:
        documents = [each for file in sorted(_MODEL.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text())]
    except (OSError, yaml.YAMLError):
        return {}
    contracts = [each for each in documents if isinstance(each, dict) and each.get("kind") == "Contract"]
    return {each["entity"]: frozenset(each["schema"]["properties"]) for each in contracts}
