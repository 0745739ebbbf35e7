"""What is served and to whom, kept in memory for some seconds: a request reads records, not configuration."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as clock
from functools import cached_property
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.http import http_date

from governance.contracts import ContractCheck
from governance.models import ContractVersion, Entity
from governance.queries import active_version, contract_of
from hub.common.errors import ConfigError
from hub.gateway import definition
from hub.gateway.models import Api, ConsumerToken, State
from hub.records.reading import Described

# A change counts this much later in other processes of the hub; here at once.
READ_EVERY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a consumer as its token shows it."""

    pk: int
    slug: str
    per_minute: int
    grants: Mapping[str, Sequence[str]]
    expires_at: datetime | None

    @property
    def is_over(self) -> bool:
        return self.expires_at is not None and self.expires_at <= datetime.now(UTC)


class Projection:
    """Which fields of an entity's records are given away: those asked for that the contract knows and nobody has to reveal."""

    def __init__(self, slug: str, fields: Sequence[str] = (), number: int | None = None) -> None:
        entity = Entity.objects.filter(slug=slug).first()
        if entity is None:
            raise ConfigError(f"There is no entity {slug!r} any more.", code="API")
        self.entity, self.described = entity, Described(entity)
        self.version = _version(entity, number)
        self.schema: dict[str, Any] = self.version.schema if self.version else {}
        self.fields = tuple(fields)

    @cached_property
    def check(self) -> ContractCheck | None:
        return ContractCheck(self.schema) if self.schema else None

    @cached_property
    def names(self) -> frozenset[str]:
        """Every field that may be given away."""
        known = [field.name for field in self.described.fields.values() if not field.is_masked]
        if self.version and self.version.number:
            known = [name for name in known if name in self.schema.get("properties", {})]
        return frozenset(name for name in known if not self.fields or name in self.fields)

    def of(self, body: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name in self.names}

    def broken(self, body: Mapping[str, Any]) -> str:
        """Why a record may not be given away under its contract; empty when it keeps it."""
        if self.check is None:
            return ""
        properties = self.schema.get("properties", {})
        found = self.check.explain({name: value for name, value in body.items() if name in properties})
        return found[0].what if found else ""


def _version(entity: Entity, number: int | None) -> ContractVersion | None:
    contract = contract_of(entity)
    if number is None:
        return active_version(contract)
    return ContractVersion.objects.filter(contract__entity=entity, number=number).first()


class Served:
    """One version of an API, ready to answer."""

    def __init__(self, api: Api) -> None:
        self.api, self.pk, self.definition = api, api.pk, api.definition
        self.operations = definition.operations(api.layer, api.definition)

    @cached_property
    def projection(self) -> Projection:
        given = self.definition
        return Projection(given["entity"], given.get("fields") or (), given.get("contract_version"))

    @cached_property
    def relations(self) -> dict[str, Projection]:
        given = self.definition.get("relations") or {}
        return {name: Projection(each["entity"], each.get("fields") or ()) for name, each in given.items()}

    @cached_property
    def headers(self) -> dict[str, str]:
        """`Deprecation` (RFC 9745), `Sunset` (RFC 8594) and the next version, of one that ends."""
        api, found = self.api, {}
        if api.state == State.DEPRECATED and api.deprecated_on:
            found["Deprecation"] = f"@{int(_midnight(api.deprecated_on))}"
        if api.sunset_on:
            found["Sunset"] = http_date(_midnight(api.sunset_on))
        if api.state == State.DEPRECATED and (following := following_of(api)):
            found["Link"] = f'<{following.address}>; rel="successor-version"'
        return found


def following_of(api: Api) -> Api | None:
    """The newest version in force of the same path."""
    rows = Api.objects.filter(layer=api.layer, path=api.path, state=State.ACTIVE, version__gt=api.version)
    return rows.order_by("-version").first()


def _midnight(day: str) -> float:
    return datetime.combine(date.fromisoformat(day), clock(), UTC).timestamp()


# Kept ------------------------------------------------------------------------------------------------------
_apis: dict[tuple[str, str, int], Served] = {}
_callers: dict[str, Caller] = {}
_read_at = float("-inf")


def find(layer: str, path: str, version: int) -> Served | None:
    """Any version but a draft; whether it is still served is for the caller to say."""
    _read_anew()
    return _apis.get((layer, path, version))


def caller(token: str) -> Caller | None:
    """Whose token it is; None for one that nobody holds, or that is revoked, over, or of a consumer that is switched off."""
    _read_anew()
    found = _callers.get(digest_of(token))
    return found if found and not found.is_over else None


def digest_of(token: str) -> str:
    return hashlib.sha512(token.encode()).hexdigest()


def _read_anew() -> None:
    global _read_at
    if time.monotonic() - _read_at <= READ_EVERY_SECONDS:
        return
    apis = {(a.layer, a.path, a.version): Served(a) for a in Api.objects.exclude(state=State.DRAFT)}
    live = Q(expires_at=None) | Q(expires_at__gt=Now())
    tokens = ConsumerToken.objects.filter(live, revoked_at=None, consumer__is_active=True).select_related("consumer")
    callers = {
        t.digest: Caller(t.consumer_id, t.consumer.slug, t.consumer.per_minute, t.consumer.grants, t.expires_at)
        for t in tokens
    }
    for kept, read in ((_apis, apis), (_callers, callers)):
        kept.clear()
        kept.update(read)  # type: ignore[arg-type]
    _read_at = time.monotonic()


def forget() -> None:
    global _read_at
    _read_at = float("-inf")


def changed() -> None:
    """Read anew once this transaction has committed."""
    transaction.on_commit(forget)
