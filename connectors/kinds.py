"""System, Connection and Stream as configuration documents."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from typing import Any

from connectors import circuits, retry_policy, secrets
from connectors.models import Connection, Stream, System
from connectors.problems import declaration_problems
from connectors.services import RESERVED_SLUGS, protocol_of
from hub.accounts.models import Domain
from hub.common import registry
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.records import FieldInfo
from hub.common.registry import Document, Problem

FIELD_WORDS = tuple(each.name for each in fields(FieldInfo))


class SystemKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        return reserved(document)

    def impact(self, slug: str) -> list[tuple[str, str]]:
        return [("Connection", s) for s in Connection.objects.filter(system__slug=slug).values_list("slug", flat=True)]


class ConnectionKind(ModelKind):
    """Secrets are written down as `${secret:name}`; see connectors.secrets for where their values come from."""

    def extra_dump(self, found: Connection) -> Document:
        names = sorted(found.secrets)
        return {"secrets": {name: secrets.placeholder(found.slug, name) for name in names}} if names else {}

    def _value(self, found: Connection, item: Attr | Ref) -> Any:
        value = super()._value(found, item)
        return value.isoformat() if isinstance(value, date) else value

    def extra_validate(self, document: Document) -> list[Problem]:
        problems = [Problem(f"secrets.{n}", s) for n, s in secrets.problems(document.get("secrets") or {})]
        problems += retry_policy.problems(document.get("retry") or {})
        return reserved(document) + problems + declaration_problems(document)

    def normal(self, document: Document) -> Document:
        """A secret counts as changed only when its new value is known and differs from the stored one."""
        given = document.get("secrets") or {}
        found = self.get(document["slug"])
        stored = found.secrets if found else {}
        known = {n: v for n, v in sorted(given.items()) if n in stored or secrets.value_of(v) is not None}
        shown = {n: secrets.compare(document["slug"], n, v, stored.get(n)) for n, v in known.items()}
        kept = {n: secrets.placeholder(document["slug"], n) for n in sorted(stored) if n not in given}
        # The protocol follows from the declaration, so a document need not say it.
        rest = {name: value for name, value in document.items() if name != "secrets"}
        rest["protocol"] = protocol_of(document)
        if isinstance(rest.get("secret_expires_date"), date):  # as YAML reads it
            rest["secret_expires_date"] = rest["secret_expires_date"].isoformat()
        rest["retry"] = retry_policy.short(document.get("retry") or {})
        return super().normal({**rest, "secrets": {**shown, **kept}} if shown or kept else rest)

    def proposal(self, document: Document) -> Document:
        found, slug = self.normal(document), document["slug"]
        if shown := found.get("secrets"):
            exported = {name: secrets.placeholder(slug, name) for name in shown}
            found["secrets"] = secrets.for_review(document.get("secrets") or {}, shown, exported)
        return found

    def keep_secrets(self, slug: str, secrets: dict[str, dict[str, str | None]]) -> None:
        super().keep_secrets(slug, secrets)
        circuits.close(self.get(slug).pk)

    def notes(self, document: Document) -> list[str]:
        """Secrets that the document names and nobody has given a value yet."""
        found = self.get(document["slug"])
        stored = found.secrets if found else {}
        return [
            f"Connection {document['slug']}: the secret {name!r} is not set. Set {secrets.variable_of(value)} and apply "
            "again, or enter it on the connection's page."
            for name, value in (document.get("secrets") or {}).items()
            if name not in stored and secrets.value_of(value) is None
        ]

    def before_save(self, found: Connection, document: Document) -> None:
        found.protocol = protocol_of(document)
        found.retry = retry_policy.short(found.retry or {})
        given = document.get("secrets") or {}
        stored, found.secrets = found.secrets, {**found.secrets, **secrets.resolve(given)}
        if found.pk and stored != found.secrets:
            circuits.close(found.pk)

    def below(self, slug: str) -> list[tuple[str, str]]:
        streams = Stream.objects.filter(connection__slug=slug).order_by("slug")
        return [("Stream", s) for s in streams.values_list("slug", flat=True)]

    def impact(self, slug: str) -> list[tuple[str, str]]:
        return self.below(slug)


class StreamKind(ModelKind):
    """Fields are kept as discovery keeps them, and written down without what they do not say."""

    def dump(self, slug: str) -> Document | None:
        document = super().dump(slug)
        return _with_short_fields(document) if document else None

    def normal(self, document: Document) -> Document:
        return _with_short_fields(super().normal(document))

    def extra_validate(self, document: Document) -> list[Problem]:
        return reserved(document) + list(_field_problems(document.get("fields")))

    def before_save(self, found: Stream, document: Document) -> None:
        found.fields = [FieldInfo(**field).as_data() for field in found.fields]


def _with_short_fields(document: Document) -> Document:
    if "fields" not in document:
        return document
    return {**document, "fields": [_short(FieldInfo(**field)) for field in document["fields"]]}


def _short(field: FieldInfo) -> dict[str, Any]:
    return {name: value for name, value in field.as_data().items() if value or name in ("path", "type")}


def _field_problems(given: Any) -> Iterator[Problem]:
    """Sentences for what is no list of fields."""
    sentence = f"Write a field as {{path: amount, type: decimal}}; it may hold {', '.join(FIELD_WORDS)}."
    if not isinstance(given or [], list):
        yield Problem("fields", sentence)
        return
    for position, field in enumerate(given or []):
        if not isinstance(field, dict) or not field.get("path") or set(field) - set(FIELD_WORDS):
            yield Problem(f"fields.{position}", sentence)


def reserved(document: Document) -> list[Problem]:
    """A slug that would hide behind one of the pages' own addresses."""
    if document["slug"] not in RESERVED_SLUGS:
        return []
    return [Problem("slug", f"{document['slug']!r} is a word of the hub's own addresses. Choose another one.")]


def register() -> None:
    registry.register(
        SystemKind(
            name="System",
            model=System,
            fields=[Attr("name", required=True), Attr("category"), Attr("description")],
            is_removable=True,
        )
    )
    registry.register(
        ConnectionKind(
            name="Connection",
            model=Connection,
            after=["System", "Domain"],
            fields=[
                Attr("name", required=True),
                Ref("system", lambda: System, "System", required=True),
                Ref("domain", lambda: Domain, "Domain"),
                Attr("catalogue"),
                Attr("protocol"),
                Attr("config"),
                Attr("time_zone"),
                Attr("allowed_networks"),
                Attr("is_paused"),
                Attr("failure_limit"),
                Attr("retry"),
                Attr("secret_expires_date"),
            ],
            extra=["secrets"],
            is_removable=True,
        )
    )
    registry.register(
        StreamKind(
            name="Stream",
            model=Stream,
            after=["Connection"],
            fields=[
                Ref("connection", lambda: Connection, "Connection", required=True),
                Attr("name", required=True),
                Attr("label"),
                Attr("key", "key_fields"),
                Attr("cursor", "cursor_field"),
                Attr("page_size"),
                Attr("options"),
                Attr("fields"),
                Attr("source_schema"),
            ],
            is_removable=True,
        )
    )
