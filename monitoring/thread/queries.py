"""Reads of threads: one engagement as a person may see it, the rows behind a figure, and the list of engagements."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import Http404

from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.common.db import plain_cursor
from hub.common.times import business_now
from hub.records.models import CanonicalRecord
from hub.records.reading import Described, title_of
from monitoring.thread import evidence
from monitoring.thread.anchors import anchors_of, record_of
from monitoring.thread.declaration import LegSpec, ThreadSpec, engagement
from monitoring.thread.gathering import DONE, Gathering, rows_sql
from monitoring.thread.judging import Judging
from monitoring.thread.shapes import Leg, Thread
from monitoring.thread.wiring import SEE, Wiring, wiring

CHUNK = 5_000
# What `?state=` of a leg's rows may ask for, as buckets; without it all records of the leg.
STATES: dict[str, tuple[str, ...]] = {
    "done": DONE,
    "missing": ("pending", "waiting", "failed", "never"),
    **{name: (name,) for name in ("pending", "waiting", "failed", "never", "updating", "discarded")},
}


def engagements_for(user: User) -> QuerySet[CanonicalRecord]:
    """All engagements whose domain the person may see."""
    rows = CanonicalRecord.objects.filter(entity__slug=engagement().anchor, deleted_at__isnull=True)
    return scope_to_domains(rows.select_related("entity"), user, SEE, "entity__domain")


def find_engagements(user: User | None, entity: str, key: str) -> list[CanonicalRecord]:
    """The engagements of a record that the person may see, or 404."""
    record = record_of(user, entity, key) if entity != engagement().anchor else _any_anchor(key)
    if record is None:
        raise Http404
    return anchors_of(record, engagement())


def _any_anchor(key: str) -> CanonicalRecord | None:
    """The anchor, also for people who may not see its own domain: whether they see any leg is decided later."""
    return record_of(None, engagement().anchor, key)


def thread_of(user: User | None, anchor: CanonicalRecord, now: datetime | None = None) -> Thread:
    """The whole thread; 404 for somebody who may see no leg of it that has a record."""
    spec, now = engagement(), now or business_now()
    wired = wiring(spec, user)
    legs = _legs(spec, anchor, wired, now)
    seen = [leg for leg in legs if wired.may_see(leg.spec.entity) or leg.spec.entity not in wired.entities]
    may_see_anchor = wired.may_see(spec.anchor)
    if not may_see_anchor and not any(leg.total for leg in seen):
        raise Http404
    found = Thread(spec, anchor.key, "", now, seen, hidden=len(legs) - len(seen))
    if may_see_anchor:
        found.anchor, found.title = anchor, title_of(anchor, Described(anchor.entity))
    found.customer = _customer(seen) or (anchor.customer or "" if may_see_anchor else "")
    _add_evidence(seen)
    return found


def _legs(spec: ThreadSpec, anchor: CanonicalRecord, wired: Wiring, now: datetime) -> list[Leg]:
    """Every leg, seen or not: what is expected of one may depend on another that the person may not see."""
    gathering, judging = Gathering(anchor, wired, spec.legs), Judging(spec, anchor, wired, now)
    here = [leg for leg in spec.legs if leg.entity in wired.entities]
    members = {leg.slug: gathering.gather(leg) for leg in here}
    judging.take_exceptions(members)
    judged = {leg.slug: judging.judge(leg, members[leg.slug]) for leg in here}
    absent = "This hub does not have that entity."
    return [judged.get(leg.slug) or Leg(leg, why=absent) for leg in spec.legs]


def _customer(legs: list[Leg]) -> str:
    record = next((leg.record for leg in legs if leg.spec.entity == "customer" and leg.record), None)
    return str(record.body.get("name") or record.key) if record else ""


def _add_evidence(legs: list[Leg]) -> None:
    """Versions and ids of all legs at once, and the record of a leg that has only one."""
    single = {leg.spec.slug: number for leg in legs if leg.spec.is_by_column and (number := leg.members.only)}
    rows = CanonicalRecord.objects.select_related("entity").in_bulk(set(single.values()))
    for leg in legs:
        if found := rows.get(single.get(leg.spec.slug, 0)):
            leg.members.records = [found]
    versions = evidence.versions_of([leg.evidence for leg in legs if leg.evidence])
    for leg in legs:
        leg.versions = versions.get(leg.evidence.pk, []) if leg.evidence else []
    records = {record.pk: record for leg in legs for record in leg.members.records}
    ids = evidence.ids_at(list(records.values()), ())
    for leg in legs:
        names = {system.name for system in leg.systems}
        leg.ids = [one for record in leg.members.records for one in ids.get(record.pk, []) if one.system in names]


# The rows behind a figure ------------------------------------------------------------------------------------
def leg_rows(
    user: User | None, anchor: CanonicalRecord, leg: LegSpec, state: str = "", *, after: int = 0, limit: int = CHUNK
) -> list[dict[str, Any]]:
    """Records of a leg by ascending id: key, bucket, amount, quantity, times; chosen by what counted them."""
    wired = wiring(engagement(), user)
    if not wired.may_see(leg.entity):
        raise Http404
    where, params = _where(anchor, leg, wired)
    sql, asked = rows_sql(leg, wired, where, params)
    chosen = "bucket = any(%(buckets)s)" if state else "bucket not in ('removed', 'other', 'unsent')"
    asked |= {"buckets": list(STATES.get(state, (state,))), "after": after, "limit": limit}
    with plain_cursor() as cursor:
        found = cursor.execute(
            f"select id, key, bucket, currency, amount, quantity, at_source, arrived_at, updated_at, sync_id from ({sql}) rows"
            f" where {chosen} and id > %(after)s order by id limit %(limit)s",
            asked,
        )
        names = [column.name for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def all_leg_rows(user: User | None, anchor: CanonicalRecord, leg: LegSpec, state: str = "") -> Iterator[dict[str, Any]]:
    after = 0
    while rows := leg_rows(user, anchor, leg, state, after=after):
        yield from rows
        after = rows[-1]["id"]


def _where(anchor: CanonicalRecord, leg: LegSpec, wired: Wiring) -> tuple[str, dict[str, Any]]:
    if leg.is_by_column:
        entity = wired.entities[leg.entity]
        return "r.entity_id = %(entity)s and r.project = %(project)s", {"entity": entity.pk, "project": anchor.key}
    gathering = Gathering(anchor, wired)
    for earlier in engagement().legs:
        if earlier.entity in wired.entities:
            gathering.gather(earlier)
        if earlier.slug == leg.slug:
            break
    return "r.id = any(%(ids)s)", {"ids": [record.pk for record in gathering.found[leg.slug].records]}
