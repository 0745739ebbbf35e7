"""Making and changing syncs and their schedules: the rules stand here once, for pages, programs and documents."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import transaction

from connectors.retry_policy import MOST_ATTEMPTS
from governance.models import ContractVersion, Entity
from governance.schemas import Field, fields_of
from hub.common import facts, governed, saving
from hub.common.errors import ConfigError
from hub.sync import scheduling
from hub.sync.models import Schedule, Sync
from hub.sync.removals import policy as removal_policy

MAX_PAGE_SIZE = 10_000
RESERVED_SLUGS = ("new", "mapping", "standstill", "connection")
CONDITION_TYPES = ("string", "boolean", "integer", "period")

Problem = tuple[str, str]


def problems(sync: Sync) -> list[Problem]:
    """(field, sentence) for everything that a sync cannot be, whoever asks for it."""
    return [
        *_slug_problems(sync),
        *_order_problems(sync),
        *_number_problems(sync),
        *_mode_problems(sync),
        *_condition_problems(sync),
        *removal_policy.problems(sync),
    ]


def _slug_problems(sync: Sync) -> Iterator[Problem]:
    if sync.slug in RESERVED_SLUGS:
        yield "slug", f"{sync.slug!r} is an address of the hub itself. Choose another one."


def _order_problems(sync: Sync) -> Iterator[Problem]:
    seen: list[str] = []
    other = sync.after
    while other is not None:
        if other.pk == sync.pk or other.name in seen:
            yield "after", f"This goes round in a circle: {' → '.join([*seen, other.name])} → {sync.name}."
            return
        seen.append(other.name)
        other = other.after


def _number_problems(sync: Sync) -> Iterator[Problem]:
    if sync.page_size > MAX_PAGE_SIZE:
        yield "page_size", f"At most {MAX_PAGE_SIZE:,} records a page; a page is one transaction."
    if sync.max_attempts is not None and not 1 <= sync.max_attempts <= MOST_ATTEMPTS:
        yield "max_attempts", f"Between 1 and {MOST_ATTEMPTS}."


def _mode_problems(sync: Sync) -> Iterator[Problem]:
    if sync.mode == Sync.Mode.ADOPT and sync.mapping.direction == "in":
        yield "mode", "Only a sync that delivers can look records up before it creates them."


def _condition_problems(sync: Sync) -> Iterator[Problem]:
    if sync.only_when and sync.mapping.direction == "in":
        yield (
            "only_when",
            "Conditions are for syncs that deliver; what is read is filtered by the mapping and the contract.",
        )
        return
    yield from condition_problems(sync.only_when, sync.entity)


def condition_problems(condition: Any, entity: Entity) -> Iterator[Problem]:
    """What is wrong with a condition on records of the entity, as sentences about `only_when`."""
    if not condition:
        return
    if not isinstance(condition, dict) or not all(isinstance(values, list) for values in condition.values()):
        yield "only_when", 'Write a field and the list of values that let a record pass: {"status": ["approved"]}.'
        return
    known = {field.name: field for field in condition_fields(entity)}
    for name, values in condition.items():
        yield from _values_problems(known.get(name), name, [str(value) for value in values])


def _values_problems(field: Field | None, name: str, values: list[str]) -> Iterator[Problem]:
    if field is None:
        yield "only_when", f"The contract has no field {name!r} that could be a condition."
    elif not values:
        yield "only_when", f"Choose at least one value of {field.title}."
    else:
        for value in set(values) - set(choices_of(field)) if choices_of(field) else ():
            yield "only_when", f"{field.title} is never {value!r}: the contract knows {', '.join(choices_of(field))}."


def condition_fields(entity: Entity) -> list[Field]:
    """Fields of the active contract whose value may decide whether a record is delivered."""
    version = ContractVersion.objects.filter(contract__entity=entity, status=ContractVersion.Status.ACTIVE).first()
    return [field for field in fields_of(version.schema) if field.type in CONDITION_TYPES] if version else []


def choices_of(field: Field) -> tuple[str, ...]:
    """All values that a field can have, where the contract lists them."""
    return ("true", "false") if field.type == "boolean" else field.enum


@governed.governs(lambda given: [("Sync", given["sync"].slug)])
@transaction.atomic
def save_sync(*, sync: Sync, by: Any) -> Sync:
    """Store a new or changed sync. Raises ConfigError with the first thing that is wrong."""
    if found := problems(sync):
        field, sentence = found[0]
        raise ConfigError(sentence, where=field, code="SYNC")
    is_new = sync.pk is None
    if sync.mapping.direction == "in":
        sync.only_when = {}
    removal_policy.tidy(sync)
    sync.full_clean()
    sync.save()
    facts.publish("sync_saved", sync=sync, is_new=is_new, by=by)
    return sync


@governed.governs(lambda given: [("Schedule", given["schedule"].slug)])
@transaction.atomic
def save_schedule(*, schedule: Schedule, by: Any) -> Schedule:
    """Store a schedule and when it fires next. Raises ConfigError with the first thing that is wrong."""
    if found := scheduling.problems(schedule.cron, schedule.time_zone):
        field, sentence = found[0]
        raise ConfigError(sentence, where=field, code="SCHEDULE")
    schedule.slug = schedule.slug or _free_slug(schedule.sync)
    schedule.next_at = scheduling.next_slot(schedule.cron, schedule.time_zone)
    schedule.full_clean()
    schedule.save()
    facts.publish("schedule_saved", schedule=schedule, by=by)
    return schedule


def _free_slug(sync: Sync) -> str:
    """`nightly-projects-schedule`, `-schedule-2`, …: the first that nobody has."""
    stem = f"{sync.slug[:60]}-schedule"
    taken = set(Schedule.objects.filter(slug__startswith=stem).values_list("slug", flat=True))
    number = 1
    while (slug := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return slug


def delete_schedule(*, schedule: Schedule, by: Any) -> None:
    """The sync does not run by it any more. Held where reviewers have to agree."""
    domain = schedule.sync.entity.domain
    saving.remove("Schedule", schedule.slug, act="schedule.deleted", by=by, domain=domain)
