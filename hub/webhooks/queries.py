"""Reads of webhooks: what a person may see, the rows of the list, and a message with what must be masked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from connectors.exact_json import parse_json
from connectors.paths import split_path
from governance.models import ContractVersion
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.sync import queries as syncs
from hub.sync.models import Sync
from hub.sync.payloads import masked_paths, sensitive_paths
from hub.webhooks.models import Endpoint, Message
from mappings.models import MappingVersion

DOMAIN = "sync__mapping__entity__domain"
MOST = 10_000
COUNTS = """
  select e.id, newest.last_at, newest.recent,
    (select count(*) from (select from webhooks_message where endpoint_id = e.id and state = 'new' limit %(most)s) m),
    (select count(*) from (select from webhooks_message where endpoint_id = e.id and state = 'rejected' limit %(most)s) m)
  from unnest(%(ids)s::bigint[]) e(id) cross join lateral (
    select max(received_at) as last_at, count(*) filter (where received_at > now() - interval '24 hours') as recent
    from (select received_at from webhooks_message where endpoint_id = e.id order by id desc limit %(most)s) m
  ) newest
"""


def endpoints_for(user: User, permission: str) -> QuerySet[Endpoint]:
    """Webhooks of syncs in whose domain the person holds the permission."""
    rows = Endpoint.objects.select_related(
        "sync__mapping__entity__domain", "sync__mapping__stream__connection__system", "sync__after"
    )
    return scope_to_domains(rows, user, permission, DOMAIN)


def inbound_syncs_for(user: User, permission: str) -> QuerySet[Sync]:
    return syncs.syncs_for(user, permission).filter(mapping__direction="in").order_by("name")


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """A webhook as its list shows it; `recent` is of the last 24 hours, and no count goes beyond MOST."""

    endpoint: Endpoint
    last_at: datetime | None = None
    recent: int = 0
    waiting: int = 0
    rejected: int = 0

    @property
    def state(self) -> str:
        if not self.endpoint.is_active:
            return "disabled"
        return "failed" if self.endpoint.failures else "active" if self.last_at else "muted"


def endpoint_rows(endpoints: Iterable[Endpoint]) -> list[EndpointRow]:
    """The rows of one page, in one query that goes by index however many messages there are."""
    found = list(endpoints)
    with connection.cursor() as cursor:
        cursor.execute(COUNTS, {"ids": [endpoint.pk for endpoint in found], "most": MOST})
        counts = {row[0]: row[1:] for row in cursor.fetchall()}
    return [EndpointRow(endpoint, *counts[endpoint.pk]) for endpoint in found]


def body_of(message: Message) -> Any:
    """The body as JSON."""
    return parse_json(bytes(message.body))[0]


def masked_in(endpoint: Endpoint, body: Any) -> set[str]:
    """Dotted paths of a body that are masked: the record's classified fields, and what speaks of secrets anywhere."""
    sync = endpoint.sync
    mapping = MappingVersion.objects.filter(mapping=sync.mapping_id, status=MappingVersion.Status.ACTIVE).first()
    contract = ContractVersion.objects.filter(
        contract__entity=sync.mapping.entity_id, status=ContractVersion.Status.ACTIVE
    ).first()
    found = masked_paths({}, sync, mapping=mapping, contract=contract)
    return {_inside(endpoint.record_path, path) for path in found} | set(sensitive_paths(body))


def _inside(record_path: str, path: str) -> str:
    """A path of the record as a path of the body: items of a list share its path, what `*` stands for is masked whole."""
    parts = [part for part in split_path(record_path.removeprefix("$")) if not part.isdigit()]
    return ".".join(parts[: parts.index("*")] if "*" in parts else [*parts, path])
