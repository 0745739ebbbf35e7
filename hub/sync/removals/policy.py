"""What a target is told when a record is gone, and why it cannot be: one set of rules for pages, programs and documents."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import models

from connectors.services import removals_offered
from governance.models import ContractVersion, Entity
from governance.schemas import Field, fields_of
from hub.sync.models import Sync

OnRemoval = Sync.OnRemoval
# Business documents of this domain are corrected by others, never taken out of the books.
FINANCE = "billing-gl"
INBOUND = (
    "removals", "max_removed_percent", "removed_unasked", "deleted_path", "deleted_values", "merged_path",
    "volume_check", "usual_runs", "usual_min_percent", "usual_max_percent",
)  # fmt: skip
OUTBOUND = ("on_removal", "closing_values")
MAX_USUAL_RUNS = 100

Problem = tuple[str, str]


def of(sync: Sync) -> str:
    """What is really done: the default deactivates where the target can, and leaves the record there where it cannot."""
    if sync.on_removal != OnRemoval.DEFAULT:
        return sync.on_removal
    return OnRemoval.DEACTIVATE if OnRemoval.DEACTIVATE in removals_offered(sync.stream) else OnRemoval.IGNORE


def in_words(sync: Sync) -> str:
    """What becomes of a removed record at the target, in a sentence."""
    policy = of(sync)
    if policy == OnRemoval.IGNORE and sync.on_removal == OnRemoval.DEFAULT:
        return f"Stays there: {sync.stream} declares no way to deactivate a record."
    words = {
        OnRemoval.IGNORE: "Stays there.",
        OnRemoval.DEACTIVATE: "Is deactivated there.",
        OnRemoval.DELETE: "Is deleted there.",
    }
    return words.get(OnRemoval(policy)) or f"Is sent once more with {_closing_words(sync)}."


def _closing_words(sync: Sync) -> str:
    return ", ".join(f"{name} = {value}" for name, value in sync.closing_values.items())


def forbids_delete(entity: Entity) -> str:
    """Why records of this entity may not be deleted at a target; empty when they may."""
    if entity.domain.slug != FINANCE:
        return ""
    return (
        f"Records of {entity.domain.name} are never deleted at a target. Deactivate or close them, or leave them there."
    )


def tidy(sync: Sync) -> None:
    """Settings that mean nothing for the direction, or for what was chosen, go back to their defaults."""
    names = list(OUTBOUND if sync.mapping.direction == "in" else INBOUND)
    if sync.on_removal != OnRemoval.CLOSE:
        names.append("closing_values")
    for name in names:
        field = Sync._meta.get_field(name)
        assert isinstance(field, models.Field)
        setattr(sync, name, field.get_default())


def problems(sync: Sync) -> Iterator[Problem]:
    """(field, sentence) for every setting about removals that cannot be."""
    if sync.mapping.direction == "in":
        yield from _inbound_problems(sync)
    elif sync.on_removal == OnRemoval.CLOSE:
        yield from _closing_problems(sync)
    elif sync.on_removal in (OnRemoval.DEACTIVATE, OnRemoval.DELETE):
        yield from _target_problems(sync)


def _inbound_problems(sync: Sync) -> Iterator[Problem]:
    if sync.deleted_values and not sync.deleted_path:
        yield "deleted_path", "Say in which field these values stand."
    if sync.usual_runs > MAX_USUAL_RUNS:
        yield "usual_runs", f"At most {MAX_USUAL_RUNS} runs are compared."
    if sync.max_removed_percent > 100:
        yield "max_removed_percent", "A share is at most 100 percent."


def _target_problems(sync: Sync) -> Iterator[Problem]:
    if sync.on_removal == OnRemoval.DELETE and (sentence := forbids_delete(sync.entity)):
        yield "on_removal", sentence
    elif sync.on_removal not in (offered := removals_offered(sync.stream)):
        can = f"It offers: {', '.join(sorted(offered))}." if offered else "It offers no removal."
        yield (
            "on_removal",
            f"{sync.stream} of {sync.stream.connection} declares no way to {sync.on_removal} a record. {can}"
            " Choose closing values, or leave the records there.",
        )


def _closing_problems(sync: Sync) -> Iterator[Problem]:
    if sync.stream.options.get("operation") == "create":
        yield "on_removal", f"{sync.stream} only makes records; one that is there cannot be sent again to close it."
        return
    if not isinstance(sync.closing_values, dict) or not sync.closing_values:
        yield "closing_values", 'Write the fields that close a record: {"status": "closed"}.'
        return
    known = _fields(sync.entity)
    for name, value in sync.closing_values.items():
        field = known.get(name)
        if field is None:
            yield "closing_values", f"The contract has no field {name!r}."
        elif field.enum and value not in field.enum:
            yield "closing_values", f"{field.title} is never {value!r}: the contract knows {', '.join(field.enum)}."


def _fields(entity: Entity) -> dict[str, Field]:
    version = ContractVersion.objects.filter(contract__entity=entity, status=ContractVersion.Status.ACTIVE).first()
    return {field.name: field for field in fields_of(version.schema)} if version else {}
