"""The shadow: what the new side would be sent is built without sending it, and compared with what the legacy side was sent."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction

from hub.common.db import plain_cursor
from hub.common.errors import MissingReference
from hub.common.times import business_now
from hub.cutover import counting, gate, moving
from hub.cutover.models import COMPARED, Cutover, CutoverRoute, ShadowCheck, ShadowDay, ShadowDiff
from hub.cutover.projection import Difference, Projection, projection_of
from hub.sync.dry_outbound import due_of
from hub.sync.models import Sync
from hub.sync.outbound import Parcel, pack
from hub.sync.plan import SyncPlan, load_plan
from hub.sync.states import DeliveryState

STEP = 200
KEPT_DAYS = 400
# What is no field of the contract, and can differ all the same.
PAYLOAD, CONDITION = "(payload)", "(condition)"


@dataclass(frozen=True, slots=True)
class Shadow:
    """Both sides compiled: loaded once for a look."""

    cutover: Cutover
    legacy: SyncPlan
    new: SyncPlan
    projection: Projection

    @classmethod
    def of(cls, cutover: Cutover) -> Shadow:
        """Raises HubError where a side cannot be compiled."""
        legacy, new = load_plan(cutover.legacy), load_plan(cutover.new)
        return cls(cutover, legacy, new, projection_of(legacy, new, cutover.tolerances))


def compare(cutover: Cutover, *, seconds: float = 60.0) -> int:
    """Compare what the legacy side has confirmed since it was compared last; returns how many records."""
    deadline, number = time.monotonic() + seconds, 0
    routes = [route for route in cutover.routes.select_related("cutover") if route.state in COMPARED]
    shadow = Shadow.of(cutover) if routes else None
    for route in routes:
        while shadow and (found := _waiting(route, cutover.legacy)):
            number += len(found)
            look(shadow, route, found)
            if time.monotonic() > deadline:
                return number
    return number


def _waiting(route: CutoverRoute, legacy: Sync) -> list[int]:
    """Records that the legacy side holds in their newest version, which was not compared yet."""
    where, values = moving.scope(route)
    with transaction.atomic(), plain_cursor() as cursor:
        rows = cursor.execute(
            "select c.id from sync_delivery d join records_canonicalrecord c on c.id = d.record_id"
            " where d.sync_id = %s and d.state = %s and d.delivered_version = c.version and c.deleted_at is null"
            f"{where} and not exists (select from cutover_shadowcheck k where k.cutover_id = %s and k.record_id = c.id"
            " and k.version >= c.version) order by c.id limit %s",
            [legacy.pk, int(DeliveryState.DELIVERED), *values, route.cutover_id, STEP],
        ).fetchall()
    return [row[0] for row in rows]


@transaction.atomic
def look(shadow: Shadow, route: CutoverRoute, record_ids: Collection[int]) -> None:
    """Compare these records and keep what differs, under the firm's day. A second look on a day replaces the first."""
    day = gate.today()
    old = pack(shadow.legacy, due_of(shadow.legacy, record_ids))
    fresh = pack(shadow.new, due_of(shadow.new, record_ids))
    found = [(one, difference_of(shadow.projection, one, other)) for one, other in zip(old, fresh, strict=True)]
    _keep(route, day, found)
    counting.count(route.cutover_id, route.legal_entity, day)


def difference_of(projection: Projection, legacy: Parcel, new: Parcel) -> list[Difference]:
    """A reference whose parent the new side does not hold yet is none: in a shadow it holds nothing."""
    if new.is_unwanted:
        return [Difference(CONDITION, "not wanted at the new side", "delivered", "its condition does not let it pass")]
    if new.error is not None and not isinstance(new.error, MissingReference):
        return [Difference(PAYLOAD, "cannot be built", "delivered", str(new.error)[:500])]
    return projection.differences(legacy.body, new.body)


def _keep(route: CutoverRoute, day: date, found: Sequence[tuple[Parcel, list[Difference]]]) -> None:
    ids = [parcel.due.record_id for parcel, _ in found]
    ShadowCheck.objects.bulk_create(
        [
            ShadowCheck(
                cutover=route.cutover, legal_entity=route.legal_entity, day=day, record_id=parcel.due.record_id,
                key=parcel.due.key, version=parcel.due.version, is_equal=not differences, at=business_now(),
            )
            for parcel, differences in found
        ],
        update_conflicts=True,
        unique_fields=["cutover", "record_id", "day"],
        update_fields=["legal_entity", "version", "is_equal", "at"],
    )  # fmt: skip
    fresh = {(p.due.record_id, d.field): _diff(route, day, p, d) for p, differences in found for d in differences}
    for known in ShadowDiff.objects.filter(cutover=route.cutover, day=day, record_id__in=ids):
        now = fresh.get((known.record_id, known.field))
        if now and (now.legacy_value, now.new_value) == (known.legacy_value, known.new_value):
            del fresh[known.record_id, known.field]  # what a person has said of it stays
        else:
            known.delete()
    ShadowDiff.objects.bulk_create(fresh.values())


def _diff(route: CutoverRoute, day: date, parcel: Parcel, one: Difference) -> ShadowDiff:
    return ShadowDiff(
        cutover=route.cutover, legal_entity=route.legal_entity, day=day, record_id=parcel.due.record_id,
        key=parcel.due.key, version=parcel.due.version, field=one.field[:120], pattern=one.pattern,
        legacy_value=one.legacy, new_value=one.new,
    )  # fmt: skip


def forget_old() -> None:
    """Comparisons go long after every audit of the switch."""
    before = gate.today() - timedelta(days=KEPT_DAYS)
    for model in (ShadowCheck, ShadowDiff, ShadowDay):
        model.objects.filter(day__lt=before).delete()
