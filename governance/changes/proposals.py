"""What a change proposes, item by item: the differences, what they break, and which groups have to agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from governance.changes.documents import WHOLE, Difference, content_hash, covers, differences, leaves
from governance.compatibility.verdict import Mode, Verdict, judge_history
from governance.models import ChangeItem, ContractVersion, ReviewGroup, ReviewPolicy
from governance.models.review_policy import EVERY_KIND
from hub.accounts.models import Domain
from hub.common.governed import Name
from hub.common.registry import Document, is_removal, kind

# Where fields of a contract stand in its document; a policy may leave it out.
FIELDS = "schema.properties."


@dataclass(frozen=True)
class Proposal:
    """One document as it is live (None for a new object) and as it shall become (None for one that shall be gone)."""

    kind: str
    key: str
    domain: Domain | None
    base: Document | None
    proposed: Document | None

    @property
    def is_removal(self) -> bool:
        return self.proposed is None

    @cached_property
    def differences(self) -> list[Difference]:
        if self.proposed is None:
            return [Difference(WHOLE, self.base, None)] if self.base else []
        return differences(self.base, self.proposed)

    @cached_property
    def verdict(self) -> Verdict | None:
        """What the change of a contract breaks; None for other kinds and for a contract that has no version yet."""
        if self.kind != "Contract" or not self.base or not self.proposed:
            return None
        if not isinstance(self.proposed.get("schema"), dict):
            return None
        known = ContractVersion.objects.filter(contract__slug=self.key).exclude(status=ContractVersion.Status.DRAFT)
        history = [(f"{each.number}.0.0", each.schema) for each in known.order_by("number")]
        mode = Mode(self.base.get("compatibility", Mode.BACKWARD))
        return judge_history(history, self.proposed["schema"], mode=mode) if history else None

    @property
    def is_breaking(self) -> bool:
        return self.verdict is not None and self.verdict.is_breaking


@dataclass
class Seat:
    """What one group has to agree to: (kind, key, difference), and how many people of it."""

    group: ReviewGroup
    needed: int = 1
    touched: dict[tuple[str, str, str], Difference] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        return [f"{kind} {key}: {path}" for kind, key, path in self.touched]

    @property
    def touched_hash(self) -> str:
        return content_hash([[*place, d.before, d.after] for place, d in sorted(self.touched.items())])


def live(name: str, key: str) -> Document | None:
    return kind(name).dump(key)


def normal(document: Document) -> Document:
    """The document as the hub would write it down, so that a default that is spelt out is no difference; no secrets."""
    write = getattr(kind(document["kind"]), "proposal", None)
    return write(document) if write else document


def propose(document: Document) -> Proposal:
    name, key = document["kind"], document["slug"]
    base = live(name, key)
    proposed = None if is_removal(document) else normal(document)
    return Proposal(name, key, domain_of(proposed or base or document), base, proposed)


def of_item(item: ChangeItem) -> Proposal:
    return Proposal(item.kind, item.key, item.domain, item.base, item.proposed)


def domain_of(document: Document, depth: int = 2) -> Domain | None:
    """The domain that a document names, or that of the first object it refers to; None belongs to the whole firm."""
    if slug := document.get("domain"):
        return Domain.objects.filter(slug=slug).first()
    if depth:
        for _, name, key in kind(document["kind"]).references(document):
            other = live(name, key)
            if other and (found := domain_of(other, depth - 1)):
                return found
    return None


def users_left(proposals: Iterable[Proposal]) -> list[Name]:
    """Objects that use what shall be removed, and that stay: their use breaks."""
    gone = [(each.kind, each.key) for each in proposals if each.is_removal]
    users = dict.fromkeys(user for name, key in gone for user in kind(name).impact(key))
    return [user for user in users if user not in gone]


# Who has to agree -----------------------------------------------------------------------------------------------------


def is_watched(name: str) -> bool:
    return ReviewPolicy.objects.filter(kind__in=(name, EVERY_KIND)).exists()


def seats_for(proposals: Sequence[Proposal]) -> list[Seat]:
    """The groups that policies and verdicts call for; empty when nobody has to look."""
    policies = list(ReviewPolicy.objects.select_related("group"))
    seats: dict[int, Seat] = {}
    for proposal in proposals:
        for policy in policies:
            if _speaks_of(policy, proposal) and (found := _touched(policy.path, proposal)):
                seat = seats.setdefault(policy.group_id, Seat(policy.group))
                seat.needed = max(seat.needed, policy.approvals)
                seat.touched |= found
    if seats:
        _add_owners(seats, proposals)
    return sorted(seats.values(), key=lambda seat: seat.group.name)


def _speaks_of(policy: ReviewPolicy, proposal: Proposal) -> bool:
    return policy.kind in (proposal.kind, EVERY_KIND) and (
        policy.domain_id is None or policy.domain_id == getattr(proposal.domain, "pk", None)
    )


def _touched(pattern: str, proposal: Proposal) -> dict[tuple[str, str, str], Difference]:
    """Whoever watches over any field of an object is asked about its removal."""
    return {
        (proposal.kind, proposal.key, found.path): found
        for found in proposal.differences
        if proposal.is_removal or any(covers(pattern, path) for leaf in leaves(found) for path in _spellings(leaf))
    }


def _spellings(path: str) -> tuple[str, ...]:
    return (path, path.removeprefix(FIELDS)) if path.startswith(FIELDS) else (path,)


def _add_owners(seats: dict[int, Seat], proposals: Iterable[Proposal]) -> None:
    """Kinds of change that concern a group whatever the policies say, such as a changed unit and finance."""
    groups = {group.slug: group for group in ReviewGroup.objects.all()}
    for proposal in proposals:
        for judged in proposal.verdict.changes if proposal.verdict else ():
            if group := groups.get(judged.change.kind.owner):
                seat = seats.setdefault(group.pk, Seat(group))
                path = f"{FIELDS}{judged.change.path}"
                seat.touched |= _touched(path, proposal) or _touched("schema", proposal)
