"""Programs that read records over the API, as consumers of contracts: known by their traffic alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from governance import consumers, traffic
from governance.consumers import Consumer
from governance.models import ContractUse, ContractVersion, Entity
from hub.accounts.models import ApiToken
from hub.common.times import business_now

TOKEN = "ApiToken"
# A token that read nothing for so long is no consumer any more.
REMEMBERED_DAYS = 90


def register() -> None:
    consumers.register("api", of_entity)


def of_entity(entity: Entity) -> Iterator[Consumer]:
    since = business_now().date() - timedelta(days=REMEMBERED_DAYS)
    uses = ContractUse.objects.filter(version__contract__entity=entity, kind=TOKEN, day__gte=since)
    for name in uses.order_by("name").values_list("name", flat=True).distinct():
        yield Consumer(TOKEN, name, name, "reads")


def note(version: ContractVersion, token: Any) -> None:
    """One read by a program; people who look at the API in a browser are no consumers."""
    if isinstance(token, ApiToken):
        traffic.note(version.pk, TOKEN, f"{token.name} ({token.user.email})")
