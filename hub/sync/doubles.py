"""Likely doubles: a record of the same entity under a key that differs only in how it is written, or of the same name."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from governance.matching.definition import NAMES
from governance.schemas import Markers
from hub.sync.ledger_search import bounded

# One scan over the entity; a dry run that takes longer than this says that it did not look.
SECONDS = 8
_KEY_NOISE = re.compile(r"\s+")
_NAME_NOISE = re.compile(r"[\W_]+")


@dataclass(slots=True)
class Doubles:
    """Keys of existing records by the way they would be written without noise."""

    by_key: dict[str, list[str]] = field(default_factory=dict)
    by_name: dict[str, list[str]] = field(default_factory=dict)

    def of(self, key: str, name: str) -> tuple[str, str]:
        """(key of the double, what is alike) or two empty texts."""
        for found in self.by_key.get(plain_key(key), ()):
            if found != key:
                return found, "the key differs only in case, blanks or leading zeros"
        if name and plain_name(name):
            for found in self.by_name.get(plain_name(name), ()):
                if found != key:
                    return found, f"the name {name!r} is the same"
        return "", ""


def written_forms(key: str) -> list[str]:
    """The key, and other ways in which a target may hold the same one."""
    return list(dict.fromkeys([key, key.strip(), key.lower(), key.upper(), key.lstrip("0") or key]))


def plain_key(key: str) -> str:
    """Without case, blanks and leading zeros."""
    return _KEY_NOISE.sub("", key).lower().lstrip("0")


def plain_name(name: str) -> str:
    """Letters and digits only, in lower case."""
    return _NAME_NOISE.sub("", name.lower())


def name_field(markers: Markers) -> str:
    """The contract's field that names a record for people; empty when it has none."""
    return next((name for name in NAMES if name in markers.fields and name not in markers.key), "")


def look_up(entity_id: int, markers: Markers, bodies: Sequence[tuple[str, dict[str, Any]]]) -> Doubles:
    """Existing records that could be doubles of these (key, body). Raises ConfigError when the entity is too large."""
    name = name_field(markers)
    keys = {plain_key(key) for key, _ in bodies} - {""}
    names = {plain_name(str(body.get(name) or "")) for _, body in bodies} - {""} if name else set()
    found = Doubles()
    with bounded(SECONDS):
        for key, label in _candidates(entity_id, keys, name, names):
            found.by_key.setdefault(plain_key(key), []).append(key)
            found.by_name.setdefault(plain_name(label or ""), []).append(key)
    return found


def _candidates(
    entity_id: int, keys: Collection[str], name: str, names: Collection[str]
) -> list[tuple[str, str | None]]:
    if not keys and not names:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "select key, body->>%(name)s from records_canonicalrecord where entity_id = %(entity)s and ("
            r" ltrim(lower(regexp_replace(key, '\s+', '', 'g')), '0') = any(%(keys)s)"
            r" or regexp_replace(lower(body->>%(name)s), '[\W_]+', '', 'g') = any(%(names)s)) limit 1000",
            {"entity": entity_id, "name": name, "keys": list(keys), "names": list(names)},
        )
        return list(cursor.fetchall())
