"""The record of breaches: written a page at a time, read by people within their domains, forgotten after a while."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import QuerySet

from governance.models import ContractBreach
from governance.treatment import Breach
from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.times import business_now

KEPT_DAYS = 90
AT_ONCE = 1000


def write(*, version_id: int, sync: str, run_id: int, rows: Sequence[tuple[str, Breach, bool]]) -> None:
    """Keep breaches as (external id, breach, whether the record broke the schema of its source)."""
    ContractBreach.objects.bulk_create(
        [
            ContractBreach(
                version_id=version_id,
                sync=sync,
                run_id=run_id,
                external_id=external_id,
                field=breach.field,
                rule=breach.rule,
                value=breach.value,
                sentence=breach.sentence,
                action=breach.action,
                is_at_source=is_at_source,
            )
            for external_id, breach, is_at_source in rows
        ],
        batch_size=AT_ONCE,
    )


def breaches_for(user: User, permission: str = "contracts.view") -> QuerySet[ContractBreach]:
    rows = ContractBreach.objects.select_related("version__contract__entity__domain")
    return scope_to_domains(rows, user, permission, "version__contract__entity__domain")


def forget_old() -> int:
    old: Any = ContractBreach.objects.filter(at__lt=business_now() - timedelta(days=KEPT_DAYS))
    return int(old.delete()[0])
