"""Reads about systems, connections and streams: who sees what, how they are doing, how they came to be as they are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.db.models import Count, Q, QuerySet
from django.utils.text import slugify

from connectors import registry, services
from connectors.declaration_rules import is_time_zone
from connectors.health import is_current
from connectors.models import Circuit, Connection, Stream, System
from connectors.models import Health as SeenHealth
from connectors.standing import circuit_of
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains

VIEW, EDIT = "connections.view", "connections.edit"
SIGNED_IN_AS = "Signed in as "


# --- who sees what --------------------------------------------------------------------------------------------------


def connections_for(user: User, permission: str = VIEW) -> QuerySet[Connection]:
    """The connections that a person holds the permission for, with what lists show of them."""
    rows = Connection.objects.select_related("system", "domain", "owner", "paused_by", "circuit", "health").annotate(
        stream_count=Count("streams")
    )
    return scope_to_domains(rows, user, permission)


def streams_for(user: User, permission: str = VIEW) -> QuerySet[Stream]:
    rows = Stream.objects.select_related("connection__system", "connection__domain")
    return scope_to_domains(rows, user, permission, field="connection__domain")


def systems_for(user: User, permission: str = VIEW) -> QuerySet[System]:
    """Every system may be seen; changed only by those who may change all its connections."""
    rows = System.objects.annotate(connection_count=Count("connections"))
    ids = user.domain_ids_for(permission)
    if permission == VIEW or ids is None:
        return rows
    elsewhere = Connection.objects.exclude(domain__in=ids)
    return rows.exclude(pk__in=elsewhere.values("system")) if ids else rows.none()


# --- health ---------------------------------------------------------------------------------------------------------


class Health(NamedTuple):
    """State (of hub.common.states), word and sentence."""

    state: str
    word: str
    text: str = ""


_CIRCUIT_WORDS = {
    Circuit.State.OPEN.value: ("unreachable", "Does not answer"),
    Circuit.State.HALF_OPEN.value: ("probing", "Being tried"),
    Circuit.State.PAUSED_AUTH.value: ("needs_sign_in", "Needs sign-in"),
}


_SEEN_WORDS = {
    SeenHealth.State.SLOW.value: ("slow", "Slow"),
    SeenHealth.State.REFUSED.value: ("refused", "Refused"),
    SeenHealth.State.NEEDS_SIGN_IN.value: ("needs_sign_in", "Needs re-authentication"),
    SeenHealth.State.UNREACHABLE.value: ("unreachable", "Unreachable"),
}


def health(connection: Connection) -> Health:
    """How a connection is doing, as its pause, its circuit, the last look at it or its last test tells."""
    if connection.is_paused:
        why = f" {connection.pause_reason}" if connection.pause_reason else ""
        return Health("paused", "Paused", f"Nothing is read or written; what waits is kept.{why}")
    if circuit := circuit_of(connection):
        return Health(*_CIRCUIT_WORDS[circuit.state], circuit.error)
    if (seen := is_current(connection)) and seen.state != SeenHealth.State.HEALTHY:
        return Health(*_SEEN_WORDS[seen.state], seen.detail)
    if connection.status == Connection.Status.UNTESTED:
        return Health("untested", "Not tested")
    if connection.status == Connection.Status.OK or seen:
        return Health("connected", "Connected")
    failed = failed_step(connection)
    if failed.get("name") == "authenticate":
        return Health("needs_sign_in", "Needs sign-in", failed["detail"])
    if failed.get("name") in ("resolve", "connect"):
        return Health("unreachable", "Unreachable", failed["detail"])
    return Health("failed", "Failing", failed.get("detail") or connection.status_detail)


def looked_at(connection: Connection) -> Any:
    """When the hub last looked at a connection by itself."""
    return connection.health.looked_at if hasattr(connection, "health") else None


def failed_step(connection: Connection) -> dict[str, Any]:
    """The step at which the last test stopped; empty when it passed."""
    return next((step for step in connection.check_steps if not step["ok"]), {})


def signed_in_as(connection: Connection) -> str:
    """The account's own name at the system, when the last test told it."""
    detail = connection.status_detail
    if connection.status != Connection.Status.OK or not detail.startswith(SIGNED_IN_AS):
        return ""
    return detail.removeprefix(SIGNED_IN_AS).removesuffix(".")


HEALTH_CHOICES = [
    ("ok", "Connected"),
    ("failing", "Failing"),
    ("untested", "Not tested"),
    ("paused", "Paused"),
]


def with_health(rows: QuerySet[Connection], state: str) -> QuerySet[Connection]:
    """Those in one of HEALTH_CHOICES; a paused one is nothing else."""
    return rows.filter(is_paused=True) if state == "paused" else rows.filter(is_paused=False, status=state)


@dataclass(frozen=True, slots=True)
class Totals:
    """How many connections there are in each state of HEALTH_CHOICES."""

    total: int
    ok: int
    failing: int
    untested: int
    paused: int


def totals(rows: QuerySet[Connection]) -> Totals:
    counts = rows.order_by().aggregate(
        total=Count("pk", distinct=True),
        paused=Count("pk", distinct=True, filter=Q(is_paused=True)),
        **{
            state: Count("pk", distinct=True, filter=Q(is_paused=False, status=state))
            for state in ("ok", "failing", "untested")
        },
    )
    return Totals(**counts)


# --- lists ----------------------------------------------------------------------------------------------------------


def of_kind(rows: QuerySet[Connection], key: str) -> QuerySet[Connection]:
    """Connections of a kind as `connectors.gallery` names it."""
    source, _, name = key.partition(":")
    return rows.filter(catalogue=name) if source == "catalogue" else rows.filter(catalogue="", protocol=name)


def kinds_in_use(rows: QuerySet[Connection]) -> list[tuple[str, str]]:
    """(catalogue, protocol) of these connections, each once."""
    return sorted(set(rows.order_by().values_list("catalogue", "protocol")))


def matching(rows: QuerySet[Connection], text: str) -> QuerySet[Connection]:
    return rows.filter(Q(name__icontains=text) | Q(slug__icontains=text) | Q(system__name__icontains=text))


# --- suggestions ----------------------------------------------------------------------------------------------------


def free_slug(name: str, rows: QuerySet[Any] | None = None, *, max_length: int = 60) -> str:
    """A short name made from a name, with a number behind it when it is taken or reserved; "" for no letters at all."""
    stem = slugify(name)[: max_length - 4].strip("-")
    if not stem:
        return ""
    rows = Connection.objects.all() if rows is None else rows
    taken = services.RESERVED_SLUGS | set(rows.filter(slug__startswith=stem).values_list("slug", flat=True))
    return next(slug for slug in (stem, *(f"{stem}-{n}" for n in range(2, 1_000))) if slug not in taken)


def stream_slug(stream: Stream) -> str:
    """`psa-projects` for the object `Projects` of the connection `psa`."""
    stem = re.sub(r"[_./*\\]+", " ", stream.name)
    return free_slug(f"{stream.connection.slug} {stem}", Stream.objects.all(), max_length=80)


def system_of_kind(catalogue: str) -> System | None:
    """The system that a connection of this catalogue entry already belongs to."""
    found = Connection.objects.filter(catalogue=catalogue).select_related("system").first() if catalogue else None
    return found.system if found else None


def declared_time_zone(catalogue: str) -> str:
    """The zone that a declaration of the catalogue states, UTC where it leaves that to the connection."""
    declaration = registry.catalogue().get(catalogue)
    if declaration is None:
        return "UTC"
    declared = declaration.config.get("time_zone", {}).get("default") or declaration.time_zone
    return str(declared) if is_time_zone(str(declared)) else "UTC"


# --- history --------------------------------------------------------------------------------------------------------


class FieldChange(NamedTuple):
    """For components/diff_rows.html; None where there was or is nothing."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """One change of a configuration object: who, when, what; `note` is a sentence where values may not be shown."""

    title: str
    by: str
    at: Any
    note: str
    changes: list[FieldChange]


_TITLES = {"+": "Made", "~": "Changed", "-": "Removed"}
_UNSHOWN = frozenset({"id", "created_at", "updated_at", "discovered_at", "paused_at", "paused_by"})
LONGEST = 2_000


def history(found: Connection | Stream | System, limit: int = 50) -> list[Version]:
    """The newest changes of an object, each against the state before it."""
    rows = list(found.history.select_related("history_user").order_by("-history_date", "-history_id")[: limit + 1])
    pairs = zip(rows, [*rows[1:], None], strict=False)
    return [version for row, before in list(pairs)[:limit] if (version := _version(row, before))]


def _version(row: Any, before: Any) -> Version | None:
    changes = list(_changes(row, before)) if before is not None and row.history_type == "~" else []
    note = row.history_change_reason or ""
    if row.history_type == "~" and not changes and not note:
        return None
    by = str(row.history_user) if row.history_user else "the command line"
    return Version(_TITLES[row.history_type], by, row.history_date, note, changes)


def _changes(row: Any, before: Any) -> Iterable[FieldChange]:
    for field in row.tracked_fields:
        if field.name in _UNSHOWN:
            continue
        old, new = _value(before, field), _value(row, field)
        if old != new:
            yield from _field_changes(field.verbose_name, old, new)


def _value(row: Any, field: Any) -> Any:
    """The value of a field; a reference as the words for what it refers to."""
    if not field.is_relation:
        return getattr(row, field.attname)
    pk = getattr(row, field.attname)
    found = field.related_model._base_manager.filter(pk=pk).first() if pk else None
    return str(found) if found else pk


def _field_changes(name: str, old: Any, new: Any) -> Iterable[FieldChange]:
    """One change, or one for each key that differs inside a JSON object."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            if old.get(key) != new.get(key):
                yield from _field_changes(f"{name}.{key}", old.get(key), new.get(key))
    elif isinstance(old, str) and isinstance(new, str) and "\n" in old + new:
        yield _line_changes(name, old, new)
    else:
        yield FieldChange(str(name), _text(old), _text(new))


def _line_changes(name: str, old: str, new: str) -> FieldChange:
    """Of a long text only the lines that went and the lines that came."""
    lines = list(difflib.ndiff(old.splitlines(), new.splitlines()))
    went, came = ("\n".join(line[2:] for line in lines if line.startswith(sign)) for sign in ("- ", "+ "))
    return FieldChange(name, _text(went), _text(came))


def _text(value: Any) -> str | None:
    """A value as people read it; None for nothing, lists one item after the other."""
    if value in (None, "", [], {}):
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        value = ", ".join(str(item.get("path", item)) if isinstance(item, dict) else str(item) for item in value)
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text):,} characters)"
