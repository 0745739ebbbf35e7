"""Sync, Schedule and MatchDefinition as configuration documents."""

from __future__ import annotations

from governance.matching import definition as matching
from governance.models import Entity
from hub.common import registry
from hub.common.errors import ConfigError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem
from hub.sync import scheduling
from hub.sync.adopt import definitions
from hub.sync.models import MatchDefinition, Schedule, Sync
from hub.sync.removals import policy
from mappings.models import Mapping


class SyncKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        condition = document.get("only_when") or {}
        if not isinstance(condition, dict) or not all(isinstance(values, list) for values in condition.values()):
            return [
                Problem(
                    "only_when", "Write a field and the list of values that let a record pass: {status: [approved]}."
                )
            ]
        if document.get("after") == document["slug"]:
            return [Problem("after", "A sync cannot run after itself.")]
        return []

    def before_save(self, found: Sync, document: Document) -> None:
        policy.tidy(found)
        for field, sentence in policy.problems(found):
            raise ConfigError(sentence, where=f"Sync {found.slug}: {field}", code="REMOVALS")

    def impact(self, slug: str) -> list[tuple[str, str]]:
        return [("Sync", s) for s in Sync.objects.filter(after__slug=slug).values_list("slug", flat=True)]


class ScheduleKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        return [
            Problem(path, text)
            for path, text in scheduling.problems(document["cron"], document.get("time_zone", "UTC"))
        ]

    def before_save(self, found: Schedule, document: Document) -> None:
        found.next_at = scheduling.next_slot(found.cron, found.time_zone)


class MatchDefinitionKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        """What the definition says by itself; whether the contract has its fields is seen when it is applied."""
        given = document.get("fields")
        compared = [one.get("field") for one in given if isinstance(one, dict)] if isinstance(given, list) else []
        named = [*compared, *document.get("keep_target", ()), *document.get("may_clear", ())]
        return [Problem(path, text) for path, text in matching.problems(document, named)]

    def before_save(self, found: MatchDefinition, document: Document) -> None:
        if problems := definitions.problems(found):
            raise ConfigError(problems[0][1], where=problems[0][0], code="MATCH_DEFINITION")


def register() -> None:
    registry.register(
        MatchDefinitionKind(
            name="MatchDefinition",
            model=MatchDefinition,
            after=["Contract", "Sync"],
            fields=[
                Ref("entity", lambda: Entity, "Entity", required=True),
                Ref("sync", lambda: Sync, "Sync"),
                Attr("fields", required=True),
                *(Attr(name) for name in ("same_at", "maybe_at", "keep_target", "may_clear")),
            ],
        )
    )
    registry.register(
        SyncKind(
            name="Sync",
            model=Sync,
            after=["Mapping"],
            fields=[
                Attr("name", required=True),
                Ref("mapping", lambda: Mapping, "Mapping", required=True),
                Attr("mode"),
                Ref("after", lambda: Sync, "Sync"),
                Attr("only_when"),
                Attr("page_size"),
                Attr("max_attempts"),
                *(Attr(name) for name in ("latency_seconds", "records_a_day", "criticality")),
                Attr("is_paused"),
                *(Attr(name) for name in (*policy.INBOUND, *policy.OUTBOUND)),
            ],
        )
    )
    registry.register(
        ScheduleKind(
            name="Schedule",
            model=Schedule,
            after=["Sync"],
            fields=[
                Ref("sync", lambda: Sync, "Sync", required=True),
                Attr("cron", required=True),
                Attr("time_zone"),
                Attr("is_active"),
            ],
            is_removable=True,
        )
    )
