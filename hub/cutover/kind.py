"""Cutover as a configuration document. How far its legal entities are is no configuration, and stands in no document."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import Q

from governance.models import Entity
from hub.accounts.models import Domain
from hub.common import registry
from hub.common.errors import ConfigError
from hub.common.kinds import Attr, ModelKind, Ref
from hub.common.registry import Document, Problem
from hub.cutover.models import REST, Cutover, CutoverRoute, State
from hub.sync.models import Sync

KIND = "Cutover"
FIXED = ("legacy", "new", "entity")


class CutoverKind(ModelKind):
    def extra_validate(self, document: Document) -> list[Problem]:
        found = [*_legal_entity_problems(document), *_tolerance_problems(document)]
        if document["legacy"] == document["new"]:
            found.append(Problem("new", "The legacy and the new sync are the same one. Name two."))
        if not 1 <= int(document.get("days_needed", 10)) <= 90:
            found.append(Problem("days_needed", "Give 1 to 90 days."))
        return found

    def before_save(self, found: Cutover, document: Document) -> None:
        for name in ("legacy", "new"):
            _refuse_wrong(found, name)
        if found.legacy.mapping.stream_id == found.new.mapping.stream_id:
            raise ConfigError("Both syncs deliver to the same stream.", where="new", fix="Name two targets.")
        self._refuse_exchange(found)
        for route in _leaving(found):
            if route.state != _rest_state(found):
                raise ConfigError(
                    f"{route.legal_entity} is {route.state}, and all the rest is {_rest_state(found)}.",
                    where="legal_entities", fix="Bring it there first, or leave it in the list.", code="ON_ITS_WAY",
                )  # fmt: skip

    def _refuse_exchange(self, found: Cutover) -> None:
        """Once something was switched, the two sides stay what they are."""
        stored = self.get(found.slug)
        if stored is None or not stored.moves.exists():
            return
        for name in FIXED:
            if getattr(stored, f"{name}_id") != getattr(found, f"{name}_id"):
                raise ConfigError(
                    "Legal entities have been switched already.", where=name,
                    fix="Make another cut-over for other syncs.", code="SWITCHED",
                )  # fmt: skip

    def extra_apply(self, found: Any, document: Document, *, by: Any) -> None:
        _leaving(found).delete()
        state = _rest_state(found)
        for name in (REST, *found.legal_entities):
            CutoverRoute.objects.get_or_create(cutover=found, legal_entity=name, defaults={"state": state})

    def before_remove(self, found: Cutover) -> None:
        if found.moves.exists():
            raise ConfigError(
                f"{found} has been used: its history stays.", where=found.slug,
                fix="Bring every legal entity to retired and leave it.", code="HAS_RUN",
            )  # fmt: skip


def _rest_state(found: Cutover) -> str:
    rest = CutoverRoute.objects.filter(cutover=found, legal_entity=REST).first() if found.pk else None
    return rest.state if rest else State.LEGACY


def _leaving(found: Cutover) -> Any:
    """Routes of legal entities that the list does not name any more."""
    if not found.pk:
        return CutoverRoute.objects.none()
    return CutoverRoute.objects.filter(cutover=found).exclude(legal_entity__in=[REST, *found.legal_entities])


def _refuse_wrong(found: Cutover, name: str) -> None:
    sync = getattr(found, name)
    if sync.direction != "out":
        raise ConfigError(f"The sync {sync.name!r} reads.", where=name, fix="Name one that delivers.", code="CUTOVER")
    if sync.mapping.entity_id != found.entity_id:
        raise ConfigError(
            f"The sync {sync.name!r} delivers {sync.mapping.entity.name}.", where=name,
            fix=f"Name one that delivers {found.entity.name}.", code="CUTOVER",
        )  # fmt: skip
    others = Cutover.objects.exclude(slug=found.slug).filter(Q(legacy=sync) | Q(new=sync))
    if other := others.first():
        raise ConfigError(
            f"The sync {sync.name!r} belongs to the cut-over {other.name!r}.", where=name,
            fix="A sync takes part in one cut-over.", code="CUTOVER",
        )  # fmt: skip


def _legal_entity_problems(document: Document) -> list[Problem]:
    given = document.get("legal_entities", [])
    if not isinstance(given, list) or not all(isinstance(one, str) and one.strip() for one in given):
        return [Problem("legal_entities", "Write a list of legal entities, such as [HV-UK, HV-DE].")]
    if REST in given:
        return [Problem("legal_entities", "* stands for all the rest and is always there. Leave it out.")]
    if len(set(given)) < len(given):
        return [Problem("legal_entities", "A legal entity is named twice.")]
    return [Problem("legal_entities", f"{one!r} is longer than 120 characters.") for one in given if len(one) > 120]


def _tolerance_problems(document: Document) -> list[Problem]:
    given = document.get("tolerances", {})
    if not isinstance(given, dict):
        return [Problem("tolerances", "Write fields and amounts, such as {budget_hours: '0.01'}.")]
    return [
        Problem(f"tolerances.{name}", f"{amount!r} is no amount. Write one such as '0.01'.")
        for name, amount in given.items()
        if not _is_amount(amount)
    ]


def _is_amount(given: Any) -> bool:
    try:
        return isinstance(given, str) and Decimal(given).is_finite() and Decimal(given) >= 0
    except InvalidOperation:
        return False


def register() -> None:
    registry.register(
        CutoverKind(
            name=KIND,
            model=Cutover,
            after=["Domain", "Entity", "Sync"],
            fields=[
                Attr("name", required=True),
                Ref("domain", lambda: Domain, "Domain", required=True),
                Ref("entity", lambda: Entity, "Entity", required=True),
                Ref("legacy", lambda: Sync, "Sync", required=True),
                Ref("new", lambda: Sync, "Sync", required=True),
                *(Attr(n) for n in ("owner", "legal_entities", "days_needed", "carry", "tolerances", "notes")),
            ],
            is_removable=True,
        )
    )
