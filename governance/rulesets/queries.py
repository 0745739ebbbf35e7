"""Reads of rulesets, and which contracts in a person's domains fail them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from governance import queries
from governance.models import Contract, Ruleset
from governance.rulesets.judging import Finding, findings, is_for
from governance.schemas import Schema
from hub.accounts.models import User


@dataclass(frozen=True, slots=True)
class Failing:
    """One rule that the version in force of one contract fails."""

    contract: Contract
    finding: Finding

    @property
    def domain(self) -> str:
        return str(self.contract.entity.domain.slug)


@dataclass(frozen=True, slots=True)
class Judged:
    """A ruleset with how many contracts it is for, and how many of them fail."""

    ruleset: Ruleset
    contract_count: int
    error_count: int
    warning_count: int


def may_edit(user: User) -> bool:
    """A ruleset reaches over domains, so changing one needs the permission for all of them."""
    return user.domain_ids_for("contracts.edit") is None


def failing(user: User, rulesets: Iterable[Ruleset]) -> list[Failing]:
    """By contract, errors first."""
    rows = list(rulesets)
    return [
        Failing(contract, finding)
        for contract, schema in _in_force(user)
        for finding in findings(
            schema,
            domain=contract.entity.domain.slug,
            entity=contract.entity.slug,
            rulesets=[r for r in rows if r.is_active],
        )
    ]


def judged(user: User, rulesets: Iterable[Ruleset], found: Iterable[Failing]) -> list[Judged]:
    contracts = [(c.entity.domain.slug, c.entity.slug, schema.get("x-tags") or []) for c, schema in _in_force(user)]
    counts = [(each.finding.ruleset.pk, each.finding.is_error, each.contract.pk) for each in found]
    return [
        Judged(
            ruleset,
            sum(is_for(ruleset, domain=domain, entity=entity, tags=tags) for domain, entity, tags in contracts),
            len({contract for pk, is_error, contract in counts if pk == ruleset.pk and is_error}),
            len({contract for pk, is_error, contract in counts if pk == ruleset.pk and not is_error}),
        )
        for ruleset in rulesets
    ]


def _in_force(user: User) -> Iterator[tuple[Contract, Schema]]:
    for contract in queries.contracts_for(user).order_by("entity__domain__order", "slug"):
        if version := queries.active_version(contract):
            yield contract, version.schema
