"""What becomes of a record that breaks its contract, as the contract's modes and its breach policy say. Pure."""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from governance.contracts import ContractCheck, Finding
from governance.models import Contract
from governance.schemas import MASKED, Schema

Action = Literal["kept", "value_dropped", "row_dropped", "quarantined", "warned", "blocked"]
Level = Literal["field", "type", "value", "rule"]
SHOWN = 200
# Dropping one value may bring the next to light, such as a rule across fields; more rounds than this find nothing new.
ROUNDS = 5
_LEVELS: Mapping[str, Level] = {"additionalProperties": "field", "type": "type", "enum": "value", "const": "value"}
# Nothing is there, or something of which nobody has said who may see it.
_VALUELESS = ("required", "additionalProperties")
_FORMATS = ("pattern", "format")
_AFTER: Mapping[str, Action] = {"block": "blocked", "quarantine": "quarantined", "warn": "warned"}


@dataclass(frozen=True, slots=True)
class Breach:
    """One field that breaks one rule, and what was done; `value` as JSON, empty where it is masked or absent."""

    field: str
    rule: str
    value: str
    sentence: str
    action: Action


@dataclass(frozen=True, slots=True)
class Treated:
    """A record after treatment: `action` is what became of it as a whole, `body` what is left of it."""

    body: dict[str, Any]
    action: Literal["pass", "row_dropped", "quarantined", "blocked"] = "pass"
    breaches: tuple[Breach, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """The modes by level, the policy for what they leave as a breach, and the fields that say otherwise (`x-mode`)."""

    modes: Mapping[str, str]
    on_breach: str
    by_field: Mapping[str, str] = field(default_factory=dict)
    masked: frozenset[str] = frozenset()

    @classmethod
    def of(cls, contract: Contract, schema: Schema) -> Policy:
        properties = {name: spec for name, spec in (schema.get("properties") or {}).items() if isinstance(spec, dict)}
        return cls(
            {"field": contract.mode, "type": contract.type_mode, "value": contract.value_mode},
            contract.on_breach,
            {name: str(spec["x-mode"]) for name, spec in properties.items() if spec.get("x-mode")},
            frozenset(name for name, spec in properties.items() if spec.get("x-classification") in MASKED),
        )

    def mode_of(self, finding: Finding) -> str:
        """The mode for one finding; `freeze` leaves it to the breach policy, as every broken rule is."""
        level = level_of(finding)
        if level == "rule":
            return "freeze"
        name = str(finding.path[0]) if finding.path else ""
        return self.by_field.get(name) or self.modes[level]


def level_of(finding: Finding) -> Level:
    """Whether a field is unknown, its type wrong, its value not listed, or another rule broken.

    Our own formats are types: a text that is no decimal number is of the wrong type.
    """
    if finding.rule in _FORMATS and finding.is_format:
        return "type"
    return _LEVELS.get(finding.rule, "rule")


def treat(check: ContractCheck, body: dict[str, Any], policy: Policy, *, key: Collection[str] = ()) -> Treated:
    """A record that does not pass its contract, treated. What the hub stands on (key, amount, …) is never dropped or kept
    broken; `key` names more of it, as the stream does for a record of its source.
    """
    held = {*key, *check.markers.key, check.markers.amount, check.markers.currency}
    held |= {name for _, name in check.markers.promoted}
    left, breaches = copy.deepcopy(body), list[Breach]()
    for _ in range(ROUNDS):
        dropping = [found for found in check.findings(left) if _mode(found, policy, held) == "discard_value"]
        if not dropping:
            break
        for found in sorted(dropping, key=_place, reverse=True):
            breaches.append(_breach(found, policy, "value_dropped"))
            _drop(left, found)
    return _ended(left, breaches, check.findings(left), policy, held)


def _mode(found: Finding, policy: Policy, held: Collection[str]) -> str:
    """The mode for a finding: what the hub stands on is frozen, and so is the record as a whole."""
    mode = policy.mode_of(found)
    if mode in ("evolve", "discard_value") and not found.unknown and (not found.path or str(found.path[0]) in held):
        return "held"
    return mode


def _ended(
    left: dict[str, Any], breaches: list[Breach], findings: list[Finding], policy: Policy, held: Collection[str]
) -> Treated:
    by_mode = [(found, _mode(found, policy, held)) for found in findings]
    if rows := [found for found, mode in by_mode if mode == "discard_row"]:
        return Treated(left, "row_dropped", (*breaches, *(_breach(f, policy, "row_dropped") for f in rows)))
    actions = [(found, _after(found, mode, policy, held)) for found, mode in by_mode]
    told = (*breaches, *(_breach(found, policy, action) for found, action in actions))
    worst = {action for _, action in actions}
    return Treated(left, "blocked" if "blocked" in worst else "quarantined" if "quarantined" in worst else "pass", told)


def _after(found: Finding, mode: str, policy: Policy, held: Collection[str]) -> Action:
    if mode == "evolve":
        return "kept"
    action = _AFTER[policy.on_breach]
    return "quarantined" if action == "warned" and found.field.partition(".")[0] in held else action


def _place(found: Finding) -> list[tuple[int, Any]]:
    """Where a finding stands, so that of a list the last item is dropped first."""
    return [(isinstance(part, int), part) for part in found.path]


def _drop(body: dict[str, Any], found: Finding) -> None:
    for path in found.paths():
        holder: Any = body
        for part in path[:-1]:
            holder = holder[part] if _has(holder, part) else None
        if _has(holder, path[-1]):
            del holder[path[-1]]


def _has(holder: Any, part: Any) -> bool:
    if isinstance(holder, dict):
        return part in holder
    return isinstance(holder, list) and isinstance(part, int) and part < len(holder)


def _breach(found: Finding, policy: Policy, action: Action) -> Breach:
    secret = bool(found.path) and str(found.path[0]) in policy.masked
    value = (
        "" if secret or found.rule in _VALUELESS else json.dumps(found.value, ensure_ascii=False, default=str)[:SHOWN]
    )
    sentence = f"The field {found.field} breaks the rule {found.rule}." if secret else found.error.what
    return Breach(found.field, found.rule, value.replace("\\u0000", ""), sentence, action)


def unknown_field(name: str, *, is_row: bool) -> Breach:
    """A mapped field that the contract does not know at all; nobody has said who may see it, so its value is not kept."""
    sentence = f"The contract does not know the field {name}."
    return Breach(name, "additionalProperties", "", sentence, "row_dropped" if is_row else "value_dropped")
