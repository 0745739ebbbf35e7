"""What records of a page broke, kept without what is not for everybody; and a page that its contract stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.db import transaction

from governance import breaches
from governance.treatment import Breach
from hub.common.errors import ConfigError
from hub.records.copying import without_nul
from hub.sync import payloads
from hub.sync.plan import SyncPlan
from hub.sync.prepare import Noted, Prepared


def keep(plan: SyncPlan, run_id: int, noted: Sequence[Noted]) -> None:
    """Write breaches in the transaction of their page."""
    if not noted:
        return
    secret = payloads.secret_by_sync([plan.sync])[plan.sync.pk]
    rows = [(each.external_id, _open(each.breach, secret), each.is_at_source) for each in noted]
    breaches.write(version_id=plan.contract_version.pk, sync=plan.sync.slug, run_id=run_id, rows=rows)


def block(plan: SyncPlan, run_id: int, page: Prepared) -> None:
    """Keep the breaches of a page of which nothing is stored, and stop the run."""
    with transaction.atomic():
        keep(plan, run_id, page.breaches)
    raise ConfigError(
        f"The contract stops this page: {page.blocked.what if page.blocked else ''}",
        where=plan.contract_version.ref,
        fix="Correct the record at its source, or let the contract set such records aside.",
        code="CONTRACT_BREACH",
    )


def _open(breach: Breach, secret: frozenset[str]) -> Breach:
    """The breach without a value that is not for everybody."""
    told = payloads.masked_sentence(breach.sentence, secret)
    hidden = told != breach.sentence or _is_secret(breach.field, secret)
    return replace(breach, sentence=str(without_nul(told)), value="" if hidden else str(without_nul(breach.value)))


def _is_secret(field: str, secret: frozenset[str]) -> bool:
    return any(part in secret or payloads.SENSITIVE.search(part) for part in field.split("."))
