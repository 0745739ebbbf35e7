"""What proposed ownership rules would have stopped: past traffic replayed against them, counted by rule and field."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as made_by
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import orjson
from django.db import connection

from connectors.models import System
from governance.models import Entity, OwnershipRule
from governance.ownership.compiled import Lens, compile_rules
from governance.ownership.coverage import check
from governance.ownership.definitions import Ground, ground_of
from governance.ownership.proposals import Proposal, row_of
from governance.ownership.rules import REVERT
from governance.ownership.services import KIND
from governance.schemas import Markers, markers_of
from hub.common.errors import ConfigError
from hub.common.money import decimal_text
from hub.common.registry import Document
from hub.common.times import business_today, format_instant
from hub.config import documents
from hub.records.reading import Described
from hub.sync.ownership.queries import MASK
from hub.sync.ownership.replaying import UNKNOWN, Replay, Stop
from hub.sync.plan import SyncPlan

DAYS, MOST_DAYS = 30, 366
EXAMPLES = 5


@dataclass(slots=True)
class Tally:
    """What one rule would have stopped of one system in one field."""

    rule: str
    field: str
    system: str
    policy: str
    title: str = ""
    updates: int = 0
    records: set[str] = made_by(default_factory=set)
    amounts: dict[str, Decimal] = made_by(default_factory=dict)
    examples: list[dict[str, Any]] = made_by(default_factory=list)

    @property
    def is_reverted(self) -> bool:
        return self.policy == REVERT

    def as_data(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "field": self.field,
            "system": self.system,
            "policy": self.policy,
            "updates": self.updates,
            "records": len(self.records),
            "amounts": _plain(self.amounts),
            "examples": self.examples,
        }


@dataclass(slots=True)
class Forecast:
    """What would have become of an entity's traffic."""

    entity: Entity
    since: datetime
    tallies: list[Tally]
    amounts: dict[str, Decimal]  # of the records that something would have been stopped of, each once
    rule_amounts: dict[str, dict[str, Decimal]]  # the same for each rule
    records: int
    replay: Replay
    problems: list[str]
    set_aside: Sequence[str]

    @property
    def blocked(self) -> int:
        return sum(one.updates for one in self.tallies if not one.is_reverted)

    @property
    def reverted(self) -> int:
        return sum(one.updates for one in self.tallies if one.is_reverted)

    def as_data(self) -> dict[str, Any]:
        replay = self.replay
        return {
            "entity": self.entity.slug,
            "pages": replay.pages,
            "offers": replay.records,
            "unreadable": replay.unreadable,
            "complete": replay.is_complete,
            "through": format_instant(replay.through) if replay.through else None,
            "accepted": replay.accepted,
            "blocked": self.blocked,
            "reverted": self.reverted,
            "records": self.records,
            "amounts": _plain(self.amounts),
            "rules": _by_rule(self.tallies, self.rule_amounts),
            "fields": [one.as_data() for one in self.tallies],
            "set_aside": list(self.set_aside),
            "problems": self.problems,
            "notes": replay.notes,
        }


def read(path: Path) -> list[Document]:
    """The OwnershipRule documents of a YAML or JSON file; JSON may hold a list of them."""
    if path.suffix == ".json" and path.is_file():
        try:
            given = orjson.loads(path.read_bytes())
        except orjson.JSONDecodeError as error:
            raise ConfigError(f"This is not JSON: {error}.", where=str(path)) from None
        found = documents.from_data(given if isinstance(given, list) else [given])
    else:
        found = documents.read(path)
    if other := [source for source in found if source.name[0] != KIND]:
        raise ConfigError(f"{other[0].name[0]} is no rule.", where=other[0].where, fix=f"Give documents of {KIND}.")
    return [source.document for source in found]


def forecast(
    rows: Sequence[OwnershipRule],
    *,
    days: int = DAYS,
    seconds: float | None = None,
    on_page: Callable[[int, int], None] = lambda done, total: None,
) -> list[Forecast]:
    """For each entity that the proposed rules are about. Writes nothing."""
    if not 1 <= days <= MOST_DAYS:
        raise ConfigError(f"{days} days cannot be gone through.", fix=f"Give 1 to {MOST_DAYS}.")
    by_entity: dict[int, list[OwnershipRule]] = {}
    for row in rows:
        by_entity.setdefault(row.entity_id, []).append(row)
    since = _now() - timedelta(days=days)
    return [_one(given[0].entity, given, since, seconds, on_page) for given in by_entity.values()]


def forecast_documents(given: Iterable[Document], **options: Any) -> list[Forecast]:
    return forecast([row_of(document) for document in given], **options)


def _now() -> datetime:
    """The database's clock, by which pages are stored."""
    with connection.cursor() as cursor:
        cursor.execute("select now()")
        found: datetime = cursor.fetchone()[0]
        return found


def _one(
    entity: Entity,
    rows: Sequence[OwnershipRule],
    since: datetime,
    seconds: float | None,
    on_page: Callable[[int, int], None],
) -> Forecast:
    ground = ground_of(entity)
    proposal = Proposal.of(entity, rows, ground)
    count = _Count(Described(entity), markers_of(ground.schema))
    ids = dict(System.objects.values_list("slug", "pk"))
    replay = Replay(entity.pk, lambda plan: _lens(proposal, ground, plan, ids), since, count.add, on_page)
    replay.run(seconds=seconds)
    tallies = sorted(count.tallies.values(), key=lambda one: -one.updates)
    rules = [ground.rule(row) for row in proposal.rows]
    found = check(rules, ground.names, today=business_today(), values=ground.values)
    problems = [cell.sentence for cell in found.cells]
    return Forecast(
        entity,
        since,
        tallies,
        count.amounts,
        count.by_rule,
        records=len(count.counted),
        replay=replay,
        problems=problems,
        set_aside=proposal.set_aside,
    )


def _lens(proposal: Proposal, ground: Ground, plan: SyncPlan, ids: Mapping[str, int]) -> Lens | None:
    day: date = proposal.day
    return compile_rules(
        [ground.rule(row) for row in proposal.rows],
        system=plan.connection.system.slug,
        system_ids=ids,
        fields=ground.names,
        today=day,
        key=ground.key,
        updated_at_field=ground.updated_at_field,
    )


# Counting ---------------------------------------------------------------------------------------------------


class _Count:
    def __init__(self, described: Described, markers: Markers) -> None:
        self.described, self.markers = described, markers
        self.tallies: dict[tuple[str, str, str], Tally] = {}
        self.amounts: dict[str, Decimal] = {}
        self.counted: set[str] = set()
        self.by_rule: dict[str, dict[str, Decimal]] = {}
        self.of_rule: set[tuple[str, str]] = set()

    def add(self, stop: Stop) -> None:
        one = stop.blocked
        tally = self.tallies.setdefault(
            (one.rule, one.field, stop.system), Tally(one.rule, one.field, stop.system, one.policy)
        )
        tally.title = tally.title or self.described.describe(one.field).title
        tally.updates += 1
        currency, amount = self._money(stop)
        if currency and stop.key not in tally.records:
            _add(tally.amounts, currency, amount)
        if currency and stop.key not in self.counted:
            _add(self.amounts, currency, amount)
        if currency and (one.rule, stop.key) not in self.of_rule:
            _add(self.by_rule.setdefault(one.rule, {}), currency, amount)
        self.of_rule.add((one.rule, stop.key))
        tally.records.add(stop.key)
        self.counted.add(stop.key)
        if len(tally.examples) < EXAMPLES:
            tally.examples.append(self._example(stop))

    def _example(self, stop: Stop) -> dict[str, Any]:
        one = stop.blocked
        hidden = bool(self.described.masked({one.field: True}))
        is_known = one.kept is not UNKNOWN
        return {
            "key": stop.key,
            "field": one.field,
            "system": stop.system,
            "offered": MASK if hidden else one.offered,
            "kept": (MASK if hidden else one.kept) if is_known else None,
            "kept_is_known": is_known,
            "at": format_instant(stop.at),
        }

    def _money(self, stop: Stop) -> tuple[str, Decimal]:
        """The record's amount as it stood, or as it was offered; no currency where there is none."""
        found = [_first(stop.body.get(n), stop.incoming.get(n)) for n in (self.markers.amount, self.markers.currency)]
        try:
            return (str(found[1] or ""), Decimal(str(found[0]))) if found[0] is not None else ("", Decimal(0))
        except InvalidOperation:
            return "", Decimal(0)


def _add(amounts: dict[str, Decimal], currency: str, amount: Decimal) -> None:
    amounts[currency] = amounts.get(currency, Decimal(0)) + amount


def _first(held: Any, offered: Any) -> Any:
    return offered if held in (None, "") or held is UNKNOWN else held


def _by_rule(tallies: Sequence[Tally], amounts: Mapping[str, Mapping[str, Decimal]]) -> list[dict[str, Any]]:
    names = dict.fromkeys(one.rule for one in tallies)
    found = []
    for name in names:
        of_rule = [one for one in tallies if one.rule == name]
        found.append(
            {
                "rule": name,
                "blocked": sum(one.updates for one in of_rule if not one.is_reverted),
                "reverted": sum(one.updates for one in of_rule if one.is_reverted),
                "records": len(set().union(*(one.records for one in of_rule))),
                "amounts": _plain(amounts.get(name, {})),
            }
        )
    return found


def totals(found: Sequence[Forecast], days: int) -> dict[str, Any]:
    """All entities as one document."""
    amounts: dict[str, Decimal] = {}
    for one in found:
        for currency, amount in one.amounts.items():
            _add(amounts, currency, amount)
    return {
        "days": days,
        "since": format_instant(found[0].since) if found else None,
        "blocked": sum(one.blocked for one in found),
        "reverted": sum(one.reverted for one in found),
        "amounts": _plain(amounts),
        "complete": all(one.replay.is_complete for one in found),
        "entities": [one.as_data() for one in found],
    }


def _plain(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: decimal_text(amount) for currency, amount in sorted(amounts.items())}
