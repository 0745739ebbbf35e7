"""Exceptions as pages show them: deadlines in words, what happened, links to every part of the hub, the masked payload."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse

from governance.models import ContractVersion, Firm
from hub.accounts.models import User
from hub.common.times import business_now
from hub.processes.models import ProcessInstance
from hub.records.models import CanonicalRecord
from hub.records.reading import Described
from hub.records.reading import show as show_record
from hub.sync import payloads
from hub.sync.keys import DeliveryKey, HeldKey
from hub.sync.models import HeldRecord, Sync, Transaction
from hub.sync.states import Outcome
from mappings.models import MappingVersion
from monitoring.exceptions import classify, ranking
from monitoring.exceptions.classify import Rule
from monitoring.exceptions.queries import Facet
from monitoring.models import ExceptionEvent, ExceptionGroup, ExceptionItem

TOKENS = {8: "overdue", 4: "late", 3: "late", 2: "queued", 1: "queued"}
# state → its token on a page
STATES = {
    "open": "warn",
    "snoozed": "muted",
    "retrying": "run",
    "approval": "review",
    "resolved": "ok",
    "written_off": "muted",
}
assert set(STATES) == set(ExceptionItem.State.values)
ACTS = {
    "opened": ("Opened", "fail"),
    "seen_again": ("Failed again", "fail"),
    "resolved": ("Resolved by itself", "ok"),
    "reclassified": ("Put under another cause", "review"),
    "woken": ("Open again after its snooze", "queued"),
}
RESOLVED = dict(ExceptionItem.Resolution.choices)
# Ledger rows of one record that a page shows.
ATTEMPTS = 20


def firm_currency() -> str:
    firm = Firm.objects.first()
    return firm.currency if firm else ""


# Rows of lists ----------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class GroupRow:
    group: Any
    cause: str
    facet: Facet
    token: str
    currency: str
    # The items of the group that match, as a list.
    items_url: str

    @property
    def periods(self) -> str:
        found = sorted(self.facet.periods)
        return found[0] if len(found) == 1 else f"{found[0]} to {found[-1]}" if found else ""


def group_rows(page: Iterable[ExceptionGroup], facets: Mapping[int, Facet], asked: Mapping[str, str]) -> list[GroupRow]:
    names, currency, at = classify.names(), firm_currency(), ranking.moments()
    rows = []
    for group in page:
        params = urlencode({**asked, "group": group.pk, "view": "items"})
        token = TOKENS[ranking.urgency_of(group.due, at)]  # type: ignore[attr-defined]
        cause = names.get(group.cause) or classify.name_of(group.cause)
        url = f"{reverse('exceptions:list')}?{params}"
        rows.append(GroupRow(group, cause, facets.get(group.pk, Facet()), token, currency, url))
    return rows


@dataclass(frozen=True, slots=True)
class ItemRow:
    item: ExceptionItem
    cause: str
    token: str
    currency: str


def item_rows(page: Iterable[ExceptionItem]) -> list[ItemRow]:
    names, currency, at = classify.names(), firm_currency(), ranking.moments()
    return [
        ItemRow(item, names.get(item.cause) or classify.name_of(item.cause), token_of(item, at), currency)
        for item in page
    ]


def token_of(item: ExceptionItem, at: ranking.Moments) -> str:
    return TOKENS[ranking.urgency_of(item.due_at, at)] if item.is_unsettled else item.state


def rule_of(slug: str) -> Rule:
    found = next((rule for rule in classify.all_rules() if rule.slug == slug), None)
    return found or (classify.LAST if slug == classify.OTHER else Rule(slug, classify.name_of(slug)))


# What happened ----------------------------------------------------------------------------------------------
def timeline(item: ExceptionItem) -> list[dict[str, Any]]:
    """What people and the hub did about it, and the attempts in the ledger, newest first; components/timeline.html."""
    events = [_event(event) for event in item.events.select_related("by")]
    told = {event["transaction"] for event in events} - {None}
    attempts = [_attempt(row) for row in _ledger_of(item) if row.pk not in told]
    return sorted([*events, *attempts], key=lambda one: one["at"], reverse=True)


def _event(event: ExceptionEvent) -> dict[str, Any]:
    word, state = ACTS.get(event.act, (event.act.replace("_", " ").capitalize(), "review"))
    text = RESOLVED.get(event.text, event.text) if event.act == "resolved" else event.text
    detail = ", ".join(
        part for part in (text if event.act not in ("opened", "seen_again") else "", _change(event)) if part
    )
    by = f"by {event.by}" if event.by else ""
    return {
        "state": state,
        "title": word,
        "detail": " · ".join(part for part in (detail, by) if part),
        "at": event.at,
        "transaction": event.transaction_id,
    }


def _change(event: ExceptionEvent) -> str:
    before: Any = event.before if isinstance(event.before, dict) else {}
    after: Any = event.after if isinstance(event.after, dict) else {}
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    return ", ".join(f"{name}: {before.get(name) or 'nothing'} → {after.get(name) or 'nothing'}" for name in changed)


def _ledger_of(item: ExceptionItem) -> Sequence[Transaction]:
    if item.sync_id is None:
        return []
    rows = Transaction.objects.filter(sync_id=item.sync_id).order_by("-id")
    if item.record_id:
        return list(rows.filter(record_id=item.record_id)[:ATTEMPTS])
    if item.external_id:
        return list(rows.filter(record_id__isnull=True, external_id=item.external_id)[:ATTEMPTS])
    return []


def _attempt(row: Transaction) -> dict[str, Any]:
    code = f" ({row.error_code})" if row.error_code else ""
    state = (
        "fail"
        if row.outcome in (Outcome.QUARANTINED, Outcome.DEAD, Outcome.HELD)
        else Outcome(row.outcome).name.lower()
    )
    return {
        "state": state,
        "title": f"{Outcome(row.outcome).label}{code}",
        "detail": f"T-{row.pk}",
        "at": row.at,
        "url": reverse("sync:transaction_detail", args=[row.pk]),
        "transaction": row.pk,
    }


def group_history(group: ExceptionGroup) -> list[dict[str, Any]]:
    """What was done about its items, the newest, many of one kind at one moment in one line."""
    rows = ExceptionEvent.objects.filter(item__group=group).select_related("by").order_by("-id")[:200]
    found: list[dict[str, Any]] = []
    for event in rows:
        line = _event(event)
        same = found and (found[-1]["title"], found[-1]["at"]) == (line["title"], line["at"])
        if same:
            found[-1]["number"] += 1
        else:
            found.append({**line, "number": 1})
    for line in found:
        if line["number"] > 1:
            line["detail"] = f"{line['number']} records"
    return found[:12]


def fact_words(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(name.replace("_", " ").capitalize(), text) for name, text in facts.items() if text]


# Links ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Link:
    label: str
    text: str
    url: str


def links(item: ExceptionItem, user: User) -> list[Link]:
    """Where the item is in the hub, as far as the person may follow."""
    may_ledger, found = user.has_hub_perm("ledger.view"), list[Link]()
    sync = _sync_of(item)
    if sync and user.has_hub_perm("syncs.view"):
        found.append(Link("Sync", sync.name, reverse("sync:sync_detail", args=[sync.slug])))
    if sync and user.has_hub_perm("connections.view"):
        connection = sync.stream.connection
        found.append(
            Link("Connection", connection.name, reverse("connectors:connection_detail", args=[connection.slug]))
        )
    if may_ledger:
        found += _of_ledger(item)
    return found


def _of_ledger(item: ExceptionItem) -> Iterable[Link]:
    if item.record_id and item.entity:
        yield Link("Record", item.name, reverse("records:record", args=[item.entity.slug, item.record_id]))
    if item.origin == ExceptionItem.Origin.HELD and item.is_unsettled and item.sync_id and item.external_id:
        key = HeldKey(item.sync_id, item.external_id)
        yield Link("Held record", item.external_id, reverse("sync:held_detail", args=[key]))
    if item.origin == ExceptionItem.Origin.DELIVERY and item.sync_id and item.record_id:
        url = reverse("sync:delivery_detail", args=[DeliveryKey(item.sync_id, item.record_id)])
        yield Link("Delivery", item.name, url)
    if item.origin == ExceptionItem.Origin.DUPLICATE and item.is_unsettled:
        pk = item.origin_key.rpartition(":")[2]
        yield Link("Compare", "both records", reverse("sync:duplicate_detail", args=[pk]))
    if item.origin == ExceptionItem.Origin.BLOCKED:
        pk = item.origin_key.rpartition(":")[2]
        yield Link("Decide", "the two values", reverse("sync:blocked_detail", args=[pk]))
    if item.origin == ExceptionItem.Origin.PROCESS:
        pk = item.origin_key.rpartition(":")[2]
        found = ProcessInstance.objects.select_related("process").filter(steps__pk=pk).first()
        if found is not None:
            yield Link("Process", str(found), found.get_absolute_url())
    if item.transaction_id:
        row = Transaction.objects.filter(pk=item.transaction_id).first()
        yield Link(
            "Transaction", f"T-{item.transaction_id}", reverse("sync:transaction_detail", args=[item.transaction_id])
        )
        if row and row.run_id:
            yield Link("Run", f"Run {row.run_id}", reverse("sync:run_detail", args=[row.run_id]))
    if item.evidence_id:
        yield Link("Passed in", f"T-{item.evidence_id}", reverse("sync:transaction_detail", args=[item.evidence_id]))


def _sync_of(item: ExceptionItem) -> Sync | None:
    rows = Sync.objects.select_related("mapping__entity", "mapping__stream__connection")
    return rows.filter(pk=item.sync_id).first() if item.sync_id else None


# The record -------------------------------------------------------------------------------------------------
def payload(item: ExceptionItem, user: User) -> dict[str, Any]:
    """The record against the rule: `detail` without masked values, `body` and what is masked in it, or `fields`."""
    sync = _sync_of(item)
    secret = payloads.secret_by_sync([sync])[sync.pk] if sync else frozenset[str]()
    found: dict[str, Any] = {"detail": payloads.masked_sentence(item.detail, secret), "body": None, "fields": []}
    if not user.has_hub_perm("ledger.view"):
        return found
    if item.record_id:
        record = CanonicalRecord.objects.select_related("entity", "provenance").filter(pk=item.record_id).first()
        if record is not None:
            found["fields"] = [one for one in show_record(record, Described(record.entity)) if one.look != "nothing"]
        return found
    held = (
        HeldRecord.objects.filter(sync=sync, external_id=item.external_id).first()
        if sync and item.external_id
        else None
    )
    if held is not None and sync is not None:
        mapping = sync.mapping.versions.filter(status=MappingVersion.Status.ACTIVE).first()
        contract = ContractVersion.objects.filter(
            contract__entity=sync.entity, status=ContractVersion.Status.ACTIVE
        ).first()
        found["body"] = held.body
        found["masked"] = payloads.masked_paths(held.body, sync, mapping=mapping, contract=contract)
    return found


def details(items: Iterable[ExceptionItem]) -> dict[int, str]:
    """item id → the sentence without values that are not for everybody; the settings of a sync are read once."""
    rows = list(items)
    syncs = Sync.objects.select_related("mapping__entity").filter(pk__in={row.sync_id for row in rows if row.sync_id})
    secret = payloads.secret_by_sync(syncs)
    return {row.pk: payloads.masked_sentence(row.detail, secret.get(row.sync_id or 0, frozenset())) for row in rows}


def age(since: datetime) -> str:
    """`6 d`, `18 h`: how long something has been open by the business clock, in its largest unit."""
    seconds = max((business_now() - since).total_seconds(), 0)
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "now"
