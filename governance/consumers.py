"""Who reads and writes records of an entity: packages above register what they know; and whom a change really breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from governance.compatibility.changes import Change
from governance.compatibility.verdict import Judged, Verdict, kept_by
from governance.models import Entity

Way = Literal["reads", "writes"]
# What a writer has to fill from now on; any other change of a field concerns writers that fill it already.
_WANTED = frozenset({"required_field_added", "made_required"})


@dataclass(frozen=True, slots=True)
class Consumer:
    """One user of records: `kind` and `name` as configuration as code names it; `fields` None for the whole record."""

    kind: str
    name: str
    label: str
    way: Way
    fields: frozenset[str] | None = None
    url: str = ""
    # When it last used the version that was in force then, where the source of this consumer knows.
    last_at: datetime | None = None

    def is_hit_by(self, change: Change) -> bool:
        """Whether this consumer can no longer do its work after the change."""
        direction = "forward" if self.way == "reads" else "backward"
        if direction not in change.kind.breaks:
            return False
        field = change.path.partition(".")[0].removesuffix("[]")
        if not field or self.fields is None:
            return True
        return (field in self.fields) != (change.kind.name in _WANTED)

    def as_data(self) -> dict[str, Any]:
        return {"kind": self.kind, "name": self.name, "way": self.way}


Source = Callable[[Entity], Iterable[Consumer]]
_sources: dict[str, Source] = {}


def register(name: str, source: Source) -> None:
    _sources[name] = source


def of(entity: Entity) -> list[Consumer]:
    """Every consumer that the hub knows of, by kind and name."""
    found = [consumer for source in _sources.values() for consumer in source(entity)]
    return sorted(found, key=lambda each: (each.kind, each.name, each.way))


def is_used(entity: Entity) -> bool:
    return any(True for source in _sources.values() for _ in source(entity))


@dataclass(frozen=True, slots=True)
class Effective:
    """A verdict restricted to what the actual consumers use: each change that hits somebody, with whom."""

    hits: tuple[tuple[Judged, tuple[Consumer, ...]], ...]
    consumers: tuple[Consumer, ...]
    verdict: Verdict

    @property
    def compatibility(self) -> str:
        return kept_by(judged for judged, _ in self.hits)

    @property
    def is_breaking(self) -> bool:
        """Whether what hits somebody also breaks what the contract promises."""
        stopping = set(map(id, self.verdict.stopping))
        return any(id(judged) in stopping for judged, _ in self.hits)

    @property
    def broken(self) -> list[Consumer]:
        return list(dict.fromkeys(consumer for _, hit in self.hits for consumer in hit))

    @property
    def sentence(self) -> str:
        if not self.consumers:
            return "Nobody uses the contract, as far as the hub knows."
        total = len(self.consumers)
        if not self.hits:
            return f"Breaks none of the {total} that use it."
        named = ", ".join(f"{each.kind} {each.name}" for each in self.broken[:4])
        more = f" and {len(self.broken) - 4} more" if len(self.broken) > 4 else ""
        return f"Breaks {len(self.broken)} of the {total} that use it: {named}{more}."

    def as_data(self) -> dict[str, Any]:
        return {
            "verdict": self.compatibility,
            "breaking": self.is_breaking,
            "sentence": self.sentence,
            "consumers": len(self.consumers),
            "broken": [consumer.as_data() for consumer in self.broken],
            "changes": [
                {
                    "path": judged.change.path,
                    "kind": judged.change.kind.name,
                    "severity": judged.severity.value,
                    "consumers": [consumer.as_data() for consumer in hit],
                }
                for judged, hit in self.hits
            ],
        }


def effective(verdict: Verdict, consumers: Sequence[Consumer]) -> Effective:
    """Pure: what of the verdict hits these consumers."""
    pairs = [(judged, tuple(c for c in consumers if c.is_hit_by(judged.change))) for judged in verdict.changes]
    return Effective(tuple((judged, hit) for judged, hit in pairs if hit), tuple(consumers), verdict)
