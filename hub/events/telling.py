"""From what happens to events: called with facts, inside the transaction in which it happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import orjson

from connectors.models import Connection
from governance.lifecycle import successor_of
from governance.models import ContractVersion
from hub.common import facts
from hub.common.db import plain_cursor
from hub.common.display import machine_time
from hub.common.money import decimal_text
from hub.common.records import Record
from hub.events import business, interests, outbox
from hub.events.business import Happened, Rule
from hub.events.interests import About, Interest
from hub.events.outbox import Draft
from hub.events.types import OF_OUTCOME, OF_RUN, RECORD_TYPES
from hub.records.models import CanonicalRecord
from hub.sync import payloads
from hub.sync.ledger import Entry
from hub.sync.models import Run

# (canonical id, key, version, body as JSON)
Row = tuple[int, str, int, str]
LEDGER_TYPES = frozenset(OF_OUTCOME.values())


# Records and deliveries ------------------------------------------------------------------------------------
def on_ledger(*, cursor: Any, sync_id: int, run_id: int, at: str, entries: Sequence[Entry]) -> None:
    """Rows of the ledger as events: what a page made of records, and deliveries that stopped."""
    _tell_business(
        cursor, sync_id, [_Step(e.record_id, e.key, e.version, e.before, e.body) for e in _moving(entries)], at
    )
    asked = interests.wanted(LEDGER_TYPES)
    if not asked:
        return
    about = interests.about(sync_id)
    drafts = [draft for entry in entries if (draft := _of_entry(entry, about, asked))]
    _name_keys(drafts)
    for draft in drafts:
        if draft.type not in RECORD_TYPES:
            draft.data |= {"sync": about.sync, "run": run_id}
    outbox.write(cursor, drafts, at=at)


def _of_entry(entry: Entry, about: About, asked: Iterable[Interest]) -> Draft | None:
    """None where the row tells nothing, or nobody wants to know. A delivery of a record is no change of that record."""
    name = OF_OUTCOME.get(entry.outcome, "")
    if not name or (name in RECORD_TYPES and entry.body is None):
        return None
    told = [i for i in asked if i.covers(name, domain_id=about.domain_id, entity_id=about.entity_id)]
    if entry.body is not None:
        told = [interest for interest in told if interest.wants(entry.body)]
    if not told:
        return None
    data = _identity(about.entity, entry.record_id, entry.key, entry.version)
    if entry.body is None:
        data |= {"attempt": entry.attempt, "error_code": entry.error_code}
        data["error"] = payloads.masked_sentence(entry.error_detail, about.secret)
        return Draft(name, f"{about.entity}/{entry.key}", data, [i.subscription_id for i in told])
    if entry.changed:
        data["changed"] = list(entry.changed)
    return _of_record(name, data, entry.body, about, told)


def _of_record(name: str, data: dict[str, Any], body: Record, about: About, told: Sequence[Interest]) -> Draft:
    """The record itself is kept only where somebody is sent it."""
    record = about.shown(body) if any(interest.is_full for interest in told) else None
    return Draft(name, f"{about.entity}/{data['key']}", data, [i.subscription_id for i in told], record)


def _identity(entity: str, record_id: int | None, key: str | None, version: int | None) -> dict[str, Any]:
    return {"entity": entity, "id": None if record_id is None else str(record_id), "key": key, "version": version}


def _name_keys(drafts: Sequence[Draft]) -> None:
    """Rows of a delivery whose sender was killed carry the record's number alone."""
    nameless = [draft for draft in drafts if draft.data["key"] is None]
    found = {draft.data["id"] for draft in nameless}
    keys = dict(CanonicalRecord.objects.filter(pk__in=found).values_list("pk", "key")) if found else {}
    for draft in nameless:
        draft.data["key"] = keys.get(int(draft.data["id"]))
        draft.subject = f"{draft.data['entity']}/{draft.data['key']}"


def on_removed(*, cursor: Any, sync_id: int, rows: Sequence[Row]) -> None:
    """Records that were marked as deleted."""
    _tell_business(
        cursor, sync_id, [_Step(i, key, version, orjson.loads(text), None) for i, key, version, text in rows]
    )
    name = "record.removed"
    asked = interests.wanted({name})
    if not asked or not rows:
        return
    about, drafts = interests.about(sync_id), []
    covering = [i for i in asked if i.covers(name, domain_id=about.domain_id, entity_id=about.entity_id)]
    for record_id, key, version, text in rows:
        body = orjson.loads(text)
        if told := [interest for interest in covering if interest.wants(body)]:
            data = _identity(about.entity, record_id, key, version)
            drafts.append(_of_record(name, data, body, about, told))
    outbox.write(cursor, drafts)


# Events of the firm ----------------------------------------------------------------------------------------
class _Step(NamedTuple):
    """A record from one state to the next."""

    record_id: int | None
    key: str | None
    version: int | None
    before: Record | None
    after: Record | None


def _moving(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Rows by which a record came to be what it is."""
    if business.any_rules():
        yield from (entry for entry in entries if entry.body is not None and entry.outcome in OF_OUTCOME)


def _tell_business(cursor: Any, sync_id: int, steps: Sequence[_Step], at: str | None = None) -> None:
    """Keep the transitions that are events of the firm, whoever subscribes, and tell the parts of the hub that listen."""
    if not steps or not business.any_rules():
        return
    about = interests.about(sync_id)
    rules = business.rules_of(about.entity_id)
    drafts: list[Draft] = []
    happened: list[Happened] = []
    for step in steps:
        for rule in rules:
            if rule.happened(step.before, step.after):
                draft = _of_step(step, rule, about)
                drafts.append(draft)
                happened.append(_as_happened(draft, step, about))
    if drafts:
        outbox.write(cursor, drafts, at=at)
        facts.publish("business_events", cursor=cursor, events=happened)


def _as_happened(draft: Draft, step: _Step, about: About) -> Happened:
    body = step.after if step.after is not None else step.before or {}
    return Happened(
        draft.uid, draft.type, about.entity_id, step.record_id or 0, step.key or "", step.version or 0, body
    )


def _of_step(step: _Step, rule: Rule, about: About) -> Draft:
    body = step.after if step.after is not None else step.before or {}
    asked = interests.wanted({rule.name})
    told = [i for i in asked if i.covers(rule.name, domain_id=about.domain_id, entity_id=about.entity_id)]
    data = _identity(about.entity, step.record_id, step.key, step.version)
    if step.before is not None and step.after is not None:
        data["changed"] = [name for name, value in step.after.items() if step.before.get(name) != value]
    return Draft(
        rule.name,
        f"{about.entity}/{step.key}",
        data,
        [interest.subscription_id for interest in told if interest.wants(body)],
        rule.told_of(about.shown(body)),
        version=rule.version,
    )


# Runs and connections --------------------------------------------------------------------------------------
def on_run_ended(*, run: Run) -> None:
    """A run's end, in the statement that stores it."""
    name = OF_RUN.get(run.status)  # type: ignore[call-overload]
    if not name or not interests.wanted({name}):
        return
    about = interests.about(run.sync_id)
    data = {
        "run": run.pk,
        "sync": about.sync,
        "entity": about.entity,
        "trigger": run.trigger,
        "status": str(run.status),
        "started_at": machine_time(run.started_at) if run.started_at else None,
        "counts": run.counts,
        "error_code": run.error_code or None,
        "error": payloads.masked_sentence(run.error, about.secret) or None,
    }
    _tell(name, f"sync/{about.sync}", data, domain_id=about.domain_id, entity_id=about.entity_id)


def on_circuit_opened(*, connection: Connection, state: str, error: str) -> None:
    _of_connection("connection.down", connection, {"state": state, "error": error})


def on_circuit_closed(*, connection: Connection) -> None:
    _of_connection("connection.up", connection, {})


def on_contract_deprecated(*, version: ContractVersion, days: int) -> None:
    """A version has so many days left to be served."""
    contract, following = version.contract, successor_of(version)
    data = {
        "contract": contract.slug,
        "version": version.number,
        "semver": version.semver,
        "sunset_date": version.sunset_date.isoformat() if version.sunset_date else None,
        "days_left": days,
        "successor": following.number if following else None,
    }
    entity = contract.entity
    _tell("contract.deprecated", f"contract/{contract.slug}", data, domain_id=entity.domain_id, entity_id=entity.pk)


def _of_connection(name: str, connection: Connection, more: dict[str, Any]) -> None:
    data = {"connection": connection.slug, "name": connection.name, **more}
    _tell(name, f"connection/{connection.slug}", data, domain_id=connection.domain_id, entity_id=None)


# Terms -----------------------------------------------------------------------------------------------------
def on_drift_opened(*, drift: Any) -> None:
    _of_term("term.parted", drift)


def on_drift_closed(*, drift: Any) -> None:
    _of_term("term.met", drift)


def _of_term(name: str, drift: Any) -> None:
    """A drift of monitoring, which stands above this package."""
    data = {
        "term": drift.term.slug,
        "name": drift.term.name,
        "systems": [each["system"] for each in drift.systems],
        "difference": decimal_text(drift.difference.normalize()),
        "unit": drift.term.unit,
        "currency": drift.currency or None,
        "opened_at": machine_time(drift.opened_at),
    }
    _tell(name, f"term/{drift.term.slug}", data, domain_id=drift.term.domain_id, entity_id=None)


def _tell(name: str, subject: str, data: dict[str, Any], *, domain_id: int | None, entity_id: int | None) -> None:
    asked = interests.wanted({name})
    told = [i.subscription_id for i in asked if i.covers(name, domain_id=domain_id, entity_id=entity_id)]
    if told:
        with plain_cursor() as cursor:
            outbox.write(cursor, [Draft(name, subject, data, told)])
