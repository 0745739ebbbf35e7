"""Every change to systems, connections and streams, and the calls that reach out: test, discover, sample."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import asdict, replace
from typing import Any

from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from connectors import catalog, circuits, registry, tokens
from connectors import secrets as secrets_module
from connectors.base import Connector
from connectors.models import Connection, Stream, System
from connectors.tokens import TokenStore
from connectors.traffic import Traffic
from hub.common import facts, governed, saving
from hub.common.acts import Act, tell
from hub.common.errors import ConfigError, HubError
from hub.common.governed import Held, Put
from hub.common.http import Redactor
from hub.common.reasons import tidy
from hub.common.records import CheckStep, FieldInfo, Record, StreamInfo, StreamSpec
from hub.common.registry import Document

SAMPLE_SIZE = 5
# What a person decides about a connection and a stream; the rest is found out or tested.
CONNECTION_SETTINGS = (
    "name", "system_id", "domain_id", "catalogue", "protocol", "config", "time_zone", "allowed_networks",
    "failure_limit", "retry", "owner_id", "secret_expires_date",
)  # fmt: skip
STREAM_SETTINGS = ("label", "key_fields", "cursor_field", "page_size", "options", "source_schema")
# Columns of a connection that its connector finds in `config`.
OVERLAID = frozenset({"time_zone", "allowed_networks"})
# Words of the pages' own addresses: a connection or stream of this name could not be reached.
RESERVED_SLUGS = frozenset({"new", "systems", "streams", "declarations", "gallery", "signed-in"})


def open_connection(connection: Connection) -> Connector:
    """The connector of a stored connection, ready for use; close it or use it as a context manager."""
    if connection.is_paused:
        raise ConfigError(f"The connection {connection.name!r} is paused.", fix="Resume it on its page.", code="PAUSED")
    connector = _open_stored(connection)
    connector.limiter = Traffic(connection, getattr(connector, "limits", {}))
    return connector


def removals_offered(stream: Stream) -> frozenset[str]:
    """Which of `deactivate` and `delete` a stream's system offers, by what is declared; nothing where that cannot be read."""
    try:
        with _open_stored(stream.connection) as connector:
            return connector.removals(stream_spec(stream))
    except HubError:
        return frozenset()


def open_for_sign_in(connection: Connection) -> Connector:
    """The connector of a stored connection, paused or not, for what a person does about its sign-in."""
    return _open_stored(connection)


def _open_stored(connection: Connection) -> Connector:
    """Open it, paused or not; a secret that the system replaces is stored at once, because the old one is dead."""
    connector = open_unsaved(
        catalogue=connection.catalogue,
        protocol=connection.protocol,
        config=connection.config,
        secrets=connection.secrets,
        time_zone=connection.time_zone,
        allowed_networks=connection.allowed_networks,
    )
    opened_in = threading.get_ident()

    def keep(name: str, value: str) -> None:
        connection.secrets = keep_secret(connection.pk, name, value)
        if threading.get_ident() != opened_in:
            # nobody else gives back the database connection of a thread that only reads ahead
            database.close()

    connector.on_secret_changed = keep
    connector.tokens = TokenStore(connection)
    return connector


@transaction.atomic
def keep_secret(pk: int, name: str, value: str) -> dict[str, str]:
    """Replace one stored secret and return them all; the others may have been changed meanwhile."""
    secrets: dict[str, str] = Connection.objects.select_for_update().get(pk=pk).secrets
    secrets[name] = value
    Connection.objects.filter(pk=pk).update(secrets=secrets)
    return secrets


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
    declaration = find_declaration(catalogue, config)
    settings = {**config, "time_zone": time_zone, "allowed_networks": list(allowed_networks)}
    return registry.open_connector(declaration=declaration, protocol=protocol, config=settings, secrets=secrets)


def find_declaration(catalogue: str, config: Mapping[str, Any]) -> catalog.Declaration | None:
    """The declaration that a connection follows: of the catalogue, or its own; None where the protocol needs none."""
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
    return find_declaration(connection.catalogue, connection.config)


def spec_fields(*, catalogue: str, protocol: str, config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The form fields of a kind of connection: the declaration's own, else the protocol's.

    Without what every connection has anyway and lays over its config.
    """
    declaration = find_declaration(catalogue, config)
    found = declaration.fields() if declaration else registry.protocols()[protocol].spec()
    return {name: field for name, field in found.items() if name not in OVERLAID}


def protocol_of(document: Document) -> str:
    declaration = find_declaration(document.get("catalogue") or "", document.get("config") or {})
    return declaration.protocol if declaration else document.get("protocol") or ""


def load_protocols_in_use() -> None:
    """Import the connectors of the stored connections: a worker's processes share what is loaded before they begin."""
    stored = Connection.objects.order_by().values_list("protocol", flat=True).distinct()
    classes = registry.protocols()
    for protocol in set(stored) & set(classes):
        classes[protocol]  # imported by being asked for


def check_connection(connection: Connection) -> list[CheckStep]:
    """Test a stored connection, keep the result on it, and tell whoever waits for it."""
    steps = _check_stored(connection)
    record_check(connection, steps)
    return steps


def try_connection(connection: Connection) -> CheckStep | None:
    """Test a stored connection without keeping the result; the step that failed, None when all passed."""
    return next((step for step in _check_stored(connection) if not step.ok), None)


def _check_stored(connection: Connection) -> list[CheckStep]:
    try:
        with _open_stored(connection) as connector:
            return list(connector.check())
    except HubError as error:
        return [_not_opened(error)]


def open_for_look(connection: Connection) -> Connector:
    """The connector of a stored connection for a look at its health, held within the system's limits."""
    connector = _open_stored(connection)
    connector.limiter = Traffic(connection, getattr(connector, "limits", {}))
    return connector


def check_unsaved(**values: Any) -> tuple[list[CheckStep], dict[str, str]]:
    """Test the values of `open_unsaved` before they are stored.

    Also returned: secrets that the system replaced during the test, which are to be stored in place of the given ones.
    """
    replaced: dict[str, str] = {}
    try:
        with open_unsaved(**values) as connector:
            connector.on_secret_changed = replaced.__setitem__
            return list(connector.check()), replaced
    except HubError as error:
        return [_not_opened(error)], replaced


def _not_opened(error: HubError) -> CheckStep:
    """The first step of a test that could not even begin."""
    where = f" ({error.where})" if error.where else ""
    return CheckStep("resolve", False, f"{error.what}{where}", fix=error.fix)


def sign_in_refusal(connection: Connection) -> str:
    """Why the system refuses the sign-in of a stored connection, empty when it does not or cannot be asked."""
    try:
        with _open_stored(connection) as connector:
            return connector.refusal()
    except HubError:
        return ""


def record_check(connection: Connection, steps: Sequence[CheckStep]) -> None:
    """Keep the result of a test. Not by `save()`: a test is no change of the configuration and no row of its history."""
    failed = next((step for step in steps if not step.ok), None)
    result = {
        "status": Connection.Status.FAILING if failed else Connection.Status.OK,
        "status_detail": _failure_text(failed) if failed else _signed_in_as(steps),
        "checked_at": timezone.now(),
        "check_steps": [asdict(step) for step in steps],
    }
    for name, value in result.items():
        setattr(connection, name, value)
    Connection.objects.filter(pk=connection.pk).update(**result)
    if failed is None:
        circuits.close(connection.pk)
    facts.publish("connection_checked", connection=connection, ok=failed is None)


def _failure_text(step: CheckStep) -> str:
    """The sentence of a failed step with the system's words, each once."""
    return step.detail if step.cause in step.detail else f"{step.detail} {step.cause}"


def _signed_in_as(steps: Sequence[CheckStep]) -> str:
    return next((step.detail for step in steps if step.name == "authenticate"), "")


def save_system(system: System, *, by: Any) -> None:
    """Make a system or change one. Held where reviewers have to agree."""
    document = {name: getattr(system, name) for name in ("slug", "name", "category", "description")}
    saving.save_or_hold({"kind": "System", **document}, act="system.saved", by=by)


def save_connection(
    connection: Connection, *, secrets: Mapping[str, str | None], new_system: System | None = None, by: Any = None
) -> Connection:
    """Store a connection, new or changed. A secret that is not named keeps its value, None removes it.

    `new_system` is stored with it, or not at all. Raises ValidationError by field. The history keeps which secrets were
    entered or removed, never their values.

    Held where reviewers have to agree to the settings: the secrets then wait beside the change request, sealed, and take
    effect with it. Secrets alone are reviewed by nobody.
    """
    names = [("Connection", connection.slug), *([("System", new_system.slug)] if new_system else [])]

    def rehearse() -> Sequence[governed.Name]:
        _write_connection(copy(connection), secrets={}, new_system=copy(new_system), by=by)
        return [*names[1:], *names[:1]]

    stored = Connection.objects.filter(pk=connection.pk).first()
    done = governed.edit(
        names,
        lambda: _write_connection(connection, secrets=secrets, new_system=new_system, by=by),
        by=by,
        rehearse=rehearse,
        sealed={"secrets": secrets_module.changed(stored.secrets if stored else {}, secrets)},
    )
    if isinstance(done, Put):
        raise Held(done)
    return done


@transaction.atomic
def _write_connection(
    connection: Connection, *, secrets: Mapping[str, str | None], new_system: System | None, by: Any
) -> Connection:
    if new_system is not None:
        new_system.full_clean()
        new_system.save()
        connection.system = new_system
    before = Connection.objects.select_for_update().get(pk=connection.pk) if connection.pk else None
    stored = before.secrets if before else {}
    changed = secrets_module.changed(stored, secrets)
    connection.secrets = {name: value for name, value in {**stored, **changed}.items() if value is not None}
    connection.full_clean(exclude=["secrets"])
    connection._change_reason = _secret_note(changed)  # type: ignore[attr-defined]
    connection.save()
    if changed:
        tokens.forget(connection.pk)
        circuits.close(connection.pk)
    details = {"secrets": sorted(changed)} if changed else {}
    _tell("connection.saved", connection, before, CONNECTION_SETTINGS, by=by, details=details)
    return connection


def _tell(act: str, after: Any, before: Any, names: Sequence[str], *, by: Any, details: dict[str, Any]) -> None:
    if by is None:
        return
    domain = (after if isinstance(after, Connection) else after.connection).domain
    states = [{name: getattr(row, name) for name in names} if row else None for row in (before, after)]
    kind = type(after).__name__
    tell(Act(act, kind, after.slug, by=by, before=states[0], after=states[1], details=details, domain=domain))


def _secret_note(changed: Mapping[str, str | None]) -> str | None:
    entered = ", ".join(sorted(name for name, value in changed.items() if value is not None))
    removed = ", ".join(sorted(name for name, value in changed.items() if value is None))
    said = [f"Secret entered: {entered}." if entered else "", f"Secret removed: {removed}." if removed else ""]
    return " ".join(filter(None, said)) or None


def discover(connection: Connection) -> Sequence[StreamInfo]:
    """The object types that a connection offers, asked now; the account's secrets are masked in examples."""
    with open_connection(connection) as connector:
        found = connector.discover()
    redact = Redactor(connection.secrets.values())
    return [
        replace(info, fields=[replace(field, example=redact(field.example)) for field in info.fields]) for info in found
    ]


def _stream_slug(given: Mapping[str, Any]) -> str:
    """The slug under which the stream is, or will be kept."""
    kept = given["connection"].streams.filter(name=given["info"].name).first()
    return kept.slug if kept else str(given["slug"])


@governed.governs(lambda given: [("Stream", _stream_slug(given))])
@transaction.atomic
def save_stream(*, connection: Connection, info: StreamInfo, slug: str, by: Any = None, **chosen: Any) -> Stream:
    """Keep a discovered object type as a stream; `chosen` overrides key_fields, cursor_field, page_size, options, label."""
    before = connection.streams.filter(name=info.name).first()
    stream = copy(before) if before else Stream(connection=connection, name=info.name, slug=slug)
    stream.label = info.label
    stream.key_fields, stream.cursor_field = list(info.key), info.cursor
    stream.fields = [field.as_data() for field in info.fields]
    stream.discovered_at = timezone.now()
    return _store(stream, before, chosen, by=by)


def _store(stream: Stream, before: Stream | None, chosen: Mapping[str, Any], *, by: Any) -> Stream:
    for name, value in chosen.items():
        setattr(stream, name, value)
    stream.full_clean()
    stream.save()
    _tell("stream.saved", stream, before, STREAM_SETTINGS, by=by, details={})
    return stream


def choose_object(*, connection: Connection, name: str, slug: str, by: Any = None, **chosen: Any) -> Stream:
    """Keep an object type as a stream; without `fields` among the chosen, the system is asked what it looks like.

    Raises ConfigError when the system does not offer it.
    """
    info = StreamInfo(name, chosen.get("label", "")) if "fields" in chosen else _offered(connection, name)
    return save_stream(connection=connection, info=info, slug=slug, by=by, **chosen)


def _offered(connection: Connection, name: str) -> StreamInfo:
    offered = {info.name: info for info in discover(connection)}
    if name not in offered:
        raise ConfigError(
            f"{connection} does not offer {name!r}.",
            fix="Check whether it was renamed, or whether the account may still see it.",
            code="STREAM",
        )
    return offered[name]


@governed.governs(lambda given: [("Stream", given["stream"].slug)])
@transaction.atomic
def change_stream(stream: Stream, *, by: Any = None, **chosen: Any) -> Stream:
    """Change label, key_fields, cursor_field, page_size, options or source_schema; raises ValidationError by field."""
    return _store(stream, copy(stream), chosen, by=by)


def refresh_fields(stream: Stream, *, by: Any = None) -> Sequence[FieldInfo]:
    """Ask the system again which fields a stream has; everything that was chosen stays.

    Raises ConfigError when the system no longer offers the object.
    """
    info = _offered(stream.connection, stream.name)
    before, after = stream.fields, [field.as_data() for field in info.fields]
    change_stream(stream, by=by, fields=after, discovered_at=timezone.now())
    facts.publish("shape_discovered", stream=stream, before=before, after=after)
    return info.fields


def is_declared(stream: Stream) -> bool:
    """Whether the system or the declaration states the fields of a stream; those of a sample differ from day to day."""
    declaration = declaration_of(stream.connection)
    return declaration is None or "fields" in declaration.streams.get(stream.name, {})


def compare_shape(stream: Stream, info: StreamInfo) -> bool:
    """Tell that an object has another shape than was recorded, and leave the record as it is; False when it is the same."""
    after = [field.as_data() for field in info.fields]
    if after == stream.fields:
        return False
    facts.publish("shape_discovered", stream=stream, before=stream.fields, after=after)
    return True


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
    return read_samples(stream.connection, stream_spec(stream), limit=limit)


def read_samples(connection: Connection, spec: StreamSpec, *, limit: int = SAMPLE_SIZE) -> list[Record]:
    """A few real records of an object type, whether or not it is kept as a stream; the account's secrets are masked."""
    with open_connection(connection) as connector:
        found: list[Record] = []
        for page in connector.read(spec, cursor=None):
            found += page.records
            if len(found) >= limit:
                break
    redact = Redactor(connection.secrets.values())
    return [_redacted(record, redact) for record in found[:limit]]


def _redacted(value: Any, redact: Redactor) -> Any:
    if isinstance(value, dict):
        return {name: _redacted(item, redact) for name, item in value.items()}
    if isinstance(value, list):
        return [_redacted(item, redact) for item in value]
    return redact(value) if isinstance(value, str) else value


def remove_system(system: System, *, by: Any) -> None:
    """Only one that has no connection and owns nothing: InUse names them. Held where reviewers have to agree."""
    saving.remove("System", system.slug, act="system.deleted", by=by)


def remove_connection(connection: Connection, *, by: Any) -> None:
    """With its secrets and its objects, which nothing may use: InUse names what does. Held where reviewers agree."""
    saving.remove("Connection", connection.slug, act="connection.deleted", by=by, domain=connection.domain)


def remove_stream(stream: Stream, *, by: Any) -> None:
    """Only one that nothing uses: InUse names the users. Held where reviewers have to agree."""
    saving.remove("Stream", stream.slug, act="stream.deleted", by=by, domain=stream.connection.domain)


@transaction.atomic
def set_paused(*, connection: Connection, is_paused: bool, reason: str = "", by: Any = None) -> None:
    """Stop all work of a connection, or let it go on; what waits is kept. The reason and who it was stay beside it."""
    reason = tidy(reason)
    connection.is_paused = is_paused
    connection.pause_reason = reason if is_paused else ""
    connection.paused_by, connection.paused_at = (by, timezone.now()) if is_paused else (None, None)
    connection.save(update_fields=["is_paused", "pause_reason", "paused_by", "paused_at", "updated_at"])
    facts.publish("connection_paused", connection=connection, is_paused=is_paused, reason=reason, by=by)
