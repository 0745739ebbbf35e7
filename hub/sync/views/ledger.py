"""The ledger: a list that stays fast, and the whole story of one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from governance.models import ContractVersion, Entity
from hub.common.display import MASK
from hub.common.errors import ConfigError
from hub.common.exports import Column, export_response
from hub.common.filters import FilterBar, Select
from hub.common.lists import KeysetPage
from hub.common.moments import SINCE_CHOICES, moment
from hub.common.permissions import requires
from hub.records.models import CanonicalRecord
from hub.sync import ledger_search, payloads, queries, threads, totals
from hub.sync.ledger_search import LedgerFilter
from hub.sync.models import Batch, Run, Sync, Transaction
from hub.sync.states import Outcome
from hub.sync.views.common import find_transaction, may_in, me
from mappings.models import MappingVersion

KEYS = {
    "system": "System", "domain": "Domain", "sync": "Sync", "run": "Run", "outcome": "Outcome", "entity": "Entity",
    "key": "Key or id", "since": "Since", "until": "Until", "amount": "Amount", "error": "Error code",
}  # fmt: skip
COLUMNS = [
    Column("transaction", "Transaction", lambda row: f"T-{row.pk}"),
    Column("at", "Time (UTC)"),
    Column("sync_id", "Sync no."),
    Column("run_id", "Run"),
    Column("outcome", "Outcome", lambda row: Outcome(row.outcome).label),
    Column("key", "Key"),
    Column("external_id", "External id"),
    Column("version", "Version"),
    Column("changed", "Changed fields", lambda row: ", ".join(row.changed or ())),
    Column("attempt", "Attempt"),
    Column("amount", "Amount", lambda row: totals.exact(row.amount)),
    Column("currency", "Currency"),
    Column("error_code", "Error code"),
    Column("error_detail", "Error", "shown_error"),
    Column("target_ref", "Target id"),
    Column("correlation_id", "Correlation"),
]


# The list --------------------------------------------------------------------------------------------------
@requires("ledger.view")
def transaction_list(request: HttpRequest, fmt: str = "") -> HttpResponseBase:
    syncs = list(queries.syncs_for(me(request), "ledger.view").order_by("name"))
    bar = FilterBar(
        request,
        keys=KEYS,
        selects=[
            Select("system", "System", _named(sync.stream.connection.system for sync in syncs)),
            Select("domain", "Domain", _named(sync.entity.domain for sync in syncs)),
            Select("sync", "Sync", [(sync.slug, sync.name) for sync in syncs]),
            Select("outcome", "Outcome", ledger_search.GROUP_CHOICES),
            Select("since", "Since", SINCE_CHOICES),
        ],
        hint="Any id or key, words of an error, amount:>=1000, error:CODE",
    )
    asked = filter_of(request, bar)
    if fmt:
        return export_response(_exported(asked, syncs), COLUMNS, fmt, name="transactions")
    page, slow = _page(asked, request)
    context: dict[str, Any] = {
        "bar": bar,
        "page": page,
        "rows": with_syncs(page.rows if page else []),
        "slow": slow,
        "number": ledger_search.count_words(ledger_search.count(asked, page)) if page and page.rows else "",
        "looked_at": ledger_search.LOOKED_AT if asked.looks_at_newest else 0,
    }
    return render(request, "sync/transaction_list.html", context)


def filter_of(request: HttpRequest, bar: FilterBar) -> LedgerFilter:
    """What the address asks for, within what the person may see."""
    run, text = bar.get("run"), bar.text
    number = text.upper().removeprefix("T-")
    entity = Entity.objects.filter(slug=bar.get("entity")).first() if bar.get("entity") else None
    return LedgerFilter(
        sync_ids=_sync_ids(request, bar, entity),
        run_id=int(run) if run.isascii() and run.isdigit() and len(run) <= 18 else None,
        outcomes=ledger_search.outcomes_of(bar.get("outcome")),
        entity_id=entity.pk if entity else None,
        key=bar.get("key"),
        since=moment(bar.get("since")),
        until=moment(bar.get("until"), end_of_day=True),
        text="" if _is_transaction(text) else text,
        number=int(number) if _is_transaction(text) else None,
        error_code=bar.get("error"),
        amounts=ledger_search.amounts_of(bar.get("amount")) if bar.get("amount") else None,
    )


def _named(things: Iterable[Any]) -> list[tuple[str, str]]:
    """(slug, name) of systems or domains, each once, by name."""
    return sorted({thing.slug: thing.name for thing in things}.items(), key=lambda pair: pair[1])


def _is_transaction(text: str) -> bool:
    number = text.upper().removeprefix("T-")
    return text[:2].upper() == "T-" and number.isascii() and number.isdigit() and len(number) <= 18


# Filters that are answered by the syncs they mean.
_BY_SYNC = {
    "sync": "slug",
    "system": "mapping__stream__connection__system__slug",
    "domain": "mapping__entity__domain__slug",
}


def _sync_ids(request: HttpRequest, bar: FilterBar, entity: Entity | None) -> Sequence[int] | None:
    """Syncs that are asked for and may be seen; None for all."""
    asked = {field: bar.get(name) for name, field in _BY_SYNC.items() if bar.get(name)}
    if not asked and not bar.get("entity"):
        return queries.sync_ids_for(me(request), "ledger.view")
    rows = queries.syncs_for(me(request), "ledger.view").filter(**asked)
    return list((rows.filter(mapping__entity=entity) if bar.get("entity") else rows).values_list("pk", flat=True))


def _page(asked: LedgerFilter, request: HttpRequest) -> tuple[KeysetPage[Transaction] | None, str]:
    try:
        return ledger_search.page(asked, request), ""
    except ConfigError as error:
        return None, str(error)


def with_syncs(rows: Sequence[Transaction]) -> list[tuple[Transaction, Sync | None, str]]:
    """(row, its sync, the sentence of its error without masked values)"""
    syncs = threads.syncs_of(rows)
    secret = payloads.secret_by_sync(syncs.values())
    return [
        (row, syncs.get(row.sync_id), payloads.masked_sentence(row.error_detail, secret.get(row.sync_id, ())))
        for row in rows
    ]


def _exported(asked: LedgerFilter, syncs: Iterable[Sync]) -> Iterator[Transaction]:
    """All rows, newest first; the sentence of an error comes without masked values."""
    secret = payloads.secret_by_sync(syncs)
    for row in ledger_search.stream(asked):
        row.shown_error = payloads.masked_sentence(row.error_detail, secret.get(row.sync_id, ()))  # type: ignore[attr-defined]
        yield row


# One transaction -------------------------------------------------------------------------------------------
@requires("ledger.view")
@never_cache
def transaction_detail(request: HttpRequest, pk: int) -> HttpResponse:
    row = find_transaction(request, pk, "ledger.view")
    return render(request, "sync/transaction_detail.html", _detail(request, row, revealed=False))


@requires("payloads.reveal")
@never_cache
@require_POST
def transaction_reveal(request: HttpRequest, pk: int) -> HttpResponse:
    """The same page with nothing masked; that it was asked for is told."""
    row = find_transaction(request, pk, "payloads.reveal")
    payloads.tell_reveal(row, by=me(request))
    return render(request, "sync/transaction_detail.html", _detail(request, row, revealed=True))


def _detail(request: HttpRequest, row: Transaction, *, revealed: bool) -> dict[str, Any]:
    seen = queries.sync_ids_for(me(request), "ledger.view")
    hops = threads.thread_of(row, seen)
    sync = threads.syncs_of([row]).get(row.sync_id)
    batch = Batch.objects.filter(pk=row.batch_id).defer("payload").first() if row.batch_id else None
    mapping, contract = versions_of(batch)
    return {
        "row": row,
        "sync": sync,
        "run": Run.objects.filter(pk=row.run_id).first(),
        "sentence": threads.sentence(row, sync),
        "hops": hops,
        "open": threads.open_deliveries(row, seen),
        "others": with_syncs(threads.others_of(row, seen)),
        "mapping_version": mapping,
        "contract_version": contract,
        "ownership": threads.rules_at(sync.entity, row.at) if sync else [],
        "record": CanonicalRecord.objects.select_related("entity").filter(pk=row.record_id or 0).first(),
        "revealed": revealed,
        "can_reveal": may_in(request, "payloads.reveal", sync),
        **_contents(row, sync, mapping, contract, revealed=revealed),
    }


def versions_of(batch: Batch | None) -> tuple[MappingVersion | None, ContractVersion | None]:
    if batch is None:
        return None, None
    mapping = MappingVersion.objects.select_related("mapping").filter(pk=batch.mapping_version_id or 0).first()
    contract = ContractVersion.objects.select_related("contract").filter(pk=batch.contract_version_id or 0).first()
    return mapping, contract


def _contents(
    row: Transaction,
    sync: Sync | None,
    mapping: MappingVersion | None,
    contract: ContractVersion | None,
    *,
    revealed: bool,
) -> dict[str, Any]:
    """Payload and changed fields, masked unless they were revealed."""
    payload = payloads.payload_of(row)
    changes = payloads.changes_of(row, sync) if sync else []
    if revealed:
        return {"payload": payload, "masked": frozenset(), "changes": changes, "detail": row.error_detail or ""}
    if sync is None:
        detail = payloads.masked_sentence(row.error_detail, ())
        return {"payload": MASK if payload else None, "masked": frozenset(), "changes": [], "detail": detail}
    masked = payloads.masked_paths(payload, sync, mapping=mapping, contract=contract)
    names = {c.field for c in changes} | set(row.changed or ())
    secret = payloads.masked_names(names, contract.schema) if contract and sync.direction == "in" else set(masked)
    secret |= set(payloads.sensitive_paths(dict.fromkeys(names)))
    return {
        "payload": payload,
        "masked": masked,
        "changes": payloads.masked_changes(changes, secret),
        "detail": payloads.masked_sentence(row.error_detail, payloads.secret_by_sync([sync])[sync.pk]),
    }
