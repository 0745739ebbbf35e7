"""The review page put together: what changes, grouped as people think of it, beside what it breaks and who said what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from governance import consumers
from governance.changes import sealing
from governance.changes.documents import WHOLE, Difference
from governance.changes.proposals import FIELDS, Proposal, users_left
from governance.changes.services import proposals_of
from governance.changes.wording import in_words, text
from governance.compatibility.verdict import WHO, Judged
from governance.consumers import Effective
from governance.diff import compare
from governance.models import ChangeComment, ChangeRequest, Contract
from hub.common.registry import kind
from hub.common.usage import listed

_WORDS = {"fail": "Breaking", "warn": "Warning", "ok": "Compatible", "changed": "Changed"}
_ORDER = ("fail", "warn", "changed", "ok")


@dataclass
class Row:
    """One thing that changes: its name, in words, before and after side by side, and the talk about it."""

    item: str
    path: str
    sentence: str
    severity: str = "changed"
    lines: Sequence[tuple[str, str | None, str | None]] = ()
    judged: Sequence[Judged] = ()
    threads: list[ChangeComment] = field(default_factory=list)
    number: int = 0
    users: Sequence[tuple[str, str]] = ()  # of what is removed: who uses it and stays

    @property
    def anchor(self) -> str:
        """How comments name the place."""
        return f"{self.item}: {self.path}"

    @property
    def name(self) -> str:
        return self.item if self.path == WHOLE else self.path.removeprefix(FIELDS)

    @property
    def word(self) -> str:
        return _WORDS[self.severity]

    @property
    def who(self) -> str:
        if self.users:
            return listed([f"{name} {key}" for name, key in self.users])
        broken = {direction for judged in self.judged for direction in judged.change.kind.breaks}
        return " and ".join(WHO[direction] for direction in sorted(broken))

    @property
    def advice(self) -> list[str]:
        return list(dict.fromkeys(judged.change.kind.advice for judged in self.judged if judged.change.kind.advice))


@dataclass
class ItemView:
    """One document of the change with its rows, its verdict where it is a contract's, and who uses the object."""

    proposal: Proposal
    rows: list[Row]
    impact: list[tuple[str, str]]
    effective: Effective | None = None  # of a contract: what its actual consumers notice of it
    sealed: list[str] = field(default_factory=list)  # names of secrets that were typed with it
    pk: int = 0

    @property
    def name(self) -> str:
        return f"{self.proposal.kind} {self.proposal.key}"


def items_of(change: ChangeRequest) -> list[ItemView]:
    """The items with their rows, gravest first, numbered through; threads hang at the rows that they speak of."""
    threads = list(
        change.comments.filter(answers__isnull=True).select_related("by", "resolved_by").prefetch_related("replies__by")
    )
    proposals = proposals_of(change)
    staying = users_left(proposals)
    found = [ItemView(p, _rows(p, staying), kind(p.kind).impact(p.key), _effective(p)) for p in proposals]
    for view, item in zip(found, change.items.all(), strict=True):
        view.sealed, view.pk = sealing.names_of(item), item.pk
    rows = [row for item in found for row in item.rows]
    for number, row in enumerate(rows, start=1):
        row.number = number
        row.threads = [thread for thread in threads if _speaks_of(thread, row)]
    return found


def _effective(proposal: Proposal) -> Effective | None:
    contract = Contract.objects.filter(slug=proposal.key).select_related("entity").first()
    if proposal.kind != "Contract" or proposal.verdict is None or contract is None:
        return None
    return consumers.effective(proposal.verdict, consumers.of(contract.entity))


def loose_threads(change: ChangeRequest, items: Iterable[ItemView]) -> list[ChangeComment]:
    """Threads on the change as a whole, and on places that do not differ any more."""
    hung = {thread.pk for item in items for row in item.rows for thread in row.threads}
    rows = change.comments.filter(answers__isnull=True).exclude(pk__in=hung)
    return list(rows.select_related("by", "resolved_by").prefetch_related("replies__by"))


def tree_of(items: Iterable[ItemView]) -> list[tuple[str, str, list[Row]]]:
    """(severity, word, rows) for the list at the side."""
    rows = [row for item in items for row in item.rows]
    groups = ((severity, _WORDS[severity], [row for row in rows if row.severity == severity]) for severity in _ORDER)
    return [group for group in groups if group[2]]


def _speaks_of(thread: ChangeComment, row: Row) -> bool:
    place = f"{thread.path}."
    return f"{thread.kind} {thread.key}" == row.item and bool(thread.path) and place.startswith(f"{row.path}.")


def _rows(proposal: Proposal, staying: Sequence[tuple[str, str]] = ()) -> list[Row]:
    if proposal.is_removal:
        return [_removal_row(proposal, [user for user in kind(proposal.kind).impact(proposal.key) if user in staying])]
    found = list(_field_rows(proposal) if proposal.kind == "Contract" else ())
    told = tuple(f"{row.path}." for row in found)
    rest = [each for each in proposal.differences if not f"{each.path}.".startswith(told) and not _is_told(each, found)]
    found += _plain_rows(proposal, rest)
    return sorted(found, key=lambda row: _ORDER.index(row.severity))


def _removal_row(proposal: Proposal, users: Sequence[tuple[str, str]]) -> Row:
    """All that goes, name by name, and who is left without it."""
    lines = [(name, text(value), None) for name, value in (proposal.base or {}).items() if name not in ("kind", "slug")]
    sentence = "is removed, and others use it" if users else "is removed"
    severity = "fail" if users else "warn"
    return Row(f"{proposal.kind} {proposal.key}", WHOLE, sentence, severity=severity, lines=lines, users=users)


def _is_told(found: Difference, rows: Sequence[Row]) -> bool:
    """The list of required fields is told field by field, as "becomes required"."""
    return bool(rows) and found.path in ("schema.required", "schema.properties")


def _field_rows(proposal: Proposal) -> Iterator[Row]:
    """The fields of a contract in the words of its form, each with what it breaks."""
    after = (proposal.proposed or {}).get("schema") or {}
    before = (proposal.base or {}).get("schema") or {}
    changes = proposal.verdict.changes if proposal.verdict else ()
    for diff in compare(before, after):
        judged = [each for each in changes if f"{each.change.path}.".replace("[]", "").startswith(f"{diff.name}.")]
        yield Row(
            item=f"{proposal.kind} {proposal.key}",
            path=f"{FIELDS}{diff.name}",
            sentence=diff.sentence,
            severity=_severity(judged, proposal),
            lines=[(line.field, line.before, line.after) for line in diff.changes],
            judged=judged,
        )


def _severity(judged: Sequence[Judged], proposal: Proposal) -> str:
    if proposal.verdict is None:
        return "changed"
    stopping = proposal.verdict.stopping
    if any(each in stopping for each in judged):
        return "fail"
    return "warn" if any(each.severity.rank > 0 for each in judged) else "ok"


def _plain_rows(proposal: Proposal, found: Sequence[Difference]) -> list[Row]:
    """Differences by the first two names of their path: `rules.project_code`, `entries.DE`, `description`."""
    groups: dict[str, list[Difference]] = {}
    for each in found:
        groups.setdefault(".".join(each.path.split(".")[:2]), []).append(each)
    return [_plain_row(f"{proposal.kind} {proposal.key}", path, group) for path, group in groups.items()]


def _plain_row(item: str, path: str, group: Sequence[Difference]) -> Row:
    def own(each: Difference) -> str:
        return each.path.removeprefix(path).lstrip(".") or path.rpartition(".")[2]

    lines = [line for each in group for line in _lines(own(each), each)]
    sentence = in_words(group[0]) if len(group) == 1 else f"{len(group)} things differ."
    return Row(item=item, path=path, sentence=sentence.removeprefix(f"{path}: "), lines=lines)


def _lines(name: str, found: Difference) -> Iterator[tuple[str, str | None, str | None]]:
    """A structure that comes or goes is shown name by name."""
    whole = found.before if found.after is None else found.after
    if isinstance(whole, dict) and None in (found.before, found.after):
        for inner, value in whole.items():
            said = text(value)
            yield (str(inner), said, None) if found.after is None else (str(inner), None, said)
    else:
        yield (name, _said(found.before), _said(found.after))


def _said(value: Any) -> str | None:
    return None if value is None else text(value)
