"""What a contract's mode makes of the changes: the verdict, what stops it, and the version that it asks for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from governance.compatibility.changes import Change
from governance.compatibility.kinds import BOTH, Direction, Severity
from governance.compatibility.walk import compare
from governance.schemas import Schema

# Changes after which every record and every consumer behaves as before.
WORDS_ONLY = frozenset({"text_changed", "order_changed", "annotation_changed"})
WHO = {"forward": "consumers of the version before", "backward": "records of the version before"}
_SELF_EVIDENT = frozenset({"made_optional", "made_required", "made_nullable", "made_not_nullable", "opened", "closed"})
_VERSION = re.compile(r"(\d+)(?:\.(\d+))?(?:\.(\d+))?")


class Mode(StrEnum):
    """Which direction a contract promises, against the version before or (transitive) against all of them."""

    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FORWARD = "FORWARD"
    FORWARD_TRANSITIVE = "FORWARD_TRANSITIVE"
    FULL = "FULL"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"
    NONE = "NONE"

    @property
    def directions(self) -> frozenset[Direction]:
        word = self.value.removesuffix("_TRANSITIVE").lower()
        return BOTH if word == "full" else frozenset(d for d in BOTH if d == word)

    @property
    def is_transitive(self) -> bool:
        return self.value.endswith("_TRANSITIVE")


@dataclass(frozen=True, slots=True)
class Judged:
    """A change with its severity under the contract's own rules, and the version that it is measured against."""

    change: Change
    severity: Severity
    since: str = ""

    @property
    def who(self) -> str:
        """Who can no longer do their work: consumers of the version before, or records that were made under it."""
        return " and ".join(WHO[direction] for direction in sorted(self.change.kind.breaks))

    @property
    def words(self) -> str:
        """What it was and what it becomes; empty where the kind of change says it all."""
        told = [text(value) for value in (self.change.before, self.change.after) if value is not None]
        return " → ".join(told) if self.change.kind.name not in _SELF_EVIDENT else ""

    def as_data(self) -> dict[str, Any]:
        found = self.change
        return {
            "path": found.path,
            "kind": found.kind.name,
            "severity": self.severity.value,
            "breaks": sorted(found.kind.breaks),
            "rule": found.kind.title,
            "advice": found.kind.advice,
            "before": found.before,
            "after": found.after,
            **({"since": self.since} if self.since else {}),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """`compatibility` is what the change keeps: FULL, BACKWARD, FORWARD, or BREAKING when it keeps neither."""

    changes: tuple[Judged, ...]
    mode: Mode
    compatibility: str
    suggested_version: str

    @property
    def severity(self) -> str:
        found = [judged.severity for judged in self.changes]
        return max(found, key=lambda severity: severity.rank).value if found else "none"

    @property
    def stopping(self) -> tuple[Judged, ...]:
        """Changes that break what the mode promises."""
        return tuple(judged for judged in self.changes if judged.change.kind.breaks & self.mode.directions)

    @property
    def telling(self) -> tuple[Judged, ...]:
        """Changes that are more than other words."""
        return tuple(judged for judged in self.changes if judged.change.kind.name not in WORDS_ONLY)

    @property
    def kept(self) -> str:
        """What the change keeps, in words."""
        return {"FULL": "both directions", "BREAKING": "neither direction"}.get(
            self.compatibility, self.compatibility.lower()
        )

    @property
    def is_breaking(self) -> bool:
        return bool(self.stopping)

    @property
    def sentence(self) -> str:
        """The verdict for people: what stops it, or that nothing does."""
        if not self.changes:
            return "The two versions say the same."
        if self.mode is Mode.NONE:
            return "The contract promises no compatibility, so nothing stops this change."
        if not self.is_breaking:
            return f"Nothing breaks what {self.mode.value} promises."
        fields = sorted({judged.change.path or "the record" for judged in self.stopping})
        more = f" and {len(fields) - 4} more" if len(fields) > 4 else ""
        return f"Breaks {self.mode.value}: {', '.join(fields[:4])}{more}."

    def as_data(self) -> dict[str, Any]:
        return {
            "changes": [judged.as_data() for judged in self.changes],
            "severity": self.severity,
            "mode": self.mode.value,
            "verdict": self.compatibility,
            "breaking": self.is_breaking,
            "sentence": self.sentence,
            "suggested_version": self.suggested_version,
        }


def judge(
    before: Schema,
    after: Schema,
    *,
    mode: Mode = Mode.FULL,
    version: str = "1.0.0",
    severities: Mapping[str, str] | None = None,
) -> Verdict:
    """Compare two versions. `severities` overrides the severity of kinds of change by name."""
    return _verdict([(Judged(c, _severity(c, severities))) for c in compare(before, after)], mode, version)


def judge_history(
    history: Sequence[tuple[str, Schema]], after: Schema, *, mode: Mode, severities: Mapping[str, str] | None = None
) -> Verdict:
    """Compare with the newest of `history` (version, schema; oldest first), in a transitive mode with all of them."""
    compared = history if mode.is_transitive else history[-1:]
    found: dict[Change, Judged] = {}
    for version, before in reversed(compared):
        for change in compare(before, after):
            key = Change(change.path, change.kind, str(change.before), str(change.after))
            found.setdefault(key, Judged(change, _severity(change, severities), since=version))
    newest = history[-1][0] if history else "0.0.0"
    return _verdict(list(found.values()), mode, newest)


def _severity(change: Change, severities: Mapping[str, str] | None) -> Severity:
    return Severity((severities or {}).get(change.kind.name, change.kind.severity))


def _verdict(changes: Iterable[Judged], mode: Mode, version: str) -> Verdict:
    ordered = tuple(sorted(changes, key=lambda j: (-j.severity.rank, j.change.path, j.change.kind.name)))
    return Verdict(ordered, mode, kept_by(ordered), suggest(version, ordered, mode))


def kept_by(changes: Iterable[Judged]) -> str:
    """What the changes keep: FULL, BACKWARD, FORWARD, or BREAKING when they keep neither direction."""
    broken = frozenset[Direction]().union(*(judged.change.kind.breaks for judged in changes))
    if not broken:
        return "FULL"
    return {frozenset({"forward"}): "BACKWARD", frozenset({"backward"}): "FORWARD"}.get(frozenset(broken), "BREAKING")


def suggest(version: str, changes: Sequence[Judged], mode: Mode) -> str:
    """The next version by semantic versioning; where the mode promises nothing, both directions count."""
    match = _VERSION.match(version)
    major, minor, patch = (int(part or 0) for part in match.groups()) if match else (0, 0, 0)
    directions = mode.directions or BOTH
    if any(judged.change.kind.breaks & directions for judged in changes):
        return f"{major + 1}.0.0"
    if any(judged.change.kind.name not in WORDS_ONLY for judged in changes):
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + bool(changes)}"


def text(value: Any) -> str:
    """A value of a schema in words: lists by their items, single entries by name and value."""
    if isinstance(value, list):
        return ", ".join(map(text, value))
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        return f"{name}: {'none' if inner is None else text(inner)}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
