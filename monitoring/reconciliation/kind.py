"""Reconciliation as a configuration document."""

from __future__ import annotations

from typing import Any

from connectors.models import Stream
from governance.models import Entity
from governance.queries import active_version, contract_of
from hub.accounts.models import Domain
from hub.common.errors import ConfigError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem
from hub.sync import scheduling
from hub.sync.models import Sync
from monitoring.models import Reconciliation
from monitoring.reconciliation import definition

KIND = "Reconciliation"
SIDES = ("left", "right")
RESERVED = {"new"}


class ReconciliationKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        found = definition.problems(document)
        if document["slug"] in RESERVED:
            found.append(("slug", f"{document['slug']!r} is the name of a page. Choose another one."))
        if cron := document.get("cron"):
            found += scheduling.problems(cron, document.get("time_zone", "UTC"))
        if not all(isinstance(slug, str) for slug in document.get("after") or []):
            found.append(("after", "Write a list of short names of syncs."))
        return [Problem(path, sentence) for path, sentence in found]

    def extra_references(self, document: Document) -> list[tuple[str, str, str]]:
        found = [(f"{side}.stream", "Stream", slug) for side in SIDES if (slug := _stream(document, side))]
        return [*found, *((f"after.{at}", "Sync", slug) for at, slug in enumerate(document.get("after") or []))]

    def before_save(self, found: Reconciliation, document: Document) -> None:
        _check_names(found, document)
        found.next_at = (
            scheduling.next_slot(found.cron, found.time_zone) if found.cron and not found.is_paused else None
        )


def _stream(document: Document, side: str) -> str:
    given = document.get(side)
    return str(given.get("stream") or "") if isinstance(given, dict) else ""


def _check_names(found: Reconciliation, document: Document) -> None:
    """What it names is there, and is of the entity's domain."""
    if found.entity.domain_id != found.domain_id:
        raise ConfigError(
            f"{found.entity} belongs to {found.entity.domain}, not to {found.domain}.",
            fix="Choose the entity's own domain, so that the same people keep both.",
        )
    for side in SIDES:
        slug = _stream(document, side)
        if slug and not Stream.objects.filter(slug=slug).exists():
            raise ConfigError(f"There is no stream {slug!r}.", where=f"{side}.stream", fix="Name an existing one.")
    known = set(Sync.objects.filter(slug__in=found.after).values_list("slug", flat=True))
    if missing := [slug for slug in found.after if slug not in known]:
        raise ConfigError(f"There is no sync {missing[0]!r}.", where="after", fix="Name an existing one.")
    version = active_version(contract_of(found.entity))
    fields = set((version.schema.get("properties") or {}) if version else {})
    named = {*found.key, *(item["field"] for item in found.compare)}
    if fields and (unknown := sorted(named - fields)):
        raise ConfigError(
            f"The contract of {found.entity} has no field {unknown[0]!r}.",
            fix="Compare by canonical fields; give them their paths under `fields` of a side.",
        )


def reconciliation_kind() -> Any:
    return ReconciliationKind(
        name=KIND,
        model=Reconciliation,
        after=["Contract", "Stream", "Sync", "Mapping"],
        fields=[
            Attr("name", required=True),
            Attr("description"),
            Attr("owner"),
            Ref("domain", lambda: Domain, required=True),
            Ref("entity", lambda: Entity, "Entity", required=True),
            Attr("left", required=True),
            Attr("right", required=True),
            Attr("key", required=True),
            Attr("compare"),
            Attr("totals"),
            Attr("rules"),
            Attr("periods"),
            Attr("cron"),
            Attr("time_zone"),
            Attr("after"),
            Attr("usual_min_percent"),
            Attr("is_paused"),
        ],
    )
