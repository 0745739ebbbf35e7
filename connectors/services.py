"""Every change to systems, connections and streams, and the calls that reach out: test, discover, sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction
from django.utils import timezone

from connectors import catalog, registry
from connectors.base import Connector
from connectors.models import Connection, Stream
from hub.common import facts
from hub.common.errors import ConfigError, HubError
from hub.common.records import CheckStep, Record, StreamInfo, StreamSpec
from hub.common.registry import Document, Problem

SAMPLE_SIZE = 5


def open_connection(connection: Connection) -> Connector:
    """The connector of a stored connection, ready for use; close it or use it as a context manager."""
    if connection.is_paused:
        raise ConfigError(f"The connection {connection.name!r} is paused.", fix="Resume it on its page.", code="PAUSED")
    return open_unsaved(
        catalogue=connection.catalogue,
        protocol=connection.protocol,
        config=connection.config,
        secrets=connection.secrets,
        time_zone=connection.time_zone,
        allowed_networks=connection.allowed_networks,
    )


def open_unsaved(
    *,
    catalogue: str,
    protocol: str,
    config: dict[str, Any],
    secrets: dict[str, str],
    time_zone: str = "UTC",
    allowed_networks: Sequence[str] = (),
) -> Connector:
    """A connector from form values, before anything is stored."""
    declaration = _declaration(catalogue, config)
    settings = {**config, "time_zone": time_zone, "allowed_networks": list(allowed_networks)}
    return registry.open_connector(declaration=declaration, protocol=protocol, config=settings, secrets=secrets)


def _declaration(catalogue: str, config: dict[str, Any]) -> catalog.Declaration | None:
    if catalogue:
        known = registry.catalogue()
        if catalogue not in known:
            raise ConfigError(
                f"The catalogue has no connector {catalogue!r}.",
                where="catalogue",
                fix=f"Use one of: {', '.join(sorted(known))}.",
            )
        return known[catalogue]
    if inline := config.get("declaration"):
        return catalog.parse(inline)
    return None


def declaration_of(connection: Connection) -> catalog.Declaration | None:
    return _declaration(connection.catalogue, connection.config)


def spec_fields(*, catalogue: str, protocol: str, config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The form fields of a kind of connection: the declaration's own, else the protocol's."""
    declaration = _declaration(catalogue, config)
    return declaration.fields() if declaration else registry.protocols()[protocol].spec()


def protocol_of(document: Document) -> str:
    declaration = _declaration(document.get("catalogue") or "", document.get("config") or {})
    return declaration.protocol if declaration else document.get("protocol") or ""


def declaration_problems(document: Document) -> list[Problem]:
    """What is wrong with the way a Connection document names its connector, and with its config values."""
    config = document.get("config") or {}
    if inline := config.get("declaration"):
        found = [Problem(f"config.declaration.{p.path}", p.sentence) for p in catalog.validate(inline)]
        if found:
            return found
    try:
        protocol = protocol_of(document)
        known = registry.protocols()
        if protocol not in known:
            text = (
                f"Say which connector: `catalogue`, `config.declaration`, or `protocol` ({', '.join(sorted(known))})."
            )
            return [Problem("catalogue", text)]
        fields = spec_fields(catalogue=document.get("catalogue") or "", protocol=protocol, config=config)
    except HubError as error:
        return [Problem("catalogue", str(error))]
    given = {**config, **(document.get("secrets") or {})}
    return [
        Problem(f"config.{name}", f"{field.get('title', name)} is needed.")
        for name, field in fields.items()
        if field.get("required") and field.get("default") is None and not given.get(name) and not field.get("secret")
    ]


def check_connection(connection: Connection) -> list[CheckStep]:
    """Test a stored connection, keep the result on it, and tell whoever waits for it."""
    try:
        with open_unsaved(
            catalogue=connection.catalogue,
            protocol=connection.protocol,
            config=connection.config,
            secrets=connection.secrets,
            time_zone=connection.time_zone,
            allowed_networks=connection.allowed_networks,
        ) as connector:
            steps = list(connector.check())
    except HubError as error:
        steps = [CheckStep("resolve", False, str(error), fix=error.fix)]
    record_check(connection, steps)
    return steps


def record_check(connection: Connection, steps: Sequence[CheckStep]) -> None:
    failed = next((step for step in steps if not step.ok), None)
    connection.status = Connection.Status.FAILING if failed else Connection.Status.OK
    connection.status_detail = f"{failed.detail} {failed.cause}".strip() if failed else _signed_in_as(steps)
    connection.checked_at = timezone.now()
    connection.check_steps = [asdict(step) for step in steps]
    connection.save(update_fields=["status", "status_detail", "checked_at", "check_steps"])
    facts.publish("connection_checked", connection=connection, ok=failed is None)


def _signed_in_as(steps: Sequence[CheckStep]) -> str:
    return next((step.detail for step in steps if step.name == "authenticate"), "")


def discover(connection: Connection) -> Sequence[StreamInfo]:
    with open_connection(connection) as connector:
        return connector.discover()


@transaction.atomic
def save_stream(*, connection: Connection, info: StreamInfo, slug: str, **chosen: Any) -> Stream:
    """Keep a discovered object type as a stream; `chosen` overrides key_fields, cursor_field, page_size, options, label."""
    stream = connection.streams.filter(name=info.name).first() or Stream(
        connection=connection, name=info.name, slug=slug
    )
    stream.label = info.label
    stream.key_fields, stream.cursor_field = list(info.key), info.cursor
    stream.fields = [asdict(field) for field in info.fields]
    stream.discovered_at = timezone.now()
    for name, value in chosen.items():
        setattr(stream, name, value)
    stream.full_clean()
    stream.save()
    return stream


def stream_spec(stream: Stream) -> StreamSpec:
    return StreamSpec(
        name=stream.name,
        key=tuple(stream.key_fields),
        cursor=stream.cursor_field,
        page_size=stream.page_size,
        options=stream.options,
    )


def sample_records(stream: Stream, *, limit: int = SAMPLE_SIZE) -> list[Record]:
    """A few real records of a stream, read now; nothing is stored."""
    with open_connection(stream.connection) as connector:
        found: list[Record] = []
        for page in connector.read(stream_spec(stream), cursor=None):
            found += page.records
            if len(found) >= limit:
                break
    return found[:limit]


def set_paused(*, connection: Connection, is_paused: bool) -> None:
    connection.is_paused = is_paused
    connection.save()
    facts.publish("connection_paused", connection=connection, is_paused=is_paused)
