"""From messages to a page of records: the newest version of each record, and nothing older than what the hub holds."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from connectors import paths
from connectors.exact_json import parse_json
from hub.common.errors import RecordError
from hub.common.records import Record
from hub.sync.feeds import Fed
from hub.sync.plan import SyncPlan
from hub.sync.prepare import external_id
from hub.webhooks import known, versions
from hub.webhooks.models import Endpoint, Message
from hub.webhooks.versions import Version

PAGE = 500
Outcome = Message.Outcome


@dataclass(slots=True)
class Told:
    """One record as one message tells of it."""

    message: Message
    external_id: str
    record: Record
    version: Version
    is_deleted: bool


@dataclass(slots=True)
class Sorted:
    """A page of the inbox: what counts by record, what became of each message, and what cannot be used."""

    newest: dict[str, Told] = field(default_factory=dict)
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)

    def keep(self, told: Told) -> None:
        """Of two versions of a record the newer one counts; of equal ones the one that came later."""
        other = self.newest.get(told.external_id)
        if other is not None and versions.is_older(told.version, other.version):
            self.mark(told, Outcome.SUPERSEDED)
            return
        if other is not None:
            self.mark(other, Outcome.SUPERSEDED)
        self.newest[told.external_id] = told

    def mark(self, told: Told, outcome: Outcome) -> None:
        """A message with several records is called by the best that became of one of them."""
        order = (Outcome.APPLIED, Outcome.DELETED, Outcome.STALE, Outcome.SUPERSEDED)
        before = self.outcomes.get(told.message.pk, outcome)
        self.outcomes[told.message.pk] = min(before, outcome, key=order.index)


def take(plan: SyncPlan) -> Fed | None:
    """The next messages of the sync's webhooks as one page; None when none waits."""
    messages = list(
        Message.objects.filter(
            endpoint__sync=plan.sync, endpoint__event_mode=Endpoint.Mode.RECORD, state=Message.State.NEW
        )
        .select_related("endpoint")
        .order_by("pk")[:PAGE]
    )
    if not messages:
        return None
    page = _sort(plan, messages)
    _drop_stale(plan, page)
    told = list(page.newest.values())
    records = [one.record for one in told if not one.is_deleted]
    gone = [one.record for one in told if one.is_deleted]
    return Fed(records, lambda cursor, run_id: _settle(cursor, run_id, plan, page), gone)


def _sort(plan: SyncPlan, messages: Sequence[Message]) -> Sorted:
    page = Sorted()
    for message in messages:
        try:
            found = list(_told(plan, message))
        except RecordError as error:
            page.errors[message.pk] = str(error)
            continue
        for told in found:
            page.keep(told)
    return page


def _told(plan: SyncPlan, message: Message) -> Iterator[Told]:
    """The records of one message. Raises RecordError when it carries none that can be told apart."""
    endpoint = message.endpoint
    body, _ = parse_json(bytes(message.body))
    found = paths.get(body, endpoint.record_path)
    records = found if isinstance(found, list) else [found]
    if not records or not all(isinstance(record, dict) for record in records):
        raise RecordError(
            f"The message has no record at {endpoint.record_path or '$'!r}.",
            fix="Correct the place of the record in the webhook's settings, then send the message again.",
        )
    is_deleted = _says_deleted(endpoint, body)
    for record in records:
        version = _version(plan, message, body, record, is_deleted)
        yield Told(message, external_id(record, plan.stream.key), record, version, is_deleted)


def _says_deleted(endpoint: Endpoint, body: Any) -> bool:
    if not endpoint.deleted_path:
        return False
    said = paths.get(body, endpoint.deleted_path)
    text = str(said).lower() if isinstance(said, bool) else str(said)
    return said is not None and text in endpoint.deleted_values


def _version(plan: SyncPlan, message: Message, body: Any, record: Record, is_deleted: bool) -> Version:
    """The source's own time of change. A deletion without one counts from when it arrived."""
    said = paths.get(record, plan.stream.cursor) if plan.stream.cursor else None
    if said in (None, "") and message.endpoint.time_path:
        said = paths.get(body, message.endpoint.time_path)
    if said in (None, "") and is_deleted:
        said = message.received_at.isoformat()
    return versions.version_of(said)


def _drop_stale(plan: SyncPlan, page: Sorted) -> None:
    """Leave out what is older than the hub's own state of the record; what remains is applied."""
    held = known.newest_of(plan, list(page.newest))
    for name, told in list(page.newest.items()):
        if any(versions.is_older(told.version, version) for version in held.get(name, ())):
            page.mark(told, Outcome.STALE)
            del page.newest[name]
        else:
            page.mark(told, Outcome.DELETED if told.is_deleted else Outcome.APPLIED)


def _settle(cursor: Any, run_id: int, plan: SyncPlan, page: Sorted) -> None:
    """In the page's own transaction: messages are done, the newest states are remembered."""
    for outcome in set(page.outcomes.values()):
        _done(cursor, run_id, "done", outcome, [pk for pk, word in page.outcomes.items() if word == outcome])
    for pk, sentence in page.errors.items():
        _done(cursor, run_id, "rejected", "", [pk], sentence)
    told = sorted(page.newest.values(), key=attrgetter("external_id"))
    known.remember(cursor, plan, [(one.external_id, one.version, one.is_deleted) for one in told])


def _done(cursor: Any, run_id: int, state: str, outcome: str, pks: Collection[int], error: str = "") -> None:
    cursor.execute(
        "update webhooks_message set state = %s, outcome = %s, error = %s, run_id = %s, done_at = now()"
        " where id = any(%s::bigint[]) and state = 'new'",
        [state, str(outcome), error.replace("\x00", ""), run_id, list(pks)],
    )
