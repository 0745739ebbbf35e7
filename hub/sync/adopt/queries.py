"""Reads of first loads: what a person may see, and how much of what there is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from hub.accounts.models import User
from hub.accounts.queries import scope_to_domains
from hub.sync import totals
from hub.sync.adopt.applying import TO_CREATE, TO_LINK
from hub.sync.adopt.staging import Side, Verdict
from hub.sync.models import Adoption, MatchDefinition, StagedRecord

Decision = StagedRecord.Decision
DOMAIN = "target__mapping__entity__domain"


def adoptions_for(user: User, permission: str) -> QuerySet[Adoption]:
    rows = Adoption.objects.select_related(
        "target__mapping__entity__domain",
        "target__mapping__stream__connection__system",
        "source__mapping__entity",
        "source__mapping__stream__connection__system",
        "requested_by",
        "approved_by",
    )
    return scope_to_domains(rows, user, permission, DOMAIN)


def definitions_for(user: User, permission: str) -> QuerySet[MatchDefinition]:
    rows = MatchDefinition.objects.select_related("entity__domain", "sync")
    return scope_to_domains(rows, user, permission, "entity__domain")


# Groups of records, as tabs and counts show them -------------------------------------------------------------
GROUPS: dict[str, tuple[str, int, Q]] = {
    "linked": ("Same", Side.SOURCE, TO_LINK & Q(differences=[]) | Q(verdict=Verdict.LINKED, decision="")),
    "conflict": (
        "Same, with differences",
        Side.SOURCE,
        Q(verdict=Verdict.CONFLICT, decision="") | Q(decision=Decision.LINK) & ~Q(differences=[]),
    ),
    "maybe": ("Maybe", Side.SOURCE, Q(verdict=Verdict.MAYBE, decision="")),
    "create": ("Create", Side.SOURCE, TO_CREATE),
    "left": ("Left out", Side.SOURCE, Q(decision=Decision.LEAVE)),
    "target_only": ("Only at the target", Side.TARGET, Q()),
    "known": ("Linked before", Side.SOURCE, Q(verdict=Verdict.KNOWN)),
    "refused": ("Cannot pass", Side.SOURCE, Q(verdict=Verdict.REFUSED)),
}


def of_group(adoption: Adoption, name: str) -> QuerySet[StagedRecord]:
    """Records of a group, with their partners; a target record that a person linked stands alone no more."""
    _, side, condition = GROUPS[name]
    rows = StagedRecord.objects.filter(condition, adoption=adoption, side=side).select_related("partner", "decided_by")
    return rows.exclude(pk__in=_partners(adoption)) if side == Side.TARGET else rows


def _partners(adoption: Adoption) -> QuerySet[Any]:
    linked = StagedRecord.objects.filter(adoption=adoption, side=Side.SOURCE, partner__isnull=False)
    return linked.order_by().values("partner_id")


@dataclass(slots=True)
class Group:
    """How many records, how much by currency (never added across them), and how many are done."""

    name: str
    word: str
    number: int = 0
    applied: int = 0
    amounts: list[tuple[str, Decimal]] = field(default_factory=list)

    def as_data(self) -> dict[str, Any]:
        amounts = {currency: totals.exact(total) for currency, total in self.amounts}
        return {"number": self.number, "applied": self.applied, "amounts": amounts}


def summary(adoption: Adoption) -> list[Group]:
    """All groups, in their order."""
    return [_group(adoption, name) for name in GROUPS]


def _group(adoption: Adoption, name: str) -> Group:
    found = Group(name, GROUPS[name][0])
    sums: dict[str, Decimal] = defaultdict(Decimal)
    rows = of_group(adoption, name).order_by().select_related(None)
    counted = rows.values_list("currency").annotate(n=Count("pk"), done=Count("applied_at"), total=Sum("amount"))
    for currency, number, done, total in counted:
        found.number, found.applied = found.number + number, found.applied + done
        if currency and total is not None:
            sums[currency] += total
    found.amounts = sorted(sums.items(), key=lambda pair: -abs(pair[1]))
    return found


def report(adoption: Adoption) -> dict[str, Any]:
    """As `adopt --json` prints it."""
    groups = {group.name: group.as_data() for group in summary(adoption)}
    found = {
        "adoption": adoption.pk,
        "sync": adoption.target.slug,
        "source": adoption.source.slug if adoption.source else None,
        "status": adoption.status,
        "read": {"source": adoption.read_source, "target": adoption.read_target},
        "groups": groups,
        "to_do": sum(groups[name]["number"] - groups[name]["applied"] for name in ("linked", "conflict", "create")),
        "notes": adoption.notes,
    }
    return found | ({"error": adoption.error} if adoption.error else {})


def near(row: StagedRecord) -> list[tuple[int, StagedRecord, bool]]:
    """(score, record of the target, whether another one is linked to it), best first."""
    ids = [one["id"] for one in row.candidates]
    rows = StagedRecord.objects.in_bulk(ids)
    taken = set(StagedRecord.objects.filter(partner__in=ids).exclude(pk=row.pk).values_list("partner_id", flat=True))
    return [(one["score"], rows[one["id"]], one["id"] in taken) for one in row.candidates if one["id"] in rows]


def twins(row: StagedRecord) -> list[tuple[int, StagedRecord]]:
    """(score, record of the same side that looks like it), best first."""
    rows = StagedRecord.objects.in_bulk([one["id"] for one in row.twins])
    return [(one["score"], rows[one["id"]]) for one in row.twins if one["id"] in rows]
