"""SystemApi, ProcessApi, ExperienceApi and Consumer as configuration documents."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from connectors.models import Stream
from governance.models import ContractVersion, Entity
from governance.queries import fields_for
from hub.accounts.models import Domain
from hub.common import registry
from hub.common.errors import ConfigError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem
from hub.gateway import definition, known
from hub.gateway.definition import OPERATIONS, PARTS
from hub.gateway.models import Api, Consumer, Layer
from hub.processes.models import Process
from hub.webhooks.models import Endpoint

HEAD = ("description", "owner", "version", "state", "deprecated_on", "sunset_on")
KINDS = {Layer.SYSTEM: "SystemApi", Layer.PROCESS: "ProcessApi", Layer.EXPERIENCE: "ExperienceApi"}


class ApiKind(ModelKind):
    """APIs of one layer; three kinds share one table."""

    layer: Layer

    def slugs(self) -> Iterable[str]:
        return Api.objects.filter(layer=self.layer).order_by("slug").values_list("slug", flat=True)

    def get(self, slug: str) -> Any:
        return Api.objects.filter(layer=self.layer, slug=slug).first()

    def extra_dump(self, found: Api) -> Document:
        return {name: value for name, value in found.definition.items() if value}

    def extra_validate(self, document: Document) -> list[Problem]:
        found = [Problem(*each) for each in definition.problems(self.layer, _definition(self.layer, document))]
        return [*found, *_day_problems(document)]

    def extra_references(self, document: Document) -> list[tuple[str, str, str]]:
        named = (("entity", "Entity"), ("process", "Process"), ("stream", "Stream"), ("endpoint", "Webhook"))
        found = [(name, kind, str(document[name])) for name, kind in named if document.get(name)]
        related = document.get("relations") or {}
        return found + [
            (f"relations.{name}.entity", "Entity", str(each["entity"]))
            for name, each in related.items()
            if isinstance(each, dict) and each.get("entity")
        ]

    def before_save(self, found: Api, document: Document) -> None:
        other = Api.objects.filter(slug=found.slug).exclude(layer=self.layer).first()
        if other is not None:
            raise ConfigError(f"{found.slug} is the short name of a {KINDS[Layer(other.layer)]}.", where="slug")
        found.layer, found.definition = self.layer, _definition(self.layer, document)
        for path, sentence in _missing(found):
            raise ConfigError(sentence, where=path, code="API")

    def extra_apply(self, found: Any, document: Document, *, by: Any) -> None:
        known.changed()


class ConsumerKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        grants = document.get("grants") or {}
        if not isinstance(grants, dict):
            return [Problem("grants", "Write {experience/project-360: [read]}.")]
        return [Problem(f"grants.{name}", each) for name, given in grants.items() for each in _grant(str(name), given)]

    def extra_apply(self, found: Any, document: Document, *, by: Any) -> None:
        known.changed()


def _grant(name: str, given: Any) -> Iterable[str]:
    layer, _, path = name.partition("/")
    if layer not in Layer.values or not path:
        yield "Write the layer and the path of an API: experience/project-360."
    elif not isinstance(given, list) or not given or any(each not in OPERATIONS[Layer(layer)] for each in given):
        yield f"Choose of {', '.join(OPERATIONS[Layer(layer)])}."


def _definition(layer: Layer, document: Document) -> dict[str, Any]:
    return {name: document[name] for name in PARTS[layer] if document.get(name) not in (None, "", [], {})}


def _day_problems(document: Document) -> Iterable[Problem]:
    for name in ("deprecated_on", "sunset_on"):
        try:
            if given := document.get(name):
                date.fromisoformat(str(given))
        except ValueError:
            yield Problem(name, f"{document[name]!r} is not a day such as 2026-11-30.")


def _missing(found: Api) -> Iterable[tuple[str, str]]:
    """Names that nothing has: what an API refers to may have come with the same documents."""
    given = found.definition
    if (slug := given.get("process")) and not Process.objects.filter(slug=slug).exists():
        yield "process", f"There is no process {slug!r}."
    if (slug := given.get("stream")) and not Stream.objects.filter(slug=slug).exists():
        yield "stream", f"There is no stream {slug!r}."
    if slug := given.get("endpoint"):
        endpoint = Endpoint.objects.filter(slug=slug).select_related("sync__mapping__entity").first()
        if endpoint is None:
            yield "endpoint", f"There is no webhook {slug!r}."
        elif endpoint.sync.entity.slug != given.get("entity"):
            yield "endpoint", f"The webhook {slug} takes in {endpoint.sync.entity.slug}, not {given.get('entity')}."
        elif endpoint.record_path or endpoint.event_mode != Endpoint.Mode.RECORD:
            yield "endpoint", f"The webhook {slug} takes envelopes or hints: name one whose messages are the records."
    if given.get("entity"):
        yield from _entity(given)
    for name, relation in (given.get("relations") or {}).items():
        yield from ((f"relations.{name}.{path}", sentence) for path, sentence in _relation(given["entity"], relation))


def _entity(given: dict[str, Any]) -> Iterable[tuple[str, str]]:
    entity = Entity.objects.filter(slug=given["entity"]).first()
    if entity is None:
        yield "entity", f"There is no entity {given['entity']!r}."
        return
    yield from (("fields", each) for each in _unknown(entity, given.get("fields")))
    yield from (("filters", each) for each in _unknown(entity, given.get("filters")))
    number = given.get("contract_version")
    if number and not ContractVersion.objects.filter(contract__entity=entity, number=number).exists():
        yield "contract_version", f"The contract of {entity.name} has no version {number}."


def _relation(root: str, given: dict[str, Any]) -> Iterable[tuple[str, str]]:
    entity = Entity.objects.filter(slug=given["entity"]).first()
    if entity is None:
        yield "entity", f"There is no entity {given['entity']!r}."
        return
    for name in ("fields", "totals"):
        yield from ((name, each) for each in _unknown(entity, given.get(name)))
    if (by := given.get("by")) and by not in definition.INDEXED:
        yield from (("by", each) for each in _unknown(entity, [by]))
    yield from (("only_when", each) for each in _unknown(entity, list(given.get("only_when") or {})))
    first = Entity.objects.filter(slug=root).first()
    if first is not None and given.get("through"):
        yield from (("through", each) for each in _unknown(first, [given["through"]]))


def _unknown(entity: Entity, names: Any) -> Iterable[str]:
    fields = {field.name for field in fields_for(entity)}
    return [f"{entity.name} has no field {name!r}." for name in names or () if fields and name not in fields]


def register() -> None:
    for layer, name in KINDS.items():
        found = ApiKind(
            name=name,
            model=Api,
            after=["Entity", "Contract", "Domain", "Process", "Stream", "Webhook"],
            fields=[
                Attr("name", required=True),
                Ref("domain", lambda: Domain, "Domain", required=True),
                Attr("path", required=True),
                *(Attr(each) for each in HEAD),
            ],
            extra=list(PARTS[layer]),
            is_removable=True,
        )
        found.layer = layer
        registry.register(found)
    registry.register(
        ConsumerKind(
            name="Consumer",
            model=Consumer,
            after=list(KINDS.values()),
            fields=[
                Attr("name", required=True),
                Attr("owner", required=True),
                Ref("domain", lambda: Domain, "Domain"),
                *(Attr(each) for each in ("contact", "grants", "per_minute", "is_active")),
            ],
            is_removable=True,
        )
    )
