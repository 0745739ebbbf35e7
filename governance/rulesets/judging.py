"""Which rulesets are for a contract, and which of their rules a version of it fails."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db.models import Q

from governance.models import Contract, Entity, Ruleset, ServiceLevel
from governance.rulesets.rules import CHECKS, words
from governance.schemas import Schema
from hub.common.errors import ConfigError

SELECTORS = ("domains", "entities", "tags")
_is_off: ContextVar[bool] = ContextVar("rulesets_off", default=False)


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that a version fails."""

    ruleset: Ruleset
    rule: str
    severity: str
    sentence: str

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def as_data(self) -> dict[str, Any]:
        return {"ruleset": self.ruleset.slug, "rule": self.rule, "severity": self.severity, "sentence": self.sentence}


@contextmanager
def unchecked() -> Iterator[None]:
    """What ships with the hub, and the first version of an entity that has its key alone, are nobody's failing yet."""
    token = _is_off.set(True)
    try:
        yield
    finally:
        _is_off.reset(token)


def is_for(ruleset: Ruleset, *, domain: str, entity: str, tags: Collection[str]) -> bool:
    """Whether the selector names a contract: all that it says has to be met."""
    said = ruleset.selector or {}
    return (
        (not said.get("domains") or domain in said["domains"])
        and (not said.get("entities") or entity in said["entities"])
        and (not said.get("tags") or bool({*said["tags"]} & {*tags}))
    )


def active() -> list[Ruleset]:
    return list(Ruleset.objects.filter(is_active=True))


def findings(schema: Schema, *, domain: str, entity: str, rulesets: Iterable[Ruleset] | None = None) -> list[Finding]:
    """Every rule that the schema fails, errors first."""
    tags = [tag for tag in _list(schema.get("x-tags")) if isinstance(tag, str)]
    found = [
        Finding(ruleset, words(rule), rule.get("severity", "error"), sentence)
        for ruleset in (active() if rulesets is None else rulesets)
        if is_for(ruleset, domain=domain, entity=entity, tags=tags)
        for rule in ruleset.rules
        if (sentence := CHECKS[rule["rule"]].fails(schema, rule))
    ]
    return sorted(found, key=lambda finding: not finding.is_error)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def of_contract(contract: Contract, schema: Schema, rulesets: Iterable[Ruleset] | None = None) -> list[Finding]:
    """A service level of the hub counts as well as one that the schema states; of a domain it counts for each entity."""
    entity = contract.entity
    if "x-sla" not in schema and _is_promised(entity):
        schema = {**schema, "x-sla": [{"property": "latency"}]}
    return findings(schema, domain=entity.domain.slug, entity=entity.slug, rulesets=rulesets)


def _is_promised(entity: Entity) -> bool:
    whole = Q(entity=None, domain=entity.domain_id)
    return ServiceLevel.objects.filter(Q(entity=entity) | whole).exists()


def refuse_failing(contract: Contract, schema: Schema) -> None:
    """Raises ConfigError with every error that a new version would have."""
    if not _is_off.get() and (sentence := refusal(of_contract(contract, schema))):
        raise ConfigError(sentence, where=contract.slug, fix="Change the contract, or its rulesets.", code="RULESET")


def refusal(found: Sequence[Finding]) -> str:
    """All errors in a sentence each, with the ruleset that asks; empty when there is none."""
    return " ".join(f"{each.sentence[:-1]} ({each.ruleset.name})." for each in found if each.is_error)
