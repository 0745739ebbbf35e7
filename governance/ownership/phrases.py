"""Rules in words: for the matrix, lists and messages."""

from __future__ import annotations

from governance.models import OwnershipRule

Decide = OwnershipRule.Decide
EMPTY_WORD = "(empty)"


def condition(row: OwnershipRule) -> str:
    """When the rule holds, beside its dates; empty for always."""
    parts = []
    if row.legal_entities:
        parts.append(f"legal entity {_listed(row.legal_entities)}")
    if row.phases:
        parts.append(f"{row.phase_field} {_listed(row.phases)}")
    return " and ".join(parts)


def dates(row: OwnershipRule) -> str:
    if row.from_date and row.to_date:
        return f"{row.from_date} to {row.to_date}"
    if row.from_date:
        return f"from {row.from_date}"
    return f"until {row.to_date}" if row.to_date else ""


def when(row: OwnershipRule) -> str:
    return ", ".join(part for part in (condition(row), dates(row)) if part)


def who(row: OwnershipRule) -> str:
    """The systems as the rule ranks them."""
    if row.decide == Decide.RANKING:
        return " before ".join(row.systems)
    if row.decide == Decide.LATEST:
        return f"latest of {', '.join(row.systems)}" if row.systems else "latest of all"
    return row.systems[0] if row.systems else ""


def role(row: OwnershipRule, system: str) -> str:
    """What the rule makes of one system; empty where it lets it set nothing."""
    if row.decide == Decide.LATEST:
        return "Latest wins" if not row.systems or system in row.systems else ""
    if system not in row.systems:
        return ""
    return "Owner" if row.decide == Decide.OWNER else f"Rank {row.systems.index(system) + 1}"


def what(row: OwnershipRule) -> str:
    return ", ".join(row.fields) or "all other fields"


def _listed(values: list[str]) -> str:
    return " or ".join(value or EMPTY_WORD for value in values)
