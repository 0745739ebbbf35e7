"""Configuration as code: export, plan, apply. Works on the registry of kinds and knows no model by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from django.db import transaction

from hub.common import governed
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError
from hub.common.governed import Put
from hub.common.registry import Change, Document, kind, kinds
from hub.config import documents
from hub.config.documents import Source

Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """What applying one document would do."""

    action: Literal["create", "change"]
    kind: str
    slug: str
    changes: Sequence[Change] = ()


@dataclass(slots=True)
class Plan:
    """The steps in the order in which they would be applied; none = the hub already is as written."""

    steps: list[Step] = field(default_factory=list)
    unchanged: int = 0
    notes: list[str] = field(default_factory=list)
    # Set when reviewers have to agree first: then nothing was applied.
    held: Put | None = None

    def as_data(self) -> dict[str, Any]:
        return {
            "changes": len(self.steps),
            "unchanged": self.unchanged,
            "notes": self.notes,
            "held": {"said": self.held.said, "url": self.held.url} if self.held else None,
            "steps": [
                {
                    "action": step.action,
                    "kind": step.kind,
                    "slug": step.slug,
                    "differences": [{"path": c.path, "before": c.before, "after": c.after} for c in step.changes],
                }
                for step in self.steps
            ],
        }


def export() -> Iterator[Document]:
    """Every configuration object as a document, in an order in which they can be applied."""
    for each in kinds().values():
        for slug in each.slugs():
            document = each.dump(slug)
            if document is not None:
                yield document


def plan(given: Path | Sequence[Source]) -> Plan:
    """What `apply` would do with the documents of a folder, a file or a request. Changes nothing."""
    return _compare(_sound(_sources(given)))


def _sources(given: Path | Sequence[Source]) -> list[Source]:
    return documents.read(given) if isinstance(given, Path) else list(given)


def _compare(sources: Sequence[Source]) -> Plan:
    result = Plan()
    for source in sources:
        name, slug = source.name
        result.notes += kind(name).notes(source.document)
        changes = kind(name).diff(source.document)
        if not changes:
            result.unchanged += 1
            continue
        action: Literal["create", "change"] = "change" if kind(name).dump(slug) else "create"
        result.steps.append(Step(action, name, slug, changes))
    return result


def apply(given: Path | Sequence[Source], *, by: Any = None) -> Plan:
    """Bring the hub to what the documents say: all of it, or nothing when anything is wrong.

    Where somebody has to agree to any part of it, all of it becomes one change request: see `Plan.held`.
    """
    sources = _sound(_sources(given))
    with transaction.atomic(), governed.together():
        todo = _compare(sources)
        changing = {(step.kind, step.slug) for step in todo.steps}
        todo_sources = [source for source in sources if source.name in changing]
        todo.held = governed.hold([source.document for source in todo_sources], by=by, reason="From files.")
        with governed.passing():
            for source in todo_sources if todo.held is None else ():
                _apply(source, by=by)
    return todo


def _apply(source: Source, *, by: Any) -> None:
    name, slug = source.name
    before = kind(name).dump(slug)
    kind(name).apply(source.document, by=by)
    tell(Act("config.applied", name, slug, by=by, before=before, after=kind(name).dump(slug)))


def _sound(sources: list[Source]) -> list[Source]:
    """The documents in order of dependence. Raises ConfigError that lists everything wrong with them."""
    problems = [
        f"{source.where}: {source.name[0]} {source.name[1]}: {problem.path}: {problem.sentence}"
        for source in sources
        for problem in kind(source.name[0]).validate(source.document)
    ]
    problems = problems or list(_missing(sources))
    if problems:
        more = f"\n… and {len(problems) - 20} more" if len(problems) > 20 else ""
        raise ConfigError("Nothing was applied:\n" + "\n".join(problems[:20]) + more, code="DOCUMENTS")
    return _ordered(sources)


def _missing(sources: Sequence[Source]) -> Iterator[str]:
    written = {source.name for source in sources}
    for source in sources:
        for path, other, slug in kind(source.name[0]).references(source.document):
            if (other, slug) not in written and slug not in set(kind(other).slugs()):
                yield (
                    f"{source.where}: {source.name[0]} {source.name[1]}: {path}: there is no {other} {slug!r}, "
                    "neither in these files nor in the hub"
                )


def _ordered(sources: Sequence[Source]) -> list[Source]:
    """Every document after the ones it refers to; a circle is named with its members."""
    by_name = {source.name: source for source in sources}
    done: dict[Name, Source] = {}

    def place(name: Name, trail: tuple[Name, ...]) -> None:
        if name in trail:
            circle = " → ".join(f"{k} {s}" for k, s in (*trail[trail.index(name) :], name))
            raise ConfigError(
                f"The documents refer to each other in a circle: {circle}.",
                where=by_name[name].where,
                fix="Take one of these references out.",
                code="CIRCLE",
            )
        if name in done or name not in by_name:
            return
        for _, other, slug in kind(name[0]).references(by_name[name].document):
            place((other, slug), (*trail, name))
        done[name] = by_name[name]

    position = {name: index for index, name in enumerate(kinds())}
    for source in sorted(sources, key=lambda s: position[s.name[0]]):
        place(source.name, ())
    return list(done.values())
