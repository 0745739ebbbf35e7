"""What a replay does with each letter: one condition, by which a plan counts and a job takes its items.

Nothing that may have arrived is sent blindly. A doubtful write is asked about where the target can be searched (class C) and
left to a person elsewhere. At class A a write is repeated under the same idempotency key or not at all: the key comes from
what is sent, so where other versions would send something else after a doubtful attempt, the letter is left as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Case, F, Q, QuerySet, TextField, Value, When

from hub.sync.models import DeadLetter, Replay, ReplayItem, Sync
from hub.sync.replays.causes import DOUBT_CODES
from hub.sync.replays.safety import Safety, by_sync
from mappings.models import MappingVersion

Act = ReplayItem.Act
# Nobody can stop what is on its way; it is sent again by itself, or purged with its queue.
MOVING = Q(state="retrying")
NOWHERE = Q(pk__in=[])


def of_retry(rows: QuerySet[DeadLetter]) -> QuerySet[DeadLetter]:
    """The letters with the `act` of a replay that takes the current versions: what a list shows of each."""
    return with_act(rows, safety_of(rows), action=Replay.Action.RETRY, versions=Replay.Versions.CURRENT)


def safety_of(rows: QuerySet[DeadLetter]) -> dict[int, Safety]:
    return by_sync(list(rows.order_by().values_list("sync_id", flat=True).distinct()))


def with_act(
    rows: QuerySet[DeadLetter], safety: Mapping[int, Safety], *, action: str, versions: str
) -> QuerySet[DeadLetter]:
    """The letters annotated with `act`."""
    if action == Replay.Action.DISCARD:
        found = Case(When(MOVING, then=Value(Act.LEAVE)), default=Value(Act.DISCARD), output_field=TextField())
    else:
        found = Case(*_putting(safety, versions), default=Value(Act.SEND), output_field=TextField())
    return rows.annotate(act=found)


def _putting(safety: Mapping[int, Safety], versions: str) -> list[When]:
    found = [
        When(is_kept=False, then=Value(Act.LEAVE)),
        When(_with(safety, "C") & Q(state="unsure"), then=Value(Act.ASK)),
        When(state="unsure", then=Value(Act.LEAVE)),
        # In doubt from a time when its target was of a harmless class.
        When(Q(leg="out", error_code__in=DOUBT_CODES) & ~_with(safety, "AB"), then=Value(Act.LEAVE)),
        When(_under_another_key(safety, versions), then=Value(Act.LEAVE)),
    ]
    if versions == Replay.Versions.AS_RAN:
        found.append(When(ran_mapping_id=None, then=Value(Act.LEAVE)))
    return [*found, When(leg="in", then=Value(Act.TRY))]


def _with(safety: Mapping[int, Safety], classes: str) -> Q:
    """Letters whose write is of one of these classes: of the update where the target is known to hold the record."""
    creates = [pk for pk, found in safety.items() if found.create in classes]
    updates = [pk for pk, found in safety.items() if found.update in classes]
    return Q(leg="out") & (Q(is_known=False, sync_id__in=creates) | Q(is_known=True, sync_id__in=updates))


def _under_another_key(safety: Mapping[int, Safety], versions: str) -> Q:
    """Class A, an attempt that may have arrived, and a body that may not be the same as then."""
    in_doubt = Q(attempts__gt=1) | Q(error_code__in=DOUBT_CODES)
    same = Q(ran_version=F("version"))
    if versions == Replay.Versions.CURRENT:
        same &= Q(ran_mapping_id__in=_active_mappings(safety))
    return _with(safety, "A") & in_doubt & ~same if any("A" in found[:2] for found in safety.values()) else NOWHERE


def _active_mappings(safety: Mapping[int, Safety]) -> list[int]:
    mappings = Sync.objects.filter(pk__in=list(safety)).values("mapping_id")
    active = MappingVersion.objects.filter(mapping_id__in=mappings, status=MappingVersion.Status.ACTIVE)
    return list(active.values_list("pk", flat=True))
