"""An entity's matrix: fields by system, what the rules say to each, what mappings do, and what was stopped of late."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from django.db.models import Count
from django.db.models.functions import Now

from connectors.models import System
from governance.models import Entity, OwnershipRule
from governance.ownership import phrases
from governance.ownership.coverage import Coverage
from governance.ownership.definitions import Ground, coverage_of, ground_of
from governance.ownership.rules import levels
from governance.schemas import Field
from hub.common.times import business_today
from hub.sync.models import BlockedValue
from mappings.models import MappingVersion
from mappings.paths import parse_path
from mappings.reading import reads
from mappings.rules import parse_rules

OTHER_FIELDS = "Other fields"
DAYS = 30


@dataclass(frozen=True, slots=True)
class Role:
    """What a rule makes of a system for a field: "Owner", "Rank 2", "Latest wins"."""

    word: str
    when: str
    rule: OwnershipRule


@dataclass(slots=True)
class Cell:
    """One field of one system. `stopped` values of it were not let in during the last days."""

    system: System
    roles: list[Role] = field(default_factory=list)
    sends: bool = False
    reads: bool = False
    stopped: int = 0


@dataclass(slots=True)
class Line:
    field: Field
    cells: list[Cell]
    overlaps: list[str]
    gaps: list[str]

    @property
    def is_doubtful(self) -> bool:
        return bool(self.overlaps or self.gaps)


@dataclass(slots=True)
class Matrix:
    systems: list[System]
    groups: list[tuple[str, list[Line]]]
    rules: list[OwnershipRule]
    drafts: list[OwnershipRule]
    coverage: Coverage

    @property
    def lists(self) -> list[list[tuple[OwnershipRule, str, str]]]:
        """Rules in force and drafts, with who and when in words."""
        return [[(row, phrases.who(row), phrases.when(row)) for row in rows] for rows in (self.rules, self.drafts)]

    @property
    def stopped(self) -> int:
        return sum(cell.stopped for _, lines in self.groups for line in lines for cell in line.cells)


def matrix_of(entity: Entity) -> Matrix:
    return _Builder(entity).build()


class _Builder:
    def __init__(self, entity: Entity) -> None:
        self.ground = ground_of(entity)
        rows = OwnershipRule.objects.filter(entity=entity).exclude(status=OwnershipRule.Status.RETIRED)
        self.rows = list(rows.order_by("slug"))
        self.active = [row for row in self.rows if row.status == OwnershipRule.Status.ACTIVE]
        self.speaking = {row.slug: row for row in self.active if not row.is_over(business_today())}
        self.sent, self.read = _traffic(entity, self.ground)
        self.stopped = _stopped(entity)

    def build(self) -> Matrix:
        coverage = coverage_of(self.ground, self.active)
        systems = self._systems()
        lines = [self._line(one, systems, coverage) for one in self.ground.fields]
        drafts = [row for row in self.rows if row.status == OwnershipRule.Status.DRAFT]
        return Matrix(systems, _grouped(lines, self.active), self.active, drafts, coverage)

    def _systems(self) -> list[System]:
        """Those that rules name, and those that send or are told something."""
        named = {slug for row in self.rows for slug in row.systems}
        known = {*self.sent, *self.read, *(system for _, system in self.stopped)}
        rows = System.objects.filter(slug__in=named) | System.objects.filter(pk__in=known)
        return list(rows.distinct().order_by("name"))

    def _line(self, one: Field, systems: Sequence[System], coverage: Coverage) -> Line:
        order = self._order(one.name)
        return Line(
            one,
            [self._cell(one.name, system, order) for system in systems],
            [cell.sentence for cell in coverage.overlaps if cell.field == one.name],
            [cell.sentence for cell in coverage.gaps if cell.field == one.name],
        )

    def _order(self, name: str) -> list[OwnershipRule]:
        """The rules that speak for a field now or later; what stands behind one that always holds never does."""
        found: list[OwnershipRule] = []
        for level in levels([self.ground.rule(row) for row in self.speaking.values()], name):
            found += [self.speaking[rule.slug] for rule in level]
            if any(not (rule.conditions or rule.from_date or rule.to_date) for rule in level):
                break
        return found

    def _cell(self, name: str, system: System, order: Sequence[OwnershipRule]) -> Cell:
        roles = [Role(word, phrases.when(row), row) for row in order if (word := phrases.role(row, system.slug))]
        return Cell(
            system,
            roles,
            sends=name in self.sent.get(system.pk, ()),
            reads=name in self.read.get(system.pk, ()),
            stopped=self.stopped.get((name, system.pk), 0),
        )


def _traffic(entity: Entity, ground: Ground) -> tuple[dict[int, set[str]], dict[int, set[str]]]:
    """(system → fields that its mappings set, system → fields that mappings send to it), by the versions in force."""
    rows = MappingVersion.objects.filter(mapping__entity=entity, status=MappingVersion.Status.ACTIVE)
    sent: dict[int, set[str]] = {}
    read: dict[int, set[str]] = {}
    for version in rows.select_related("mapping__stream__connection"):
        mapping, rules = version.mapping, parse_rules(version.rules)
        system = mapping.stream.connection.system_id
        if mapping.direction == "in":
            sent.setdefault(system, set()).update(str(parse_path(rule.target)[0]) for rule in rules)
        else:
            paths = {path for rule in rules for path in reads(rule, ground.names)}
            read.setdefault(system, set()).update(str(parse_path(path)[0]) for path in paths)
    return sent, read


def _stopped(entity: Entity) -> Mapping[tuple[str, int], int]:
    rows = BlockedValue.objects.filter(entity=entity, last_at__gte=Now() - timedelta(days=DAYS))
    counts = rows.order_by().values_list("field", "system_id").annotate(number=Count("pk"))
    return {(name, system): number for name, system, number in counts}


def _grouped(lines: Sequence[Line], active: Sequence[OwnershipRule]) -> list[tuple[str, list[Line]]]:
    """Fields under the name that a rule gives them, the others behind."""
    names = {name: row.group for row in active if row.group for name in row.fields}
    groups: dict[str, list[Line]] = {row.group: [] for row in active if row.group and row.fields}
    groups[OTHER_FIELDS] = []
    for line in lines:
        groups[names.get(line.field.name, OTHER_FIELDS)].append(line)
    return [(name, found) for name, found in groups.items() if found]
